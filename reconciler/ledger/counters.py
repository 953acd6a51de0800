"""Counters of outcomes, kept texts, latencies, writes and requests, and the portal's limits.

All processes on one ledger share the limits (docspace.md 2). The day's limit of writes is computed
from the counted writes and the current configuration; requests are counted for the last minute.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, delete, func, not_, or_, select

from reconciler.ledger.records import BOUNDS
from reconciler.ledger.rows import BACKFILL, SWEEP
from reconciler.ledger.store.schema import (
    counts,
    insert,
    latencies,
    request_buckets,
    texts,
    writes,
)
from reconciler.model import EPOCH, AttemptResult, Outcome, Quota, Rule

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
_CLOCKS_DIFFER = timedelta(minutes=1)  # between processes that share a ledger
_BUCKET = timedelta(seconds=5)  # in which requests are counted together
_WINDOW = timedelta(seconds=60) + 2 * _BUCKET  # a request may be sent a bucket after it was counted

# Built once: these run before every attempt. Hours in the future are left out: they were counted
# before the clock was set back.
_BETWEEN = writes.c.hour.between(bindparam("since"), bindparam("until"))
_TOTAL = select(func.coalesce(func.sum(writes.c.number), 0)).where(_BETWEEN)
_DELETE_OTHERS = writes.delete().where(not_(_BETWEEN))
_BUCKETS = select(writes).where(_BETWEEN).order_by(writes.c.hour)


def written(c: Connection, now: datetime) -> int:
    """Return the number of PUTs in the last 24 hours, and up to one hour more."""
    return int(c.execute(_TOTAL, _a_day_before(now)).scalar_one())


def count_write(c: Connection, now: datetime) -> None:
    """Count a PUT that is about to be sent. Hours long past or in the future are deleted."""
    add(c, writes, {"hour": hour_of(now)}, number=1)
    kept = {"since": hour_of(now) - 2 * DAY, "until": now + _CLOCKS_DIFFER}
    c.execute(_DELETE_OTHERS, kept)


def _a_day_before(now: datetime) -> dict[str, datetime]:
    return {"since": hour_of(now) - DAY, "until": now + _CLOCKS_DIFFER}


def count(c: Connection, outcome: str, reason: str, number: int) -> None:
    """Count events or listings by outcome and reason."""
    if number:
        add(c, counts, {"outcome": str(outcome), "reason": reason}, number=number)


def count_kept_text(c: Connection, text: str, number: int, within_seconds: int) -> None:
    """Count a comment that was kept, and how many of these were seen within seconds of a save."""
    add(c, texts, {"text": text}, number=number, within_seconds=within_seconds)


def record_latency(c: Connection, row: Row[object], result: AttemptResult, now: datetime) -> None:
    """Count a marked update by its first source and its latency, from save to comment.

    Setting a comment again that unlocking wiped is no update.
    """
    marked = result.outcome is Outcome.MARKED and result.reason != Rule.RESTORED.value
    if not marked or result.seen is None or row.source is None:
        return
    latency = max((now - result.seen.revision.updated).total_seconds(), 0.0)
    bound = next((bound for bound in BOUNDS if latency <= bound), 0)
    day = EPOCH + (now - EPOCH) // DAY * DAY
    key = {"day": day, "source": row.source, "bound": bound}
    add(c, latencies, key, number=1, seconds=round(latency))


def add(c: Connection, table: Table, key: dict[str, Any], **amounts: int) -> None:
    """Add to the amounts of ``key``."""
    c.execute(_add_statement(c.dialect.name, table, tuple(amounts)), key | amounts)


@cache
def _add_statement(dialect: str, table: Table, amounts: tuple[str, ...]) -> Any:
    statement = insert(dialect, table)
    more = {name: table.c[name] + statement.excluded[name] for name in amounts}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=more)


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def free_at(c: Connection, now: datetime, limit: int) -> datetime:
    """Return when the last day has fewer than ``limit`` PUTs: now, or at a full hour."""
    buckets = [(row.hour, row.number) for row in c.execute(_BUCKETS, _a_day_before(now))]
    total, free = sum(number for _, number in buckets), now
    for hour, number in buckets:
        if total < limit:
            break
        total -= number
        free = max(hour + HOUR + DAY, hour_of(now) + HOUR)
    return free


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


def reserve_requests(c: Connection, now: datetime, number: int, per_minute: int) -> float:
    """Count ``number`` requests in the current minute.

    Return 0 when they fit, else the seconds to wait; then nothing is counted.
    A bucket in the future was filled before the clock was set back, and is deleted.
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
