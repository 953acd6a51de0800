"""Whether looks, writes and the key work, each by itself, and what that means for the rest."""

import threading
from collections.abc import Callable, Set
from datetime import datetime, timedelta

from reconciler.errors import PortalError, RateLimitedError, TransientError, UnauthorizedError
from reconciler.ledger import Ledger
from reconciler.model import OutageKind
from reconciler.worker.circuit_breaker import CircuitBreaker, backoff, retry_delay

_WRITE = "PUT "
_AT_HAND, _APART, _PARKED = 3, timedelta(seconds=20), timedelta(minutes=10)
_THROTTLED_FIRST, _THROTTLED_MOST = timedelta(seconds=2), timedelta(minutes=1)
_NEEDED_TO_LOOK = (OutageKind.LOOKS, OutageKind.DEAD_KEY)
_ALWAYS_ENDED = frozenset({OutageKind.DEAD_KEY, OutageKind.RATE_LIMITED})


def request_kind(error: PortalError) -> OutageKind:
    """Return which kind of request failed: a look or a write."""
    return OutageKind.WRITES if error.route.startswith(_WRITE) else OutageKind.LOOKS


class PortalHealth:
    """The portal's health, shared by all attempts and by the sweep. Safe to share between threads.

    Outages are stored in the ledger for other processes. Each calls ``on_outage`` (with the error)
    and ``on_recovery`` once.
    """

    def __init__(
        self,
        ledger: Ledger,
        jitter: Callable[[], float],
        key_probe: timedelta,
        on_outage: Callable[[OutageKind, PortalError], None],
        on_recovery: Callable[[OutageKind], None],
    ) -> None:
        """Go on with the outages that an earlier process left; a first success ends them."""
        began = {outage.kind: outage.since for outage in ledger.health.outages()}
        self._ledger, self._jitter = ledger, jitter
        self._on_outage, self._on_recovery = on_outage, on_recovery
        self._breakers = {
            OutageKind.LOOKS: CircuitBreaker(began=began.get(OutageKind.LOOKS)),
            OutageKind.WRITES: CircuitBreaker(began=began.get(OutageKind.WRITES)),
            OutageKind.DEAD_KEY: CircuitBreaker(key_probe, key_probe),
        }
        self._reported, self._unproven = set[OutageKind](), set(OutageKind)
        self._throttled, self._parked, self._lock = 0, 0, threading.Lock()

    @property
    def is_probing(self) -> bool:
        """Whether one file at a time probes whether the portal can be asked again."""
        return any(self._breakers[kind].is_open for kind in _NEEDED_TO_LOOK)

    def next_look(self, now: datetime) -> datetime:
        """Return when the next file may be looked at."""
        return max(self._breakers[kind].next_probe(now) for kind in _NEEDED_TO_LOOK)

    def begin_write(self, now: datetime) -> bool:
        """Return whether a write may be sent now; while writes fail, that is the probe."""
        granted = self._breakers[OutageKind.WRITES].begin_request(now)
        if granted:
            with self._lock:
                self._parked = 0
        return granted

    def next_write(self, now: datetime) -> datetime:
        """Return when the next write may be sent."""
        return self._breakers[OutageKind.WRITES].next_probe(now)

    def park_write(self, now: datetime) -> datetime:
        """Return when to look again at a file that needs a write while writes fail.

        A few files stay at hand to probe with, should the one that does be gone by then. The
        others need no look before a write works, which makes all of them due; they come one by
        one, should all those at hand be gone, and late.
        """
        with self._lock:
            self._parked += 1
            behind = max(self._parked - _AT_HAND, 0)
        return self.next_write(now) + min(behind * _APART, _PARKED)

    def record_success(self, kind: OutageKind, now: datetime) -> None:
        """A request did what it was asked: the key works, nothing is throttled, and whatever
        waited for a request of this kind is due at once.
        """
        failed, first = self._breakers[kind].record_success(), kind in self._unproven
        self._end({kind, *_ALWAYS_ENDED})
        if failed or first:
            self._ledger.release_waiting(kind, now)

    def _end(self, kinds: Set[OutageKind]) -> None:
        """The portal answered, so the key works, and outages of these kinds are over."""
        self._breakers[OutageKind.DEAD_KEY].record_success()
        with self._lock:
            self._throttled = 0
            ended = kinds & (self._reported | self._unproven)
            reported = ended & self._reported
            self._reported, self._unproven = self._reported - ended, self._unproven - ended
        if ended:
            self._ledger.health.close_outages(ended)
        for one in reported:
            self._on_recovery(one)

    def record_failure(self, error: PortalError, attempts: int, now: datetime) -> timedelta | None:
        """Record a failure; return the delay of the file's next try, None when the file is
        not to blame.
        """
        if self._concerns_all_files(error, now):
            return None
        if isinstance(error, TransientError):
            kind = request_kind(error)
            self._breakers[kind].record_failure(now)
            if self._breakers[kind].is_open:
                self._open(kind, error, now)
                return None
        return retry_delay(error, attempts, self._jitter())

    def record_listing_failure(self, error: PortalError, now: datetime) -> None:
        """Record what ended a sweep; a listing that fails stops no look and no write.

        Nor does a key that may not list rooms. Where no answer came at all the portal is
        unavailable, and that is reported.
        """
        if isinstance(error, UnauthorizedError) and error.scope:
            return
        if not self._concerns_all_files(error, now) and error.status is None:
            self._open(OutageKind.LOOKS, error, now)

    def record_listing_success(self, now: datetime) -> None:
        """A sweep did what it was asked: the key works, and the portal is available.

        Looks that fail all the same are probed by looks.
        """
        if self._breakers[OutageKind.LOOKS].is_failing:
            self._end(_ALWAYS_ENDED)
            return
        first = OutageKind.LOOKS in self._unproven
        self._end({OutageKind.LOOKS, *_ALWAYS_ENDED})
        if first:
            self._ledger.release_waiting(OutageKind.LOOKS, now)

    def _concerns_all_files(self, error: PortalError, now: datetime) -> bool:
        """Whether nothing at all is to be tried for a while: a dead key, or a pause asked for."""
        if isinstance(error, UnauthorizedError):
            self._breakers[OutageKind.DEAD_KEY].trip(now)
            self._open(OutageKind.DEAD_KEY, error, now)
            return True
        pause = error.retry_after if isinstance(error, (RateLimitedError, TransientError)) else None
        if not pause and isinstance(error, RateLimitedError):  # none, or one that is over
            with self._lock:
                self._throttled += 1
                number = self._throttled
            pause = backoff(number - 1, _THROTTLED_FIRST, _THROTTLED_MOST, self._jitter())
        if not pause:
            return False
        self._ledger.pause(now, pause, str(error))
        self._open(OutageKind.RATE_LIMITED, error, now)
        return True

    def _open(self, kind: OutageKind, error: PortalError, now: datetime) -> None:
        self._ledger.health.open_outage(kind, str(error), now)
        with self._lock:
            reported = kind in self._reported
            self._reported.add(kind)
        if not reported:
            self._on_outage(kind, error)
