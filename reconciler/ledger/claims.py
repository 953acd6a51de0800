"""How a row becomes due, is claimed, and may be written for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnDefault,
    Connection,
    Row,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from reconciler.decision import is_echo
from reconciler.ledger.counters import HOUR, count
from reconciler.ledger.listing import arrives_by, first_to_tell, is_in_flight, later
from reconciler.ledger.rows import LIVE, Baseline, entry_of
from reconciler.ledger.settings import FIRST_SWEEP, OWNER, stored
from reconciler.ledger.store.schema import UNFINISHED, UtcTime, files
from reconciler.ledger.store.upsert import insert
from reconciler.model import SECOND, Event, Outcome, Revision, Source

ACCEPTED = ("accepted", "event")
ECHO = ("ignored", "echo")
PRECEDENCE = (files.c.priority, files.c.due_at)
RETRY_REFUSED = (
    update(files)
    .where(UNFINISHED, files.c.outcome == Outcome.REFUSED.value, files.c.claim.is_(None))
    .values(due_at=files.c.looked_at)
)
"""Makes due what was refused: it was refused to another account."""
_SHARED_FAULT = 5  # failures in a row that may have been everybody's


def record(c: Connection, events: Sequence[tuple[Event, datetime, Source]]) -> list[bool]:
    """Make each event's file due; False for an echo, which changes nothing but a count."""
    known = stored(c, OWNER, FIRST_SWEEP)
    echoes = _echoes(c, [event for event, *_ in events], known.get(OWNER.name))
    # Before the portal ever answered nobody knows where our responsibility begins: `begin` does.
    begun = FIRST_SWEEP.name in known
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
    known = {row.id: entry_of(row, Baseline()) for row in found}
    return [e.file in known and is_echo(e, known[e.file], owner) for e in events]


def _arriving(event: Event, now: datetime, source: Source, begun: bool) -> dict[str, Any]:
    return {
        "id": event.file,
        "name": event.title,
        "due_at": now,
        "announced_date": event.modified,
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
            "announced_date": case(
                (new.announced_date < files.c.announced_date, files.c.announced_date),
                else_=func.coalesce(new.announced_date, files.c.announced_date),
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
    """At once, but for a live claim, which keeps its lease, and for a file just looked at.

    A file is looked at no more often than once a second, so that a burst costs little. A look
    that lies ahead tells of a clock that was set back, and holds nothing up.
    """
    again = later(files.c.looked_at, SECOND)
    just_looked = and_(files.c.looked_at <= new.event_at, again > new.event_at)
    return case(
        (and_(files.c.claim.is_not(None), files.c.due_at > new.event_at), files.c.due_at),
        (and_(files.c.claim.is_(None), files.c.due_at < new.due_at), files.c.due_at),
        (is_in_flight(new.event_at), arrives_by()),
        (just_looked, again),
        else_=new.due_at,
    )


def first_due(lowest: int) -> Any:
    """Return the question when the first file of this priority or a higher one is due."""
    due = (files.c.priority <= lowest, files.c.due_at.is_not(None))  # as in its index
    return select(func.min(files.c.due_at)).where(*due)


def claim_statement(now: datetime, limit: int, until: datetime, token: str, lowest: int) -> Any:
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


def release_statement(gone: Any, now: datetime) -> Any:
    """Return the write that makes claimed rows due at once, where the condition says so.

    A write that was sent just before its process ended may still arrive at the portal: a look
    before it does would lead to a second one.
    """
    held = (files.c.claim.is_not(None), files.c.due_at.is_not(None))  # the latter: its index
    due = case((is_in_flight(now), arrives_by()), else_=literal(now, UtcTime))
    return update(files).where(*held, gone).values(claim=None, due_at=due)


def release_waiting_statement(kind: str, now: datetime) -> Any:
    """Return the write that makes due what waited for a kind of request that works again.

    A file that failed more often than an outage takes to be noticed has a fault of its own.
    """
    waits = (UNFINISHED, files.c.waits_for == kind, files.c.claim.is_(None))
    ready = (files.c.due_at > now, files.c.attempts <= _SHARED_FAULT)
    return update(files).where(*waits, *ready).values(due_at=now)


def reset_future_waits(now: datetime) -> Any:
    """Return the write that makes due what waits since a time that lies ahead.

    The clock was set back since then: such a wait began now at the latest, and none of them is
    worth more than the try that ends it.
    """
    ahead = or_(files.c.looked_at > now, files.c.pending_since > now)
    idle = (files.c.claim.is_(None), files.c.due_at > now)
    return update(files).where(*idle, ahead).values(due_at=now)


def undone_values(row: Row[Any], revision: Revision, now: datetime) -> dict[str, Any]:
    """Return how often our comment was found undone within the hour, counting the write to come.

    Only a write that was confirmed can be undone, so only one on the settled revision counts.
    """
    settled = (row.settled_version, row.settled_updated, row.settled_size)
    if not row.marked_by_us or settled != (revision.version, revision.updated, revision.size):
        return {"undone_since": None, "undone_times": 0}
    recent = row.undone_since is not None and timedelta() <= now - row.undone_since < HOUR
    times = row.undone_times if recent else 0
    return {"undone_since": row.undone_since if recent else now, "undone_times": times + 1}
