"""What happens to a claimed row: it is claimed, written for, finished or released.

Each function is the work of one transaction.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from reconciler.decision import is_out_of_sight
from reconciler.ledger.counters import (
    HOUR,
    count,
    count_kept_text,
    count_write,
    is_exhausted,
    lowest_priority,
    next_write_at,
    record_latency,
)
from reconciler.ledger.rows import (
    BACKFILL,
    KEPT_REASONS,
    LIVE,
    OPEN,
    SWEEP,
    entry_of,
    is_within_seconds,
    reset_values,
    result_values,
    writing_values,
)
from reconciler.ledger.settings import baseline, paused
from reconciler.ledger.store.schema import files
from reconciler.ledger.watermarks import begin_anew
from reconciler.model import AttemptResult, Claim, File, Quota, Revision, Rule, WriteGrant

PRECEDENCE = (files.c.priority, files.c.due_at)
# Built once: to build a statement takes longer than to run it.
_DUE = (
    select(files.c.id)
    .where(files.c.due_at <= bindparam("now"), files.c.priority <= bindparam("lowest"))
    .order_by(*PRECEDENCE)
    .limit(bindparam("number"))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
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
_HELD = and_(files.c.id == bindparam("file"), files.c.claim == bindparam("token"))
_ROW = select(files).where(_HELD)
_CHANGE = update(files).where(_HELD)  # the columns to set come with the values
_LOOP = 5  # times an hour that our comment on one revision may be undone


def claim(
    c: Connection, now: datetime, limit: int, lease: timedelta, token: str, quota: Quota
) -> list[Claim]:
    """Claim up to ``limit`` due rows; none while paused or while the day's writes are used up."""
    lowest = lowest_priority(c, now, quota)
    if lowest is None or paused(c, now) is not None:
        return []
    common = baseline(c)
    asked = {"now": now, "number": limit, "until": now + lease, "token": token, "lowest": lowest}
    rows = c.execute(_CLAIM, asked)
    return [Claim(entry_of(row, common), token) for row in rows]


def next_claim(c: Connection, now: datetime, quota: Quota) -> datetime | None:
    """Return when the next row may be claimed, None when nothing is due."""
    found = []
    for lowest, limit in ((SWEEP, LIVE), (BACKFILL, BACKFILL)):
        due = c.execute(_first_due(lowest)).scalar()
        if due is not None:
            found.append(max(due, next_write_at(c, now, quota, limit)))
    pause = paused(c, now)
    first = min(found, default=None)
    return first if first is None or pause is None else max(first, pause.until)


@cache
def _first_due(lowest: int) -> Any:
    """Return the query for when the first file of this priority or a higher one is due."""
    due = (files.c.priority <= lowest, files.c.due_at.is_not(None))  # as in its index
    return select(func.min(files.c.due_at)).where(*due)


def begin_write(
    c: Connection,
    claim: Claim,
    file: File,
    now: datetime,
    until: datetime,
    quota: Quota,
    is_new_identity: bool,
) -> WriteGrant:
    """Write the intent and count the write, if the claim is ours and the day has room."""
    row = _held_row(c, claim)
    if row is None:
        return WriteGrant.CLAIM_LOST
    undone = _undone_values(row, file.revision, now)
    if undone["undone_times"] > _LOOP:
        return WriteGrant.LOOP
    if is_exhausted(c, now, quota, row.priority):
        return WriteGrant.QUOTA_EXHAUSTED
    values = (reset_values() if is_new_identity else {}) | undone
    values |= writing_values(file, now) | {"due_at": until}
    if not _change(c, claim, values):
        return WriteGrant.CLAIM_LOST
    count_write(c, now)
    return WriteGrant.GRANTED


def _undone_values(row: Row[Any], revision: Revision, now: datetime) -> dict[str, Any]:
    """Return how often our comment was undone within the hour, including the write to come.

    Only a write that was confirmed can be undone, so only one on the settled revision counts.
    """
    settled = (row.settled_version, row.settled_updated, row.settled_size)
    if not row.marked_by_us or settled != (revision.version, revision.updated, revision.size):
        return {"undone_since": None, "undone_times": 0}
    recent = row.undone_since is not None and timedelta() <= now - row.undone_since < HOUR
    times = row.undone_times if recent else 0
    return {"undone_since": row.undone_since if recent else now, "undone_times": times + 1}


def finish(c: Connection, claim: Claim, result: AttemptResult, now: datetime) -> bool:
    """Store how the attempt ended; False when the claim was lost meanwhile."""
    row = _held_row(c, claim)
    if row is None or not _change(c, claim, result_values(row, result, now)):
        return False
    if result.outcome not in OPEN:
        count(c, result.outcome, result.reason, row.claimed)
    record_latency(c, row, result, now)
    if row.room is not None and is_out_of_sight(result):
        begin_anew(c, row.room)
    if result.seen is not None and result.reason in KEPT_REASONS:
        count_kept_text(c, result.seen.comment, 1, int(is_within_seconds(result.seen)))
    return True


def release(c: Connection, claim: Claim, now: datetime) -> bool:
    """Give the claim back as it was; its file is due at once."""
    return _change(c, claim, {"claim": None, "due_at": now})


def prune(c: Connection, before: datetime) -> int:
    """Delete rows untouched since ``before`` that hold nothing to remember; return how many."""
    stale = func.coalesce(files.c.looked_at, files.c.event_at, files.c.touched_at) < before
    idle = and_(files.c.due_at.is_(None), files.c.claim.is_(None), files.c.pending == 0)
    empty = and_(files.c.settled_version.is_(None), files.c.intent_version.is_(None))
    gone = files.c.reason == Rule.GONE.value
    return c.execute(delete(files).where(stale, idle, or_(empty, gone))).rowcount


def _held_row(c: Connection, claim: Claim) -> Row[Any] | None:
    """Return the row of a claim, None where it is not ours any more."""
    return c.execute(_ROW, _names(claim)).first()


def _change(c: Connection, claim: Claim, values: dict[str, Any]) -> bool:
    """Set columns of a claimed row; False where the claim is not ours any more."""
    return c.execute(_CHANGE, values | _names(claim)).rowcount == 1


def _names(claim: Claim) -> dict[str, Any]:
    return {"file": claim.entry.id, "token": claim.token}
