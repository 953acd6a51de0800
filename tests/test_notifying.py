"""Messages of the daemon and of `reconcile`: a sandbox portal, addresses on the loopback."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from reconciler.config import load
from reconciler.errors import ConfigError, UnauthorizedError
from reconciler.ledger import NOTIFIED, WEBHOOK, Ledger, WebhookRecord, WebhookState
from reconciler.model import OutageKind
from reconciler.sandbox import Fault
from reconciler.service import reconcile
from reconciler.service.checks import run_check
from reconciler.service.daemon import Daemon
from reconciler.service.duties import KEY
from reconciler.service.notifying import NOTIFY, NOTIFY_EVERY
from tests import postgres
from tests.daemon import free_port
from tests.program import exits
from tests.support_http import Line, answering, http
from tests.support_ledger import sql, url
from tests.support_notify import BROKEN, as_json, mailbox, messages, titles, urls_file
from tests.support_sweep import Stage, run
from tests.waiting import eventually

DAY = timedelta(days=1)


def notify(scene: Stage, *lines: Line, **more: str) -> None:
    """Configure the addresses."""
    path = urls_file(scene.folder, *map(as_json, lines))
    scene.environ["RECONCILER_NOTIFY__URLS_FILE"] = str(path)
    scene.environ.update(more)


def reconcile_here(scene: Stage) -> None:
    """Do what the command does in this process, which is quicker."""
    reconcile(load(None, scene.environ), dry_run=False, on_planned=lambda _: None)


def let_a_day_pass(scene: Stage) -> None:
    """Make what the ledger remembers a day older."""
    day = DAY // timedelta(microseconds=1)
    aged = "marked_at = marked_at - :day, comment_since = comment_since - :day"
    sql(scene.folder, f"UPDATE files SET {aged}", day=day)  # noqa: S608 - no words of others
    with closing(Ledger(url(scene.folder), scene.server.url)) as ledger:
        told = ledger.settings.get(NOTIFIED) or {}
        older = {k: replace(one, marked_until=one.marked_until - DAY) for k, one in told.items()}
        ledger.settings.set(NOTIFIED, older)


@contextmanager
def running(scene: Stage, *, is_suspended: bool = False) -> Iterator[Daemon]:
    """Run a daemon within the block; suspended, as where another process has the sweep's role.

    Then it knows of a dead key.
    """
    daemon = Daemon(load(None, scene.environ))
    if is_suspended:
        daemon.listing.is_suspended.set()
        daemon.ledger.health.open_outage(OutageKind.DEAD_KEY, "expired", datetime.now(UTC))
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


def sends(daemon: Daemon, service: Line, number: int) -> bool:
    """Let it notify until so many messages arrived: a turn is left out while another runs."""

    def holds() -> bool:
        if len(service.requests) < number:
            daemon.schedule.run_at(NOTIFY, datetime.now(UTC))
        return len(service.requests) == number

    return eventually(holds, 20)


def test_the_daemon_tells_of_a_dead_key_and_of_its_end(scene: Stage, service: Line) -> None:
    """By itself, with what to do; the sweep goes on beside it."""
    notify(scene, service)
    scene.portal.faults.add(Fault("*", "status", status=401, times=None))
    with running(scene) as daemon:
        health = daemon.ledger.health
        assert eventually(lambda: bool(health.outages()), 20)
        assert sends(daemon, service, 1)
        scene.portal.faults.clear()
        daemon.schedule.run_at(KEY, datetime.now(UTC))
        assert eventually(lambda: not health.outages(), 20)
        assert sends(daemon, service, 2)
    wrong, over = messages(service)
    assert "What to do: make a new key" in wrong["message"]
    assert (wrong["type"], over["type"]) == ("warning", "success")


def test_of_several_daemons_only_the_one_that_sweeps_sends(scene: Stage, service: Line) -> None:
    """The others would tell everything once more."""
    notify(scene, service)
    began = datetime.now(UTC)
    with running(scene, is_suspended=True) as daemon:
        due = daemon.schedule.next_run
        assert eventually(lambda: (due(NOTIFY) or began) > began + NOTIFY_EVERY, 20)
    assert titles(service) == []


def test_the_daemon_that_takes_over_repeats_no_message(
    scene: Stage, service: Line, postgres_server: str
) -> None:
    """Two daemons know of the dead key: one tells of it, and the one that is left, of its end."""
    notify(scene, service)
    scene.portal.faults.add(Fault("*", "status", status=401, times=None))
    with postgres.database(postgres_server) as shared, ExitStack() as first:
        scene.environ["RECONCILER_STATE__URL"] = shared
        leader = first.enter_context(running(scene))
        assert eventually(lambda: not leader.listing.is_suspended.is_set(), 20)
        scene.environ["PORT"] = str(free_port())
        with running(scene) as successor:
            assert eventually(lambda: bool(successor.ledger.health.outages()), 20)
            assert sends(leader, service, 1)
            assert successor.listing.is_suspended.is_set()
            first.close()
            assert eventually(lambda: not successor.listing.is_suspended.is_set(), 20)
            scene.portal.faults.clear()
            successor.schedule.run_at(KEY, datetime.now(UTC))
            assert eventually(lambda: not successor.ledger.health.outages(), 20)
            assert sends(successor, service, 2)
    assert [message["type"] for message in messages(service)] == ["warning", "success"]


def test_the_daemon_tells_the_watcher_of_its_sweeps(scene: Stage) -> None:
    """Each has a beginning and an end."""
    with answering(http(200)) as watcher:
        scene.environ["RECONCILER_NOTIFY__HEARTBEAT_URL"] = f"{watcher.url}/ping"
        with running(scene):
            assert eventually(lambda: len(watcher.requests) >= 2, 20)
    lines = [request.line for request in watcher.requests[:2]]
    assert lines == ["GET /ping/start HTTP/1.1", "GET /ping HTTP/1.1"]


def test_a_reconcile_that_fails_tells_why(scene: Stage, service: Line) -> None:
    """Where cron runs it, nobody else would."""
    notify(scene, service)
    scene.portal.faults.add(Fault("*", "status", status=401, times=None))
    for _ in range(2):
        with pytest.raises(UnauthorizedError):
            reconcile_here(scene)
    assert len(service.requests) == 1
    assert messages(service)[0]["message"].startswith("The portal refuses the API key since ")


def test_a_webhook_that_nobody_has_looked_at_since_is_not_told_to_be_fine(
    scene: Stage, service: Line
) -> None:
    """After a long stop its last state is old: it is told once more only after it was mended."""
    notify(scene, service)
    with closing(Ledger(url(scene.folder), scene.server.url)) as ledger:
        for hours, state in (
            (0, WebhookState.DISABLED),
            (2, WebhookState.DISABLED),
            (0, WebhookState.OK),
        ):
            at = datetime.now(UTC) - timedelta(hours=hours)
            ledger.settings.set(WEBHOOK, WebhookRecord(state, at, "the webhook is disabled", "do"))
            reconcile_here(scene)
    assert [title.partition(" on ")[0] for title in titles(service)] == [
        "Needs attention",
        "Resolved",
    ]


def test_what_one_reconcile_marked_is_told_by_a_later_one(scene: Stage, service: Line) -> None:
    """One message for all that was marked, once it is time."""
    notify(scene, service, RECONCILER_NOTIFY__DIGEST_EVERY="1h")
    reconcile_here(scene)
    let_a_day_pass(scene)
    reconcile_here(scene)
    (title,) = titles(service)
    assert title.startswith("3 files newly need review on 127.0.0.1")
    assert "Legal:\n- " in messages(service)[0]["message"]


def test_an_address_that_fails_fails_no_run_and_is_told_in_status(scene: Stage) -> None:
    """Everything is marked all the same."""
    with answering(BROKEN) as broken:
        notify(scene, broken, RECONCILER_NOTIFY__OVERDUE_AFTER="1h")
        with capture_logs() as said:
            reconcile_here(scene)
            let_a_day_pass(scene)
            reconcile_here(scene)
    assert "notification_failed" in [line["event"] for line in said]
    shown = run(scene, "status").stdout
    assert "address 1 (json) of notify.urls_file cannot be notified" in shown
    assert "run: reconciler notify test" in shown


@pytest.mark.parametrize("bad", ["nosuch://x", "hunter2"])
def test_a_daemon_with_a_bad_address_does_not_start(bad: str, scene: Stage) -> None:
    """Better than nobody being told when it matters."""
    path = urls_file(scene.folder, bad)
    scene.environ["RECONCILER_NOTIFY__URLS_FILE"] = str(path)
    with pytest.raises(ConfigError, match=r"address 1.* is not an address that Apprise knows"):
        Daemon(load(None, scene.environ))


def test_check_names_a_bad_address(scene: Stage) -> None:
    """Beside whatever else serve would refuse."""
    path = urls_file(scene.folder, "nosuch://x")
    scene.environ["RECONCILER_NOTIFY__URLS_FILE"] = str(path)
    said = [finding.message for finding in run_check(load(None, scene.environ))]
    assert [one for one in said if one.startswith("address 1 (nosuch) of notify.urls_file")]


# The command.


def test_notify_test_says_which_address_works(scene: Stage) -> None:
    """And exits 1 when one does not."""
    with mailbox() as box, answering(BROKEN) as broken:
        path = urls_file(scene.folder, box.url, as_json(broken))
        done = run(scene, "notify", "test", RECONCILER_NOTIFY__URLS_FILE=str(path))
    first, second = done.stdout.splitlines()
    assert (done.returncode, first) == (1, "address 1 (mailto): sent")
    assert second.startswith("address 2 (json): FAILED: ")
    assert [mail["Subject"] for mail in box.mails] == ["Test message"]


def test_notify_test_exits_0_when_all_work(scene: Stage, service: Line) -> None:
    """Each address got the message."""
    notify(scene, service)
    assert run(scene, "notify", "test").returncode == 0
    assert titles(service) == ["Test message"]


def test_notify_test_without_an_address_says_what_to_set(scene: Stage) -> None:
    """It is a mistake of the configuration."""
    done = exits(2, run(scene, "notify", "test"))
    assert "There is no address to notify: set notify.urls_file" in done.stderr
