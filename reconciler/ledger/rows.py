"""The row of a file: converted to values and back, and the rules of when it is due again."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Row, and_, case, literal_column, type_coerce

from reconciler.ledger.store.schema import UtcTime, files
from reconciler.model import (
    EPOCH,
    SECOND,
    AttemptResult,
    Entry,
    File,
    Intent,
    Outcome,
    Revision,
    Rule,
)

LIVE, SWEEP, BACKFILL = 0, 1, 2  # priorities, in order of precedence
OPEN = (Outcome.WAITING, Outcome.FAILED)  # every other outcome is final for the accepted events
KEPT_REASONS = frozenset(rule.value for rule in Rule if rule.row == 7)  # a person's text was kept
_WITHIN_SECONDS = timedelta(seconds=10)  # nobody types a comment so soon after a save
_IN_FLIGHT = timedelta(seconds=2)
_MICROSECOND = timedelta(microseconds=1)


class Baseline(NamedTuple):
    """The values that hold for every row: the origin, the date of the first sweep, and whether the
    portal has shown a text that we know, None while that is unknown.

    The origin (``since``) is the date from which updates are marked: the first sweep's, less the
    lookback.
    """

    since: datetime = EPOCH
    first_sweep: datetime = EPOCH
    portal_known: bool | None = None


def entry_of(row: Row[Any], baseline: Baseline) -> Entry:
    """Return the entry of a row."""
    intent, is_locked = _revision(row, "intent"), row.reason == Rule.LOCKED.value
    return Entry(
        id=row.id,
        since=min(baseline.since, row.since or baseline.since),
        portal_known=baseline.portal_known,
        announced=row.due_at is not None and row.priority == LIVE,
        announced_date=row.announced_date,
        overwrite=row.due_at is not None and row.overwrite,
        created=row.created,
        settled=_revision(row, "settled"),
        marked_by_us=row.marked_by_us,
        marked_version=row.marked_version,
        intent=Intent(intent, row.intent_before) if intent else None,
        touched_at=row.touched_at,
        attempts=0 if is_locked else row.attempts,
        locked_looks=row.attempts if is_locked else 0,
        early_looks=row.early_looks,
    )


def _revision(row: Row[Any], prefix: str) -> Revision | None:
    values = [getattr(row, f"{prefix}_{name}") for name in ("version", "updated", "size")]
    return None if values[0] is None else Revision(*values)


def settled_values(revision: Revision | None) -> dict[str, Any]:
    """Return the columns of a settled revision, or of none."""
    return _columns("settled", revision)


def intent_values(revision: Revision | None, before: str | None = None) -> dict[str, Any]:
    """Return the columns of an open intent, or of none."""
    return _columns("intent", revision) | {"intent_before": before}


def _columns(prefix: str, revision: Revision | None) -> dict[str, Any]:
    return {
        f"{prefix}_version": revision.version if revision else None,
        f"{prefix}_updated": revision.updated if revision else None,
        f"{prefix}_size": revision.size if revision else None,
    }


def reset_values() -> dict[str, Any]:
    """Return the columns of a row that was never settled or marked."""
    return settled_values(None) | {"created": None, "marked_by_us": False, "marked_version": None}


def writing_values(file: File, now: datetime) -> dict[str, Any]:
    """Return the columns that change before a write."""
    return intent_values(file.revision, file.comment) | {
        "created": file.created,
        "touched_at": now,
        "marked_version": file.revision.version,
    }


def place_values(seen: File, row: Row[Any] | None = None) -> dict[str, Any]:
    """Return the place and the author of a file; a look has no room (docspace.md 1.1)."""
    folder = seen.folder if isinstance(seen.folder, int) else None
    known = row.room if row is not None and row.folder == folder else None
    room = seen.room if seen.room is not None else known
    return {"folder": folder, "room": room, "author": seen.updated_by_name}


def result_values(row: Row[Any], result: AttemptResult, now: datetime) -> dict[str, Any]:
    """Return the columns that an attempt's result changes."""
    values: dict[str, Any] = {
        "claim": None,
        "due_at": _next_due(row, result, now),
        "attempts": result.attempts,
        "early_looks": row.early_looks + (result.reason == Rule.EARLY.value),
        "outcome": result.outcome.value,
        "reason": result.reason,
        "error": result.error,
        "waits_for": None if result.waits_for is None else result.waits_for.value,
    }
    if result.outcome not in OPEN:
        values |= {"pending": row.pending - row.claimed, "claimed": 0}
    if result.retry_at is None and row.pending_since is None:
        values |= {"since": None, "overwrite": False, "announced_date": None, "priority": LIVE}
    if result.is_new_identity:
        values |= reset_values() | intent_values(None)
    if result.clears_intent:
        values |= intent_values(None)
    if result.seen is not None:
        known = None if result.is_new_identity else row.created
        values |= {"name": result.seen.title, "created": result.seen.created or known}
        values |= place_values(result.seen, row)
    if result.needs_write and result.seen is not None:
        values |= _intent_from(row, result.seen)
    if result.settled and result.seen is not None:
        values |= settled_values(result.seen.revision) | intent_values(None)
        values |= {"marked_by_us": result.marked_by_us, "touched_at": now}
        values |= _comment_values(row, result, result.seen, now)
    if result.settled and result.marked_by_us and result.seen is not None:
        values |= {"marked_version": result.seen.revision.version}
    if result.outcome is Outcome.MARKED:
        values |= {"marks": row.marks + 1, "marked_at": now}
    return values


