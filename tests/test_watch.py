"""The watch over the webhook: failed deliveries are found, and the webhook repaired."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

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
from tests.support_sweep import HOUR, Stage, add_files, json_of, run, save, unmarked, work
from tests.support_sweep import due as due_now
from tests.support_webhooks import NARROW, WIDE
from tests.waiting import logged
from tests.world import SECRET, World, world

TRIGGERS = frozenset({"file.updated"})
LOG = "GET settings/webhooks/log"
GIVEN_UP = 12 * 60  # seconds, from when on a delivery that was not answered is lost


@dataclass
class Watched:
    """A world with the bot's own webhook, and a watch over it."""

    world: World
    webhooks: WebhooksClient
    administration: WebhookAdministration
    watch: WebhookWatch

    @property
    def record(self) -> WebhookRecord:
        """The state that the watch stored for other processes."""
        record = self.world.ledger.settings.get(WEBHOOK)
        assert record is not None
        return record

    def change(self, **fields: Any) -> None:
        """Change the webhook at the portal."""
        self.world.portal.webhooks[1] = replace(self.world.portal.webhooks[1], **fields)

    def lose_save(self, *files: int) -> None:
        """Save the file, or these files; all deliveries are lost from now on."""
        self.world.portal.network = Network(drop=1.0)
        save(self.world, *(files or (self.world.file,)), every=0 if files else 1)

    def later(self, minutes: float = 5) -> WebhookStatus:
        """Let time pass, and watch."""
        self.world.clock.advance(minutes * 60)
        return self.watch.run()

    def logs(self) -> int:
        """How often the log was requested."""
        return self.world.portal.count("GET", "settings/webhooks/log")


def due(here: World) -> set[int]:
    """Return the files that are due once a burst would be over."""
    here.clock.advance(2)
    return due_now(here)


@contextmanager
def watching(path: Path, *, heal: bool = False, run_sweep: bool = True) -> Iterator[Watched]:
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
            yield Watched(here, webhooks, admin, watch)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A watch without self-healing."""
    with watching(tmp_path / "ledger.db") as made:
        yield made


@pytest.fixture
def healing(tmp_path: Path) -> Iterator[Watched]:
    """A watch with self-healing."""
    with watching(tmp_path / "ledger.db", heal=True) as made:
        yield made


# The log.


def test_a_lost_delivery_is_found_in_the_log_without_a_sweep(watched: Watched) -> None:
    """A lost delivery found in the log is recorded and marked like any event, without a sweep."""
    watched.watch.run()
    watched.lose_save()
    watched.later(61)
    assert due(watched.world) == {watched.world.file}
    row = watched.world.ledger.file_row(watched.world.file)
    assert row is not None
    assert row["source"] == "log"
    work(watched.world)
    assert unmarked(watched.world, watched.world.file) == []


def test_a_failure_that_the_webhook_tells_of_is_read_at_once(watched: Watched) -> None:
    """When the webhook's `lastFailureOn` changes, the next watch reads the log."""
    watched.watch.run()
    there = watched.world.portal.webhooks[1].url
    watched.change(url=there.replace("/hook", "/nowhere"))
    watched.world.portal.retry_seconds = ()
    save(watched.world, watched.world.file)
    assert watched.world.server.drain()
    watched.change(url=there)
    watched.later()
    assert due(watched.world) == {watched.world.file}


def test_where_nothing_failed_a_watch_is_one_get(watched: Watched) -> None:
    """If nothing failed, a watch is one GET; the log is read at first and then once an hour."""
    watched.watch.run()
    before, logs = watched.world.portal.count("GET"), watched.logs()
    for _ in range(11):
        watched.later()
    assert (watched.world.portal.count("GET") - before, watched.logs() - logs) == (11, 0)
    watched.later()
    assert watched.logs() - logs == 1


