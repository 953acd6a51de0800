"""What a failure means: for the file a later try, for the portal as a whole a pause.

Trouble with the portal as a whole costs no file its attempts: everything pauses, and after
the pause one file at a time probes whether the portal is back.
"""

import threading
from dataclasses import dataclass
from datetime import timedelta

from reconciler.errors import Forbidden, Permanent, PortalError, Throttled, Transient, Unauthorised
from reconciler.model import Ailment

BREAKER = 5  # failures in a row, of any files, that mean the portal is at fault
_FILE_FIRST, _FILE_MOST = timedelta(seconds=2), timedelta(minutes=15)
_PERMANENT_FIRST, _PERMANENT_MOST = timedelta(hours=1), timedelta(days=1)
_THROTTLED_FIRST, _THROTTLED_MOST = timedelta(seconds=2), timedelta(minutes=1)


@dataclass(frozen=True)
class Verdict:
    """``file``: the delay of this file's next try, None when the file is not to blame.

    ``everything``: how long nothing is to be tried at all.
    """

    file: timedelta | None = None
    everything: timedelta | None = None


class Trouble:
    """Counts failures in a row, over all threads. ``probe`` is the pause of an open breaker."""

    def __init__(self, probe: timedelta) -> None:
        """Start without trouble."""
        self._probe, self._failures, self._lock = probe, 0, threading.Lock()

    @property
    def open(self) -> bool:
        """Whether the breaker is open: then one file at a time probes the portal."""
        return self._failures >= BREAKER

    def answered(self) -> None:
        """The portal did what it was asked: whatever trouble there was is over."""
        with self._lock:
            self._failures = 0

    def judge(self, error: PortalError, attempts: int, jitter: float) -> Verdict:
        """Say what ``error`` means for a file that failed ``attempts`` times before.

        ``jitter`` from 0 to 1 spreads the next tries over the second half of the delay.
        """
        if isinstance(error, (Permanent, Forbidden)):
            return Verdict(file=_backoff(attempts, _PERMANENT_FIRST, _PERMANENT_MOST, jitter))
        with self._lock:
            self._failures += 1
            failures = self._failures
        if isinstance(error, Throttled):
            own = _backoff(failures - 1, _THROTTLED_FIRST, _THROTTLED_MOST, jitter)
            return Verdict(everything=error.retry_after or own)
        if isinstance(error, Unauthorised):
            with self._lock:
                self._failures = max(self._failures, BREAKER)
            return Verdict(everything=self._probe)
        if isinstance(error, Transient) and failures < BREAKER:
            return Verdict(file=_backoff(attempts, _FILE_FIRST, _FILE_MOST, jitter))
        return Verdict(everything=self._probe)


def ailment_of(error: PortalError) -> Ailment:
    """Return what is wrong with a portal that as a whole fails so."""
    match error:
        case Unauthorised():
            return Ailment.DEAD_KEY
        case Throttled():
            return Ailment.THROTTLED
        case _:
            return Ailment.AWAY


def _backoff(attempts: int, first: timedelta, most: timedelta, jitter: float) -> timedelta:
    delay = min(first * (1 << min(attempts, 20)), most)
    return delay * (0.5 + jitter / 2)
