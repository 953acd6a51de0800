"""The second net and the watch: failed deliveries found in the portal's log, a webhook mended."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from reconciler.client import Transport, WebhooksClient
from reconciler.errors import LedgerError, TransientError
from reconciler.ledger import WEBHOOK, Ledger, WebhookRecord
from reconciler.model import Event, Source
from reconciler.sandbox import Fault, Network
from reconciler.service.logging import log
from reconciler.webhooks import (
    DeliveryLog,
    RepairPolicy,
    WebhookAdministration,
    WebhookSpec,
    WebhookStatus,
    WebhookWatch,
)
from tests.daemon import daemon
from tests.support_ledger import totals
from tests.support_sweep import HOUR, add_files, run, save, stage, told, unmarked, work
from tests.support_sweep import due as due_now
from tests.support_webhooks import NARROW, WIDE
from tests.world import SECRET, World, world

TRIGGERS = frozenset({"file.updated"})
LOG = "GET settings/webhooks/log"
GIVEN_UP = 12 * 60  # seconds, from when on a delivery that was not answered is lost


@dataclass
class Net:
    """A world whose webhook is the bot's own, and a watch over it."""

    world: World
    webhooks: WebhooksClient
    administration: WebhookAdministration
    watch: WebhookWatch

    @property
    def state(self) -> WebhookRecord:
        """What the watch left for other processes."""
        found = self.world.ledger.settings.get(WEBHOOK)
        assert found is not None
        return found

    def change(self, **fields: Any) -> None:
        """Change the webhook behind our back."""
        self.world.portal.webhooks[1] = replace(self.world.portal.webhooks[1], **fields)

    def lose(self) -> None:
        """From now on every delivery is lost."""
        self.world.portal.network = Network(drop=1.0)

    def later(self, minutes: float = 5) -> WebhookStatus:
        """Let time pass, and watch."""
        self.world.clock.advance(minutes * 60)
        return self.watch.run()

    def logs(self) -> int:
        """How often the log was asked for."""
        return self.world.portal.count("GET", "settings/webhooks/log")


def due(here: World) -> set[int]:
    """Return the files that are due when a burst would be over."""
    here.clock.advance(2)
    return due_now(here)


@contextmanager
def net(path: Path, *, heal: bool = False, run_sweep: bool = True) -> Iterator[Net]:
    """Build the world, sweep once, and let an hour pass."""
    with world(path) as here:
        own = replace(here.portal.webhooks[1], created_by=here.bot.id)
        here.portal.webhooks[1] = own
        if run_sweep:
            here.sweep()
            here.clock.advance(HOUR)
        key = here.portal.add_key(here.bot, WIDE)
        with closing(Transport(here.server.url, key, timeout=5)) as transport:
            webhooks = WebhooksClient(transport, here.docspace.key)
            wanted = WebhookSpec(own.url, "/hook", ("file.updated",))
            admin = WebhookAdministration(
                here.ledger, webhooks, here.docspace.key, wanted, here.clock
            )
            reader = DeliveryLog(here.ledger, webhooks, TRIGGERS, here.clock)
            repair = RepairPolicy(heal, lambda: SECRET)
            watch = WebhookWatch(here.ledger, admin, reader, here.clock, repair, log)
            yield Net(here, webhooks, admin, watch)


@pytest.fixture
def caught(tmp_path: Path) -> Iterator[Net]:
    """A net without self-healing."""
    with net(tmp_path / "ledger.db") as made:
        yield made


# The log.


def test_a_lost_delivery_is_found_in_the_log_without_a_sweep(caught: Net) -> None:
    """And marked like any event."""
    caught.watch.run()
    caught.lose()
    save(caught.world, caught.world.file)
    caught.later(61)
    assert due(caught.world) == {caught.world.file}
    row = caught.world.ledger.file_row(caught.world.file)
    assert row is not None
    assert row["source"] == "log"
    work(caught.world)
    assert unmarked(caught.world, caught.world.file) == []


def test_a_failure_that_the_webhook_tells_of_is_read_at_once(caught: Net) -> None:
    """`lastFailureOn` moved: five minutes are enough."""
    caught.watch.run()
    there = caught.world.portal.webhooks[1].url
    caught.change(url=there.replace("/hook", "/nowhere"))
    caught.world.portal.retry_seconds = ()
    save(caught.world, caught.world.file)
    assert caught.world.server.drain()
    caught.change(url=there)
    caught.later()
    assert due(caught.world) == {caught.world.file}


