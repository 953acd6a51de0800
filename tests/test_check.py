"""`reconciler check`: break one thing at a time, and the cause must stand in the first line."""

import json
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
from reconciler.errors import LedgerError
from reconciler.hooks import fingerprint
from reconciler.ledger import Ledger
from reconciler.model import Ailment, Section
from reconciler.sandbox import ManualClock, Portal, Server, User
from reconciler.service.check import Facts, LedgerFacts, Level, Line, check, gather, judged
from tests.daemon import environment
from tests.support_hooks import NARROW, WIDE, address
from tests.support_sweep import run, stage

SECRET = "Check-Secret-1!"


@dataclass
class Healthy:
    """An installation in which everything is as it should be, until a test breaks it."""

    portal: Portal
    server: Server
    clock: ManualClock
    ann: User
    bot: User
    room: int
    environ: dict[str, str]
    folder: Path

    def lines(self) -> list[Line]:
        """Run the check."""
        return check(load(None, self.environ))

    def wrong(self) -> list[Line]:
        """Return the lines that are not ok, but for the daemon that does not run here."""
        bad = [one for one in self.lines() if one.level in {Level.ERROR, Level.WARNING}]
        return [one for one in bad if not one.said.startswith("no serve is running")]

    def with_key(self, *permissions: str) -> None:
        """Use a key with other permissions."""
        self.environ["DOCSPACE_API_KEY"] = self.portal.add_key(self.bot, permissions)

    def change(self, **fields: Any) -> None:
        """Change the webhook."""
        self.portal.webhooks[1] = replace(self.portal.webhooks[1], **fields)


@pytest.fixture
def sound(tmp_path: Path) -> Iterator[Healthy]:
    """Build it: a room, a key of all scopes, a webhook at an address that answers."""
    clock = ManualClock(datetime.now(UTC))
    portal = Portal(clock=clock, retry_seconds=())
    ann = portal.add_user("Ann Lee", kind="room_admin")
    bot = portal.add_user("Review Bot", kind="user")
    room = int(portal.add_room("Legal", owner=ann))
    portal.invite(room, bot, access=9)
    portal.create(room, "Contract.docx", by=ann)
    with Server(portal) as server, address() as url:
        portal.add_webhook(by=bot, url=url, secret=SECRET)
        environ = environment(server.url, portal.add_key(bot, WIDE), tmp_path, 3000)
        environ["DOCSPACE_WEBHOOK_SECRET"] = SECRET
        environ["RECONCILER_WEBHOOK__PUBLIC_URL"] = url
        yield Healthy(portal, server, clock, ann, bot, room, environ, tmp_path)


def test_nothing_is_wrong_where_nothing_is(sound: Healthy) -> None:
    """Every line is ok, and each check says something."""
    assert sound.wrong() == []
    about = {line.about for line in sound.lines()}
    assert about >= {"configuration", "ledger", "disk", "portal", "key", "scopes", "account"}
    assert about >= {"rooms", "webhook", "address", "deliveries", "clock", "texts", "instances"}


def test_it_writes_nothing_to_the_portal(sound: Healthy) -> None:
    """And reads little."""
    sound.lines()
    methods = [one.method for one in sound.portal.requests]
    assert set(methods) == {"GET"}
    assert len(methods) <= 10


# Ten breakages and some more.


def wrong_key(here: Healthy) -> None:
    """The key was deleted at the portal."""
    here.environ["DOCSPACE_API_KEY"] = "sk-none"


def wrong_url(here: Healthy) -> None:
    """Somebody else's web server answers there."""
    here.environ["DOCSPACE_API_HOST"] = here.environ["RECONCILER_WEBHOOK__PUBLIC_URL"].rpartition(
        "/docspace"
    )[0]


def no_webhook(here: Healthy) -> None:
    """It was deleted."""
    here.portal.webhooks.clear()


def disabled_webhook(here: Healthy) -> None:
    """The portal gave up on it."""
    here.change(enabled=False)


def moved_webhook(here: Healthy) -> None:
    """The host was renamed, and the portal calls the old one."""
    here.change(url="http://old.example.org/docspace/review-comment")


