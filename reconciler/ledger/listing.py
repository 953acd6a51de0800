"""Reads the rows of a listing's files, and settles them or makes them due, page by page.

`sweep` reads the rows, decides, and passes the changes. A file is settled only while its row is the
one that was read; otherwise the file is made due, and the worker looks.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, or_, select, update

from reconciler.ledger.counters import count, count_kept_text
from reconciler.ledger.rows import (
    KEPT_REASONS,
    SWEEP,
    Baseline,
    arrives_by,
    comment_since,
    entry_of,
    first_source,
    intent_values,
    is_in_flight,
    is_within_seconds,
    kept_comment,
    place_values,
    settled_values,
)
from reconciler.ledger.store.schema import files, insert
from reconciler.ledger.store.store import Store
from reconciler.model import Decision, Entry, File, Outcome, Source

_SOURCES = (Source.WEBHOOK, Source.SWEEP, Source.BACKFILL)  # by precedence
_PLACE = ("folder", "room", "author")
_LISTED = ("accepted", "listed")
_CHUNK = 500  # ids in one query
_PLACING = (
    update(files)
    .where(files.c.id == bindparam("file"))
    .values(folder=bindparam("its_folder"), room=bindparam("its_room"))
)
_KNOWN = select(files).where(files.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True)
class EnqueueOptions:
    """How listed files are made due. A backfill brings its own ``since`` and may overwrite."""

    priority: int = SWEEP
    since: datetime | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class RowState:
    """The row of a listed file. ``version`` is opaque: it changes whenever the row does.

    ``outcome`` is that of the last attempt, ``room`` where the file lies as far as is known. All
    but ``entry`` is empty where there is no row.
    """

    entry: Entry
    version: tuple[Any, ...] | None = None
    due_at: datetime | None = None
    is_claimed: bool = False
    priority: int = SWEEP
    since: datetime | None = None
    overwrite: bool = False
    outcome: Outcome | None = None
    room: int | None = None


@dataclass(frozen=True)
class ListedFile:
    """A listed file, and its outcome: None when it was enqueued for the worker.

    ``was_due`` is whether its row was due already, even if only later.
    """

    file: File
    decision: Decision
    outcome: Outcome | None
    was_due: bool = False


@dataclass(frozen=True)
class RowChange:
    """The change of a listed file's row: it is settled, it becomes due, or neither.

    ``settles_marked`` is whether it is settled as marked by us, None when it is not settled.
    ``sets_place`` is whether its row gets the room, which a look does not tell (docspace.md 1.1).
    """

    listed: ListedFile
    version: tuple[Any, ...] | None = None
    settles_marked: bool | None = None
    makes_due: bool = False
    sets_place: bool = False

    @property
    def writes(self) -> bool:
        """Whether anything is to be written."""
        return self.makes_due or self.sets_place or self.settles_marked is not None

    def as_due(self) -> "RowChange":
        """Return the change that enqueues the file for the worker instead."""
        return RowChange(replace(self.listed, outcome=None), makes_due=True)


class Listings:
    """The rows of listed files. Each call is one short transaction; all raise LedgerError."""

    def __init__(self, store: Store) -> None:
        """Share the ledger's store."""
        self._store = store

    def rows(self, ids: Sequence[int | str], baseline: Baseline) -> Mapping[int | str, RowState]:
        """Return the state of each id. Files of third-party storage (texts as ids) have no row."""
        blank = RowState(Entry(0, baseline.since, baseline.portal_known))
        numbers = [number for number in ids if isinstance(number, int)]

        def job(c: Connection) -> dict[int | str, RowState]:
            found = c.execute(_KNOWN, {"ids": numbers})
            return dict.fromkeys(ids, blank) | {row.id: _state(row, baseline) for row in found}

        return self._store.read(job)

    def apply(
        self, changes: Sequence[RowChange], options: EnqueueOptions, now: datetime
    ) -> list[ListedFile]:
        """Settle files and make files due; return each file with its outcome.

        Nothing is written where nothing is new. A file whose row changed since it was read is made
        due instead of settled. Kept texts are counted.
        """
        if not any(change.writes for change in changes):
            return [change.listed for change in changes]

        def job(c: Connection) -> list[ListedFile]:
            applied = _with_changed_rows_due(c, changes)
            _write(c, applied, options, now)
            count(c, *_LISTED, sum(change.makes_due for change in applied))
            return [change.listed for change in applied]

        return self._store.write(job)

    def enqueue(self, ids: Sequence[int], options: EnqueueOptions, now: datetime) -> None:
        """Make files due of which a listing showed only the id."""
        rows = [_due_row(number, f"file {number}", options, now) for number in ids]

        def job(c: Connection) -> None:
            c.execute(_making_due(c, now), rows)
            count(c, *_LISTED, len(ids))

        self._store.write(job)

    def outcomes(self, ids: Sequence[int], now: datetime) -> Counter[Outcome]:
        """Count the current outcomes of files; a file that is due or in work is waiting."""
        columns = (files.c.outcome, files.c.due_at, files.c.claim)

        def outcome(row: Any) -> Outcome:
            is_open = row.claim is not None or (row.due_at is not None and row.due_at <= now)
            return Outcome.WAITING if is_open or row.outcome is None else Outcome(row.outcome)

        def job(c: Connection) -> Counter[Outcome]:
            parts = (ids[first : first + _CHUNK] for first in range(0, len(ids), _CHUNK))
            found = (c.execute(select(*columns).where(files.c.id.in_(part))) for part in parts)
            return Counter(outcome(row) for rows in found for row in rows)

        return self._store.read(job)


