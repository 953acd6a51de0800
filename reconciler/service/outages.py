"""Logs once that the portal as a whole fails at something, and once that it works again."""

import threading
from collections.abc import Callable
from datetime import datetime

from reconciler.errors import PortalError
from reconciler.hints import hint_for
from reconciler.model import OutageKind
from reconciler.service.logging import log

# The log events of the beginning and of the end.
EVENTS = {
    OutageKind.DEAD_KEY: ("key_refused", "key_works"),
    OutageKind.LOOKS: ("portal_away", "portal_back"),
    OutageKind.WRITES: ("writes_fail", "writes_work"),
    OutageKind.RATE_LIMITED: ("rate_limited", "rate_limit_cleared"),
}


class OutageLog:
    """Logs the outages that any thread reports."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Begin with a portal that works."""
        self._clock, self._lock = clock, threading.Lock()
        self._since: dict[OutageKind, datetime] = {}

    def on_outage(self, kind: OutageKind, error: PortalError) -> None:
        """Log that an outage began, with the hint that `check` gives for its cause."""
        with self._lock:
            self._since[kind] = self._clock()
        write = log.error if kind is OutageKind.DEAD_KEY else log.warning
        write(EVENTS[kind][0], error=str(error), hint=hint_for(error))

    def on_recovery(self, kind: OutageKind) -> None:
        """Log that an outage is over, and how long it lasted."""
        with self._lock:
            since = self._since.pop(kind, self._clock())
        seconds = (self._clock() - since).total_seconds()
        log.info(EVENTS[kind][1], seconds=max(round(seconds), 0))
