"""Every wait ends with its cause: random troubles, and when they are over, a minute and no more.

The sandbox portal over HTTP, the receiver, the ledger on disk, the worker, the sweep, each kept
going as the daemon does it, on two clocks: the portal's and ours. Troubles of every kind begin
and end at random while people save; then, within one sweep interval and five seconds of our
clock, every update in scope is marked and `status` finds nothing wrong. Nothing sleeps.

`RECONCILER_TEST_EXAMPLES` asks for more histories than the few of a normal run.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.ledger import Quota
from reconciler.review import Policy, Scope
from reconciler.sandbox import Fault, User
from tests.support_liveness import Life, life

EXAMPLES = int(os.environ.get("RECONCILER_TEST_EXAMPLES", "20"))
DAY = 86400

LOOKS = ("GET files/file/{id}",)
WRITES = ("PUT files/file/{id}/comment",)
LISTINGS = ("GET files/rooms", "GET files/@my", "GET files/{id}")
ALL = ("*",)


@dataclass(frozen=True)
class Trouble:
    """How a trouble begins, and how it ends."""

    begin: Callable[[Life], object]
    end: Callable[[Life], object]


def outage(routes: tuple[str, ...], kind: str = "status", status: int = 500) -> Trouble:
    """Requests of these routes fail, all of them, in one way."""
    faults = [Fault(route, kind, times=None, status=status) for route in routes]
    return Trouble(lambda a: failing(a, faults), lambda a: working(a, faults))


def failing(a: Life, faults: list[Fault]) -> None:
    for fault in faults:
        a.here.portal.faults.add(fault)


def working(a: Life, faults: list[Fault]) -> None:
    waiting = a.here.portal.faults._waiting
    waiting[:] = [one for one in waiting if one.fault not in faults]


def throttling(routes: tuple[str, ...], seconds: int) -> Trouble:
    """The portal asks for a pause, each time; it is over so long after the last time."""
    fault = Fault(routes[0], "throttle_day", times=None, retry_after=seconds)

    def end(a: Life) -> None:
        working(a, [fault])
        a.calm = max(a.calm, a.here.clock() + timedelta(seconds=seconds))

    return Trouble(lambda a: failing(a, [fault]), end)


def once(*statuses: int) -> Trouble:
    """A look is answered so, once for each, by something between us and the portal."""
    return Trouble(
        lambda a: failing(a, [Fault(LOOKS[0], "status", status=one) for one in statuses]),
        lambda _: None,
    )


def clock(**by: float) -> Trouble:
    """Our own clock jumps, and is put right."""
    skew = timedelta(**by)
    return Trouble(
        lambda a: setattr(a.here, "skew", skew), lambda a: setattr(a.here, "skew", timedelta())
    )


def narrowed(scope: Scope | None = None, *, observe: bool = False) -> Trouble:
    """The configuration leaves updates alone, and is put right: a restart each."""

    def begin(a: Life) -> None:
        rooms = Scope(exclude_rooms=frozenset({a.rooms[0]}))
        a.here.policy = Policy(scope=Scope() if observe else scope or rooms, observe=observe)
        a.restart()

    def end(a: Life) -> None:
        a.here.policy = Policy()
        a.restart()

    return Trouble(begin, end)


def hide(a: Life) -> None:
    a.hidden.add(a.rooms[0])
    a.here.portal.archive_room(a.rooms[0])


def show(a: Life) -> None:
    a.hidden.discard(a.rooms[0])
    a.here.portal.unarchive_room(a.rooms[0])


def another(a: Life) -> User:
    """Return another account that may do what the first may."""
    bot = a.here.portal.add_user("Second Bot", kind="user")
    for room in a.rooms:
        a.here.portal.invite(room, bot, access=9)
    return bot


def daily(a: Life) -> None:
    """Our account's requests of the day are used up."""
    failing(a, [Fault("GET", "throttle_day", retry_after=DAY)])


def another_key(a: Life) -> None:
    """Another account's key is configured."""
    working(a, [Fault("GET", "throttle_day", retry_after=DAY)])
    bot = another(a)
    a.restart(key=a.here.portal.add_key(bot), owner=bot)


def lock(a: Life) -> None:
    if not a.here.portal.file(a.files[0]).locked_by:
        a.here.portal.lock(a.files[0], by=a.here.ann)


def unlock(a: Life) -> None:
    a.here.portal.unlock(a.files[0], by=a.here.ann)
    assert a.here.server.drain()


def invite(access: int) -> Callable[[Life], object]:
    return lambda a: a.here.portal.invite(a.rooms[1], a.here.bot, access=access)


