"""The requests of the last minute, counted by all processes on one ledger (docspace.md 2)."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, or_, select

from reconciler.ledger.counters import add
from reconciler.ledger.store.schema import request_buckets

_BUCKET = timedelta(seconds=5)
_WINDOW = timedelta(seconds=60) + 2 * _BUCKET  # a request may be sent a bucket after it was counted


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
