"""Tells once that the portal as a whole fails, and once that it works again."""

import threading
from collections.abc import Callable
from datetime import datetime

from reconciler.errors import PortalError
from reconciler.model import Outcome
from reconciler.service.log import log
from reconciler.worker import Attempt

# What an error is called in an ending, and the events of its beginning and its end.
EVENTS = {
    "unauthorised": ("key_refused", "key_works"),
    "throttled": ("throttled", "throttled_no_more"),
    "transient": ("portal_away", "portal_back"),
}


class Outages:
    """Hears how attempts and sweeps went, on any thread."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Begin with a portal that works."""
        self._clock, self._lock = clock, threading.Lock()
        self._kind, self._since = "", clock()

    def attempt(self, attempt: Attempt) -> None:
        """Hear how an attempt at a file ended; a failure of the file alone says nothing."""
        ending = attempt.ending
        if attempt.rule is not None:
            self.over()
        elif ending.outcome is Outcome.WAITING and ending.reason in EVENTS:
            self._begin(ending.reason, ending.error)

    def met(self, error: PortalError) -> None:
        """Hear what a sweep, or the question whose the key is, ended with."""
        kind = type(error).__name__.lower()
        if kind in EVENTS:
            self._begin(kind, str(error))

    def over(self) -> None:
        """Hear that the portal did what it was asked."""
        with self._lock:
            kind, self._kind = self._kind, ""
            lasted = self._clock() - self._since
        if kind:
            log.info(EVENTS[kind][1], seconds=round(lasted.total_seconds()))

    def _begin(self, kind: str, error: str) -> None:
        with self._lock:
            known, before = self._kind == kind, self._kind
            self._kind = kind
            if not before:
                self._since = self._clock()
        if not known:
            (log.error if kind == "unauthorised" else log.warning)(EVENTS[kind][0], error=error)
