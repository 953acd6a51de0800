"""`reconciler check`: one thing is broken at a time, and its cause must be in the first line."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.client import Key, Room
from reconciler.config import load
from reconciler.config.files import is_exposed
from reconciler.diagnostics import Problem, ProblemKind
from reconciler.diagnostics.checks import Finding, LedgerSnapshot, Level, Snapshot, check
from reconciler.errors import AddressUnreachableError
from reconciler.ledger import Ledger, Role, UndatedUpdates
from reconciler.model import AttemptResult, Event, Outcome, Section, Source
from reconciler.sandbox import ManualClock, Network, Server
from reconciler.service.checks import full_snapshot, run_check
from reconciler.webhooks import SecretFile
from tests.daemon import environment
from tests.support_ledger import event
from tests.support_office import Office, office
from tests.support_process import helper, hold
from tests.support_sweep import Stage, run
from tests.support_tls import authority, needs_openssl
from tests.support_webhooks import NARROW, WIDE, address

SECRET = "Check-Secret-1!"


@dataclass
class Healthy(Office):
    """A working installation, until a test breaks it."""

    server: Server
    clock: ManualClock
    environ: dict[str, str]
    folder: Path

    def lines(self) -> list[Finding]:
        """Run the check."""
        return run_check(load(None, self.environ))

    def wrong(self) -> list[Finding]:
        """Return the lines that are not ok, except for the daemon that does not run here."""
        bad = [one for one in self.lines() if one.level in {Level.ERROR, Level.WARNING}]
        return [one for one in bad if not one.message.startswith("the daemon is not running")]

    def with_key(self, *permissions: str) -> None:
        """Use a key with other permissions."""
        self.environ["DOCSPACE_API_KEY"] = self.portal.add_key(self.bot, permissions)

    def change(self, **fields: Any) -> None:
        """Change the webhook."""
        self.portal.webhooks[1] = replace(self.portal.webhooks[1], **fields)


@pytest.fixture
def sound(tmp_path: Path) -> Iterator[Healthy]:
    """A working installation: a room, a key with all scopes, a webhook that answers."""
    clock = ManualClock(datetime.now(UTC))
    place = office(clock=clock, retry_seconds=())
    portal, bot, _ = place.portal, place.bot, place.create()
    with Server(portal) as server, address() as url:
        portal.add_webhook(by=bot, url=url, secret=SECRET)
        environ = environment(server.url, portal.add_key(bot, WIDE), tmp_path, 3000)
        environ["DOCSPACE_WEBHOOK_SECRET"] = SECRET
        environ["RECONCILER_WEBHOOK__PUBLIC_URL"] = url
        yield Healthy(**vars(place), server=server, clock=clock, environ=environ, folder=tmp_path)


def test_nothing_is_wrong_where_nothing_is(sound: Healthy) -> None:
    """In a working installation every line is ok, and each check has one."""
    assert sound.wrong() == []
    about = {line.about for line in sound.lines()}
    assert about >= {"configuration", "ledger", "disk", "portal", "key", "scopes", "account"}
    assert about >= {"rooms", "webhook", "address", "deliveries", "clock", "texts", "instances"}


def test_it_writes_nothing_to_the_portal(sound: Healthy) -> None:
    """The check writes nothing to the portal and sends few requests."""
    sound.lines()
    methods = [one.method for one in sound.portal.requests]
    assert set(methods) == {"GET"}
    assert len(methods) <= 10


# Causes to be found.


def wrong_key(here: Healthy) -> None:
    """Delete the key at the portal."""
    here.environ["DOCSPACE_API_KEY"] = "sk-none"


def wrong_url(here: Healthy) -> None:
    """Another web server answers at the portal's address."""
    here.environ["DOCSPACE_API_HOST"] = here.environ["RECONCILER_WEBHOOK__PUBLIC_URL"].rpartition(
        "/docspace"
    )[0]


def no_webhook(here: Healthy) -> None:
    """Delete the webhook."""
    here.portal.webhooks.clear()


def disabled_webhook(here: Healthy) -> None:
    """Let the portal disable the webhook."""
    here.change(enabled=False)


def moved_webhook(here: Healthy) -> None:
    """Register another host name, as before a move."""
    here.change(url="http://old.example.org/docspace/review-comment")


