"""The calls of the ledger: record, claim, begin_write, finish. Each is one short transaction.

A row is due when ``due_at`` has passed. A claim is one conditional write that moves ``due_at``
to the end of its lease, so the row of a killed process is due again by itself. An event that
arrives while its file is claimed sets ``pending_since``, and the row is due again when the claim
ends.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    func,
    select,
)

from reconciler.ledger import claims, origin, waits
from reconciler.ledger.counters import count, count_write, next_write_at, reserve_requests
from reconciler.ledger.events import record
from reconciler.ledger.health import Health
from reconciler.ledger.listing import (
    EnqueueOptions,
    ListedFile,
    RowChange,
    RowState,
    apply_changes,
    enqueue,
    outcomes,
    rows_of,
)
from reconciler.ledger.opening import Ownership, opened_store
from reconciler.ledger.reviews import Reviews
from reconciler.ledger.rows import (
    BACKFILL,
    LIVE,
    Baseline,
    entry_of,
)
from reconciler.ledger.settings import (
    FIRST_SWEEP,
    OWNER,
    PORTAL_KNOWN,
    TARGETS,
    Pause,
    Settings,
    baseline,
    pause,
    paused,
)
from reconciler.ledger.store.schema import files
from reconciler.ledger.watermarks import Watermarks
from reconciler.model import (
    UNLIMITED,
    AttemptResult,
    Claim,
    Entry,
    Event,
    File,
    OutageKind,
    Outcome,
    Quota,
    Source,
    WriteGrant,
)


class Ledger:
    """What is known and due, for one portal. Safe to share between threads."""

    def __init__(
        self,
        url: str,
        portal: str,
        *,
        read_only: bool = False,
        any_portal: bool = False,
        quota: Quota = UNLIMITED,
    ) -> None:
        """Open or create the ledger of ``portal``. Raises LedgerError for another portal's.

        The ledger belongs to the portal from its first answer on, not before: a mistyped address
        must not bind it. With ``any_portal`` the caller checks the portal itself. With
        ``read_only`` nothing is created, changed or left behind: a missing ledger is an empty
        one, and nothing can be written. ``quota`` limits the writes of a day.
        """
        asked = None if any_portal else portal
        self._store, self._portal = opened_store(url, asked, read_only=read_only), portal
        self.ownership = Ownership(self._store)
        self.read_only, self.refusal = self._store.read_only, self._store.refusal
        self.watermarks, self.settings = Watermarks(self._store), Settings(self._store)
        self.quota = quota
        self.health = Health(self._store, lambda: self.quota)
        self.reviews = Reviews(self._store)
        self.role, self.holder = self._store.role, self._store.holder
        self.processes = self._store.processes
        self.clock = self._store.clock
        self.shared = self._store.shared
        self.close = self._store.close

    # The whole ledger.

    def owner(self) -> str | None:
        """Return the id of the key's owner, None before it is known."""
        return self.settings.get(OWNER)

    def set_owner(self, owner: str) -> None:
        """Store whose comments are ours. Files that another account was refused are due at once."""

        self._store.write(lambda c: origin.set_owner(c, self._portal, owner))

    def set_origin(self, date: datetime, lookback: timedelta) -> None:
        """Fix, once, where our responsibility begins: ``lookback`` before ``date``.

        For a file whose event was accepted earlier, it is ``lookback`` before that event. It is
        never later than the portal's present, even if the portal's clock was wrong once.
        """
        self._store.write(lambda c: origin.set_origin(c, self._portal, date, lookback))

    def has_origin(self) -> bool:
        """Return whether the origin is fixed already."""
        return self.settings.get(FIRST_SWEEP) is not None

    def set_portal_known(self, known: bool) -> None:
        """Store whether the portal has shown a text of its own that we know."""
        self.settings.set(PORTAL_KNOWN, known)

    def add_target(self, target: str) -> None:
        """Store a comment that is about to be written, for when it is no longer configured."""
        self.settings.set(TARGETS, self.targets() | {target})

    def targets(self) -> frozenset[str]:
        """Return every comment that was ever written."""
        return self.settings.get(TARGETS) or frozenset()

    def pause(self, now: datetime, length: timedelta, reason: str) -> None:
        """Let nothing be claimed for a while; a pause is never shortened by another.

        It belongs to the key's owner: it does not hold for another account's key.
        """
        self._store.write(lambda c: pause(c, now, length, reason))

    def paused(self, now: datetime) -> Pause | None:
        """Return the pause that holds at ``now``, None when there is none."""
        return self._store.read(lambda c: paused(c, now))

    def release_waiting(self, kind: OutageKind, now: datetime) -> int:
        """Make files due that waited for a kind of request that works again; return how many."""
        return self._store.write(lambda c: waits.release_waiting(c, kind, now))

    def reset_future_waits(self, now: datetime) -> int:
        """Make files due that wait since a time in the future: the clock was set back."""
        return self._store.write(lambda c: waits.reset_future_waits(c, now))

    def reserve(self, now: datetime, number: int, per_minute: int) -> float:
        """Count requests into the current minute; return 0, or the seconds to wait for room."""
        return self._store.write(lambda c: reserve_requests(c, now, number, per_minute))

    # Events and listings.

    def record(self, event: Event, now: datetime, source: Source = Source.WEBHOOK) -> bool:
        """Make the event's file due, durably; False for an echo of our own comment."""
        return self._store.write_each(record, (event, now, source))

    def rows_of(self, ids: Sequence[int | str], baseline: Baseline) -> Mapping[int | str, RowState]:
        """Return what is known of listed files, each with the version of its row."""
        return self._store.read(lambda c: rows_of(c, ids, baseline))

    def apply_changes(
        self, changes: Sequence[RowChange], options: EnqueueOptions, now: datetime
    ) -> list[ListedFile]:
        """Settle and make due what a page of a listing asks for; return what became of each file.

        One transaction, none at all where nothing is new. A file whose row changed since it was
        read is not settled but made due.
        """
        if not any(change.writes for change in changes):
            return [change.listed for change in changes]

        def job(c: Connection) -> list[ListedFile]:
            applied = apply_changes(c, changes, options, now)
            count(c, *_LISTED, sum(change.makes_due for change in applied))
            return [change.listed for change in applied]

        return self._store.write(job)

    def enqueue(self, ids: Sequence[int], options: EnqueueOptions, now: datetime) -> None:
        """Make files due that a listing showed incompletely: a look finds out why."""

        def job(c: Connection) -> None:
            enqueue(c, ids, options, now)
            count(c, *_LISTED, len(ids))

        self._store.write(job)

    def outcomes(self, ids: Sequence[int], now: datetime) -> Counter[Outcome]:
        """Count the outcomes of these files."""

        def job(c: Connection) -> Counter[Outcome]:
            some = (ids[first : first + _CHUNK] for first in range(0, len(ids), _CHUNK))
            return Counter(outcome for part in some for outcome in outcomes(c, part, now))

        return self._store.read(job)

    # Work.

    def claim(self, now: datetime, limit: int, lease: timedelta) -> list[Claim]:
        """Claim up to ``limit`` due files, live events first.

        None while paused, or while the day's writes are used up.
        """
        token, quota = self._store.token(), self.quota
        return self._store.write(lambda c: claims.claim(c, now, limit, lease, token, quota))

    def begin_write(
        self,
        claim: Claim,
        file: File,
        now: datetime,
        *,
        until: datetime,
        is_new_identity: bool = False,
    ) -> WriteGrant:
        """Write the intent to set the file's comment, if the claim is ours and the day has room.

        The claim is extended to ``until``, which must be later than the longest answer. The write
        is counted before it is sent, as the portal counts failed ones too. When the day's writes
        (or a backfill's share) are used up, every file that needs one waits. With
        ``is_new_identity`` the row was about another file, and its settled revision is dropped.
        """
        quota = self.quota
        return self._store.write(
            lambda c: claims.begin_write(c, claim, file, now, until, quota, is_new_identity)
        )

    def finish(self, claim: Claim, result: AttemptResult, now: datetime) -> bool:
        """Store how the attempt ended; False when the claim was lost meanwhile."""
        return self._store.write(lambda c: claims.finish(c, claim, result, now))

    def release_claim(self, claim: Claim, now: datetime) -> bool:
        """Give the claim back as it was; its file is due at once."""
        return self._store.write(lambda c: claims.release(c, claim, now))

    def release_orphaned_claims(self, now: datetime) -> int:
        """Return the claims of dead processes. Only for the holder of the worker's role."""
        gone = self._store.orphaned
        return self._store.write(lambda c: waits.release_orphaned(c, gone(c), now))

    def prune(self, before: datetime) -> int:
        """Delete rows untouched since ``before`` that hold nothing to remember; return how many.

        A settled row stays as long as its file: without it, renaming a reviewed file would count
        as an update, and the reviewer's comment would be overwritten.
        """
        return self._store.write_long(lambda c: claims.prune(c, before))

    # Questions.

    def next_claim(self, now: datetime) -> datetime | None:
        """Return when the next file may be claimed, None when nothing is due."""
        return self._store.read(lambda c: claims.next_claim(c, now, self.quota))

    def count_due(self, now: datetime, priority: int = LIVE) -> int:
        """Return how many files of this priority or a lower one are due at ``now``."""
        late = select(func.count()).where(files.c.due_at <= now, files.c.priority >= priority)
        return int(self._store.read(lambda c: c.execute(late).scalar_one()))

    def next_write_at(self, now: datetime, *, backfill: bool) -> datetime:
        """Return when a write (of a backfill) may be sent: now, or when the day has room."""
        priority = BACKFILL if backfill else LIVE
        return self._store.read(lambda c: next_write_at(c, now, self.quota, priority))

    def due(self, now: datetime, limit: int) -> list[Entry]:
        """Return due files without claiming them, to show what would be done."""
        late = select(files).where(files.c.due_at <= now).order_by(*claims.PRECEDENCE).limit(limit)

        def job(c: Connection) -> list[Entry]:
            common = baseline(c)
            return [entry_of(row, common) for row in c.execute(late)]

        return self._store.read(job)

    def baseline(self) -> Baseline:
        """Return what holds for every row, such as where our responsibility begins."""
        return self._store.read(baseline)

    def count_write(self, now: datetime) -> None:
        """Count a write that sets no comment: the portal has one daily limit for all writes."""
        self._store.write(lambda c: count_write(c, now))

    def entry(self, file_id: int) -> Entry:
        """Return what is known of a file; a blank entry for an unknown one."""

        def job(c: Connection) -> Entry:
            row = c.execute(select(files).where(files.c.id == file_id)).first()
            common = baseline(c)
            blank = Entry(file_id, common.since, common.portal_known)
            return entry_of(row, common) if row else blank

        return self._store.read(job)

    def known_file(self) -> int | None:
        """Return a file that was seen and needs nothing, None if there is none."""
        idle = (files.c.due_at.is_(None), files.c.settled_version.is_not(None))
        found = select(files.c.id).where(*idle).limit(1)
        return self._store.read(lambda c: c.execute(found).scalar())

    def file_row(self, file_id: int) -> Mapping[str, Any] | None:
        """Return the whole row of a file, to show it."""

        def job(c: Connection) -> Mapping[str, Any] | None:
            row = c.execute(select(files).where(files.c.id == file_id)).first()
            return None if row is None else dict(row._mapping)

        return self._store.read(job)


_CHUNK = 500  # ids asked for at once
_LISTED = ("accepted", "listed")
