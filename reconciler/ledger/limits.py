"""The portal's limits, shared by all processes on one ledger (docspace.md 2).

Requests are counted for the last minute. The day's limit of writes is computed from the counted
writes and the current configuration.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, or_, select

from reconciler.ledger.counters import add, free_at, written
from reconciler.ledger.rows import BACKFILL, SWEEP
from reconciler.ledger.store.schema import request_buckets
from reconciler.model import Quota

_BUCKET = timedelta(seconds=5)
_WINDOW = timedelta(seconds=60) + 2 * _BUCKET  # a request may be sent a bucket after it was counted


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


def reserve(c: Connection, now: datetime, number: int, per_minute: int) -> float:
    """Count ``number`` requests into the current minute.

    Return 0 when there is room for them, else the seconds to wait; then nothing is counted.
    A bucket in the future was filled before the clock was set back: nobody waits for it.
    """
    bucket = request_buckets.c.bucket
    c.execute(delete(request_buckets).where(or_(bucket <= now - _WINDOW, bucket > now + _BUCKET)))
    used, oldest = c.execute(
        select(func.coalesce(func.sum(request_buckets.c.number), 0), func.min(bucket))
    ).one()
    if used + number > per_minute and oldest is not None:
        return float(max((oldest + _WINDOW - now).total_seconds(), 0.05))
    seconds = _BUCKET.total_seconds()
    start = datetime.fromtimestamp(now.timestamp() // seconds * seconds, now.tzinfo)
    add(c, request_buckets, {"bucket": start}, number=number)
    return 0
