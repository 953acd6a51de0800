"""Faults of the portal and of the way to it, which tests and demos ask for."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.sandbox import responses
from reconciler.sandbox.responses import Response
from reconciler.sandbox.values import Limits

_LIMITS = Limits()


class FaultKind(StrEnum):
    """What goes wrong with an API request; the last four let it take effect all the same."""

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


_WITH_EFFECT = (FaultKind.RESET_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.SLOW)


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

    @property
    def lets_through(self) -> bool:
        """Whether the request takes effect all the same."""
        return self.kind in _WITH_EFFECT

    @property
    def delay(self) -> float:
        """How long the answer takes, in seconds."""
        return self.seconds if self.kind == FaultKind.SLOW else 0.0

    def matches(self, route: str) -> bool:
        """Whether the fault is about this route."""
        return self.route == "*" or route.startswith(self.route)


@dataclass(slots=True)
class _Pending:
    fault: Fault
    skip: int
    remaining: int | None


class Faults:
    """The faults to come; thread-safe."""

    def __init__(self) -> None:
        """Start without faults."""
        self._mutex = threading.Lock()
        self._waiting: list[_Pending] = []

    def add(self, fault: Fault) -> None:
        """Add a fault. ValueError for an unknown kind."""
        FaultKind(fault.kind)
        with self._mutex:
            self._waiting.append(_Pending(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Remove all faults."""
        with self._mutex:
            self._waiting.clear()

    def next_for(self, route: str) -> Fault | None:
        """Take the fault that a request of this route meets, or None."""
        with self._mutex:
            for pending in self._waiting:
                if not pending.fault.matches(route):
                    continue
                if pending.skip:
                    pending.skip -= 1
                    continue
                if pending.remaining is not None:
                    pending.remaining -= 1
                    if pending.remaining <= 0:
                        self._waiting.remove(pending)
                return pending.fault
            return None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does: send the response whole or ``cut``, hang for ``stall``, or reset.

    ``response`` None with ``stall`` 0 is a reset.
    """

    response: Response | None
    cut: bool = False
    stall: float = 0.0

    @property
    def status(self) -> int:
        """The status for the journal: 0 without a response."""
        return self.response.status if self.response else 0


RESET = Reply(None)


def fault_reply(fault: Fault, now: datetime) -> Reply:
    """Return the reply to a request that a fault keeps from taking effect."""
    match FaultKind(fault.kind):
        case FaultKind.STATUS:
            return Reply(responses.broken(fault.status))
        case FaultKind.THROTTLE:
            return Reply(responses.throttled(_LIMITS.per_minute))
        case FaultKind.THROTTLE_DAY:
            resets = now + timedelta(seconds=fault.retry_after)
            return Reply(responses.throttled(_LIMITS.writes_per_day, resets, fault.retry_after))
        case FaultKind.HTML:
            return Reply(responses.page(200, "Sign in"))
        case FaultKind.NOT_JSON:
            return Reply(Response(200, b'{"response": {', {"Content-Type": responses.JSON}))
        case FaultKind.REDIRECT:
            return Reply(Response(302, b"", {"Location": fault.location}))
        case FaultKind.STALL:
            return Reply(None, stall=fault.seconds)
        case _:
            return RESET


def distorted_reply(response: Response, fault: Fault | None) -> Reply:
    """Return the reply to a request that took effect, as the fault lets it arrive."""
    if fault is None or fault.kind == FaultKind.SLOW:
        return Reply(response)
    if fault.kind == FaultKind.RESET_AFTER:
        return RESET
    if fault.kind == FaultKind.TRUNCATED:
        return Reply(response, cut=True)
    return Reply(Response(200, b"", response.headers))