def test_each_failure_is_recorded_once(watched: Watched) -> None:
    """Each failure is recorded once, by the log's id."""
    watched.lose_save()
    watched.later(GIVEN_UP / 60)
    accepted = totals(watched.world.ledger).accepted
    for _ in range(3):
        watched.later(61)
    assert totals(watched.world.ledger).accepted == accepted == 1


def test_what_is_under_way_is_left_for_the_next_time(watched: Watched) -> None:
    """An entry without an answer may still be delivered, and is left for the next time."""
    watched.world.portal.hold_deliveries()
    save(watched.world, watched.world.file)
    watched.watch.run()
    assert due(watched.world) == set()
    watched.world.portal.release_deliveries()
    watched.world.settle()
    calls = totals(watched.world.ledger).accepted
    watched.later()
    assert totals(watched.world.ledger).accepted == calls == 1


def test_what_stays_without_an_answer_is_recorded_eleven_minutes_later(watched: Watched) -> None:
    """An entry without an answer is recorded after eleven minutes: a batch before it may occupy the
    portal for ten (docspace.md 6).

    The log is then read again although the webhook reports no failure.
    """
    watched.lose_save()
    watched.watch.run()
    for minutes in (5, 5.9):
        watched.later(minutes)
        assert due(watched.world) == set()
    watched.later(0.2)
    assert due(watched.world) == {watched.world.file}


def test_a_log_of_many_pages_is_read_to_its_end(watched: Watched) -> None:
    """A log of many pages is read to its end, newest first, in overlapping pages."""
    files = add_files(watched.world, 205)
    watched.lose_save(*files)
    watched.world.clock.advance(GIVEN_UP)
    watched.watch.run()
    assert due(watched.world) == set(files)
    assert watched.logs() == 3


def test_what_failed_before_the_origin_is_not_ours(tmp_path: Path) -> None:
    """The first reading of the log ends at the origin, and ignores unreadable entries."""
    with watching(tmp_path / "ledger.db", run_sweep=False) as watched:
        watched.lose_save()
        watched.world.clock.advance(2 * 86400)
        watched.world.sweep()
        watched.later()
        assert due(watched.world) == set()


def test_before_the_first_sweep_the_log_is_left_alone(tmp_path: Path) -> None:
    """Before the first sweep the log is not read, since the origin is not known."""
    with watching(tmp_path / "ledger.db", run_sweep=False) as watched:
        watched.lose_save()
        watched.later()
        assert watched.logs() == 0


def test_a_reading_that_breaks_off_is_done_again(watched: Watched) -> None:
    """A reading that fails is repeated, since the watermark is stored last."""
    watched.lose_save(*add_files(watched.world, 120))
    watched.world.clock.advance(GIVEN_UP)
    watched.world.portal.faults.add(Fault(LOG, "status", status=502, skip=1))
    with pytest.raises(TransientError):
        watched.watch.run()
    watched.watch.run()
    assert len(due(watched.world)) == 120


def test_the_echo_of_our_own_comment_costs_nothing(watched: Watched) -> None:
    """A lost delivery that was an echo of our own comment costs nothing."""
    watched.lose_save()
    watched.later(GIVEN_UP / 60)
    work(watched.world)
    watched.later(61)
    assert totals(watched.world.ledger).echoes == 1
    assert due(watched.world) == set()


def test_a_ledger_that_cannot_be_written_moves_no_mark(watched: Watched) -> None:
    """If the ledger cannot be written the watermark stays, so that the entries are read again."""
    watched.lose_save()
    watched.world.clock.advance(GIVEN_UP)
    full = cast(Ledger, _Full(watched.world.ledger))
    reader = DeliveryLog(full, watched.webhooks, TRIGGERS, watched.world.clock)
    with pytest.raises(LedgerError):
        reader.read(watched.webhooks.all()[0])
    watched.watch.run()
    assert due(watched.world) == {watched.world.file}


class _Full:
    def __init__(self, ledger: Ledger) -> None:
        self.settings, self.baseline = ledger.settings, ledger.baseline

    def record(self, event: Event, now: object, source: Source) -> bool:
        raise LedgerError("disk full")


