"""The portal's health: a circuit breaker each for looks, writes and the key, and retry delays.

Looks and writes have breakers of their own: successful looks must not hide that every write fails.
While a breaker is open, failures do not count as attempts at a file. A probe is sent at intervals,
and the first success of that kind of request closes the breaker.
"""

import threading
from collections.abc import Callable, Set
from datetime import datetime, timedelta

from reconciler.errors import (
    ForbiddenError,
    PermanentError,
    PortalError,
    RateLimitedError,
    TransientError,
    UnauthorizedError,
)
from reconciler.ledger import Ledger
from reconciler.model import EPOCH, OutageKind

_OPENS_AT = 5  # failures in a row, of any files, that mean the portal is at fault
_PROBE_FIRST, _PROBE_MAX = timedelta(seconds=4), timedelta(seconds=30)
_PROBE_SHARE = 12  # a probe waits for this part of how long the outage has lasted
_PASSING_FIRST, _PASSING_MAX = timedelta(seconds=1), timedelta(minutes=1)
_OWN_FIRST, _OWN_MAX = timedelta(minutes=2), timedelta(minutes=15)
_OWN_AFTER = 10  # passing failures in a row of one file, while others succeed
_REFUSED_FIRST, _REFUSED_MAX = timedelta(hours=1), timedelta(days=1)
_REFUSED_AFTER = 3  # refusals that something between us and the portal may have answered
_THROTTLED_FIRST, _THROTTLED_MAX = timedelta(seconds=2), timedelta(minutes=1)
_PROBE_FILES = 3  # files to probe writes with, in case the first of them is gone by then
_PARKED_STEP, _PARKED_MAX = timedelta(seconds=20), timedelta(minutes=10)
_WRITE = "PUT "
_NEEDED_TO_LOOK = (OutageKind.LOOKS, OutageKind.DEAD_KEY)
_ALWAYS_ENDED = frozenset({OutageKind.DEAD_KEY, OutageKind.RATE_LIMITED})


class CircuitBreaker:
    """Counts failures in a row of one kind of request. Safe to share between threads.

    The time between probes grows with the outage, from ``first`` to ``longest``: a recovery after
    seconds is noticed within seconds, and an outage of hours costs few requests.
    """

    def __init__(
        self,
        first: timedelta = _PROBE_FIRST,
        longest: timedelta = _PROBE_MAX,
        began: datetime | None = None,
    ) -> None:
        """Start closed; after an outage that ``began`` earlier, a single failure opens it."""
        self._first, self._longest, self._lock = first, longest, threading.RLock()
        self._began = began
        self._failures = 0
        self._failing_since = self._probed_at = EPOCH

    @property
    def is_open(self) -> bool:
        """Whether only probes are to be sent, at intervals."""
        return self._failures >= (_OPENS_AT if self._began is None else 1)

    @property
    def is_failing(self) -> bool:
        """Whether the last request failed."""
        return self._failures > 0

    def record_success(self) -> bool:
        """Close it; return whether anything had failed since the last success."""
        with self._lock:
            failed, self._failures, self._began = self._failures > 0, 0, None
        return failed

    def record_failure(self, now: datetime) -> None:
        """Count a failure at ``now``."""
        with self._lock:
            self._fail(now, self._failures + 1)

    def trip(self, now: datetime) -> None:
        """Open it at once, after a failure that leaves no doubt."""
        with self._lock:
            self._fail(now, max(self._failures + 1, _OPENS_AT))

    def _fail(self, now: datetime, failures: int) -> None:
        if self._failures == 0:
            self._failing_since = min(self._began or now, now)
        self._failures, self._probed_at = failures, now

    def next_probe(self, now: datetime) -> datetime:
        """Return when the next request may be sent. A probe dated in the future is ignored."""
        with self._lock:
            if not self.is_open or self._probed_at > now:
                return now
            lasted = self._probed_at - self._failing_since
            return self._probed_at + min(max(lasted / _PROBE_SHARE, self._first), self._longest)

    def begin_request(self, now: datetime) -> bool:
        """Return whether a request may be sent now; while open, that is the probe."""
        with self._lock:
            if self.next_probe(now) > now:
                return False
            self._probed_at = now
            return True


