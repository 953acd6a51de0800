"""Counters: the outcomes of events and listings, kept texts, and PUTs by the hour."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, or_, select

from reconciler.ledger.store.schema import counts, texts, writes
from reconciler.ledger.store.upsert import insert

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
_CLOCKS_DIFFER = timedelta(minutes=1)  # between processes that share a ledger


def written(c: Connection, now: datetime) -> int:
    """Return the PUTs of the last 24 hours, and of up to one hour more."""
    total = select(func.coalesce(func.sum(writes.c.number), 0)).where(_is_within_a_day(now))
    return int(c.execute(total).scalar_one())


def count_write(c: Connection, now: datetime) -> None:
    """Count a PUT that is about to be sent; delete hours long past or in the future."""
    add(c, writes, {"hour": hour_of(now)}, 1)
    old = writes.c.hour < hour_of(now) - 2 * DAY
    c.execute(writes.delete().where(or_(old, writes.c.hour > now + _CLOCKS_DIFFER)))


def _is_within_a_day(now: datetime) -> ColumnElement[bool]:
    """Leave out hours in the future: they were counted before the clock was set back."""
    return writes.c.hour.between(hour_of(now) - DAY, now + _CLOCKS_DIFFER)


def count(c: Connection, outcome: str, reason: str, number: int) -> None:
    """Count events or listings by outcome and reason."""
    if number:
        add(c, counts, {"outcome": str(outcome), "reason": reason}, number)


def count_kept_text(c: Connection, text: str, number: int, prompt: int) -> None:
    """Count a comment that was kept, ``prompt`` times of it within seconds of a save."""
    statement = insert(c.dialect.name, texts).values(text=text, number=number, prompt=prompt)
    more = {name: texts.c[name] + statement.excluded[name] for name in ("number", "prompt")}
    c.execute(statement.on_conflict_do_update(index_elements=["text"], set_=more))


def add(c: Connection, table: Table, key: dict[str, Any], number: int) -> None:
    """Add to the number of ``key``."""
    c.execute(_add_statement(c.dialect.name, table), {**key, "number": number})


@cache
def _add_statement(dialect: str, table: Table) -> Any:
    statement = insert(dialect, table)
    more = {"number": table.c.number + statement.excluded.number}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=more)


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def free_at(c: Connection, now: datetime, limit: int) -> datetime:
    """Return when fewer than ``limit`` PUTs will lie within a day: at a full hour."""
    since = hour_of(now) - DAY
    rows = c.execute(select(writes).where(_is_within_a_day(now)).order_by(writes.c.hour))
    buckets = [(row.hour, row.number) for row in rows]
    total = sum(number for _, number in buckets)
    for hour, number in buckets:
        if total < limit:
            break
        total -= number
        since = hour + HOUR
    return max(since + DAY, hour_of(now) + HOUR) if buckets else now