def test_where_nothing_failed_a_watch_is_one_get(caught: Net) -> None:
    """The log is read at first, and then once an hour."""
    caught.watch.run()
    before, logs = caught.world.portal.count("GET"), caught.logs()
    for _ in range(11):
        caught.later()
    assert (caught.world.portal.count("GET") - before, caught.logs() - logs) == (11, 0)
    caught.later()
    assert caught.logs() - logs == 1


def test_each_failure_is_recorded_once(caught: Net) -> None:
    """The mark is the log's id."""
    caught.lose()
    save(caught.world, caught.world.file)
    caught.later(GIVEN_UP / 60)
    accepted = totals(caught.world.ledger).accepted
    for _ in range(3):
        caught.later(61)
    assert totals(caught.world.ledger).accepted == accepted == 1


def test_what_is_under_way_is_left_for_the_next_time(caught: Net) -> None:
    """An entry without an answer may still be delivered; then it is nobody's loss."""
    caught.world.portal.hold_deliveries()
    save(caught.world, caught.world.file)
    caught.watch.run()
    assert due(caught.world) == set()
    caught.world.portal.release_deliveries()
    caught.world.settle()
    calls = totals(caught.world.ledger).accepted
    caught.later()
    assert totals(caught.world.ledger).accepted == calls == 1


def test_what_stays_without_an_answer_is_recorded_eleven_minutes_later(caught: Net) -> None:
    """A batch before it holds the portal's places for ten (docspace.md 6).

    The log is read again although the webhook tells of no failure.
    """
    caught.lose()
    save(caught.world, caught.world.file)
    caught.watch.run()
    for minutes in (5, 5.9):
        caught.later(minutes)
        assert due(caught.world) == set()
    caught.later(0.2)
    assert due(caught.world) == {caught.world.file}


def test_a_log_of_many_pages_is_read_to_its_end(caught: Net) -> None:
    """Newest to oldest, in steps that overlap."""
    caught.lose()
    files = add_files(caught.world, 205)
    save(caught.world, *files, every=0)
    caught.world.clock.advance(GIVEN_UP)
    caught.watch.run()
    assert due(caught.world) == set(files)
    assert caught.logs() == 3


def test_what_failed_before_our_responsibility_is_not_ours(tmp_path: Path) -> None:
    """The first reading ends there; also what is not to be parsed does not stop it."""
    with net(tmp_path / "ledger.db", run_sweep=False) as caught:
        caught.lose()
        save(caught.world, caught.world.file)
        caught.world.clock.advance(2 * 86400)
        caught.world.sweep()
        caught.later()
        assert due(caught.world) == set()


def test_before_the_first_sweep_the_log_is_left_alone(tmp_path: Path) -> None:
    """Nobody knows yet where our responsibility begins."""
    with net(tmp_path / "ledger.db", run_sweep=False) as caught:
        caught.lose()
        save(caught.world, caught.world.file)
        caught.later()
        assert caught.logs() == 0


def test_a_reading_that_breaks_off_is_done_again(caught: Net) -> None:
    """The mark moves last."""
    caught.lose()
    save(caught.world, *add_files(caught.world, 120), every=0)
    caught.world.clock.advance(GIVEN_UP)
    caught.world.portal.faults.add(Fault(LOG, "status", status=502, skip=1))
    with pytest.raises(TransientError):
        caught.watch.run()
    caught.watch.run()
    assert len(due(caught.world)) == 120


def test_the_echo_of_our_own_comment_costs_nothing(caught: Net) -> None:
    """Its delivery may be lost as well."""
    caught.lose()
    save(caught.world, caught.world.file)
    caught.later(GIVEN_UP / 60)
    work(caught.world)
    caught.later(61)
    assert totals(caught.world.ledger).echoes == 1
    assert due(caught.world) == set()


def test_a_ledger_that_cannot_be_written_moves_no_mark(caught: Net) -> None:
    """What could not be recorded is read again."""
    caught.lose()
    save(caught.world, caught.world.file)
    caught.world.clock.advance(GIVEN_UP)
    reader = DeliveryLog(_Full(caught.world.ledger), caught.webhooks, TRIGGERS, caught.world.clock)  # type: ignore[arg-type]
    with pytest.raises(LedgerError):
        reader.read(caught.webhooks.all()[0])
    caught.watch.run()
    assert due(caught.world) == {caught.world.file}