def retry_delay(error: PortalError, attempts: int, jitter: float) -> timedelta:
    """Return the delay before the next attempt at a file that failed ``attempts`` times before.

    ``error`` is the file's latest failure. ``jitter`` from 0 to 1 spreads the retries over the
    second half of the delay. A failure that may pass is retried within seconds at first, then
    within a minute. Only repeated refusals count as the file's own: something between us and the
    portal may have answered the first ones.
    """
    refused = isinstance(error, (PermanentError, ForbiddenError))
    passing = _REFUSED_AFTER if refused else _OWN_AFTER
    if attempts < passing:
        return backoff(attempts, _PASSING_FIRST, _PASSING_MAX, jitter)
    first, longest = (_REFUSED_FIRST, _REFUSED_MAX) if refused else (_OWN_FIRST, _OWN_MAX)
    return backoff(attempts - passing, first, longest, jitter)


def backoff(attempts: int, first: timedelta, longest: timedelta, jitter: float) -> timedelta:
    """Return the delay after so many attempts: ``first``, doubling to ``longest``, jittered."""
    delay = min(first * (1 << min(attempts, 20)), longest)
    return delay * (0.5 + jitter / 2)


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
        """Continue the outages that an earlier process recorded; a first success ends them."""
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
        """Whether one file at a time probes whether looks work again."""
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

        The first few files are due with the next probe. The others become due with the first
        successful write; until then they follow at growing delays, in case every file before
        them is gone.
        """
        with self._lock:
            self._parked += 1
            behind = max(self._parked - _PROBE_FILES, 0)
        return self.next_write(now) + min(behind * _PARKED_STEP, _PARKED_MAX)

    def record_success(self, kind: OutageKind, now: datetime) -> None:
        """Record a successful request: the key works, and files that waited for this kind of
        request are due at once.
        """
        failed, first = self._breakers[kind].record_success(), kind in self._unproven
        self._end({kind, *_ALWAYS_ENDED})
        if failed or first:
            self._ledger.waits.release(kind, now)

    def _end(self, kinds: Set[OutageKind]) -> None:
        """End outages of these kinds, and a dead key: the portal has answered."""
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
        """Record a failure; return the delay before the file's next attempt, None when the
        failure says nothing about the file.
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
        """Record the error that ended a sweep. Looks and writes go on.

        They do so too with a key that lacks the scope to list rooms. An error without any answer
        is reported as an outage.
        """
        if isinstance(error, UnauthorizedError) and error.scope:
            return
        if not self._concerns_all_files(error, now) and error.status is None:
            self._open(OutageKind.LOOKS, error, now)

    def record_listing_success(self, now: datetime) -> None:
        """Record a successful sweep: the key works, and the portal is available.

        Looks that fail all the same are probed by looks.
        """
        if self._breakers[OutageKind.LOOKS].is_failing:
            self._end(_ALWAYS_ENDED)
            return
        first = OutageKind.LOOKS in self._unproven
        self._end({OutageKind.LOOKS, *_ALWAYS_ENDED})
        if first:
            self._ledger.waits.release(OutageKind.LOOKS, now)

    def _concerns_all_files(self, error: PortalError, now: datetime) -> bool:
        """Return whether every request has to wait: a dead key, or a pause that was asked for."""
        if isinstance(error, UnauthorizedError):
            self._breakers[OutageKind.DEAD_KEY].trip(now)
            self._open(OutageKind.DEAD_KEY, error, now)
            return True
        pause = error.retry_after if isinstance(error, (RateLimitedError, TransientError)) else None
        if not pause and isinstance(error, RateLimitedError):  # none, or one that is over
            with self._lock:
                self._throttled += 1
                number = self._throttled
            pause = backoff(number - 1, _THROTTLED_FIRST, _THROTTLED_MAX, self._jitter())
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
