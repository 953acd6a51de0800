"""How a row becomes due, is claimed, and may be written for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnDefault,
    Connection,
    Row,
    and_,
    case,
    func,
    literal_column,
    select,
    type_coerce,
    update,
)

from reconciler.ledger.counting import HOUR, count, free_at, written
from reconciler.ledger.facts import set_fact, time_fact, two_facts
from reconciler.ledger.notes import BACKFILL, LIVE, SWEEP, first_to_tell
from reconciler.ledger.rows import entry_of
from reconciler.ledger.schema import files
from reconciler.ledger.upsert import insert
from reconciler.model import EPOCH, Event, Revision, Source, Unknown
from reconciler.review import due_after, is_echo

ACCEPTED = ("accepted", "event")
ECHO = ("ignored", "echo")
BACKFILL_PAUSE = "backfill_until"
PRECEDENCE = (files.c.priority, files.c.due_at)
_BURST = timedelta(seconds=5)  # the longest that a burst of events can put a look off


def record(c: Connection, events: Sequence[tuple[Event, datetime, Source]]) -> list[bool]:
    """Make each event's file due; False for an echo, which changes nothing but a count."""
    known = two_facts(c, "owner", "first_sweep")
    echoes = _echoes(c, [event for event, *_ in events], known.get("owner"))
    # Before the portal ever answered nobody knows where our responsibility begins: `begin` does.
    begun = "first_sweep" in known
    rows = [_arriving(*one, begun) for one, echo in zip(events, echoes, strict=True) if not echo]
    count(c, *ECHO, len(events) - len(rows))
    count(c, *ACCEPTED, len(rows))
    if rows:
        c.execute(_recording(c.dialect.name), rows)
    return [not echo for echo in echoes]


def _echoes(c: Connection, events: Sequence[Event], owner: str | None) -> list[bool]:
    ours = [event.file for event in events if event.author == owner]
    if owner is None or not ours:
        return [False] * len(events)
    found = c.execute(select(files).where(files.c.id.in_(ours)))
    known = {row.id: entry_of(row, (EPOCH, EPOCH)) for row in found}
    return [e.file in known and is_echo(e, known[e.file], owner) for e in events]


def _arriving(event: Event, now: datetime, source: Source, begun: bool) -> dict[str, Any]:
    return {
        "id": event.file,
        "name": event.title,
        "due_at": due_after(event, now),
        "since": None if begun else now,
        "pending_since": now,
        "event_at": now,
        "source": source.value,
    }


def _fixed(value: object) -> Any:
    """Return a constant as a part of the statement: what is not is bound anew for each row."""
    return literal_column(repr(value))


@cache  # built once: that takes ten times as long as running it
def _recording(dialect: str) -> Any:
    blank = {c.name: _fixed(c.default.arg) for c in files.c if isinstance(c.default, ColumnDefault)}
    first = {"pending": _fixed(1), "events": _fixed(1)}
    statement = insert(dialect, files).values(blank | first)
    new = statement.excluded
    told = new.source == _fixed(Source.WEBHOOK.value)  # its word counts, whoever was first
    return statement.on_conflict_do_update(
        index_elements=[files.c.id],
        set_={
            "name": new.name,
            "due_at": _due_by_event(new),
            "since": func.coalesce(files.c.since, new.since),
            "priority": _fixed(LIVE),
            # A backfill's caution is not for what is saved now.
            "unknown": case(
                (files.c.unknown == _fixed(Unknown.KEEP.value), None), else_=files.c.unknown
            ),
            "attempts": _fixed(0),
            "pending": files.c.pending + _fixed(1),
            "pending_since": func.coalesce(files.c.pending_since, new.pending_since),
            "events": files.c.events + _fixed(1),
            "event_at": new.event_at,
            "source": case((told, new.source), else_=first_to_tell(new.source)),
        },
    )


def _due_by_event(new: Any) -> Any:
    """A live claim keeps its lease; a burst puts the look off, but not for ever."""
    latest = type_coerce(files.c.pending_since, BigInteger) + _fixed(
        _BURST // timedelta(microseconds=1)
    )
    return case(
        (and_(files.c.claim.is_not(None), files.c.due_at > new.event_at), files.c.due_at),
        (and_(files.c.pending_since.is_not(None), latest < new.due_at), latest),
        else_=new.due_at,
    )


def taking(now: datetime, limit: int, until: datetime, token: str, lowest: int) -> Any:
    """Return the one conditional write that claims what is due and gives the rows."""
    due = (
        select(files.c.id)
        .where(files.c.due_at <= now, files.c.priority <= lowest)
        .order_by(*PRECEDENCE)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (
        update(files)
        .where(files.c.id.in_(due.scalar_subquery()))
        .values(
            claim=token,
            due_at=until,
            claimed=files.c.pending,
            pending_since=None,
            looks=files.c.looks + 1,
            looked_at=now,
        )
        .returning(files)
    )


def freeing(gone: Any, now: datetime) -> Any:
    """Return the write that makes claimed rows due at once, where the condition says so."""
    held = (files.c.claim.is_not(None), files.c.due_at.is_not(None))  # the latter: its index
    return update(files).where(*held, gone).values(claim=None, due_at=now)


def lowest_precedence(c: Connection, now: datetime) -> int:
    """Return the lowest precedence that may be claimed: a backfill may be put off."""
    return SWEEP if now < time_fact(c, BACKFILL_PAUSE) else BACKFILL


def is_spent(
    c: Connection, priority: int, now: datetime, per_day: int, backfill_per_day: int | None
) -> bool:
    """Put off what has no room in the day's writes, until the hour in which some return."""
    limit, pause = per_day, "paused_until"
    if priority == BACKFILL and backfill_per_day is not None:
        limit, pause = backfill_per_day, BACKFILL_PAUSE
    if written(c, now) < limit:
        return False
    until = free_at(c, now, limit)
    if until > time_fact(c, pause):  # a longer pause that the portal asked for stands
        set_fact(c, pause, until.isoformat())
        set_fact(c, "paused_why", f"the {limit} writes of a day are used up")
    return True


def times_written(row: Row[Any], revision: Revision, now: datetime) -> int:
    """Return how often this revision was written to within the hour."""
    same = (row.written_version, row.written_updated) == (revision.version, revision.updated)
    recent = row.written_since is not None and now - row.written_since < HOUR
    return int(row.written_times) if same and recent else 0
