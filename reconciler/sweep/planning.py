"""Decides on a page of a listing: files and rows in, changes of the ledger out. Pure.

An item does not settle a file that a worker has claimed: the worker may be about to write to a
revision that is no longer the newest, and its result must not overwrite a later one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.decision import Policy, decide_listed, write_blocker
from reconciler.ledger import EnqueueOptions, ListedFile, RowChange, RowState
from reconciler.model import Action, Decision, Entry, File, Outcome, Rule


@dataclass(frozen=True)
class PageContext:
    """How a page is read, and when: ``asked`` is when it was requested (our clock)."""

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
    """Return the rule for a listed file, if a look now showed the same."""
    marked = listed.decision.action is Action.MARK
    return (write_blocker(listed.file) if marked else None) or listed.decision.rule


def _with_place(change: RowChange, row: RowState) -> RowChange:
    """Store the room too: no event and no look has it (docspace.md 1.1, 4.1)."""
    room = change.listed.file.room
    lacks = row.version is not None and room is not None and row.room != room
    return change if change.writes or not lacks else replace(change, sets_place=True)


def _plan(file: File, row: RowState, page: PageContext) -> RowChange:
    entry = replace(row.entry, overwrite=row.entry.overwrite or page.options.overwrite)
    decision = _decide(file, entry, page)
    listed = ListedFile(file, decision, decision.rule.outcome, was_due=row.due_at is not None)
    change = RowChange(listed, row.version)
    if decision.action in {Action.SETTLE_MARKED, Action.SETTLE_KEPT}:
        marked_by_us = decision.action is Action.SETTLE_MARKED
        if _is_in_work(row, page.now):
            return change.as_due()
        if _is_settled_as(file, entry, marked_by_us):
            return change
        return replace(change, settles_marked=marked_by_us)
    if decision.action not in {Action.MARK, Action.LOOK}:
        return change
    if row.due_at is not None and _satisfies(row, page.options):
        if _is_waiting_on_purpose(file, row, page.now):
            return replace(change, listed=replace(listed, outcome=row.outcome))
        if row.due_at <= page.now:
            return replace(change, listed=replace(listed, outcome=None))
    return change.as_due()


def _decide(file: File, entry: Entry, page: PageContext) -> Decision:
    decision = decide_listed(file, entry, page.policy, page.asked)
    observed = page.policy.observe and decision.action in {Action.MARK, Action.LOOK}
    return Decision(Rule.OBSERVED) if observed else decision


def _satisfies(row: RowState, options: EnqueueOptions) -> bool:
    """Return whether a row that is already due has what ``options`` ask for."""
    early = options.since is None or (row.since is not None and row.since <= options.since)
    overwrites = row.overwrite or not options.overwrite
    return early and overwrites and row.priority <= options.priority


def _is_in_work(row: RowState, now: datetime) -> bool:
    return row.is_claimed and row.due_at is not None and row.due_at > now


def _is_waiting_on_purpose(file: File, row: RowState, now: datetime) -> bool:
    """Return whether the file waits for its lock, its rights or its retry, and keeps waiting."""
    if row.is_claimed or row.due_at is None or row.due_at <= now or row.outcome is None:
        return False
    return file.locked or not file.editable or row.outcome is Outcome.FAILED


def _is_settled_as(file: File, entry: Entry, marked_by_us: bool) -> bool:
    same = entry.settled == file.revision and entry.marked_by_us == marked_by_us
    return same and entry.intent is None
