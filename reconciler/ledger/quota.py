"""The daily limit of writes, computed from the counted writes and the current configuration."""

from datetime import datetime

from sqlalchemy import Connection

from reconciler.ledger.counters import free_at, written
from reconciler.ledger.rows import BACKFILL, SWEEP
from reconciler.model import Quota


def is_exhausted(c: Connection, now: datetime, quota: Quota, priority: int) -> bool:
    """Return whether writes of this priority have to wait."""
    return written(c, now) >= _limit(quota, priority)


def next_write_at(c: Connection, now: datetime, quota: Quota, priority: int) -> datetime:
    """Return when a write of this priority may be sent: now, or at a full hour."""
    return free_at(c, now, _limit(quota, priority))


def lowest_priority(c: Connection, now: datetime, quota: Quota) -> int | None:
    """Return the lowest priority that may be claimed, None when all have to wait."""
    used = written(c, now)
    if used >= quota.per_day:
        return None
    return SWEEP if used >= _limit(quota, BACKFILL) else BACKFILL


def _limit(quota: Quota, priority: int) -> int:
    return min(quota.per_day, quota.backfill) if priority == BACKFILL else quota.per_day
