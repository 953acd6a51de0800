"""The claims of due files: taken, granted a write, finished or released.

A claim is one conditional write that moves ``due_at`` to the end of its lease, so the row of a
killed process is due again by itself. An event that arrives while its file is claimed sets
``pending_since``, and the row is due again when the claim ends.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    update,
)

from reconciler.decision import is_hidden
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
    arrives_by,
    entry_of,
    is_in_flight,
    is_within_seconds,
    reset_values,
    result_values,
    writing_values,
)
from reconciler.ledger.settings import baseline, paused
from reconciler.ledger.store.schema import UtcTime, files
from reconciler.ledger.store.store import Store
from reconciler.ledger.watermarks import hide_and_reset
from reconciler.model import AttemptResult, Claim, File, Quota, Revision, WriteGrant

PRECEDENCE = (files.c.priority, files.c.due_at)
# Built once: building a statement takes longer than running it.
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


class Claims:
    """The claims on files. Each call is one short transaction; all raise LedgerError."""

    def __init__(self, store: Store, quota: Quota) -> None:
        """Share the ledger's store; ``quota`` limits the writes of a day."""
        self._store, self._quota = store, quota

    def take(self, now: datetime, limit: int, lease: timedelta) -> list[Claim]:
        """Claim up to ``limit`` due files, live events first.

        Nothing is claimed while paused, or while the day's writes are used up.
        """
        token = self._store.token()

        def job(c: Connection) -> list[Claim]:
            lowest = lowest_priority(c, now, self._quota)
            if lowest is None or paused(c, now) is not None:
                return []
            common = baseline(c)
            values = {"now": now, "number": limit, "until": now + lease, "token": token}
            rows = c.execute(_CLAIM, values | {"lowest": lowest})
            return [Claim(entry_of(row, common), token) for row in rows]

        return self._store.write(job)

    def next_at(self, now: datetime) -> datetime | None:
        """Return when the next file may be claimed, None when nothing is due."""
        return self._store.read(lambda c: _next_at(c, now, self._quota))

    def begin_write(
        self,
        claim: Claim,
        file: File,
        now: datetime,
        *,
        until: datetime,
        is_new_identity: bool = False,
    ) -> WriteGrant:
        """Store the intent to set the file's comment, if the claim and the quota allow a write.

        The claim is extended to ``until``, which must be later than the longest answer. The write
        is counted before it is sent, as the portal counts failed ones too. When the day's writes
        (or a backfill's share) are used up, every file that needs one waits. With
        ``is_new_identity`` the row was about another file, and its settled revision is dropped.
        """

        def job(c: Connection) -> WriteGrant:
            row = _held_row(c, claim)
            if row is None:
                return WriteGrant.CLAIM_LOST
            undone = _undone_values(row, file.revision, now)
            if undone["undone_times"] > _LOOP:
                return WriteGrant.LOOP
            if is_exhausted(c, now, self._quota, row.priority):
                return WriteGrant.QUOTA_EXHAUSTED
            values = (reset_values() if is_new_identity else {}) | undone
            values |= writing_values(file, now) | {"due_at": until}
            if not _change(c, claim, values):
                return WriteGrant.CLAIM_LOST
            count_write(c, now)
            return WriteGrant.GRANTED

        return self._store.write(job)

    def finish(self, claim: Claim, result: AttemptResult, now: datetime) -> bool:
        """Store the result of the attempt; False when the claim was lost meanwhile."""

        def job(c: Connection) -> bool:
            row = _held_row(c, claim)
            if row is None or not _change(c, claim, result_values(row, result, now)):
                return False
            if result.outcome not in OPEN:
                count(c, result.outcome, result.reason, row.claimed)
            record_latency(c, row, result, now)
            if row.room is not None and is_hidden(result):
                hide_and_reset(c, row.room)
            if result.seen is not None and result.reason in KEPT_REASONS:
                count_kept_text(c, result.seen.comment, 1, int(is_within_seconds(result.seen)))
            return True

        return self._store.write(job)

    def release(self, claim: Claim, now: datetime) -> bool:
        """Release the claim unchanged; its file is due at once. False when it was lost."""
        return self._store.write(lambda c: _change(c, claim, {"claim": None, "due_at": now}))

    def release_orphaned(self, now: datetime) -> int:
        """Release the claims of dead processes; only for the holder of the worker's role.

        A write that was sent just before its process ended may still arrive at the portal: a look
        before it arrives would lead to a second write. Returns how many files are due again.
        """
        held = (files.c.claim.is_not(None), files.c.due_at.is_not(None))  # the latter: its index
        due = case((is_in_flight(now), arrives_by()), else_=literal(now, UtcTime))
        released = update(files).where(*held).values(claim=None, due_at=due)
        return self._store.write(
            lambda c: c.execute(released.where(self._store.orphaned(c))).rowcount
        )


def _next_at(c: Connection, now: datetime, quota: Quota) -> datetime | None:
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


def _held_row(c: Connection, claim: Claim) -> Row[Any] | None:
    """Return the row of a claim, None where it was lost."""
    return c.execute(_ROW, _names(claim)).first()


def _change(c: Connection, claim: Claim, values: dict[str, Any]) -> bool:
    """Set columns of a claimed row; False where the claim was lost."""
    return c.execute(_CHANGE, values | _names(claim)).rowcount == 1


def _names(claim: Claim) -> dict[str, Any]:
    return {"file": claim.entry.id, "token": claim.token}