class _Full:
    def __init__(self, ledger: Ledger) -> None:
        self.settings, self.baseline = ledger.settings, ledger.baseline

    def record(self, event: Event, now: object, source: Source) -> bool:
        raise LedgerError("disk full")


# The webhook itself.


def test_a_sound_webhook_is_told_as_such(caught: Net) -> None:
    """For the status of other processes."""
    caught.watch.run()
    assert (caught.state.state, caught.state.id, caught.state.reason) == ("ok", 1, "")


def test_a_secret_that_differs_is_told_until_a_delivery_is_accepted(caught: Net) -> None:
    """The portal has undone a rotation, and the old secret has ended."""
    caught.watch.run()
    caught.world.portal.retry_seconds = ()
    caught.change(secret="Another-Secret-1!")
    save(caught.world, caught.world.file)
    assert caught.world.server.drain()
    for _ in range(2):
        caught.later()
        assert (caught.state.state, "rotate" in caught.state.hint) == ("signature", True)
    assert due(caught.world) == {caught.world.file}
    caught.change(secret=SECRET)
    save(caught.world, caught.world.file)
    assert caught.world.server.drain()
    caught.later()
    assert caught.state.state == "ok"


@pytest.mark.parametrize(
    ("fields", "word", "hint"),
    [
        ({"enabled": False}, "disabled", "enable"),
        ({"triggers": 256}, "triggers", "register"),
        ({"url": "http://127.0.0.1:9/elsewhere"}, "address", "public_url"),
    ],
)
def test_what_ails_it_is_told_with_what_to_do(
    caught: Net, fields: dict[str, Any], word: str, hint: str
) -> None:
    """Also when the address was changed: it is known by its id."""
    caught.watch.run()
    caught.change(**fields)
    caught.later()
    assert (caught.state.state, hint in caught.state.hint) == (word, True)
    assert caught.world.portal.count("PUT") == 0


def test_a_deleted_webhook_is_missed(caught: Net) -> None:
    """It was there before."""
    caught.watch.run()
    del caught.world.portal.webhooks[1]
    caught.later()
    assert caught.state.state == "missing"


def test_one_that_was_never_seen_is_not_missed(caught: Net) -> None:
    """Another account may have made it: only administrators see those."""
    caught.change(created_by=caught.world.ann.id)
    caught.later()
    assert caught.state.state == "unseen"


def test_a_disabled_webhook_heals_itself(tmp_path: Path) -> None:
    """With `webhook.self_heal`, and what it missed is in the log or found by the sweep."""
    with net(tmp_path / "ledger.db", heal=True) as caught:
        caught.watch.run()
        caught.change(enabled=False)
        caught.later()
        assert caught.world.portal.webhooks[1].enabled
        caught.later()
        assert caught.state.state == "ok"


def test_a_deleted_webhook_is_registered_again(tmp_path: Path) -> None:
    """With our address, triggers and secret: the next save is delivered."""
    with net(tmp_path / "ledger.db", heal=True) as caught:
        caught.watch.run()
        del caught.world.portal.webhooks[1]
        caught.later()
        (made,) = caught.world.portal.webhooks.values()
        assert (made.secret, made.triggers) == (SECRET, 512)
        caught.later()
        assert (caught.state.state, caught.state.id) == ("ok", made.id)


def test_it_heals_once_an_hour_at_most(tmp_path: Path) -> None:
    """Whoever disables it again and again is not fought with."""
    with net(tmp_path / "ledger.db", heal=True) as caught:
        caught.watch.run()
        for _ in range(12):
            caught.change(enabled=False)
            caught.later()
        assert caught.world.portal.count("PUT", "settings/webhook/enable") == 1
        caught.later()
        assert caught.world.portal.count("PUT", "settings/webhook/enable") == 2


def test_a_webhook_that_the_portal_cannot_reach_is_not_healed_and_said_so(tmp_path: Path) -> None:
    """500 at its registration is told as what it stands for."""
    with net(tmp_path / "ledger.db", heal=True) as caught:
        caught.watch.run()
        caught.change(enabled=False)
        route = "PUT settings/webhook/enable"
        caught.world.portal.faults.add(Fault(route, "status", status=500))
        with capture_logs() as logged:
            caught.later()
    errors = [line["error"] for line in logged if line["event"] == "error"]
    assert [error.startswith("the portal gets no answer from http://127.") for error in errors] == [
        True
    ]