def _state(row: Row[Any], baseline: Baseline) -> RowState:
    return RowState(
        entry_of(row, baseline),
        version=tuple(row),
        due_at=row.due_at,
        is_claimed=row.claim is not None,
        priority=row.priority,
        since=row.since,
        overwrite=row.overwrite,
        outcome=Outcome(row.outcome) if row.outcome else None,
        room=row.room,
    )


def _write(
    c: Connection, applied: Sequence[RowChange], options: EnqueueOptions, now: datetime
) -> None:
    """Write the changes of a page: a few statements, not one for each row."""
    kept = [
        change.listed.file
        for change in applied
        if change.settles_marked is not None and change.listed.decision.rule.value in KEPT_REASONS
    ]
    within_seconds = Counter(file.comment for file in kept if is_within_seconds(file))
    for text, number in Counter(file.comment for file in kept).items():
        count_kept_text(c, text, number, within_seconds[text])
    for marked_by_us in (True, False):
        settled = [
            _settle(change.listed, marked_by_us, now)
            for change in applied
            if change.settles_marked is marked_by_us
        ]
        if settled:
            c.execute(_settling(c, settled[0]), settled)
    due = [_due(change.listed.file, options, now) for change in applied if change.makes_due]
    if due:
        c.execute(_making_due(c, now), due)
    placed = [_placed(change.listed.file) for change in applied if change.sets_place]
    if placed:
        c.execute(_PLACING, placed)


def _with_changed_rows_due(c: Connection, changes: Sequence[RowChange]) -> list[RowChange]:
    ids = [change.listed.file.id for change in changes if change.settles_marked is not None]
    current = {row.id: tuple(row) for row in c.execute(_KNOWN, {"ids": ids})} if ids else {}
    return [
        change.as_due()
        if change.settles_marked is not None
        and current.get(change.listed.file.id) != change.version
        else change
        for change in changes
    ]


def _settle(listed: ListedFile, marked_by_us: bool, now: datetime) -> dict[str, Any]:
    file, rule = listed.file, listed.decision.rule
    marked = {"marked_version": file.revision.version} if marked_by_us else {}
    return marked | {
        "id": file.id,
        "name": file.title,
        "created": file.created,
        **settled_values(file.revision),
        "marked_by_us": marked_by_us,
        "touched_at": now,
        **place_values(file),
        "comment": kept_comment(file, marked_by_us),
        "comment_since": comment_since(file, marked_by_us, now),
        "outcome": str(rule.outcome),
        "reason": rule.value,
        "attempts": 0,
    }


def _placed(file: File) -> dict[str, Any]:
    place = place_values(file)
    return {"file": file.id, "its_folder": place["folder"], "its_room": place["room"]}


def _due(file: File, options: EnqueueOptions, now: datetime) -> dict[str, Any]:
    return _due_row(file.id, file.title, options, now) | place_values(file)


def _due_row(
    number: int | str, name: str, options: EnqueueOptions, now: datetime
) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "due_at": now,
        "priority": options.priority,
        "pending": 1,
        "pending_since": now,
        "since": options.since,
        "overwrite": options.overwrite,
        "source": _SOURCES[options.priority].value,
    }


def _settling(c: Connection, columns: Iterable[str]) -> Any:
    statement = insert(c.dialect.name, files)
    new = {name: statement.excluded[name] for name in columns if name != "id"}
    new["created"] = func.coalesce(statement.excluded.created, files.c.created)
    new["comment_since"] = _unbroken_since(statement.excluded)
    return statement.on_conflict_do_update(index_elements=["id"], set_=new | intent_values(None))


def _unbroken_since(new: Any) -> Any:
    """Return since when the comment is on the file, by the rule for an attempt's result."""
    same_version = files.c.settled_version == new.settled_version
    unbroken = and_(
        files.c.settled_version.is_not(None),
        files.c.marked_by_us == new.marked_by_us,
        or_(new.marked_by_us, same_version),
    )
    since = func.coalesce(files.c.comment_since, new.comment_since)
    return case((unbroken, since), else_=new.comment_since)


def _making_due(c: Connection, now: datetime) -> Any:
    """Return the statement. A live claim keeps its lease, and a due file its precedence."""
    statement = insert(c.dialect.name, files)
    new = statement.excluded
    idle = files.c.due_at.is_(None)
    in_work = and_(files.c.claim.is_not(None), files.c.due_at > now)
    earlier = and_(new.since.is_not(None), func.coalesce(files.c.since > new.since, True))
    return statement.on_conflict_do_update(
        index_elements=["id"],
        set_={
            "name": new.name,
            "due_at": case(
                (in_work, files.c.due_at), (is_in_flight(now), arrives_by()), else_=new.due_at
            ),
            "priority": case(
                (or_(idle, new.priority < files.c.priority), new.priority), else_=files.c.priority
            ),
            "attempts": 0,
            "pending": files.c.pending + 1,
            "pending_since": func.coalesce(files.c.pending_since, new.pending_since),
            "since": case((earlier, new.since), else_=files.c.since),
            "overwrite": case((idle, new.overwrite), else_=or_(new.overwrite, files.c.overwrite)),
            "source": first_source(new.source),
            **{name: func.coalesce(new[name], files.c[name]) for name in _PLACE},
        },
    )
