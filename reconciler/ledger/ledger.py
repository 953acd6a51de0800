"""The ledger's questions: record, claim, permit, finish. Each is one short transaction.

A row is due when ``due_at`` has passed. A claim is one conditional write that moves ``due_at``
to the end of its lease, so the row of a killed process comes back by itself. An event that
arrives while its file is worked on leaves ``pending_since`` behind, and the row is due again
when the work ends.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    and_,
    case,
    func,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from reconciler.errors import LedgerError
from reconciler.ledger.rows import (
    OPEN,
    Origin,
    ending_values,
    entry_of,
    intent_values,
    settled_values,
)
from reconciler.ledger.schema import Moment, counts, facts, files, migrate, texts, writes
from reconciler.ledger.store import Store
from reconciler.model import (
    EPOCH,
    Claim,
    Ending,
    Entry,
    Event,
    File,
    Permit,
    Revision,
)
from reconciler.review import due_after, is_echo

_BURST = timedelta(seconds=5)  # the longest that a burst of events can put a look off
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_LOOP = 5  # writes an hour to one revision


@dataclass(frozen=True)
class Totals:
    """How many events and listings there were, how they ended, and what is still open."""

    accepted: int
    ended: Mapping[tuple[str, str], int]
    pending: int
    due: int
    echoes: int


class Ledger:
    """What is known and owed, for one portal. Safe to share between threads."""

    def __init__(self, url: str, portal: str) -> None:
        """Open or create the ledger of ``portal``. Raises LedgerError for another portal's."""
        self._store = Store(url)
        try:
            self._store.write(lambda c: _open(c, portal))
        except LedgerError:
            self._store.close()
            raise
        self.role = self._store.role
        self.holder = self._store.holder
        self.close = self._store.close

    # What holds for the whole ledger.

    def owner(self) -> str | None:
        """Return the id of the key's owner, None before it was learned."""
        return self._store.read(lambda c: _fact(c, "owner"))

    def learn_owner(self, owner: str) -> None:
        """Remember whose comments are ours."""
        self._store.write(lambda c: _set_fact(c, "owner", owner))

    def begin(self, date: datetime, lookback: timedelta) -> None:
        """Fix, once, where our responsibility begins: ``lookback`` before ``date``."""

        def job(c: Connection) -> None:
            if _fact(c, "first_sweep") is None:
                _set_fact(c, "first_sweep", _text(date))
                _set_fact(c, "since", _text(date - lookback))

        self._store.write(job)

    def begun(self) -> bool:
        """Return whether that is fixed already."""
        return self._store.read(lambda c: _fact(c, "first_sweep")) is not None

    def pause(self, until: datetime, why: str) -> None:
        """Let nothing be claimed before ``until``; a pause is never shortened by another."""

        def job(c: Connection) -> None:
            if until > _paused(c):
                _set_fact(c, "paused_until", _text(until))
                _set_fact(c, "paused_why", why)

        self._store.write(job)

    def resume(self) -> None:
        """End a pause."""
        self._store.write(lambda c: _set_fact(c, "paused_until", _text(EPOCH)))

    def paused(self) -> tuple[datetime, str]:
        """Return until when nothing is claimed, and why."""
        return self._store.read(lambda c: (_paused(c), _fact(c, "paused_why") or ""))

    # Events in.

    def record(self, event: Event, now: datetime) -> bool:
        """Put the event's file on the list, durably; False for an echo of our own comment."""
        return self._store.write(lambda c: _record(c, event, now))

    # Work out.

    def claim(self, now: datetime, limit: int, lease: timedelta) -> list[Claim]:
        """Take up to ``limit`` due files, live events first; none while paused."""
        token = uuid.uuid4().hex
        due = (
            select(files.c.id)
            .where(files.c.due_at <= now)
            .order_by(files.c.priority, files.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        take = (
            update(files)
            .where(files.c.id.in_(due.scalar_subquery()))
            .values(
                claim=token,
                due_at=now + lease,
                claimed=files.c.pending,
                pending_since=None,
                looks=files.c.looks + 1,
                looked_at=now,
            )
            .returning(files)
        )

        def job(c: Connection) -> list[Claim]:
            if now < _paused(c):
                return []
            origin = _origin(c)
            return [Claim(entry_of(row, origin), token) for row in c.execute(take)]

        return self._store.write(job)

    def permit(
        self,
        claim: Claim,
        file: File,
        now: datetime,
        *,
        until: datetime,
        per_day: int,
        forget: bool = False,
    ) -> Permit:
        """Write the intent to set the file's comment, if the claim is ours and the day has room.

        The claim is extended to ``until``, which must lie beyond the longest answer. The write
        is counted here, before it is sent: a failed one counts for the portal too. With
        ``forget`` the row was about another file, and what it had settled goes.
        """

        def job(c: Connection) -> Permit:
            row = c.execute(select(files).where(_ours(claim))).first()
            if row is None:
                return Permit.LOST
            times = _times(row, file.revision, now)
            if times >= _LOOP:
                return Permit.LOOPING
            if _written(c, now) >= per_day:
                return Permit.SPENT
            _count_write(c, now)
            values: dict[str, Any] = {
                "created": file.created,
                "due_at": until,
                "touched_at": now,
                "written_at": now,
                "written_version": file.revision.version,
                "written_updated": file.revision.updated,
                "written_since": row.written_since if times else now,
                "written_times": times + 1,
            }
            values |= intent_values(file.revision, file.comment)
            if forget:
                values |= settled_values(None) | {"title": "", "ours": False}
            c.execute(update(files).where(files.c.id == row.id).values(values))
            return Permit.GRANTED

        return self._store.write(job)

    def finish(self, claim: Claim, ending: Ending, now: datetime) -> bool:
        """Write down how the attempt ended; False when the claim was lost meanwhile."""

        def job(c: Connection) -> bool:
            row = c.execute(select(files).where(_ours(claim))).first()
            if row is None:
                return False
            values = ending_values(row, ending, now)
            c.execute(update(files).where(files.c.id == row.id).values(values))
            if ending.outcome not in OPEN:
                _count(c, ending.outcome, ending.reason, row.claimed)
            if ending.reason == "unknown" and ending.seen:
                _add(c, texts, {"text": ending.seen.comment}, 1)
            return True

        return self._store.write(job)

    def renew(self, claim: Claim, now: datetime) -> bool:
        """Give the claim back as it was; its file is due at once."""
        release = update(files).where(_ours(claim)).values(claim=None, due_at=now)
        return self._store.write(lambda c: c.execute(release).rowcount == 1)

    def release(self, now: datetime) -> int:
        """Return every claim of processes that are gone. Only for the holder of the role."""
        free = update(files).where(files.c.claim.is_not(None)).values(claim=None, due_at=now)
        return self._store.write(lambda c: c.execute(free).rowcount)

    # Questions.

    def next_due(self) -> datetime | None:
        """Return when the next file is due, None when nothing is."""
        first = select(func.min(files.c.due_at))
        return self._store.read(lambda c: c.execute(first).scalar())

    def writes_in_a_day(self, now: datetime) -> int:
        """Return how many PUTs were sent in the last 24 hours (and up to one more)."""
        return self._store.read(lambda c: _written(c, now))

    def entry(self, file_id: int) -> Entry:
        """Return what is known of a file; a blank entry for one never heard of."""

        def job(c: Connection) -> Entry:
            row = c.execute(select(files).where(files.c.id == file_id)).first()
            origin = _origin(c)
            return entry_of(row, origin) if row else Entry(file_id, origin[0], origin[1])

        return self._store.read(job)

    def facts(self, file_id: int) -> Mapping[str, Any] | None:
        """Return the whole row of a file, to show it."""

        def job(c: Connection) -> Mapping[str, Any] | None:
            row = c.execute(select(files).where(files.c.id == file_id)).first()
            return None if row is None else dict(row._mapping)

        return self._store.read(job)

    def totals(self) -> Totals:
        """Return the counts. Accepted events are those that ended and those still pending."""

        def job(c: Connection) -> Totals:
            ended = {(r.outcome, r.reason): r.number for r in c.execute(select(counts))}
            accepted = ended.pop(_ACCEPTED, 0)
            echoes = ended.pop(_ECHO, 0)
            pending, due = c.execute(
                select(func.coalesce(func.sum(files.c.pending), 0), func.count(files.c.due_at))
            ).one()
            return Totals(accepted, ended, pending, due, echoes)

        return self._store.read(job)


_ACCEPTED = ("accepted", "event")
_ECHO = ("ignored", "echo")


def _open(c: Connection, portal: str) -> None:
    migrate(c)
    known = _fact(c, "portal")
    if known is None:
        _set_fact(c, "portal", portal)
    elif known != portal:
        raise LedgerError(f"this ledger belongs to {known}: give {portal} a state.url of its own")


def _record(c: Connection, event: Event, now: datetime) -> bool:
    owner = _fact(c, "owner")
    if owner == event.author:
        row = c.execute(select(files).where(files.c.id == event.file)).first()
        if row is not None and is_echo(event, entry_of(row, (EPOCH, EPOCH)), owner):
            _count(c, *_ECHO, 1)
            return False
    _count(c, *_ACCEPTED, 1)
    due = due_after(event, now)
    statement = insert(files).values(
        id=event.file,
        name=event.title,
        due_at=due,
        pending=1,
        pending_since=now,
        events=1,
        event_at=now,
    )
    c.execute(
        statement.on_conflict_do_update(
            index_elements=[files.c.id],
            set_={
                "name": event.title,
                "due_at": _due_by_event(due, now),
                "priority": 0,
                "attempts": 0,
                "pending": files.c.pending + 1,
                "pending_since": func.coalesce(files.c.pending_since, _moment(now)),
                "events": files.c.events + 1,
                "event_at": now,
            },
        )
    )
    return True


def _due_by_event(due: datetime, now: datetime) -> Any:
    """A live claim keeps its lease; a burst puts the look off, but not for ever."""
    latest = type_coerce(files.c.pending_since, BigInteger) + _BURST // timedelta(microseconds=1)
    return case(
        (and_(files.c.claim.is_not(None), files.c.due_at > now), files.c.due_at),
        (and_(files.c.pending_since.is_not(None), latest < _moment(due)), latest),
        else_=_moment(due),
    )


def _ours(claim: Claim) -> Any:
    return and_(files.c.id == claim.entry.id, files.c.claim == claim.token)


def _times(row: Row[Any], revision: Revision, now: datetime) -> int:
    """Return how often this revision was written to within the hour."""
    same = (row.written_version, row.written_updated) == (revision.version, revision.updated)
    recent = row.written_since is not None and now - row.written_since < _HOUR
    return int(row.written_times) if same and recent else 0


def _written(c: Connection, now: datetime) -> int:
    since = _hour(now) - _DAY
    total = select(func.coalesce(func.sum(writes.c.number), 0)).where(writes.c.hour >= since)
    return int(c.execute(total).scalar_one())


def _count_write(c: Connection, now: datetime) -> None:
    _add(c, writes, {"hour": _hour(now)}, 1)
    c.execute(writes.delete().where(writes.c.hour < _hour(now) - 2 * _DAY))


def _count(c: Connection, outcome: str, reason: str, number: int) -> None:
    if number:
        _add(c, counts, {"outcome": str(outcome), "reason": reason}, number)


def _add(c: Connection, table: Any, key: dict[str, Any], number: int) -> None:
    statement = insert(table).values(**key, number=number)
    more = {"number": table.c.number + number}
    c.execute(statement.on_conflict_do_update(index_elements=list(key), set_=more))


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _moment(moment: datetime) -> Any:
    return literal(moment, Moment)


def _fact(c: Connection, name: str) -> str | None:
    return c.execute(select(facts.c.value).where(facts.c.name == name)).scalar()


def _set_fact(c: Connection, name: str, value: str) -> None:
    statement = insert(facts).values(name=name, value=value)
    c.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def _text(moment: datetime) -> str:
    return moment.isoformat()


def _paused(c: Connection) -> datetime:
    return datetime.fromisoformat(_fact(c, "paused_until") or _text(EPOCH))


def _origin(c: Connection) -> Origin:
    since, first = _fact(c, "since"), _fact(c, "first_sweep")
    return (
        datetime.fromisoformat(since or _text(EPOCH)),
        datetime.fromisoformat(first or _text(EPOCH)),
    )
