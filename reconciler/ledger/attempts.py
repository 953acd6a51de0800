"""What happens to a claimed row: it is claimed, written for, finished or released.

Each function is the work of one transaction.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from reconciler.decision import is_out_of_sight
from reconciler.ledger.claims import claim_statement, first_due_statement, undone_values
from reconciler.ledger.counters import count, count_kept_text, count_write
from reconciler.ledger.health import record_latency
from reconciler.ledger.listing import KEPT, is_within_seconds
from reconciler.ledger.quota import Quota
from reconciler.ledger.rows import (
    BACKFILL,
    LIVE,
    OPEN,
    SWEEP,
    ending_values,
    entry_of,
    reset_values,
    writing_values,
)
from reconciler.ledger.settings import baseline, paused
from reconciler.ledger.store.schema import files
from reconciler.ledger.watermarks import begin_anew
from reconciler.model import AttemptResult, Claim, File, Rule, WriteGrant

_LOOP = 5  # times an hour that our comment on one revision may be undone


def claim(
    c: Connection, now: datetime, limit: int, lease: timedelta, token: str, quota: Quota
) -> list[Claim]:
    """Claim up to ``limit`` due rows; none while paused or while the day's writes are used up."""
    lowest = quota.lowest_priority(c, now)
    if lowest is None or paused(c, now) is not None:
        return []
    common = baseline(c)
    rows = c.execute(claim_statement(now, limit, now + lease, token, lowest))
    return [Claim(entry_of(row, common), token) for row in rows]


def next_claim(c: Connection, now: datetime, quota: Quota) -> datetime | None:
    """Return when the next row may be claimed, None when nothing is due."""
    found = []
    for lowest, limit in ((SWEEP, LIVE), (BACKFILL, BACKFILL)):
        due = c.execute(first_due_statement(lowest)).scalar()
        if due is not None:
            found.append(max(due, quota.free_at(c, now, limit)))
    pause = paused(c, now)
    first = min(found, default=None)
    return first if first is None or pause is None else max(first, pause.until)


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
    row = c.execute(select(files).where(_is_held(claim))).first()
    if row is None:
        return WriteGrant.CLAIM_LOST
    undone = undone_values(row, file.revision, now)
    if undone["undone_times"] > _LOOP:
        return WriteGrant.LOOP
    if quota.is_exhausted(c, now, row.priority):
        return WriteGrant.QUOTA_EXHAUSTED
    count_write(c, now)
    values = (reset_values() if is_new_identity else {}) | undone
    values |= writing_values(file, now) | {"due_at": until}
    c.execute(update(files).where(files.c.id == row.id).values(values))
    return WriteGrant.GRANTED


def finish(c: Connection, claim: Claim, result: AttemptResult, now: datetime) -> bool:
    """Store how the attempt ended; False when the claim was lost meanwhile."""
    row = c.execute(select(files).where(_is_held(claim))).first()
    if row is None:
        return False
    c.execute(update(files).where(files.c.id == row.id).values(ending_values(row, result, now)))
    if result.outcome not in OPEN:
        count(c, result.outcome, result.reason, row.claimed)
    record_latency(c, row, result, now)
    if row.room is not None and is_out_of_sight(result):
        begin_anew(c, row.room)
    if result.seen is not None and result.reason in KEPT:
        count_kept_text(c, result.seen.comment, 1, int(is_within_seconds(result.seen)))
    return True


def release(c: Connection, claim: Claim, now: datetime) -> bool:
    """Give the claim back as it was; its file is due at once."""
    released = update(files).where(_is_held(claim)).values(claim=None, due_at=now)
    return c.execute(released).rowcount == 1


def prune(c: Connection, before: datetime) -> int:
    """Delete rows untouched since ``before`` that hold nothing to remember; return how many."""
    stale = func.coalesce(files.c.looked_at, files.c.event_at, files.c.touched_at) < before
    idle = and_(files.c.due_at.is_(None), files.c.claim.is_(None), files.c.pending == 0)
    empty = and_(files.c.settled_version.is_(None), files.c.intent_version.is_(None))
    gone = files.c.reason == Rule.GONE.value
    return c.execute(delete(files).where(stale, idle, or_(empty, gone))).rowcount


def _is_held(claim: Claim) -> Any:
    return and_(files.c.id == claim.entry.id, files.c.claim == claim.token)
