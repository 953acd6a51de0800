"""The statements that make rows due, claim and release them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnDefault,
    Connection,
    Row,
    and_,
    bindparam,
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
_DUE = (
    select(files.c.id)
    .where(files.c.due_at <= bindparam("now"), files.c.priority <= bindparam("lowest"))
    .order_by(*PRECEDENCE)
    .limit(bindparam("number"))
    .with_for_update(skip_locked=True)
)
CLAIM = (
    update(files)
    .where(files.c.id.in_(_DUE.scalar_subquery()))
    .values(
        claim=bindparam("token"),
        due_at=bindparam("until"),
        claimed=files.c.pending,
        pending_since=None,
        looks=files.c.looks + 1,
        looked_at=bindparam("now"),
    )
    .returning(files)
)
"""The one conditional write that claims due files and returns their rows."""
RETRY_REFUSED = (
    update(files)
    .where(UNFINISHED, files.c.outcome == Outcome.REFUSED.value, files.c.claim.is_(None))
    .values(due_at=files.c.looked_at)
)
"""Makes refused files due: another account was refused."""
_SHARED_FAULT = 5  # failures in a row that an outage may explain


def record(c: Connection, events: Sequence[tuple[Event, datetime, Source]]) -> list[bool]:
    """Make each event's file due; False for an echo, which changes nothing but a count."""
    known = stored(c, OWNER, FIRST_SWEEP)
    echoes = _echoes(c, [event for event, *_ in events], known.get(OWNER.name))
    # Before the portal's first answer the origin is unknown: `set_origin` computes it from here.
    has_origin = FIRST_SWEEP.name in known
    rows = [
        _event_values(*one, has_origin)
        for one, echo in zip(events, echoes, strict=True)
        if not echo
    ]
    count(c, *ECHO, len(events) - len(rows))
    count(c, *ACCEPTED, len(rows))
    if rows:
        c.execute(_record_statement(c.dialect.name), rows)
    return [not echo for echo in echoes]


def _echoes(c: Connection, events: Sequence[Event], owner: str | None) -> list[bool]:
    ours = [event.file for event in events if event.author == owner]
    if owner is None or not ours:
        return [False] * len(events)
    found = c.execute(select(files).where(files.c.id.in_(ours)))
    known = {row.id: entry_of(row, Baseline()) for row in found}
    return [e.file in known and is_echo(e, known[e.file], owner) for e in events]


def _event_values(event: Event, now: datetime, source: Source, has_origin: bool) -> dict[str, Any]:
    return {
        "id": event.file,
        "name": event.title,
        "due_at": now,
        "announced_date": event.modified,
        "since": None if has_origin else now,
        "pending_since": now,
        "event_at": now,
        "source": source.value,
    }


def _constant(value: object) -> Any:
    """Return a constant as part of the statement; other values are bound for each row."""
    return literal_column(repr(value))


@cache  # built once: that takes ten times as long as running it
def _record_statement(dialect: str) -> Any:
    blank = {
        c.name: _constant(c.default.arg) for c in files.c if isinstance(c.default, ColumnDefault)
    }
    first = {"pending": _constant(1), "events": _constant(1)}
    statement = insert(dialect, files).values(blank | first)
    new = statement.excluded
    from_webhook = new.source == _constant(
        Source.WEBHOOK.value
    )  # its word counts, whoever was first
    return statement.on_conflict_do_update(
        index_elements=[files.c.id],
        set_={
            "name": new.name,
            "due_at": _due_by_event(new),
            "since": func.coalesce(files.c.since, new.since),
            "priority": _constant(LIVE),
            "announced_date": case(
                (new.announced_date < files.c.announced_date, files.c.announced_date),
                else_=func.coalesce(new.announced_date, files.c.announced_date),
            ),
            "attempts": _constant(0),
            "pending": files.c.pending + _constant(1),
            "pending_since": func.coalesce(files.c.pending_since, new.pending_since),
            "events": files.c.events + _constant(1),
            "event_at": new.event_at,
            "source": case((from_webhook, new.source), else_=first_to_tell(new.source)),
        },
    )


def _due_by_event(new: Any) -> Any:
    """Return when an event makes a file due: at once, unless it is claimed or was just looked at.

    A live claim keeps its lease. A file is looked at once a second at most, so that a burst costs
    little. A look in the future means that the clock was set back, and delays nothing.
    """
    next_look = later(files.c.looked_at, SECOND)
    just_looked = and_(files.c.looked_at <= new.event_at, next_look > new.event_at)
    return case(
        (and_(files.c.claim.is_not(None), files.c.due_at > new.event_at), files.c.due_at),
        (and_(files.c.claim.is_(None), files.c.due_at < new.due_at), files.c.due_at),
        (is_in_flight(new.event_at), arrives_by()),
        (just_looked, next_look),
        else_=new.due_at,
    )


@cache
def first_due_statement(lowest: int) -> Any:
    """Return the query for when the first file of this priority or a higher one is due."""
    due = (files.c.priority <= lowest, files.c.due_at.is_not(None))  # as in its index
    return select(func.min(files.c.due_at)).where(*due)


def release_orphaned_statement(orphaned: Any, now: datetime) -> Any:
    """Return the write that releases the claims of dead processes.

    A write that was sent just before its process ended may still arrive at the portal: a look
    before it does would lead to a second one.
    """
    held = (files.c.claim.is_not(None), files.c.due_at.is_not(None))  # the latter: its index
    due = case((is_in_flight(now), arrives_by()), else_=literal(now, UtcTime))
    return update(files).where(*held, orphaned).values(claim=None, due_at=due)


def release_waiting_statement(kind: str, now: datetime) -> Any:
    """Return the write that makes files due that waited for a kind of request.

    A file that failed more often than an outage explains has a fault of its own.
    """
    waits = (UNFINISHED, files.c.waits_for == kind, files.c.claim.is_(None))
    ready = (files.c.due_at > now, files.c.attempts <= _SHARED_FAULT)
    return update(files).where(*waits, *ready).values(due_at=now)


def end_future_waits_statement(now: datetime) -> Any:
    """Return the write that makes files due that wait since a time in the future.

    The clock was set back since then: the true length of the wait is unknown, and one attempt
    costs little.
    """
    ahead = or_(files.c.looked_at > now, files.c.pending_since > now)
    idle = (files.c.claim.is_(None), files.c.due_at > now)
    return update(files).where(*idle, ahead).values(due_at=now)


def undone_values(row: Row[Any], revision: Revision, now: datetime) -> dict[str, Any]:
    """Return how often our comment was undone within the hour, including the write to come.

    Only a write that was confirmed can be undone, so only one on the settled revision counts.
    """
    settled = (row.settled_version, row.settled_updated, row.settled_size)
    if not row.marked_by_us or settled != (revision.version, revision.updated, revision.size):
        return {"undone_since": None, "undone_times": 0}
    recent = row.undone_since is not None and timedelta() <= now - row.undone_since < HOUR
    times = row.undone_times if recent else 0
    return {"undone_since": row.undone_since if recent else now, "undone_times": times + 1}