TROUBLES = {
    "looks 500": outage(LOOKS),
    "looks 502": outage(LOOKS, "html"),
    "looks 408 once": once(408),
    "looks 400 twice": once(400, 400),
    "writes 500": outage(WRITES),
    "writes reset": outage(WRITES, "reset_before"),
    "writes happen unseen": outage(WRITES, "reset_after"),
    "listings 500": outage(LISTINGS),
    "listings reset": outage(LISTINGS, "reset_before"),
    "away": Trouble(
        lambda a: setattr(a.here.portal, "down", True),
        lambda a: setattr(a.here.portal, "down", False),
    ),
    "unpaid": outage(ALL, status=402),
    "a page of the proxy": outage(ALL, "html"),
    "throttled": throttling(ALL, 20),
    "writes throttled": throttling(WRITES, 300),
    "throttled, not for how long": outage(ALL, "throttle"),
    "dead key": Trouble(
        lambda a: a.here.portal.disable_key(a.here.key),
        lambda a: a.here.portal.enable_key(a.here.key),
    ),
    "another account's key": Trouble(daily, another_key),
    "writes of the day spent": Trouble(
        lambda a: a.restart(quota=Quota(2, 1)), lambda a: a.restart(quota=Quota())
    ),
    "clock two hours ahead": clock(hours=2),
    "clock ten years ahead": clock(days=3650),
    "clock a minute ahead": clock(seconds=61),
    "clock six hours back": clock(hours=-6),
    "clock two minutes back": clock(seconds=-120),
    "locked": Trouble(lock, unlock),
    "scope of rooms": narrowed(),
    "scope of extensions": narrowed(Scope(extensions=frozenset({"xlsx"}))),
    "observing": narrowed(observe=True),
    "archived": Trouble(hide, show),
    "no member": Trouble(invite(0), invite(9)),
    "restarted": Trouble(lambda a: a.restart(), lambda a: a.restart()),
}
MOMENTS = st.sampled_from((0, 1, 3, 7, 20, 45, 59, 61, 130, 400))
LASTING = st.sampled_from((1, 5, 20, 32, 61, 150, 300, 900, 3600, 4 * 3600))
HAPPENING = st.tuples(st.sampled_from(sorted(TROUBLES)), MOMENTS, LASTING)
ACT = st.tuples(MOMENTS, st.integers(0, 3), st.sampled_from(("save", "save", "say")), st.booleans())


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,  # histories differ in length; the file as a whole is timed
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # a world is servers and a database
)
@given(
    troubles=st.lists(HAPPENING, min_size=1, max_size=3, unique_by=lambda one: one[0]),
    acts=st.lists(ACT, min_size=1, max_size=8),
    later=st.lists(ACT, max_size=4),
    ahead=st.sampled_from((0, 0, 0, 31 * DAY)),
)
def test_every_wait_ends_with_its_cause(
    troubles: list[tuple[str, int, int]],
    acts: list[tuple[int, int, str, bool]],
    later: list[tuple[int, int, str, bool]],
    ahead: int,
) -> None:
    """Whatever went wrong, and for however long: a minute later every update is marked."""
    happenings: list[tuple[float, Callable[[Life], object]]] = []
    for name, begins, lasts in troubles:
        happenings.append((begins, TROUBLES[name].begin))
        happenings.append((begins + lasts, TROUBLES[name].end))
    over = max(moment for moment, _ in happenings)
    for moment, number, what, arrives in acts:
        happenings.append((moment, acting(number, what, arrives=arrives)))
    for moment, number, what, arrives in later:
        happenings.append((max(over - moment, 0), acting(number, what, arrives=arrives)))
    with tempfile.TemporaryDirectory() as folder, life(Path(folder) / "ledger.db") as a:
        begin_ahead(a, ahead)
        play(a, happenings)
        a.rest()


def acting(number: int, what: str, *, arrives: bool) -> Callable[[Life], object]:
    def act(a: Life) -> None:
        getattr(a, what)(a.files[number], arrives=arrives)

    return act


def begin_ahead(a: Life, seconds: int) -> None:
    """The first sweep meets a portal whose clock is ahead; then that is put right."""
    a.here.clock.advance(seconds)
    a.here.skew -= timedelta(seconds=seconds)
    a.run(0)
    a.here.clock.advance(-seconds)
    a.here.skew += timedelta(seconds=seconds)
    a.next_probe = a.here.clock()


def play(a: Life, happenings: list[tuple[float, Callable[[Life], object]]]) -> None:
    """Let everything happen at its moment, and time pass between."""
    passed = 0.0
    for moment, act in sorted(happenings, key=lambda one: one[0]):
        a.pass_time(moment - passed)
        passed = moment
        act(a)
        a.here.clock.advance(1)  # no two things happen in one second
