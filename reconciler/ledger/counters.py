"""Counters: the outcomes of events and listings, kept texts, and PUTs by the hour."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, not_, select

from reconciler.ledger.store.schema import counts, insert, texts, writes

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
_CLOCKS_DIFFER = timedelta(minutes=1)  # between processes that share a ledger


# Built once, for these are asked before every attempt. Hours in the future are left out: they
# were counted before the clock was set back.
_BETWEEN = writes.c.hour.between(bindparam("since"), bindparam("until"))
_TOTAL = select(func.coalesce(func.sum(writes.c.number), 0)).where(_BETWEEN)
_FORGET_OTHERS = writes.delete().where(not_(_BETWEEN))
_BUCKETS = select(writes).where(_BETWEEN).order_by(writes.c.hour)


def written(c: Connection, now: datetime) -> int:
    """Return the PUTs of the last 24 hours, and of up to one hour more."""
    return int(c.execute(_TOTAL, _a_day_before(now)).scalar_one())


def count_write(c: Connection, now: datetime) -> None:
    """Count a PUT that is about to be sent; delete hours long past or in the future."""
    add(c, writes, {"hour": hour_of(now)}, number=1)
    kept = {"since": hour_of(now) - 2 * DAY, "until": now + _CLOCKS_DIFFER}
    c.execute(_FORGET_OTHERS, kept)


def _a_day_before(now: datetime) -> dict[str, datetime]:
    return {"since": hour_of(now) - DAY, "until": now + _CLOCKS_DIFFER}


def count(c: Connection, outcome: str, reason: str, number: int) -> None:
    """Count events or listings by outcome and reason."""
    if number:
        add(c, counts, {"outcome": str(outcome), "reason": reason}, number=number)


def count_kept_text(c: Connection, text: str, number: int, prompt: int) -> None:
    """Count a comment that was kept, ``prompt`` times of it within seconds of a save."""
    add(c, texts, {"text": text}, number=number, prompt=prompt)


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
    """Return when fewer than ``limit`` PUTs lie within a day: now, or at a full hour."""
    buckets = [(row.hour, row.number) for row in c.execute(_BUCKETS, _a_day_before(now))]
    total, free = sum(number for _, number in buckets), now
    for hour, number in buckets:
        if total < limit:
            break
        total -= number
        free = max(hour + HOUR + DAY, hour_of(now) + HOUR)
    return free
