"""The rate limits of docspace.md 2, per user: sliding, then concurrency, then daily."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.sandbox.responses import Response, throttled
from reconciler.sandbox.values import Limits

_MINUTE = timedelta(minutes=1)
_QUARTER = timedelta(minutes=15)
_DAY = timedelta(hours=24)

_RETRIES = 5
"""How often a webhook may be retried by hand in a quarter of an hour (docspace.md 6)."""


@dataclass(slots=True)
class _Use:
    recent: deque[datetime] = field(default_factory=deque)
    parallel: Counter[bool] = field(default_factory=Counter)
    day_ends: datetime | None = None
    day_used: int = 0
    retries: dict[str, deque[datetime]] = field(default_factory=dict)


class RateLimiter:
    """Counts the requests of each user; thread-safe."""

    def __init__(self) -> None:
        """Start without any request."""
        self._mutex = threading.Lock()
        self._uses: dict[str, _Use] = {}

    def enter(self, limits: Limits, user_id: str, method: str, now: datetime) -> Response | None:
        """Begin a request; return a 429 when it is refused.

        A refusal by a later limit has already used a permit of the sliding one.
        """
        if not limits.enabled:
            return None
        with self._mutex:
            use = self._uses.setdefault(user_id, _Use())
            if not _slide(use.recent, now, _MINUTE, limits.per_minute):
                return throttled(limits.per_minute)
            reads = method == "GET"
            allowed = limits.reads if reads else limits.writes
            if use.parallel[reads] >= allowed:
                return throttled(allowed)
            if method in ("POST", "PUT"):
                refused = _refuse_write(use, now, limits.writes_per_day)
                if refused is not None:
                    return refused
            use.parallel[reads] += 1
            return None

    def leave(self, limits: Limits, user_id: str, method: str) -> None:
        """End a request that was let in."""
        if limits.enabled:
            with self._mutex:
                self._uses[user_id].parallel[method == "GET"] -= 1

    def retry(self, limits: Limits, user_id: str, path: str, now: datetime) -> Response | None:
        """Count a manual webhook retry of a user and path; return a 429 when it is refused."""
        if not limits.enabled:
            return None
        with self._mutex:
            recent = self._uses.setdefault(user_id, _Use()).retries.setdefault(path, deque())
            allowed = _slide(recent, now, _QUARTER, _RETRIES)
            return None if allowed else throttled(_RETRIES)


def _slide(recent: deque[datetime], now: datetime, window: timedelta, limit: int) -> bool:
    while recent and recent[0] <= now - window:
        recent.popleft()
    if len(recent) >= limit:
        return False
    recent.append(now)
    return True


def _refuse_write(use: _Use, now: datetime, limit: int) -> Response | None:
    """Count a write of the day, which begins with its first one; return a 429 beyond the limit."""
    if use.day_ends is None or now >= use.day_ends:
        use.day_ends, use.day_used = now + _DAY, 0
    if use.day_used >= limit:
        seconds = int((use.day_ends - now).total_seconds())
        return throttled(limit, use.day_ends, max(1, seconds))
    use.day_used += 1
    return None
