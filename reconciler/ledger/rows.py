"""A row as values and values as a row: what an entry is, and what an ending writes down."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from reconciler.model import SECOND, Ending, Entry, File, Intent, Outcome, Revision, Unknown

Origin = tuple[datetime, datetime]  # since, and the date of the first sweep
OPEN = (Outcome.WAITING, Outcome.FAILED)  # every other outcome is final


def entry_of(row: Row[Any], origin: Origin) -> Entry:
    """Return what the row says of its file."""
    intent = _revision(row, "intent")
    return Entry(
        id=row.id,
        since=min(origin[0], row.since or origin[0]),
        first_sweep=origin[1],
        unknown=Unknown(row.unknown) if row.unknown else None,
        created=row.created,
        title=row.title,
        settled=_revision(row, "settled"),
        ours=row.ours,
        intent=Intent(intent, row.intent_before) if intent else None,
        written_at=row.written_at,
        touched_at=row.touched_at,
        attempts=row.attempts,
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


def writing_values(row: Row[Any], file: File, now: datetime, times: int) -> dict[str, Any]:
    """Return what changes in a row that is about to be written for, for the next of ``times``."""
    return intent_values(file.revision, file.comment) | {
        "created": file.created,
        "touched_at": now,
        "written_at": now,
        "written_version": file.revision.version,
        "written_updated": file.revision.updated,
        "written_since": row.written_since if times else now,
        "written_times": times + 1,
    }


def place_values(seen: File, row: Row[Any] | None = None) -> dict[str, Any]:
    """Return where the file lies and who saved it; a look does not tell the room (1.1)."""
    folder = seen.folder if isinstance(seen.folder, int) else None
    known = row.room if row is not None and row.folder == folder else None
    room = seen.room if seen.room is not None else known
    return {"folder": folder, "room": room, "author": seen.updated_by_name}


def ending_values(row: Row[Any], ending: Ending, now: datetime) -> dict[str, Any]:
    """Return what changes in a claimed row when its attempt has ended so."""
    values: dict[str, Any] = {
        "claim": None,
        "due_at": _next_due(row, ending),
        "attempts": ending.attempts,
        "outcome": ending.outcome.value,
        "reason": ending.reason,
        "error": ending.error,
    }
    if ending.outcome not in OPEN:
        values |= {"pending": row.pending - row.claimed, "claimed": 0}
    if ending.again is None and row.pending_since is None:
        values |= {"since": None, "unknown": None, "priority": 0}
    if ending.forget:
        values |= {"created": None, "title": "", "ours": False}
        values |= settled_values(None) | intent_values(None)
    if ending.closes:
        values |= intent_values(None)
    if ending.seen is not None:
        values |= {"name": ending.seen.title, "created": ending.seen.created}
        values |= place_values(ending.seen, row)
    if ending.settled and ending.seen is not None:
        values |= settled_values(ending.seen.revision) | intent_values(None)
        values |= {"title": ending.seen.title, "ours": ending.ours, "touched_at": now}
    if ending.outcome is Outcome.MARKED:
        values |= {"marks": row.marks + 1, "marked_at": now}
    return values


def _next_due(row: Row[Any], ending: Ending) -> datetime | None:
    """An event that came during the work makes the file due again."""
    arrived = None if row.pending_since is None else row.pending_since + SECOND
    times = [moment for moment in (arrived, ending.again) if moment is not None]
    return min(times, default=None)
