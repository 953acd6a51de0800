"""The rate limits of docspace.md 2, per user: sliding, then concurrency, then daily."""

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.sandbox.values import Limits

_MINUTE = timedelta(minutes=1)
_QUARTER = timedelta(minutes=15)
_DAY = timedelta(hours=24)


@dataclass(slots=True)
class _Use:
    recent: deque[datetime] = field(default_factory=deque)
    reads: int = 0
    writes: int = 0
    day_start: datetime | None = None
    day_used: int = 0
    retries: dict[str, deque[datetime]] = field(default_factory=dict)


class Meter:
    """Counts what each user did; thread-safe."""

    def __init__(self) -> None:
        """Start with nobody having done anything."""
        self._mutex = threading.Lock()
        self._uses: dict[str, _Use] = {}

    def enter(
        self, limits: Limits, user_id: str, method: str, now: datetime
    ) -> dict[str, str] | None:
        """Begin a request; return the headers of a 429 when it is refused.

        A refusal by a later limiter has already used a permit of the sliding one.
        """
        if not limits.enabled:
            return None
        with self._mutex:
            use = self._uses.setdefault(user_id, _Use())
            if not _slide(use.recent, now, _MINUTE, limits.per_minute):
                return _refused(limits.per_minute)
            reading = method == "GET"
            allowed = limits.reads if reading else limits.writes
            if (use.reads if reading else use.writes) >= allowed:
                return _refused(allowed)
            if method in ("POST", "PUT") and not _daily(use, now, limits.writes_per_day):
                return _refused_daily(use, now, limits.writes_per_day)
            _count(use, reading=reading, step=1)
            return None

    def leave(self, limits: Limits, user_id: str, method: str) -> None:
        """End a request that was let in."""
        if not limits.enabled:
            return
        with self._mutex:
            _count(self._uses[user_id], reading=method == "GET", step=-1)

    def retry(
        self, limits: Limits, user_id: str, path: str, now: datetime
    ) -> dict[str, str] | None:
        """Count a manual webhook retry: five in a quarter of an hour per user and path."""
        if not limits.enabled:
            return None
        with self._mutex:
            use = self._uses.setdefault(user_id, _Use())
            recent = use.retries.setdefault(path, deque())
            if _slide(recent, now, _QUARTER, limits.retries_per_quarter):
                return None
            return _refused(limits.retries_per_quarter)


def _slide(recent: deque[datetime], now: datetime, span: timedelta, limit: int) -> bool:
    while recent and recent[0] <= now - span:
        recent.popleft()
    if len(recent) >= limit:
        return False
    recent.append(now)
    return True


def _daily(use: _Use, now: datetime, limit: int) -> bool:
    if use.day_start is None or now >= use.day_start + _DAY:
        use.day_start, use.day_used = now, 0
    if use.day_used >= limit:
        return False
    use.day_used += 1
    return True


def _count(use: _Use, *, reading: bool, step: int) -> None:
    if reading:
        use.reads += step
    else:
        use.writes += step


def _refused(limit: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": "0"}


def _refused_daily(use: _Use, now: datetime, limit: int) -> dict[str, str]:
    reset = (use.day_start or now) + _DAY
    return {
        **_refused(limit),
        "X-RateLimit-Reset": str(int(reset.timestamp())),
        "Retry-After": str(max(1, int((reset - now).total_seconds()))),
    }