def comment_since(file: File, marked_by_us: bool, now: datetime) -> datetime:
    """Return since when a new comment is on the file, as far as a look shows.

    Ours came after the save. Nothing shows when a person's was typed (docspace.md 4.2).
    """
    return min(file.revision.updated, now) if marked_by_us else now


def kept_comment(file: File, marked_by_us: bool) -> str:
    """Return the comment to store: a person's, empty for ours."""
    return "" if marked_by_us else file.comment


def _comment_values(
    row: Row[Any], result: AttemptResult, seen: File, now: datetime
) -> dict[str, Any]:
    """Return the comment on the file, and since when: ours keeps its date over new versions."""
    marked_by_us = result.marked_by_us
    same = not result.is_new_identity and row.marked_by_us == marked_by_us
    unbroken = same and (marked_by_us or row.settled_version == seen.revision.version)
    wrote = result.outcome is Outcome.MARKED
    since = now if wrote else comment_since(seen, marked_by_us, now)
    known = row.comment_since if unbroken else None
    return {"comment_since": known or since, "comment": kept_comment(seen, marked_by_us)}


def _intent_from(row: Row[Any], seen: File) -> dict[str, Any]:
    """Return the intent of a write that waits: its comment shows a later change by a person."""
    known = row.intent_version == seen.revision.version
    return {} if known else intent_values(seen.revision, seen.comment)


def _next_due(row: Row[Any], result: AttemptResult, now: datetime) -> datetime | None:
    """Return when the file is due again: after an event during the attempt, a second later."""
    arrived = None if row.pending_since is None else min(row.looked_at, now) + SECOND
    times = [moment for moment in (arrived, result.retry_at) if moment is not None]
    return min(times, default=None)


def is_within_seconds(file: File) -> bool:
    """Return whether the file was seen within seconds of its save, by the portal's own clock."""
    return file.read_at is not None and file.read_at - file.revision.updated <= _WITHIN_SECONDS


def later(column: Any, by: timedelta) -> Any:
    """Return the time in a column, moved by a constant."""
    moved = type_coerce(column, BigInteger) + literal_column(str(by // _MICROSECOND))
    return type_coerce(moved, UtcTime)


def is_in_flight(now: Any) -> Any:
    """Return the condition that a write was begun a moment ago and may still arrive at the portal,
    though its process has ended. A look before it arrives would lead to a second write.
    """
    begun = and_(files.c.intent_version.is_not(None), files.c.touched_at <= now)
    return and_(begun, arrives_by() > now)


def arrives_by() -> Any:
    """Return until when the last write may still arrive."""
    return later(files.c.touched_at, _IN_FLIGHT)


def first_source(source: Any) -> Any:
    """Return the source to store: a due file keeps the one that announced it first."""
    due = and_(files.c.due_at.is_not(None), files.c.source.is_not(None))
    return case((due, files.c.source), else_=source)