def deaf_webhook(here: Healthy) -> None:
    """Register another event."""
    here.change(triggers=256)


def let_a_delivery_fail(here: Healthy, status: int) -> None:
    """Let something else answer a delivery with this status."""
    with address(status) as url:
        good = here.portal.webhooks[1].url
        here.change(url=url)
        here.portal.save(1000, by=here.ann)
        assert here.server.drain()
        here.change(url=good)


def wrong_secret(here: Healthy) -> None:
    """Let the portal's webhook sign with another secret, so that our receiver answers 401."""
    let_a_delivery_fail(here, 401)


def missing_scope(here: Healthy) -> None:
    """Use a key that may not list rooms."""
    here.with_key("files:read", "files:write", "accounts.self:read", "*:write")


def room_without_rights(here: Healthy) -> None:
    """Make the account a viewer in one room."""
    room = here.portal.add_room("Sales", owner=here.ann)
    here.portal.invite(room, here.bot, access=2)


def no_room_with_rights(here: Healthy) -> None:
    """Make the account a viewer everywhere."""
    here.portal.invite(here.room, here.bot, access=2)


def ledger_of_another_portal(here: Healthy) -> None:
    """Use a ledger of another portal, as after a copy of its database."""
    with closing(Ledger(here.environ["RECONCILER_STATE__URL"], "https://test.example.org")) as one:
        one.set_owner("somebody")


def ledger_that_is_read_only(here: Healthy) -> None:
    """Put the ledger where nothing can be created."""
    here.environ["RECONCILER_STATE__URL"] = "sqlite:////proc/ledger.db"


def ledger_that_is_damaged(here: Healthy) -> None:
    """Use a ledger's file that is no database."""
    (here.folder / "ledger.db").write_bytes(b"no database" * 500)


def url_of_a_page(here: Healthy) -> None:
    """Configure the address of a page, as copied from a browser."""
    here.environ["DOCSPACE_API_HOST"] += "/rooms/shared"


def portal_down(here: Healthy) -> None:
    """Let the portal reset every connection."""
    here.portal.down = True


def clock_off(here: Healthy) -> None:
    """Set our clock an hour ahead."""
    here.clock.advance(-3600)


def key_that_ends(here: Healthy) -> None:
    """Let the key expire in a week."""
    ends = here.clock() + timedelta(days=7)
    here.environ["DOCSPACE_API_KEY"] = here.portal.add_key(here.bot, WIDE, expires=ends)


def deaf_address(here: Healthy) -> None:
    """Use an address without a daemon; the webhook at the portal has it too."""
    gone = "http://127.0.0.1:9/docspace/review-comment"
    here.environ["RECONCILER_WEBHOOK__PUBLIC_URL"] = gone
    here.change(url=gone)


def no_proxy(here: Healthy) -> None:
    """Require HTTPS without a trusted proxy."""
    here.environ["RECONCILER_WEBHOOK__REQUIRE_HTTPS"] = "true"


def no_key(here: Healthy) -> None:
    """Configure no key."""
    del here.environ["DOCSPACE_API_KEY"]