def deaf_webhook(here: Healthy) -> None:
    """Somebody ticked another event."""
    here.change(triggers=256)


def wrong_secret(here: Healthy) -> None:
    """The portal's webhook signs with another secret, so our receiver answers 401."""
    with address(401) as url:
        good = here.portal.webhooks[1].url
        here.change(url=url)
        here.portal.save(1000, by=here.ann)
        assert here.server.drain()
        here.change(url=good)


def missing_scope(here: Healthy) -> None:
    """The key may not list rooms."""
    here.with_key("files:read", "files:write", "accounts.self:read", "*:write")


def room_without_rights(here: Healthy) -> None:
    """The account is a viewer in one room."""
    room = here.portal.add_room("Sales", owner=here.ann)
    here.portal.invite(room, here.bot, access=2)


def no_room_with_rights(here: Healthy) -> None:
    """The account is a viewer everywhere."""
    here.portal.invite(here.room, here.bot, access=2)


def ledger_of_another_portal(here: Healthy) -> None:
    """The database was copied from the test portal."""
    with closing(Ledger(here.environ["RECONCILER_STATE__URL"], "https://test.example.org")) as one:
        one.learn_owner("somebody")


def ledger_that_is_read_only(here: Healthy) -> None:
    """Nothing can be created beside it."""
    here.environ["RECONCILER_STATE__URL"] = "sqlite:////proc/ledger.db"


def ledger_that_is_damaged(here: Healthy) -> None:
    """It is no database at all."""
    (here.folder / "ledger.db").write_bytes(b"no database" * 500)


def url_of_a_page(here: Healthy) -> None:
    """As it stands in the browser."""
    here.environ["DOCSPACE_API_HOST"] += "/rooms/shared"


def portal_down(here: Healthy) -> None:
    """Every connection is reset."""
    here.portal.down = True


def clock_off(here: Healthy) -> None:
    """Ours goes before by an hour."""
    here.clock.advance(-3600)


def key_that_ends(here: Healthy) -> None:
    """In a week."""
    ends = here.clock() + timedelta(days=7)
    here.environ["DOCSPACE_API_KEY"] = here.portal.add_key(here.bot, WIDE, expires=ends)


def deaf_address(here: Healthy) -> None:
    """The daemon does not run; the portal's webhook is as it should be."""
    gone = "http://127.0.0.1:9/docspace/review-comment"
    here.environ["RECONCILER_WEBHOOK__PUBLIC_URL"] = gone
    here.change(url=gone)


def no_proxy(here: Healthy) -> None:
    """HTTPS is required, and nobody is believed."""
    here.environ["RECONCILER_WEBHOOK__REQUIRE_HTTPS"] = "true"


def no_key(here: Healthy) -> None:
    """It was never set."""
    del here.environ["DOCSPACE_API_KEY"]


@pytest.mark.parametrize(
    ("break_it", "level", "about", "said", "cure"),
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
        (deaf_address, "error", "address", "nobody answers", "start serve"),
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
    said: str,
    cure: str,
) -> None:
    """With what to do about it."""
    break_it(sound)
    first = sound.lines()[0]
    assert (first.level, first.about) == (level, about), first
    assert said in first.said
    assert cure in first.cure


def test_a_cause_hides_no_other_check(sound: Healthy) -> None:
    """A dead key and a broken ledger are both told; what hangs on them is skipped."""
    wrong_key(sound)
    ledger_that_is_damaged(sound)
    lines = sound.lines()
    assert [line.about for line in lines if line.level is Level.ERROR] == ["ledger", "key"]
    why = {line.about for line in lines if line.level is Level.SKIPPED}
    assert {"rooms", "webhook", "account", "instances", "texts"} <= why


def test_without_the_wide_scope_the_webhook_is_skipped(sound: Healthy) -> None:
    """The sweep alone is no error."""
    sound.with_key(*NARROW)
    assert sound.wrong() == []
    assert any("not read" in line.said for line in sound.lines())