# The webhook itself.


def test_a_webhook_without_issues_is_recorded_as_ok(watched: Watched) -> None:
    """A webhook without issues is stored as ok, for the `status` of other processes."""
    watched.watch.run()
    assert (watched.record.state, watched.record.id, watched.record.reason) == ("ok", 1, "")


def test_a_secret_that_differs_is_recorded_until_a_delivery_is_accepted(watched: Watched) -> None:
    """A differing secret, as of an undone rotation, is an issue until a delivery is accepted."""
    watched.watch.run()
    watched.world.portal.retry_seconds = ()
    watched.change(secret="Another-Secret-1!")
    save(watched.world, watched.world.file)
    assert watched.world.server.drain()
    for _ in range(2):
        watched.later()
        assert (watched.record.state, "rotate" in watched.record.hint) == ("signature", True)
    assert due(watched.world) == {watched.world.file}
    watched.change(secret=SECRET)
    save(watched.world, watched.world.file)
    assert watched.world.server.drain()
    watched.later()
    assert watched.record.state == "ok"


@pytest.mark.parametrize(
    ("fields", "word", "hint"),
    [
        ({"enabled": False}, "disabled", "enable"),
        ({"triggers": 256}, "triggers", "register"),
        ({"url": "http://127.0.0.1:9/elsewhere"}, "address", "public_url"),
    ],
)
def test_an_issue_is_recorded_with_a_hint(
    watched: Watched, fields: dict[str, Any], word: str, hint: str
) -> None:
    """An issue is stored with a hint, also for a changed address: the id is known."""
    watched.watch.run()
    watched.change(**fields)
    watched.later()
    assert (watched.record.state, hint in watched.record.hint) == (word, True)
    assert watched.world.portal.count("PUT") == 0


def test_a_deleted_webhook_is_missed(watched: Watched) -> None:
    """A webhook that was there before and is gone is an issue."""
    watched.watch.run()
    del watched.world.portal.webhooks[1]
    watched.later()
    assert watched.record.state == "missing"


def test_one_that_was_never_seen_is_not_missed(watched: Watched) -> None:
    """A webhook that was never seen is no issue, since it may belong to another account."""
    watched.change(created_by=watched.world.ann.id)
    watched.later()
    assert watched.record.state == "unseen"


def test_a_disabled_webhook_heals_itself(healing: Watched) -> None:
    """With `webhook.self_heal` a disabled webhook is enabled; the deliveries that it missed are in
    the log or found by the sweep.
    """
    healing.watch.run()
    healing.change(enabled=False)
    healing.later()
    assert healing.world.portal.webhooks[1].enabled
    healing.later()
    assert healing.record.state == "ok"


def test_a_deleted_webhook_is_registered_again(healing: Watched) -> None:
    """With `webhook.self_heal` a deleted webhook is registered with our address, triggers and
    secret, and the next save is delivered.
    """
    healing.watch.run()
    del healing.world.portal.webhooks[1]
    healing.later()
    (made,) = healing.world.portal.webhooks.values()
    assert (made.secret, made.triggers) == (SECRET, 512)
    healing.later()
    assert (healing.record.state, healing.record.id) == ("ok", made.id)


def test_it_heals_once_an_hour_at_most(healing: Watched) -> None:
    """A webhook is repaired once an hour at most, even if it is disabled again and again."""
    healing.watch.run()
    for _ in range(12):
        healing.change(enabled=False)
        healing.later()
    assert healing.world.portal.count("PUT", "settings/webhook/enable") == 1
    healing.later()
    assert healing.world.portal.count("PUT", "settings/webhook/enable") == 2


def test_a_webhook_that_the_portal_cannot_reach_is_not_healed_and_said_so(healing: Watched) -> None:
    """A webhook that the portal cannot reach (500) is not enabled, which is logged."""
    healing.watch.run()
    healing.change(enabled=False)
    route = "PUT settings/webhook/enable"
    healing.world.portal.faults.add(Fault(route, "status", status=500))
    with capture_logs() as logged:
        healing.later()
    (error,) = (line["error"] for line in logged if line["event"] == "error")
    assert error.startswith("the portal gets no answer from http://127.")


