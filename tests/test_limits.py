"""The portal's limits: requests per minute and in parallel, across processes and restarts."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.client import DocSpace, RateLimiter, Transport
from reconciler.config import load
from reconciler.errors import ShutdownRequested
from reconciler.ledger import Ledger
from tests.support_ledger import url
from tests.waiting import together
from tests.world import START, TARGET, World

pytestmark = pytest.mark.usefixtures("each_database")

SECOND = timedelta(seconds=1)


def test_a_minute_has_so_many_requests(ledger: Ledger) -> None:
    """A request beyond the minute's limit waits until the oldest has left the window."""
    assert [ledger.reserve(START, 40, 100) for _ in range(2)] == [0, 0]
    delay = ledger.reserve(START + SECOND, 40, 100)
    assert 60 <= delay <= 70
    assert ledger.reserve(START + timedelta(seconds=1 + delay), 40, 100) == 0


def test_no_minute_ever_has_more_than_its_requests(ledger: Ledger) -> None:
    """Whenever the requests come, no sixty seconds have more than the limit."""
    admitted: list[float] = []
    for second in range(300):
        if ledger.reserve(START + second * SECOND, 10, 100) == 0:
            admitted += [second] * 10
    for begin in range(300):
        assert sum(begin <= moment < begin + 60 for moment in admitted) <= 100
    assert len(admitted) >= 300


def test_a_restart_does_not_give_a_new_minute(tmp_path: Path) -> None:
    """The requests of the last minute are on disk, so a restart does not allow a new minute."""
    first = Ledger(url(tmp_path), "http://portal")
    assert first.reserve(START, 100, 100) == 0
    first.close()
    second = Ledger(url(tmp_path), "http://portal")
    assert second.reserve(START + SECOND, 1, 100) > 0
    second.close()


@pytest.mark.parametrize("back", [timedelta(seconds=20), timedelta(hours=6), timedelta(days=4000)])
def test_nobody_waits_for_a_minute_of_the_future(ledger: Ledger, back: timedelta) -> None:
    """Requests recorded for the future, by a wrong clock, are deleted and delay nothing."""
    assert ledger.reserve(START, 100, 100) == 0
    assert ledger.reserve(START - back, 100, 100) == 0
    assert 0 < ledger.reserve(START - back, 1, 100) <= 70


def test_clocks_that_differ_a_little_share_a_minute(ledger: Ledger) -> None:
    """A request of another process whose clock is a moment ahead is counted."""
    assert ledger.reserve(START + 2 * SECOND, 100, 100) == 0
    assert ledger.reserve(START, 1, 100) > 0


@pytest.mark.parametrize(
    ("writes", "share", "backfill"), [(10, 0.05, 1), (1, 0.7, 1), (19, 0.1, 1), (10, 0.7, 7)]
)
def test_a_backfill_has_at_least_one_write_a_day(writes: int, share: float, backfill: int) -> None:
    """A backfill has at least one write a day; with none it would never end."""
    environ = {
        "RECONCILER_LIMITS__WRITES_PER_DAY": str(writes),
        "RECONCILER_LIMITS__BACKFILL_SHARE": str(share),
    }
    assert load(None, environ).limits.quota.backfill == backfill


def test_two_ledgers_on_one_database_share_the_minute(tmp_path: Path) -> None:
    """A backfill and a daemon on one database share the minute."""
    one, other = Ledger(url(tmp_path), "http://portal"), Ledger(url(tmp_path), "http://portal")
    assert one.reserve(START, 60, 100) == 0
    assert other.reserve(START, 60, 100) > 0
    one.close()
    other.close()


def test_requests_at_once_are_bounded(here: World) -> None:
    """Twenty threads with a limit of two send at most two requests in parallel."""
    now, most, lock = 0, 0, threading.Lock()

    def arrive(*_: object) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.02)

    def leave(*_: object) -> None:
        nonlocal now
        with lock:
            now -= 1

    here.portal.on_request, here.portal.on_answer = arrive, leave
    docspace = DocSpace(
        Transport(here.server.url, here.key, rate_limiter=RateLimiter(reads=2, writes=1))
    )
    together(*[lambda: docspace.file(here.file)] * 20)
    docspace.close()
    assert most == 2


def test_waiting_for_the_minute_ends_when_we_are_told_to_stop(here: World) -> None:
    """A stop ends the wait for the minute's limit."""
    stop = threading.Event()
    limiter = RateLimiter(reads=1, writes=1, reserve=lambda _: 60.0, stop=stop)
    docspace = DocSpace(Transport(here.server.url, here.key, rate_limiter=limiter))
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            docspace.file(here.file)
        except ShutdownRequested as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    stop.set()
    thread.join(5)
    docspace.close()
    assert not thread.is_alive()
    assert len(failed) == 1


def test_waiting_for_a_place_ends_when_we_are_told_to_stop(here: World) -> None:
    """A stop ends the wait for a free slot, and no request is sent."""
    stop = threading.Event()
    limiter = RateLimiter(reads=1, writes=1, stop=stop)
    with limiter.acquire("GET", "one"):
        stop.set()
        with pytest.raises(ShutdownRequested), limiter.acquire("GET", "two"):
            pass


def test_nothing_waits_between_a_look_and_its_write(here: World) -> None:
    """Look and write are reserved together, so that no wait is between them."""
    order: list[str] = []

    def reserve(_: int) -> float:
        order.append("paid")
        return 0

    here.portal.on_request = lambda method, *_: order.append(method)
    limiter = RateLimiter(reads=1, writes=1, block=1, reserve=reserve)
    here.docspace.close()
    here.docspace = DocSpace(Transport(here.server.url, here.key, rate_limiter=limiter))
    here.work_with(here.docspace)
    here.edit()
    assert order == ["paid", "paid", "GET", "PUT"]
    assert here.comment() == TARGET


def test_what_was_paid_for_and_not_used_is_used_by_the_next(here: World) -> None:
    """A look without a write returns its second reservation to the next request."""
    paid: list[int] = []

    def reserve(number: int) -> float:
        paid.append(number)
        return 0

    limiter = RateLimiter(reads=1, writes=1, block=1, reserve=reserve)
    docspace = DocSpace(Transport(here.server.url, here.key, rate_limiter=limiter))
    with docspace.reserve_look_and_write():
        docspace.file(here.file)
    docspace.file(here.file)
    docspace.close()
    assert paid == [1, 1]


def test_what_was_paid_for_long_ago_is_used_by_nobody() -> None:
    """A reservation that a slow look did not use expires with its block, also if another thread has
    reserved a new block meanwhile.
    """
    paid: list[int] = []
    now = 0.0

    def reserve(number: int) -> float:
        paid.append(number)
        return 0

    def ask() -> None:
        with limiter.acquire("GET", "one"):
            pass

    limiter = RateLimiter(reads=1, writes=1, block=2, reserve=reserve, clock=lambda: now)
    with limiter.reserve_look_and_write():
        now += 60
        together(ask)
    ask()
    assert paid == [2, 2]
    ask()
    assert paid == [2, 2, 2]
