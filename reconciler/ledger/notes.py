"""What a listing leaves behind: settled files, files made due, all of a page in one go.

The decision on each item is asked for inside the transaction, on the row as it is then. An
item settles nothing while a worker holds its file: the worker may be about to write to a
revision that is no longer the newest, and its settling must not undo a later one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, select
from sqlalchemy.dialects.sqlite import insert

from reconciler.ledger.facts import origin
from reconciler.ledger.rows import entry_of, settled_values
from reconciler.ledger.schema import files
from reconciler.model import Action, Decision, Entry, File, Outcome, Unknown

Judge = Callable[[File, Entry], Decision]
LIVE, SWEEP, BACKFILL = 0, 1, 2  # in order of precedence


@dataclass(frozen=True)
class Duty:
    """For whom a listing is read. A backfill brings its own beginning and its own caution."""

    priority: int = SWEEP
    since: datetime | None = None
    unknown: Unknown | None = None


@dataclass(frozen=True)
class Noted:
    """What became of a listed file; ``outcome`` is None when it was handed to the worker."""

    file: File
    decision: Decision
    outcome: Outcome | None


@dataclass(frozen=True)
class Plan:
    """What a listed file asks the ledger to write: a settling, a due row, or nothing."""

    noted: Noted
    settle: dict[str, Any] | None = None
    due: dict[str, Any] | None = None


def judged(
    c: Connection, listed: Sequence[File], judge: Judge, duty: Duty, now: datetime
) -> list[Plan]:
    """Return a plan for each listed file."""
    ids = [file.id for file in listed if isinstance(file.id, int)]
    known = {row.id: row for row in c.execute(select(files).where(files.c.id.in_(ids)))}
    beginning = origin(c)
    return [_plan(file, known.get(file.id), beginning, judge, duty, now) for file in listed]


def carried_out(c: Connection, plans: Sequence[Plan], now: datetime) -> None:
    """Write what the plans ask for: many rows, two statements."""
    settled = [plan.settle for plan in plans if plan.settle]
    due = [plan.due for plan in plans if plan.due]
    if settled:
        c.execute(_settling(settled), settled)
    if due:
        c.execute(_making_due(now), due)


def _plan(
    file: File,
    row: Row[Any] | None,
    beginning: tuple[datetime, datetime],
    judge: Judge,
    duty: Duty,
    now: datetime,
) -> Plan:
    blank = Entry(0, *beginning)
    entry = blank if row is None else entry_of(row, beginning)
    decision = judge(file, entry)
    noted = Noted(file, decision, decision.rule.outcome)
    if decision.action in {Action.SETTLE_OURS, Action.SETTLE_THEIRS}:
        if row is not None and _in_work(row, now):
            return Plan(Noted(file, decision, None), due=_due(file, duty, now))
        ours = decision.action is Action.SETTLE_OURS
        same = _is_settled_so(file, entry, ours)
        return Plan(noted, settle=None if same else _settle(file, ours, decision, now))
    if decision.action not in {Action.MARK, Action.LOOK}:
        return Plan(noted)
    if row is not None and _waits_rightly(file, row, now):
        return Plan(Noted(file, decision, Outcome(row.outcome)))
    if row is not None and row.due_at is not None and row.due_at <= now:
        return Plan(Noted(file, decision, None))
    return Plan(Noted(file, decision, None), due=_due(file, duty, now))


def _in_work(row: Row[Any], now: datetime) -> bool:
    return row.claim is not None and row.due_at is not None and row.due_at > now


def _waits_rightly(file: File, row: Row[Any], now: datetime) -> bool:
    """A file that waits for its lock, its rights or its next try is not hurried by a listing."""
    waits = row.claim is None and row.due_at is not None and row.due_at > now and row.outcome
    hindered = file.locked or not file.editable or row.outcome == Outcome.FAILED
    return bool(waits and hindered)


def _is_settled_so(file: File, entry: Entry, ours: bool) -> bool:
    same = entry.settled == file.revision and entry.title == file.title
    return same and entry.ours == ours and entry.intent is None


def _settle(file: File, ours: bool, decision: Decision, now: datetime) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.title,
        "title": file.title,
        "created": file.created,
        **settled_values(file.revision),
        "ours": ours,
        "touched_at": now,
        "outcome": str(decision.rule.outcome),
        "reason": decision.rule.value,
    }


def _due(file: File, duty: Duty, now: datetime) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.title,
        "due_at": now,
        "priority": duty.priority,
        "pending": 1,
        "pending_since": now,
        "since": duty.since,
        "unknown": None if duty.unknown is None else duty.unknown.value,
    }


def _settling(rows: Sequence[dict[str, Any]]) -> Any:
    statement = insert(files)
    new = {name: statement.excluded[name] for name in rows[0] if name != "id"}
    gone = {f"intent_{name}": None for name in ("version", "updated", "size", "before")}
    return statement.on_conflict_do_update(index_elements=["id"], set_=new | gone)


def _making_due(now: datetime) -> Any:
    """A live claim keeps its lease, and what is due already keeps its precedence."""
    statement = insert(files)
    new = statement.excluded
    idle = files.c.due_at.is_(None)
    in_work = and_(files.c.claim.is_not(None), files.c.due_at > now)
    earlier = and_(new.since.is_not(None), func.coalesce(files.c.since > new.since, True))
    return statement.on_conflict_do_update(
        index_elements=["id"],
        set_={
            "name": new.name,
            "due_at": case((in_work, files.c.due_at), else_=new.due_at),
            "priority": case((idle, new.priority), else_=func.min(files.c.priority, new.priority)),
            "attempts": 0,
            "pending": files.c.pending + 1,
            "pending_since": func.coalesce(files.c.pending_since, new.pending_since),
            "since": case((earlier, new.since), else_=files.c.since),
            "unknown": func.coalesce(new.unknown, files.c.unknown),
        },
    )