def test_what_a_command_has_repaired_is_not_recorded_any_more(watched: Watched) -> None:
    """After a repair by a command the issue is removed at once, before the next watch."""
    watched.change(enabled=False)
    watched.later()
    assert watched.record.state == "disabled"
    watched.administration.switch_on(watched.administration.get(None))
    assert watched.world.ledger.settings.get(WEBHOOK) is None
    assert watched.world.ledger.health.overview(watched.world.clock()).webhook == ""


def test_a_removal_by_command_is_not_healed(healing: Watched) -> None:
    """A webhook that was removed by a command is not registered again."""
    healing.watch.run()
    key = healing.world.portal.add_key(healing.world.bot, WIDE)
    with closing(Transport(healing.world.server.url, key, timeout=5)) as transport:
        webhooks = WebhooksClient(transport, healing.world.docspace.key)
        whole = healing.administration
        ours = WebhookAdministration(
            healing.world.ledger,
            webhooks,
            lambda: replace(healing.world.docspace.key(), permissions=frozenset()),
            whole.spec,
            healing.world.clock,
        )
        ours.remove(ours.get(None))
    healing.later()
    assert healing.world.portal.webhooks == {}


# In the commands.


def test_reconcile_reads_the_log_only_where_the_key_is_known_to_be_allowed(
    scene: Stage,
) -> None:
    """`reconcile` reads the log only if the key is known to be allowed."""
    wide = scene.portal.add_key(scene.bot, WIDE)
    scene.portal.add_webhook(by=scene.bot, url="http://127.0.0.1:9/x", secret=SECRET)
    assert run(scene, "reconcile", DOCSPACE_API_KEY=wide).returncode == 0
    assert scene.portal.count("GET", "settings/webhook") == 0
    assert run(scene, "webhook", "list", DOCSPACE_API_KEY=wide).returncode == 0
    json_of(run(scene, "reconcile", "--json", DOCSPACE_API_KEY=wide))
    assert scene.portal.count("GET", "settings/webhook") == 2
    narrow = scene.portal.add_key(scene.bot, NARROW)
    for _ in range(2):
        assert run(scene, "reconcile", DOCSPACE_API_KEY=narrow).returncode == 0
    assert scene.portal.count("GET", "settings/webhook") == 3


def test_a_daemon_watches_where_its_key_may(scene: Stage) -> None:
    """A daemon watches if its key is allowed; otherwise it says so once, and stops."""
    with daemon(scene.environ, scene.folder) as running:
        assert logged(scene.folder, "webhook_not_watched")
        assert running.terminate() == 0
    assert scene.portal.count("GET", "settings/webhook") == 0
    wide = scene.portal.add_key(scene.bot, WIDE)
    webhook = scene.environ | {"DOCSPACE_API_KEY": wide}
    with daemon(webhook, scene.folder) as running:
        assert logged(scene.folder, "webhook_not_seen")
        assert running.terminate() == 0
    assert scene.portal.count("GET", "settings/webhook") == 1


def test_a_watch_that_meets_a_dead_key_says_so_for_all(scene: Stage) -> None:
    """A watch that meets a dead key stores the outage for all processes."""
    wide = scene.portal.add_key(scene.bot, WIDE)
    idle = {"RECONCILER_SWEEP__EVERY": "1h", "RECONCILER_REVIEW__ROOMS": "[999]"}
    with daemon(scene.environ | idle | {"DOCSPACE_API_KEY": wide}, scene.folder) as running:
        assert logged(scene.folder, '"sweep"')
        assert logged(scene.folder, "acting_as")
        scene.portal.disable_key(wide)
        assert logged(scene.folder, "key_refused")
        assert run(scene, "status").returncode == 3
        assert running.terminate() == 0
