"""What a listing leaves behind: settled files, files made due, all of a page in one go.

The decision on each item is asked for inside the transaction, on the row as it is then. An
item settles nothing while a worker holds its file: the worker may be about to write to a
revision that is no longer the newest, and its settling must not undo a later one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)

from reconciler.ledger.counters import count_kept_text
from reconciler.ledger.rows import (
    SWEEP,
    Baseline,
    entry_of,
    intent_values,
    place_values,
    settled_values,
)
from reconciler.ledger.settings import baseline
from reconciler.ledger.store.schema import UtcTime, files
from reconciler.ledger.store.upsert import insert
from reconciler.model import Action, Decision, Entry, File, Outcome, Rule, Source

DecideFn = Callable[[File, Entry], Decision]
_SOURCES = (Source.WEBHOOK, Source.SWEEP, Source.BACKFILL)  # by precedence
_PLACE = ("folder", "room", "author")
KEPT = frozenset({Rule.ANSWERED.value, Rule.UNMARKED.value})  # a person's comment stands
_MICROSECOND = timedelta(microseconds=1)
_IN_FLIGHT = timedelta(seconds=2)
_WITHIN_SECONDS = timedelta(
    seconds=10
)  # a text that stands there so soon after a save is hardly typed
_KNOWN = select(files).where(files.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True)
class EnqueueOptions:
    """For whom a listing is read. A backfill brings its own beginning, and may ask to overwrite
    comments. ``baseline`` is what a dry run supposes where nothing has begun.
    """

    priority: int = SWEEP
    since: datetime | None = None
    overwrite: bool = False
    baseline: Baseline | None = None


@dataclass(frozen=True)
class ListedFile:
    """What became of a listed file; ``outcome`` is None when it was handed to the worker."""

    file: File
    decision: Decision
    outcome: Outcome | None


@dataclass(frozen=True)
class RowChange:
    """What a listed file asks the ledger to write: a settling, a due row, or nothing."""

    listed: ListedFile
    settle: dict[str, Any] | None = None
    due: dict[str, Any] | None = None


def judged(
    c: Connection, listed: Sequence[File], decide: DecideFn, options: EnqueueOptions, now: datetime
) -> list[RowChange]:
    """Return a plan for each listed file."""
    ids = [file.id for file in listed if isinstance(file.id, int)]
    known = {row.id: row for row in c.execute(_KNOWN, {"ids": ids})}
    common = options.baseline or baseline(c)
    common = common._replace(since=min(common.since, options.since or common.since))
    blank = Entry(0, common.since, common.portal_known, overwrite=options.overwrite)
    plans = []
    for file in listed:
        row = known.get(file.id)
        entry = blank if row is None else _entry(row, common, options)
        plans.append(_plan(file, row, entry, decide, options, now))
    return plans


def apply_changes(c: Connection, plans: Sequence[RowChange], now: datetime) -> None:
    """Write what the plans ask for: many rows, two statements. Texts that are kept are counted."""
    settled = [plan.settle for plan in plans if plan.settle]
    kept = [p.listed.file for p in plans if p.settle and p.listed.decision.rule.value in KEPT]
    prompt = Counter(file.comment for file in kept if is_within_seconds(file))
    for text, number in Counter(file.comment for file in kept).items():
        count_kept_text(c, text, number, prompt[text])
    due = [plan.due for plan in plans if plan.due]
    for marked_by_us in (True, False):
        some = [values for values in settled if values["marked_by_us"] is marked_by_us]
        if some:
            c.execute(_settling(c, some[0]), some)
    if due:
        c.execute(_making_due(c, now), due)


def is_within_seconds(file: File) -> bool:
    """Whether the file was seen within seconds of its save, by the portal's own clock."""
    return file.read_at is not None and file.read_at - file.revision.updated <= _WITHIN_SECONDS


def _entry(row: Row[Any], common: Baseline, options: EnqueueOptions) -> Entry:
    entry = entry_of(row, common)
    return replace(entry, overwrite=entry.overwrite or options.overwrite)


