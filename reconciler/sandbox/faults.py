"""Faults of the way to the portal and of the portal, to be asked for by tests and demos."""

import threading
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong with an API request; the first eight are without effect."""

    STATUS = "status"
    THROTTLE = "throttle"
    THROTTLE_DAY = "throttle_day"
    HTML = "html"
    NOT_JSON = "not_json"
    REDIRECT = "redirect"
    RESET_BEFORE = "reset_before"
    STALL = "stall"
    RESET_AFTER = "reset_after"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    SLOW = "slow"

    @property
    def lets_through(self) -> bool:
        """Whether the request takes effect all the same."""
        return self in (
            FaultKind.RESET_AFTER,
            FaultKind.TRUNCATED,
            FaultKind.EMPTY,
            FaultKind.SLOW,
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: for which route (a prefix of "PUT files/file/{id}/comment", or "*"),
    of what kind, how many ``times`` (None: always), after letting ``skip`` requests pass.

    ``status`` is for kind "status", ``retry_after`` (seconds) for "throttle_day",
    ``seconds`` for "stall" and "slow", ``location`` for "redirect".
    """

    route: str
    kind: FaultKind | str
    times: int | None = 1
    status: int = 500
    retry_after: int = 3600
    seconds: float = 3600.0
    location: str = "https://portal.example.com/"
    skip: int = 0

    def meets(self, route: str) -> bool:
        """Whether the fault is about this route."""
        return self.route == "*" or route.startswith(self.route)


class Faults:
    """The faults to come; thread-safe."""

    def __init__(self) -> None:
        """Start without any."""
        self._mutex = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, fault: Fault) -> None:
        """Let ``fault`` happen. ValueError for an unknown kind."""
        FaultKind(fault.kind)
        with self._mutex:
            self._waiting.append(_Waiting(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._mutex:
            self._waiting.clear()

    def next_for(self, route: str) -> Fault | None:
        """Take the fault that meets a request of this route, or None."""
        with self._mutex:
            for waiting in self._waiting:
                if not waiting.fault.meets(route):
                    continue
                if waiting.skip:
                    waiting.skip -= 1
                    continue
                self._use(waiting)
                return waiting.fault
            return None

    def _use(self, waiting: "_Waiting") -> None:
        if waiting.left is None:
            return
        waiting.left -= 1
        if waiting.left <= 0:
            self._waiting.remove(waiting)


@dataclass(slots=True)
class _Waiting:
    fault: Fault
    skip: int
    left: int | None
