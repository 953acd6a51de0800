"""What a failure of the portal means: a later try for the file, or a probe for its kind of request.

Looks and writes are judged apart: good looks must not hide that every write fails. While a breaker
is open no file is charged an attempt; one request now and then probes, and the first success of
the kind closes it.
"""

import threading
from datetime import datetime, timedelta

from reconciler.errors import ForbiddenError, PermanentError, PortalError
from reconciler.model import EPOCH

OPENS_AT = 5  # failures in a row, of any files, that mean the portal is at fault
_SOON, _LATER = timedelta(seconds=4), timedelta(seconds=30)
_SHARE = 12  # a probe waits for this part of how long the outage has lasted
_PASSING_FIRST, _PASSING_MOST = timedelta(seconds=1), timedelta(minutes=1)
_OWN_FIRST, _OWN_MAX = timedelta(minutes=2), timedelta(minutes=15)
_OWN_AFTER = 10  # passing failures in a row of one file, while others do well
_REFUSED_FIRST, _REFUSED_MAX = timedelta(hours=1), timedelta(days=1)
_REFUSED_AFTER = 3  # refusals that something between us and the portal may have answered


class CircuitBreaker:
    """Counts failures in a row of one kind of request. Safe to share between threads.

    The time between probes grows with the outage, from ``soon`` to ``later``: what comes back
    after seconds is noticed within seconds, and an outage of hours costs little.
    """

    def __init__(
        self,
        soon: timedelta = _SOON,
        later: timedelta = _LATER,
        began: datetime | None = None,
    ) -> None:
        """Start closed; one failure tells that an outage which ``began`` earlier is not over."""
        self._soon, self._later, self._lock = soon, later, threading.RLock()
        self._began = began
        self._failures = 0
        self._failing_since = self._probed_at = EPOCH

    @property
    def is_open(self) -> bool:
        """Whether only a probe now and then is to be sent."""
        return self._failures >= (OPENS_AT if self._began is None else 1)

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
        """Open it at once: a single failure was plain enough."""
        with self._lock:
            self._fail(now, max(self._failures + 1, OPENS_AT))

    def _fail(self, now: datetime, failures: int) -> None:
        if self._failures == 0:
            self._failing_since = min(self._began or now, now)
        self._failures, self._probed_at = failures, now

    def next_probe(self, now: datetime) -> datetime:
        """Return when the next request may be sent; a beginning that lies ahead counts for none."""
        with self._lock:
            if not self.is_open or self._probed_at > now:
                return now
            lasted = self._probed_at - self._failing_since
            return self._probed_at + min(max(lasted / _SHARE, self._soon), self._later)

    def begin_request(self, now: datetime) -> bool:
        """Return whether a request may be sent now; while open, that is the probe."""
        with self._lock:
            if self.next_probe(now) > now:
                return False
            self._probed_at = now
            return True


def retry_delay(error: PortalError, attempts: int, jitter: float) -> timedelta:
    """Return when to try a file again that failed ``attempts`` times before, ``error`` being its
    own. ``jitter`` from 0 to 1 spreads the next tries over the second half of the delay.

    What may pass is tried again within a minute, at first within seconds. A refusal counts as the
    file's own after a few times: something between us and the portal may have answered it.
    """
    refused = isinstance(error, (PermanentError, ForbiddenError))
    passing = _REFUSED_AFTER if refused else _OWN_AFTER
    if attempts < passing:
        return backoff(attempts, _PASSING_FIRST, _PASSING_MOST, jitter)
    first, longest = (_REFUSED_FIRST, _REFUSED_MAX) if refused else (_OWN_FIRST, _OWN_MAX)
    return backoff(attempts - passing, first, longest, jitter)


def backoff(attempts: int, first: timedelta, longest: timedelta, jitter: float) -> timedelta:
    """Return the delay after so many attempts: ``first``, doubling to ``longest``, jittered."""
    delay = min(first * (1 << min(attempts, 20)), longest)
    return delay * (0.5 + jitter / 2)