def _plan(
    file: File,
    row: Row[Any] | None,
    entry: Entry,
    decide: DecideFn,
    options: EnqueueOptions,
    now: datetime,
) -> RowChange:
    decision = decide(file, entry)
    listed = ListedFile(file, decision, decision.rule.outcome)
    if decision.action in {Action.SETTLE_OURS, Action.SETTLE_THEIRS}:
        if row is not None and _in_work(row, now):
            return RowChange(ListedFile(file, decision, None), due=_due(file, options, now))
        marked_by_us = decision.action is Action.SETTLE_OURS
        same = _is_settled_so(file, entry, marked_by_us)
        return RowChange(
            listed, settle=None if same else _settle(file, marked_by_us, decision, now)
        )
    if decision.action not in {Action.MARK, Action.LOOK}:
        return RowChange(listed)
    if row is not None and row.due_at is not None and _serves(row, options):
        if _is_waiting_on_purpose(file, row, now):
            return RowChange(ListedFile(file, decision, Outcome(row.outcome)))
        if row.due_at <= now:
            return RowChange(ListedFile(file, decision, None))
    return RowChange(ListedFile(file, decision, None), due=_due(file, options, now))


def _serves(row: Row[Any], options: EnqueueOptions) -> bool:
    """Whether a row that is due already will be worked off as the duty asks for."""
    early = options.since is None or (row.since is not None and row.since <= options.since)
    bold = row.overwrite or not options.overwrite
    return early and bold and bool(row.priority <= options.priority)


def _in_work(row: Row[Any], now: datetime) -> bool:
    return row.claim is not None and row.due_at is not None and row.due_at > now


def _is_waiting_on_purpose(file: File, row: Row[Any], now: datetime) -> bool:
    """A file that waits for its lock, its rights or its next try is not hurried by a listing."""
    waits = row.claim is None and row.due_at is not None and row.due_at > now and row.outcome
    hindered = file.locked or not file.editable or row.outcome == Outcome.FAILED
    return bool(waits and hindered)


def _is_settled_so(file: File, entry: Entry, marked_by_us: bool) -> bool:
    return (
        entry.settled == file.revision
        and entry.marked_by_us == marked_by_us
        and entry.intent is None
    )


def _settle(file: File, marked_by_us: bool, decision: Decision, now: datetime) -> dict[str, Any]:
    marked = {"marked_version": file.revision.version} if marked_by_us else {}
    return marked | {
        "id": file.id,
        "name": file.title,
        "created": file.created,
        **settled_values(file.revision),
        "marked_by_us": marked_by_us,
        "touched_at": now,
        **place_values(file),
        "outcome": str(decision.rule.outcome),
        "reason": decision.rule.value,
    }


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
    return statement.on_conflict_do_update(index_elements=["id"], set_=new | intent_values(None))


def enqueue(c: Connection, ids: Sequence[int], options: EnqueueOptions, now: datetime) -> None:
    """Make files due of which the listing told no more than the id."""
    rows = [_due_row(number, f"file {number}", options, now) for number in ids]
    c.execute(_making_due(c, now), rows)


def outcomes(c: Connection, ids: Sequence[int], now: datetime) -> Iterator[Outcome]:
    """Yield how each file stands now: what is due or in work is waiting."""
    columns = (files.c.outcome, files.c.due_at, files.c.claim)
    for row in c.execute(select(*columns).where(files.c.id.in_(ids))):
        open_ = row.claim is not None or (row.due_at is not None and row.due_at <= now)
        yield Outcome.WAITING if open_ or row.outcome is None else Outcome(row.outcome)


def _making_due(c: Connection, now: datetime) -> Any:
    """A live claim keeps its lease, and what is due already keeps its precedence."""
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
            "source": first_to_tell(new.source),
            **{name: func.coalesce(new[name], files.c[name]) for name in _PLACE},
        },
    )


def later(column: Any, by: timedelta) -> Any:
    """Return the time in a column, moved by a constant."""
    moved = type_coerce(column, BigInteger) + literal_column(str(by // _MICROSECOND))
    return type_coerce(moved, UtcTime)


def is_in_flight(now: Any) -> Any:
    """Return the condition that a write was begun a moment ago and may still arrive at the portal,
    though the process that sent it has ended. A look before it does would lead to a second one.
    """
    begun = and_(files.c.intent_version.is_not(None), files.c.touched_at <= now)
    return and_(begun, arrives_by() > now)


def arrives_by() -> Any:
    """Return until when a write may arrive."""
    return later(files.c.touched_at, _IN_FLIGHT)


def first_to_tell(source: Any) -> Any:
    """Who told first of what is due stays the one who told of it."""
    due = and_(files.c.due_at.is_not(None), files.c.source.is_not(None))
    return case((due, files.c.source), else_=source)
