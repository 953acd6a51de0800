"""Records events: each makes its file due, unless it is the echo of our own comment."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnDefault,
    Connection,
    and_,
    case,
    func,
    literal_column,
    select,
)

from reconciler.decision import is_echo
from reconciler.ledger.counters import count
from reconciler.ledger.rows import (
    BACKFILL,
    LIVE,
    Baseline,
    arrives_by,
    entry_of,
    first_source,
    is_in_flight,
    later,
)
from reconciler.ledger.settings import FIRST_SWEEP, LAST_DELIVERY, OWNER, stored
from reconciler.ledger.store.schema import files, insert
from reconciler.model import SECOND, Event, Source

ACCEPTED = ("accepted", "event")
ECHO = ("ignored", "echo")


def record(c: Connection, events: Sequence[tuple[Event, datetime, Source]]) -> list[bool]:
    """Make each event's file due; False for an echo, which is only counted."""
    known = stored(c, OWNER, FIRST_SWEEP, LAST_DELIVERY)
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
    delivered = [row["event_at"] for row in rows if row["source"] == Source.WEBHOOK.value]
    last = LAST_DELIVERY.parse(known.get(LAST_DELIVERY.name))
    # Once a second at most: with every commit, a quarter fewer deliveries were accepted a second.
    if delivered and not (last and last <= max(delivered) < last + SECOND):
        LAST_DELIVERY.set(c, max(delivered))
    return [not echo for echo in echoes]


def _echoes(c: Connection, events: Sequence[Event], owner: str | None) -> list[bool]:
    by_owner = [event.file for event in events if event.author == owner]
    if owner is None or not by_owner:
        return [False] * len(events)
    found = c.execute(select(files).where(files.c.id.in_(by_owner)))
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
    from_webhook = new.source == _constant(Source.WEBHOOK.value)  # a webhook takes precedence
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
            "early_looks": _constant(0),
            "pending": files.c.pending + _constant(1),
            "pending_since": func.coalesce(files.c.pending_since, new.pending_since),
            "events": files.c.events + _constant(1),
            "event_at": new.event_at,
            "source": case((from_webhook, new.source), else_=first_source(new.source)),
        },
    )


def _due_by_event(new: Any) -> Any:
    """Return when an event makes a file due: at once, unless it is claimed or was just looked at.

    A live claim keeps its lease, and a file that is due already its date. One of a backfill does
    not: the time for which it has waited is no delay of this update. A file is looked at once a
    second at most, so that a burst costs few requests. A look dated in the future delays nothing:
    the clock was set back.
    """
    next_look = later(files.c.looked_at, SECOND)
    just_looked = and_(files.c.looked_at <= new.event_at, next_look > new.event_at)
    due_before = and_(files.c.due_at < new.due_at, files.c.priority != _constant(BACKFILL))
    return case(
        (and_(files.c.claim.is_not(None), files.c.due_at > new.event_at), files.c.due_at),
        (and_(files.c.claim.is_(None), due_before), files.c.due_at),
        (is_in_flight(new.event_at), arrives_by()),
        (just_looked, next_look),
        else_=new.due_at,
    )