def test_a_key_that_may_not_tell_whose_it_is_works_all_the_same(sound: Healthy) -> None:
    """Nothing that is marked needs that scope: a warning, and exit 0."""
    sound.with_key(*(scope for scope in NARROW if not scope.startswith("accounts")))
    (line,) = sound.wrong()
    assert (line.level, line.about) == (Level.WARNING, "scopes")


def test_a_webhook_of_another_account_is_told(sound: Healthy) -> None:
    """It announces only what that account may read."""
    boss = sound.portal.add_user("Boss", kind="owner")
    sound.environ["DOCSPACE_API_KEY"] = sound.portal.add_key(boss, WIDE)
    (line,) = [one for one in sound.wrong() if one.about == "webhook"]
    assert "Review Bot" in line.said


def test_failures_that_nobody_read_are_counted(sound: Healthy) -> None:
    """Also those that the portal never sent."""
    with address(500) as url:
        good = sound.portal.webhooks[1].url
        sound.change(url=url)
        sound.portal.save(1000, by=sound.ann)
        assert sound.server.drain()
        sound.change(url=good)
    (line,) = sound.wrong()
    assert "1 failures not read" in line.said


def test_it_says_why_nothing_is_marked_though_all_is_there(sound: Healthy) -> None:
    """Nobody works, or what works is only to observe, or has to wait."""
    assert [one.about for one in sound.lines() if one.level is Level.WARNING] == ["service"]
    sound.environ["RECONCILER_REVIEW__OBSERVE"] = "true"
    (line,) = sound.wrong()
    assert (line.about, line.level) == ("configuration", Level.WARNING)
    assert "review.observe" in line.said
    del sound.environ["RECONCILER_REVIEW__OBSERVE"]
    now, config = datetime.now(UTC), load(None, sound.environ)
    with closing(Ledger(config.state.url, config.portal_url())) as ledger:
        ledger.health.fell_ill(
            Ailment.THROTTLED, "too many requests", now, now + timedelta(hours=1)
        )
    (line,) = sound.wrong()
    assert (line.about, "too many requests" in line.said) == ("service", True)


def test_what_serve_refuses_is_no_complete_configuration(sound: Healthy) -> None:
    """The admin pages beyond the loopback need a password."""
    sound.environ["RECONCILER_ADMIN__HOST"] = "0.0.0.0"  # noqa: S104 - never bound
    assert "admin.password_file" in sound.wrong()[0].said


# What cannot easily be broken from outside: pure functions on facts.


@pytest.fixture
def facts(sound: Healthy) -> Facts:
    """What a sound installation tells, beside a daemon that runs."""
    found = gather(load(None, sound.environ))
    assert isinstance(found.ledger, LedgerFacts)
    return replace(found, ledger=replace(found.ledger, problems=()))


def first(facts: Facts, **changes: Any) -> Line:
    """Return the first line about changed facts."""
    return judged(replace(facts, **changes))[0]


def test_little_room_on_the_disk_is_told_before_there_is_none(facts: Facts) -> None:
    """Below 200 MB a warning, below 20 MB an error."""
    assert first(facts, free=199 * 2**20).level is Level.WARNING
    assert first(facts, free=19 * 2**20).level is Level.ERROR
    assert first(facts, free=201 * 2**20).level is Level.OK


def test_a_text_that_was_kept_often_may_be_the_portals(facts: Facts) -> None:
    """In another language, say; a few are people's words."""
    assert not isinstance(facts.ledger, LedgerError)
    assert facts.ledger is not None
    often = replace(facts.ledger, texts=(("Bearbeitet", 20), ("Fine", 1)))
    line = first(facts, ledger=often)
    assert (line.about, "'Bearbeitet' (20 times)" in line.said) == ("texts", True)
    assert first(facts, ledger=replace(facts.ledger, texts=(("Fine", 19),))).level is Level.OK


def test_what_the_deep_sweep_found_is_told(facts: Facts) -> None:
    """A portal that does not raise its folders' dates."""
    assert not isinstance(facts.ledger, LedgerError)
    assert facts.ledger is not None
    line = first(facts, ledger=replace(facts.ledger, hidden=(facts.portal.at, 3)))
    assert (line.about, "found 3 updates" in line.said) == ("sweep", True)