@pytest.mark.parametrize(
    ("break_it", "level", "about", "message", "hint"),
    [
        (wrong_key, "error", "key", "unknown, disabled or expired", "DOCSPACE_API_KEY"),
        (wrong_url, "error", "portal", "settings/version/build", "portal.url"),
        (no_webhook, "error", "webhook", "no webhook at", "webhook register"),
        (disabled_webhook, "error", "webhook", "is disabled", "webhook enable"),
        (moved_webhook, "error", "webhook", "old.example.org", "webhook.public_url"),
        (deaf_webhook, "error", "webhook", "file.updated", "register"),
        (wrong_secret, "error", "deliveries", "signature", "webhook rotate"),
        (missing_scope, "error", "scopes", "rooms:read", "DOCSPACE_API_KEY"),
        (room_without_rights, "warning", "rooms", "1 of 2 rooms, not in Sales", "room manager"),
        (no_room_with_rights, "error", "rooms", "0 of 1 rooms, not in Legal", "room manager"),
        (ledger_of_another_portal, "error", "ledger", "test.example.org", "state.url"),
        (ledger_that_is_read_only, "error", "ledger", "/proc/ledger.db", "rights"),
        (ledger_that_is_damaged, "error", "ledger", "not a database", "state.url"),
        (url_of_a_page, "error", "portal", "answered 404", "without the path"),
        (portal_down, "error", "portal", "settings/version/build", "network"),
        (clock_off, "warning", "clock", "differ by 360", "NTP"),
        (key_that_ends, "warning", "key", "valid until", "new key"),
        (deaf_address, "error", "address", "no answer from", "start reconciler serve"),
        (no_proxy, "error", "https", "every delivery", "trusted_proxy"),
        (no_key, "error", "configuration", "DOCSPACE_API_KEY", "config"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_cause_stands_in_the_first_line(
    sound: Healthy,
    break_it: Callable[[Healthy], None],
    level: str,
    about: str,
    message: str,
    hint: str,
) -> None:
    """The first line names the cause and what to do."""
    break_it(sound)
    first = sound.lines()[0]
    assert (first.level, first.about) == (level, about), first
    assert message in first.message
    assert hint in first.hint


def test_a_cause_hides_no_other_check(sound: Healthy) -> None:
    """A dead key and a broken ledger are both reported; checks that depend on them are skipped."""
    wrong_key(sound)
    ledger_that_is_damaged(sound)
    lines = sound.lines()
    assert [line.about for line in lines if line.level is Level.ERROR] == ["ledger", "key"]
    why = {line.about for line in lines if line.level is Level.SKIPPED}
    assert {"rooms", "webhook", "account", "instances", "texts"} <= why


def test_without_the_wide_scope_the_webhook_is_skipped(sound: Healthy) -> None:
    """Without the scope `*:read` the check of the webhook is skipped, which is no error."""
    sound.with_key(*NARROW)
    assert sound.wrong() == []
    assert any("not read" in line.message for line in sound.lines())


def test_a_key_that_may_not_tell_whose_it_is_works_all_the_same(sound: Healthy) -> None:
    """A key without the scope for its own account is a warning: marking works."""
    sound.with_key(*(scope for scope in NARROW if not scope.startswith("accounts")))
    (line,) = sound.wrong()
    assert (line.level, line.about) == (Level.WARNING, "scopes")


def test_a_webhook_of_another_account_is_told(sound: Healthy) -> None:
    """A webhook of another account is reported: it announces only what that account may read."""
    boss = sound.portal.add_user("Boss", kind="owner")
    sound.environ["DOCSPACE_API_KEY"] = sound.portal.add_key(boss, WIDE)
    (line,) = [one for one in sound.wrong() if one.about == "webhook"]
    assert "Review Bot" in line.message


def test_failures_that_nobody_read_are_counted(sound: Healthy) -> None:
    """Failed deliveries are counted, also those that the portal never sent."""
    let_a_delivery_fail(sound, 500)
    (line,) = sound.wrong()
    assert "1 failures not read" in line.message


def test_what_the_portal_may_still_deliver_is_no_failure(sound: Healthy) -> None:
    """A delivery without an answer is no failure until eleven minutes have passed."""
    sound.portal.network = Network(drop=1.0)
    sound.portal.save(1000, by=sound.ann)
    assert sound.server.drain()
    assert sound.wrong() == []
    sound.clock.advance(660)
    assert [
        "1 failures not read" in one.message for one in sound.wrong() if one.about != "clock"
    ] == [True]


@pytest.mark.parametrize(
    ("change", "warns"),
    [
        (lambda url: url, True),
        (lambda url: url.replace("http:", "https:"), True),
        (lambda url: url.replace("127.0.0.1", "other.example.com"), False),
        (lambda url: url.replace(":", ":1", 2).replace(":1//", "://"), False),
        (lambda url: f"{url}/more", False),
    ],
    ids=["the same", "by https", "another host", "another port", "another path"],
)
def test_a_second_webhook_to_the_same_receiver_is_named(
    sound: Healthy, change: Callable[[str], str], warns: bool
) -> None:
    """A second webhook to the same receiver is named: each event would come twice."""
    url = sound.portal.webhooks[1].url
    sound.portal.webhooks[2] = replace(sound.portal.webhooks[1], id=2, url=change(url))
    assert bool(sound.wrong()) is warns
    if warns:
        (line,) = sound.wrong()
        assert "webhook 2 calls this receiver too" in line.message
        assert line.hint == "run: reconciler webhook remove 2"


def test_a_disabled_second_webhook_is_no_problem(sound: Healthy) -> None:
    """A disabled second webhook delivers nothing and is not reported."""
    sound.portal.webhooks[2] = replace(sound.portal.webhooks[1], id=2, enabled=False)
    assert sound.wrong() == []


def test_a_webhooks_dates_are_told_as_the_portals(sound: Healthy) -> None:
    """A webhook's dates are those of the portal's clock, in an unknown zone (docspace.md 3)."""
    sound.portal.save(1000, by=sound.ann)
    assert sound.server.drain()
    (line,) = [one for one in sound.lines() if one.about == "deliveries"]
    assert "by the portal's clock, last failure never" in line.message


@needs_openssl
def test_our_address_is_trusted_by_the_configured_certificates(sound: Healthy) -> None:
    """Our address is trusted by the configured certificates; without, the key to set is named."""
    bundle, tls = authority(sound.folder)
    with address(200, tls=tls) as url:
        sound.environ["RECONCILER_WEBHOOK__PUBLIC_URL"] = url
        sound.change(url=url)
        (line,) = sound.wrong()
        assert (line.about, "portal.ca_bundle" in line.message) == ("address", True)
        assert "portal.ca_bundle" in line.hint
        sound.environ["RECONCILER_PORTAL__CA_BUNDLE"] = str(bundle)
        assert sound.wrong() == []


def test_it_says_why_nothing_is_marked_though_all_is_there(sound: Healthy) -> None:
    """It says why nothing is marked: no process works, or it only observes or waits."""
    assert [one.about for one in sound.lines() if one.level is Level.WARNING] == ["service"]
    sound.environ["RECONCILER_REVIEW__OBSERVE"] = "true"
    (line,) = sound.wrong()
    assert (line.about, line.level) == ("configuration", Level.WARNING)
    assert "review.observe" in line.message
    del sound.environ["RECONCILER_REVIEW__OBSERVE"]
    now, config = datetime.now(UTC), load(None, sound.environ)
    with closing(Ledger(config.state.url, config.portal_url())) as ledger:
        ledger.pause(now, timedelta(hours=1), "too many requests")
    (line,) = sound.wrong()
    assert (line.about, "too many requests" in line.message) == ("service", True)


def test_what_serve_refuses_is_no_complete_configuration(sound: Healthy) -> None:
    """What `serve` refuses is an error: admin pages beyond the loopback need a password."""
    sound.environ["RECONCILER_ADMIN__HOST"] = "0.0.0.0"  # noqa: S104 - never bound
    assert "admin.password_file" in sound.wrong()[0].message


# Causes that are hard to produce: pure functions on a snapshot.


@pytest.fixture
def snapshot(sound: Healthy) -> Snapshot:
    """What the checks gather from a working installation with a running daemon."""
    config = load(None, sound.environ)
    return with_ledger(full_snapshot(config), problems=())


def with_ledger(snapshot: Snapshot, **changes: Any) -> Snapshot:
    """Return the snapshot with changes to what the ledger holds."""
    assert isinstance(snapshot.ledger, LedgerSnapshot)
    return replace(snapshot, ledger=replace(snapshot.ledger, **changes))


def first(snapshot: Snapshot, **changes: Any) -> Finding:
    """Return the first finding for a changed snapshot."""
    return check(replace(snapshot, **changes))[0]


def test_little_room_on_the_disk_is_told_before_there_is_none(snapshot: Snapshot) -> None:
    """Less than 200 MB free on the disk is a warning, less than 20 MB an error."""
    assert first(snapshot, free=199 * 2**20).level is Level.WARNING
    assert first(snapshot, free=19 * 2**20).level is Level.ERROR
    assert first(snapshot, free=201 * 2**20).level is Level.OK


def test_a_text_that_was_kept_right_after_saves_may_be_the_portals(snapshot: Snapshot) -> None:
    """A text kept right after saves may be the portal's own, of a newer server: the check prints
    the configuration line. Other texts are people's.
    """
    texts = (("Redaguota", 20), ("Fine", 19))
    line = first(with_ledger(snapshot, texts=texts, unknown_texts=("Redaguota",)))
    assert line.about == "texts"
    assert line.hint.endswith('under [review]: portal_texts = ["Redaguota"]')
    assert first(with_ledger(snapshot, texts=texts)).level is Level.OK


def test_what_the_full_scan_found_is_reported(snapshot: Snapshot) -> None:
    """Updates that only a full scan found are reported: the portal raises no folder's dates."""
    line = first(with_ledger(snapshot, undated=UndatedUpdates(snapshot.portal.at, 3)))
    assert (line.about, "found 3 updates" in line.message) == ("sweep", True)


UNREACHED = AddressUnreachableError("https://hooks.example.org/x", None, "timed out")
GOOD, BAD = "2025-11-24T12:20:10", "2025-11-24T12:15:45"


@pytest.mark.parametrize(
    "found",
    [
        UNREACHED,
        AddressUnreachableError(UNREACHED.address, 404),
        AddressUnreachableError(UNREACHED.address, 302),
    ],
)
def test_an_address_that_cannot_be_reached_from_here_is_a_warning_while_deliveries_arrive(
    snapshot: Snapshot, found: AddressUnreachableError
) -> None:
    """An address that cannot be reached from here is a warning while deliveries arrive: not every
    router leads back to its own network.
    """
    line = first(with_deliveries(snapshot, succeeded_on=GOOD, failed_on=BAD), address=found)
    assert (line.level, line.about) == (Level.WARNING, "address")
    assert "asked from here; but deliveries arrive" in line.message
    assert "--no-probe" in line.hint


def test_an_address_where_deliveries_fail_is_an_error(snapshot: Snapshot) -> None:
    """An address is an error if its last known delivery failed, or none is known."""
    for dates in ({"succeeded_on": BAD, "failed_on": GOOD}, {"failed_on": GOOD}, {}):
        lines = check(replace(with_deliveries(snapshot, **dates), address=UNREACHED))
        assert [one.level for one in lines if one.about == "address"] == [Level.ERROR]


def test_an_address_without_a_daemon_behind_it_is_an_error(snapshot: Snapshot) -> None:
    """An address without a running daemon is an error: earlier deliveries prove nothing."""
    ended = with_ledger(snapshot, problems=(Problem(ProblemKind.NO_SERVE, "no serve is running"),))
    lines = check(replace(with_deliveries(ended, succeeded_on=GOOD), address=UNREACHED))
    assert [one.level for one in lines if one.about == "address"] == [Level.ERROR]


def test_a_key_that_may_not_see_the_webhook_leaves_it_to_the_ledger_whether_any_arrive(
    snapshot: Snapshot,
) -> None:
    """If the key may not see the webhook, an event in the ledger within a day shows that deliveries
    arrive. An event from the portal's log or a sweep is no delivery.
    """
    unseen = replace(snapshot.portal, webhooks=None, state=None, failures=None)
    for hours, level in ((1, Level.WARNING), (25, Level.ERROR)):
        known = with_ledger(snapshot, delivered=snapshot.portal.at - timedelta(hours=hours))
        line = first(known, portal=unseen, address=UNREACHED)
        assert (line.about, line.level) == ("address", level)


def test_only_what_a_webhook_brought_counts_as_a_delivery(sound: Healthy) -> None:
    """The newest accepted event of the webhook counts as the last delivery."""
    config, now = load(None, sound.environ), datetime.now(UTC).replace(microsecond=0)
    minute = timedelta(minutes=1)
    with closing(Ledger(config.state.url, config.portal_url())) as ledger:
        for file, source in enumerate((Source.WEBHOOK, Source.WEBHOOK, Source.LOG), start=1):
            event = Event(file, "file.updated", file, "Plan.docx", "ann", None)
            ledger.record(event, now + file * minute, source)
    found = full_snapshot(config).ledger
    assert isinstance(found, LedgerSnapshot)
    assert found.delivered == now + 2 * minute


def with_deliveries(snapshot: Snapshot, succeeded_on: str = "", failed_on: str = "") -> Snapshot:
    """Return these snapshot with the portal's dates of the webhook's last deliveries."""
    state = snapshot.portal.state
    assert state is not None
    assert state.webhook is not None
    webhook = replace(state.webhook, succeeded_on=succeeded_on, failed_on=failed_on)
    return replace(snapshot, portal=replace(snapshot.portal, state=replace(state, webhook=webhook)))


def test_only_ten_of_many_rooms_are_named(snapshot: Snapshot) -> None:
    """Ten of many rooms without rights are named; third-party, archived, excluded ones are not."""
    when = datetime.now(UTC)
    rooms = [Room(n, f"Room {n}", when, False, commentable=False) for n in range(1, 13)]
    rooms += [Room("drive-4", "Drive", when, False), Room(99, "Old", when, False, Section.ARCHIVE)]
    line = first(snapshot, portal=replace(snapshot.portal, rooms=tuple(rooms)))
    assert line.message.startswith("may comment in 0 of 12 rooms")
    assert ("Room 10" in line.message, "Room 11" in line.message) == (True, False)
    assert line.message.endswith("and more")


def test_a_disabled_key_is_told(snapshot: Snapshot) -> None:
    """A disabled key is reported, even if the portal still says whose it is."""
    assert isinstance(snapshot.portal.key, Key)
    dead = replace(snapshot.portal, key=replace(snapshot.portal.key, active=False))
    assert first(snapshot, portal=dead).message == "the key is disabled"


def test_a_check_that_fails_stops_no_other(snapshot: Snapshot) -> None:
    """A bug in one check is one line and stops no other check."""

    def buggy(_: Snapshot) -> list[Finding]:
        raise KeyError("secret")

    lines = check(snapshot, [buggy, lambda _: [Finding(Level.OK, "other", "fine")]])
    assert [line.about for line in lines] == ["buggy", "other"]
    assert "secret" not in lines[0].message


def with_secret_file(here: Healthy) -> Path:
    """Keep the newest and an older secret in a file."""
    file = here.folder / "secrets"
    SecretFile(file).write((SECRET, "Old-Secret-1!"))
    del here.environ["DOCSPACE_WEBHOOK_SECRET"]
    here.environ["RECONCILER_WEBHOOK__SECRET_FILE"] = str(file)
    return file


def test_a_file_of_secrets_that_others_can_read_is_named(sound: Healthy) -> None:
    """A file of secrets that others can read is reported with the command that restricts it."""
    with_secret_file(sound).chmod(0o644)
    assert any("chmod 600" in line.hint for line in sound.lines() if line.about == "files")


@pytest.mark.parametrize("other", ["/dev/zero", "/dev/null", "pipe", "."])
def test_what_is_no_file_is_not_to_be_hidden(tmp_path: Path, other: str) -> None:
    """No chmod is advised for a device, a pipe or a folder, where it would do harm."""
    os.mkfifo(tmp_path / "pipe", 0o644)
    assert not is_exposed(tmp_path / other)


@pytest.mark.parametrize(
    ("seconds", "hint"), [(-60, "after the next delivery"), (60, "remove all lines but the first")]
)
def test_older_secrets_may_go_after_a_delivery(sound: Healthy, seconds: int, hint: str) -> None:
    """Older secrets may go once a delivery was accepted after the file changed."""
    changed = datetime.fromtimestamp(with_secret_file(sound).stat().st_mtime, UTC)
    with closing(Ledger(sound.environ["RECONCILER_STATE__URL"], sound.server.url)) as ledger:
        ledger.record(event(1), changed + timedelta(seconds=seconds))
    (line,) = (line for line in sound.lines() if line.about == "files")
    assert line.level is Level.WARNING
    assert "still accepted: 1" in line.message
    assert hint in line.hint


def test_a_single_secret_is_no_finding(sound: Healthy) -> None:
    """A single secret is no finding: there is nothing to remove."""
    SecretFile(with_secret_file(sound)).write((SECRET,))
    assert [line for line in sound.lines() if line.about == "files"] == []


# The command.


def test_the_command_prints_the_worst_first_and_its_code(scene: Stage) -> None:
    """The command prints the worst finding first. It exits 0 when all is well, 3 for a key, 5 for a
    ledger, 2 for a configuration.
    """
    scene.clock.set(datetime.now(UTC))
    good = run(scene, "check")
    assert (good.returncode, "error" in good.stdout) == (0, False), good.stdout
    key = run(scene, "check", DOCSPACE_API_KEY="sk-none")
    assert (key.returncode, key.stdout.split()[:2]) == (3, ["error", "key"])
    other = run(scene, "check", RECONCILER_STATE__URL="sqlite:////proc/x.db")
    assert (other.returncode, other.stdout.split()[:2]) == (5, ["error", "ledger"])
    wrong = run(scene, "check", "--json", RECONCILER_SWEEP__EVERY="soon")
    report = json.loads(wrong.stdout)
    assert (wrong.returncode, report["exit_code"]) == (2, 2)
    assert "sweep.every" in report["findings"][0]["message"]


@pytest.mark.parametrize(
    ("reads", "writes", "warned"), [(25, 7, []), (26, 7, ["reads"]), (25, 8, ["writes"])]
)
def test_the_parallel_limits_of_all_processes_count_together(
    sound: Healthy, reads: int, writes: int, warned: list[str]
) -> None:
    """The limits of two processes are added up: the portal allows 50 reads and 15 writes."""
    sound.environ |= {
        "RECONCILER_LIMITS__CONCURRENT_READS": str(reads),
        "RECONCILER_LIMITS__CONCURRENT_WRITES": str(writes),
    }
    database = sound.environ["RECONCILER_STATE__URL"]
    with (
        closing(Ledger(database, sound.server.url)) as ledger,
        ledger.role(Role.SWEEP),
        helper(hold, database, Role.BACKFILL) as other,
    ):
        assert other.on_file() == "held"
        report = [line.message for line in sound.wrong() if line.about == "instances"]
    assert [message.split("_")[1].split()[0] for message in report] == warned


def test_the_command_is_not_content_while_updates_are_not_marked(scene: Stage) -> None:
    """A failed file, a stopped daemon or a pause is exit 1; before the first start it is 0."""
    scene.clock.set(datetime.now(UTC))
    assert run(scene, "check").returncode == 0
    now = datetime.now(UTC)
    with closing(Ledger(scene.environ["RECONCILER_STATE__URL"], scene.server.url)) as ledger:
        ledger.record(event(7), now)
        ended = run(scene, "check")
        with ledger.role(Role.SWEEP), ledger.role(Role.WORKER):
            (claim,) = ledger.claims.take(now + timedelta(seconds=1), 1, timedelta(hours=1))
            assert run(scene, "check").returncode == 0
            again = now + timedelta(hours=1)
            ledger.claims.finish(
                claim, AttemptResult(Outcome.FAILED, "transient", retry_at=again), now
            )
            failed = run(scene, "check")
            ledger.pause(now, timedelta(hours=1), "the day's writes are used up")
            paused = run(scene, "check")
    for done, words in (
        (ended, "the daemon is not running"),
        (failed, "1 file failed"),
        (paused, "the day's writes are used up"),
    ):
        assert done.returncode == 1
        assert next(line for line in done.stdout.splitlines() if words in line).startswith("error")


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (ProblemKind.REFUSED, Level.WARNING),
        (ProblemKind.BACKFILL, Level.WARNING),
        (ProblemKind.BACKLOG, Level.ERROR),
        (ProblemKind.NO_SERVE, Level.ERROR),
    ],
)
def test_what_keeps_updates_from_being_marked_is_an_error(
    snapshot: Snapshot, kind: ProblemKind, level: Level
) -> None:
    """What keeps updates from being marked is an error; what only others can end is a warning."""
    line = first(with_ledger(snapshot, problems=(Problem(kind, "why"),), has_run=True))
    assert (line.message, line.level) == ("why", level)


def test_the_command_leaves_the_ledger_as_it_is(scene: Stage) -> None:
    """The command changes nothing in the ledger but the time of the check."""
    assert run(scene, "reconcile").returncode == 0
    before = _rows(scene.ledger)
    run(scene, "check")
    assert _rows(scene.ledger) == before


def _rows(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM settings WHERE name != 'told checked'").fetchall()
        return [sorted(rows), connection.execute("SELECT * FROM files").fetchall()]