def test_what_a_command_has_mended_is_told_no_more(tmp_path: Path) -> None:
    """Not even until the next look: who has just mended it asks for the status."""
    with net(tmp_path / "ledger.db") as caught:
        caught.change(enabled=False)
        caught.later()
        assert caught.state.state == "disabled"
        caught.administration.switch_on(caught.administration.get(None))
        assert caught.world.ledger.settings.get(WEBHOOK) is None
        assert caught.world.ledger.health.overview(caught.world.clock()).webhook == ""


def test_a_removal_by_command_is_not_healed(tmp_path: Path) -> None:
    """It was meant."""
    with net(tmp_path / "ledger.db", heal=True) as caught:
        caught.watch.run()
        key = caught.world.portal.add_key(caught.world.bot, WIDE)
        with closing(Transport(caught.world.server.url, key, timeout=5)) as transport:
            webhooks = WebhooksClient(transport, caught.world.docspace.key)
            whole = caught.administration
            ours = WebhookAdministration(
                caught.world.ledger,
                webhooks,
                lambda: replace(caught.world.docspace.key(), permissions=frozenset()),
                whole.spec,
                caught.world.clock,
            )
            ours.remove(ours.get(None))
        caught.later()
        assert caught.world.portal.webhooks == {}


# In the commands.


def test_reconcile_reads_the_log_only_where_the_key_is_known_to_be_allowed(
    tmp_path: Path,
) -> None:
    """Not tried by itself: a key of few scopes costs no more than before."""
    with stage(tmp_path) as scene:
        wide = scene.portal.add_key(scene.bot, WIDE)
        scene.portal.add_webhook(by=scene.bot, url="http://127.0.0.1:9/x", secret=SECRET)
        assert run(scene, "reconcile", DOCSPACE_API_KEY=wide).returncode == 0
        assert scene.portal.count("GET", "settings/webhook") == 0
        assert run(scene, "webhook", "list", DOCSPACE_API_KEY=wide).returncode == 0
        told(run(scene, "reconcile", "--json", DOCSPACE_API_KEY=wide))
        assert scene.portal.count("GET", "settings/webhook") == 2
        narrow = scene.portal.add_key(scene.bot, NARROW)
        for _ in range(2):
            assert run(scene, "reconcile", DOCSPACE_API_KEY=narrow).returncode == 0
        assert scene.portal.count("GET", "settings/webhook") == 3


def test_a_daemon_watches_where_its_key_may(tmp_path: Path) -> None:
    """It says so once where it may not, and then asks for nothing more."""
    with stage(tmp_path) as scene:
        with daemon(scene.environ, tmp_path) as running:
            assert _logged(tmp_path, "webhook_not_watched")
            assert running.terminate() == 0
        assert scene.portal.count("GET", "settings/webhook") == 0
        wide = scene.portal.add_key(scene.bot, WIDE)
        webhook = scene.environ | {"DOCSPACE_API_KEY": wide}
        with daemon(webhook, tmp_path) as running:
            assert _logged(tmp_path, "webhook_not_seen")
            assert running.terminate() == 0
        assert scene.portal.count("GET", "settings/webhook") == 1


def test_a_watch_that_meets_a_dead_key_says_so_for_all(tmp_path: Path) -> None:
    """The next sweep may be an hour away: until then nothing would be written, and nobody knew."""
    with stage(tmp_path) as scene:
        wide = scene.portal.add_key(scene.bot, WIDE)
        idle = {"RECONCILER_SWEEP__EVERY": "1h", "RECONCILER_REVIEW__ROOMS": "[999]"}
        with daemon(scene.environ | idle | {"DOCSPACE_API_KEY": wide}, tmp_path) as running:
            assert _logged(tmp_path, '"sweep"')
            assert _logged(tmp_path, "acting_as")
            scene.portal.disable_key(wide)
            assert _logged(tmp_path, "key_refused")
            assert run(scene, "status").returncode == 3
            assert running.terminate() == 0


def _logged(folder: Path, text: str) -> bool:
    turn, log = threading.Event(), folder / "serve.log"
    return any(text in log.read_text("utf-8") or turn.wait(0.05) for _ in range(300))
