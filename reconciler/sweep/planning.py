"""What a page of a listing asks the ledger to write. Pure: files and rows in, changes out.

An item settles nothing while a worker holds its file: the worker may be about to write to a
revision that is no longer the newest, and its settling must not undo a later one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.decision import Policy, decide_listed, write_blocker
from reconciler.ledger import EnqueueOptions, ListedFile, RowChange, RowState
from reconciler.model import Action, Decision, Entry, File, Outcome, Rule


@dataclass(frozen=True)
class PageContext:
    """For whom a page is read, and when: ``asked`` for (our clock), and ``now``."""

    policy: Policy
    options: EnqueueOptions
    asked: datetime
    now: datetime


def plan_changes(
    files: Sequence[File], rows: Mapping[int | str, RowState], page: PageContext
) -> list[RowChange]:
    """Return the change for each listed file, in their order."""
    return [_with_place(_plan(file, rows[file.id], page), rows[file.id]) for file in files]


def expected_rule(listed: ListedFile) -> Rule:
    """Return the rule by which a listed file would end now, if a look showed the same."""
    marked = listed.decision.action is Action.MARK
    return (write_blocker(listed.file) if marked else None) or listed.decision.rule


def _with_place(change: RowChange, row: RowState) -> RowChange:
    """Let the row learn the room, which no event and no look has (docspace.md 1.1, 4.1)."""
    room = change.listed.file.room
    lacks = row.version is not None and room is not None and row.room != room
    return change if change.writes or not lacks else replace(change, sets_place=True)


def _plan(file: File, row: RowState, page: PageContext) -> RowChange:
    entry = replace(row.entry, overwrite=row.entry.overwrite or page.options.overwrite)
    decision = _decide(file, entry, page)
    change = RowChange(ListedFile(file, decision, decision.rule.outcome), row.version)
    if decision.action in {Action.SETTLE_MARKED, Action.SETTLE_KEPT}:
        marked_by_us = decision.action is Action.SETTLE_MARKED
        if _is_in_work(row, page.now):
            return change.as_due()
        if _is_settled_as(file, entry, marked_by_us):
            return change
        return replace(change, settles_marked=marked_by_us)
    if decision.action not in {Action.MARK, Action.LOOK}:
        return change
    if row.due_at is not None and _serves(row, page.options):
        if _is_waiting_on_purpose(file, row, page.now):
            return replace(change, listed=ListedFile(file, decision, row.outcome))
        if row.due_at <= page.now:
            return replace(change, listed=ListedFile(file, decision, None))
    return change.as_due()


def _decide(file: File, entry: Entry, page: PageContext) -> Decision:
    decision = decide_listed(file, entry, page.policy, page.asked)
    observed = page.policy.observe and decision.action in {Action.MARK, Action.LOOK}
    return Decision(Rule.OBSERVED) if observed else decision


def _serves(row: RowState, options: EnqueueOptions) -> bool:
    """Whether the worker will treat a row that is due already as ``options`` ask for."""
    early = options.since is None or (row.since is not None and row.since <= options.since)
    overwrites = row.overwrite or not options.overwrite
    return early and overwrites and row.priority <= options.priority


def _is_in_work(row: RowState, now: datetime) -> bool:
    return row.is_claimed and row.due_at is not None and row.due_at > now


def _is_waiting_on_purpose(file: File, row: RowState, now: datetime) -> bool:
    """Whether the file waits for its lock, its rights or its next try: a listing hurries none."""
    if row.is_claimed or row.due_at is None or row.due_at <= now or row.outcome is None:
        return False
    return file.locked or not file.editable or row.outcome is Outcome.FAILED


def _is_settled_as(file: File, entry: Entry, marked_by_us: bool) -> bool:
    same = entry.settled == file.revision and entry.marked_by_us == marked_by_us
    return same and entry.intent is None
