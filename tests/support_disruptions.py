"""The disruptions of `test_liveness.py`, of every kind: how each begins and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from reconciler.decision import Policy, Scope
from reconciler.model import UNLIMITED, Quota
from reconciler.sandbox import Fault, User
from tests.support_liveness import Life

DAY = 86400

LOOKS = ("GET files/file/{id}",)
WRITES = ("PUT files/file/{id}/comment",)
LISTINGS = ("GET files/rooms", "GET files/@my", "GET files/{id}")
ALL = ("*",)


@dataclass(frozen=True)
class Disruption:
    """What disrupts the service: how it begins, and how it ends."""

    begin: Callable[[Life], object]
    end: Callable[[Life], object]


def outage(routes: tuple[str, ...], kind: str = "status", status: int = 500) -> Disruption:
    """Requests of these routes fail, all of them, in one way."""
    faults = [Fault(route, kind, times=None, status=status) for route in routes]
    return Disruption(lambda a: failing(a, faults), lambda a: working(a, faults))


def failing(a: Life, faults: list[Fault]) -> None:
    for fault in faults:
        a.here.portal.faults.add(fault)


def working(a: Life, faults: list[Fault]) -> None:
    waiting = a.here.portal.faults._waiting
    waiting[:] = [one for one in waiting if one.fault not in faults]


def throttling(routes: tuple[str, ...], seconds: int) -> Disruption:
    """The portal asks for a pause at each request; it ends so long after the last one."""
    fault = Fault(routes[0], "throttle_day", times=None, retry_after=seconds)

    def end(a: Life) -> None:
        working(a, [fault])
        a.calm = max(a.calm, a.here.clock() + timedelta(seconds=seconds))

    return Disruption(lambda a: failing(a, [fault]), end)


def once(*statuses: int) -> Disruption:
    """Something between us and the portal answers a look with each status once."""
    return Disruption(
        lambda a: failing(a, [Fault(LOOKS[0], "status", status=one) for one in statuses]),
        lambda _: None,
    )


def clock(**by: float) -> Disruption:
    """Our own clock jumps, and is set right."""
    skew = timedelta(**by)
    return Disruption(
        lambda a: setattr(a.here, "skew", skew), lambda a: setattr(a.here, "skew", timedelta())
    )


def narrowed(scope: Scope | None = None, *, observe: bool = False) -> Disruption:
    """The configuration excludes updates, and is set right, with a restart each time."""

    def begin(a: Life) -> None:
        rooms = Scope(exclude_rooms=frozenset({a.rooms[0]}))
        a.here.policy = Policy(scope=Scope() if observe else scope or rooms, observe=observe)
        a.restart()

    def end(a: Life) -> None:
        a.here.policy = Policy()
        a.restart()

    return Disruption(begin, end)


def hide(a: Life) -> None:
    a.hidden.add(a.rooms[0])
    a.here.portal.archive_room(a.rooms[0])


def show(a: Life) -> None:
    a.hidden.discard(a.rooms[0])
    a.here.portal.unarchive_room(a.rooms[0])


def another(a: Life) -> User:
    """Return another account with the same rights."""
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


DISRUPTIONS = {
    "looks 500": outage(LOOKS),
    "looks 502": outage(LOOKS, "html"),
    "looks 408 once": once(408),
    "looks 400 twice": once(400, 400),
    "writes 500": outage(WRITES),
    "writes reset": outage(WRITES, "reset_before"),
    "writes happen unseen": outage(WRITES, "reset_after"),
    "listings 500": outage(LISTINGS),
    "listings reset": outage(LISTINGS, "reset_before"),
    "away": Disruption(
        lambda a: setattr(a.here.portal, "down", True),
        lambda a: setattr(a.here.portal, "down", False),
    ),
    "unpaid": outage(ALL, status=402),
    "a page of the proxy": outage(ALL, "html"),
    "throttled": throttling(ALL, 20),
    "writes throttled": throttling(WRITES, 300),
    "throttled, not for how long": outage(ALL, "throttle"),
    "dead key": Disruption(
        lambda a: a.here.portal.disable_key(a.here.key),
        lambda a: a.here.portal.enable_key(a.here.key),
    ),
    "another account's key": Disruption(daily, another_key),
    "writes of the day spent": Disruption(
        lambda a: a.restart(quota=Quota(2, 1)), lambda a: a.restart(quota=UNLIMITED)
    ),
    "clock two hours ahead": clock(hours=2),
    "clock ten years ahead": clock(days=3650),
    "clock a minute ahead": clock(seconds=61),
    "clock six hours back": clock(hours=-6),
    "clock two minutes back": clock(seconds=-120),
    "locked": Disruption(lock, unlock),
    "scope of rooms": narrowed(),
    "scope of extensions": narrowed(Scope(extensions=frozenset({"xlsx"}))),
    "observing": narrowed(observe=True),
    "archived": Disruption(hide, show),
    "no member": Disruption(invite(0), invite(9)),
    "restarted": Disruption(lambda a: a.restart(), lambda a: a.restart()),
}