def test_only_ten_of_many_rooms_are_named(facts: Facts) -> None:
    """Rooms of third parties, archived and excluded ones do not count."""
    when = datetime.now(UTC)
    rooms = [Room(n, f"Room {n}", when, False, commentable=False) for n in range(1, 13)]
    rooms += [Room("drive-4", "Drive", when, False), Room(99, "Old", when, False, Section.ARCHIVE)]
    line = first(facts, portal=replace(facts.portal, rooms=tuple(rooms)))
    assert line.said.startswith("may comment in 0 of 12 rooms")
    assert ("Room 10" in line.said, "Room 11" in line.said) == (True, False)
    assert line.said.endswith("and more")


def test_a_disabled_key_is_told(facts: Facts) -> None:
    """The portal may still answer who it was."""
    assert isinstance(facts.portal.key, Key)
    dead = replace(facts.portal, key=replace(facts.portal.key, active=False))
    assert first(facts, portal=dead).said == "the key is disabled"


def test_a_check_that_fails_stops_no_other(facts: Facts) -> None:
    """A bug in one is one line."""

    def buggy(_: Facts) -> list[Line]:
        raise KeyError("secret")

    lines = judged(facts, [buggy, lambda _: [Line(Level.OK, "other", "fine")]])
    assert [line.about for line in lines] == ["buggy", "other"]
    assert "secret" not in lines[0].said


def test_secrets_that_have_ended_can_go(sound: Healthy) -> None:
    """Their lines are of no more use."""
    file = sound.folder / "secrets"
    file.write_text(f"{SECRET}\nOld-Secret-1!\n", "utf-8")
    file.chmod(0o644)
    del sound.environ["DOCSPACE_WEBHOOK_SECRET"]
    sound.environ["RECONCILER_WEBHOOK__SECRET_FILE"] = str(file)
    with closing(Ledger(sound.environ["RECONCILER_STATE__URL"], sound.server.url)) as ledger:
        known = {"newest": "x", "since": None, "retired": [fingerprint("Old-Secret-1!")]}
        ledger.tell("rotation", json.dumps(known))
    told = [line for line in sound.lines() if line.about == "files"]
    assert [line.level for line in told] == [Level.WARNING, Level.OK]
    assert "chmod 600" in told[0].cure
    assert "1 secrets" in told[1].said


# The command.


def test_the_command_prints_the_worst_first_and_its_code(tmp_path: Path) -> None:
    """0 when all is well, 3 for a key, 5 for a ledger, 2 for a configuration."""
    with stage(tmp_path) as scene:
        scene.clock.set(datetime.now(UTC))
        good = run(scene, "check")
        assert (good.returncode, "error" in good.stdout) == (0, False), good.stdout
        key = run(scene, "check", DOCSPACE_API_KEY="sk-none")
        assert (key.returncode, key.stdout.split()[:2]) == (3, ["error", "key"])
        other = run(scene, "check", RECONCILER_STATE__URL="sqlite:////proc/x.db")
        assert (other.returncode, other.stdout.split()[:2]) == (5, ["error", "ledger"])
        wrong = run(scene, "check", "--json", RECONCILER_SWEEP__EVERY="soon")
        told = json.loads(wrong.stdout)
        assert (wrong.returncode, told["exit_code"]) == (2, 2)
        assert "sweep.every" in told["lines"][0]["said"]


def test_the_command_leaves_the_ledger_as_it_is(tmp_path: Path) -> None:
    """But for the time of the check."""
    with stage(tmp_path) as scene:
        assert run(scene, "reconcile").returncode == 0
        before = _rows(scene.ledger)
        run(scene, "check")
        assert _rows(scene.ledger) == before


def _rows(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        facts = connection.execute("SELECT * FROM facts WHERE name != 'told checked'").fetchall()
        return [sorted(facts), connection.execute("SELECT * FROM files").fetchall()]
