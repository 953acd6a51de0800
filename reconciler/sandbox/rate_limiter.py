"""The rate limits of docspace.md 2, per user: sliding, then concurrency, then daily."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.sandbox.values import Limits

_MINUTE = timedelta(minutes=1)
_QUARTER = timedelta(minutes=15)
_DAY = timedelta(hours=24)

Headers = dict[str, str]


@dataclass(slots=True)
class _Use:
    recent: deque[datetime] = field(default_factory=deque)
    parallel: Counter[bool] = field(default_factory=Counter)
    day_start: datetime | None = None
    day_used: int = 0
    retries: dict[str, deque[datetime]] = field(default_factory=dict)


class RateLimiter:
    """Counts the requests of each user; thread-safe."""

    def __init__(self) -> None:
        """Start without any request."""
        self._mutex = threading.Lock()
        self._uses: dict[str, _Use] = {}

    def enter(self, limits: Limits, user_id: str, method: str, now: datetime) -> Headers | None:
        """Begin a request; return the headers of a 429 when it is refused.

        A refusal by a later limit has already used a permit of the sliding one.
        """
        if not limits.enabled:
            return None
        with self._mutex:
            use = self._uses.setdefault(user_id, _Use())
            if not _slide(use.recent, now, _MINUTE, limits.per_minute):
                return _refused(limits.per_minute)
            reads = method == "GET"
            allowed = limits.reads if reads else limits.writes
            if use.parallel[reads] >= allowed:
                return _refused(allowed)
            if method in ("POST", "PUT") and not _daily(use, now, limits.writes_per_day):
                return _refused_daily(use, now, limits.writes_per_day)
            use.parallel[reads] += 1
            return None

    def leave(self, limits: Limits, user_id: str, method: str) -> None:
        """End a request that was let in."""
        if limits.enabled:
            with self._mutex:
                self._uses[user_id].parallel[method == "GET"] -= 1

    def retry(self, limits: Limits, user_id: str, path: str, now: datetime) -> Headers | None:
        """Count a manual webhook retry: five in a quarter of an hour per user and path."""
        if not limits.enabled:
            return None
        with self._mutex:
            recent = self._uses.setdefault(user_id, _Use()).retries.setdefault(path, deque())
            allowed = _slide(recent, now, _QUARTER, limits.retries_per_quarter)
            return None if allowed else _refused(limits.retries_per_quarter)


def _slide(recent: deque[datetime], now: datetime, window: timedelta, limit: int) -> bool:
    while recent and recent[0] <= now - window:
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


def _refused(limit: int) -> Headers:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": "0"}


def _refused_daily(use: _Use, now: datetime, limit: int) -> Headers:
    reset = (use.day_start or now) + _DAY
    return {
        **_refused(limit),
        "X-RateLimit-Reset": str(int(reset.timestamp())),
        "Retry-After": str(max(1, int((reset - now).total_seconds()))),
    }
