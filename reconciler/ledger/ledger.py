"""The ledger of one portal: opens it, records events, and answers queries.

A row is due when ``due_at`` has passed. Each call is one short transaction. Related calls have an
object of their own: listings, claims, waits, watermarks, settings, reviews, health, ownership.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, inspect, or_, select

from reconciler.errors import LedgerCause, LedgerError
from reconciler.ledger import ownership
from reconciler.ledger.claims import PRECEDENCE, Claims
from reconciler.ledger.counters import count_write, next_write_at, reserve_requests
from reconciler.ledger.events import record
from reconciler.ledger.health import Health
from reconciler.ledger.listing import Listings
from reconciler.ledger.ownership import Ownership, another_portal, is_same_portal_url
from reconciler.ledger.reviews import Reviews
from reconciler.ledger.rows import BACKFILL, LIVE, Baseline, entry_of
from reconciler.ledger.settings import (
    FIRST_SWEEP,
    OWNER,
    PORTAL,
    PORTAL_KNOWN,
    SCHEMA,
    TARGETS,
    Pause,
    Settings,
    baseline,
    pause,
    paused,
)
from reconciler.ledger.store.databases import MEMORY, store_at
from reconciler.ledger.store.schema import VERSION, files, migrate, settings
from reconciler.ledger.store.store import IsHeld, Role, Store
from reconciler.ledger.waits import Waits
from reconciler.ledger.watermarks import Watermarks
from reconciler.model import (
    UNLIMITED,
    Entry,
    Event,
    Quota,
    Rule,
    Source,
)


class Ledger:
    """The ledger of one portal. Safe to share between threads."""

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
        wanted = None if any_portal else portal
        self._store, self._portal = _opened_store(url, wanted, read_only=read_only), portal
        self.read_only, self.shared = self._store.read_only, self._store.shared
        self.ownership = Ownership(self._store)
        self.watermarks, self.settings = Watermarks(self._store), Settings(self._store)
        self.claims, self.health = Claims(self._store, quota), Health(self._store, quota)
        self.listings, self.waits = Listings(self._store), Waits(self._store)
        self.reviews, self._quota = Reviews(self._store), quota

    # The process.

    def role(self, role: Role) -> AbstractContextManager[IsHeld]:
        """Hold ``role`` within the block. Raises RoleHeldError with the process that holds it.

        The yielded function tells whether the role is still held.
        """
        return self._store.role(role)

    def holder(self, role: Role) -> str | None:
        """Return the process that holds ``role``, None when it is free."""
        return self._store.holder(role)

    def processes(self) -> frozenset[str]:
        """Return the processes that hold any role now."""
        return self._store.processes()

    def clock(self, local: Callable[[], datetime]) -> Callable[[], datetime]:
        """Return the clock that all processes on this ledger share."""
        return self._store.clock(local)

    def refusal(self) -> LedgerError | None:
        """Return why a process could not write, as far as that is known without writing."""
        return self._store.refusal()

    def close(self) -> None:
        """Close the database; nothing can be read or written after that."""
        self._store.close()

    # The whole ledger.

    def owner(self) -> str | None:
        """Return the id of the key's owner, None before it is known."""
        return self.settings.get(OWNER)

    def set_owner(self, owner: str) -> None:
        """Store the key's owner. Files that another account was refused are due at once."""
        self._store.write(lambda c: ownership.set_owner(c, self._portal, owner))

    def set_origin(self, date: datetime, lookback: timedelta) -> None:
        """Fix the origin, once: ``lookback`` before ``date``. Older updates are not marked.

        For a file whose event was accepted earlier, it is ``lookback`` before that event. It is
        never later than the portal's present, even if the portal's clock was wrong once.
        """
        self._store.write(lambda c: ownership.set_origin(c, self._portal, date, lookback))

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
        """Stop claims for a while. A pause is never shortened by another.

        It belongs to the key's owner, and does not hold for another account's key.
        """
        self._store.write(lambda c: pause(c, now, length, reason))

    def paused(self, now: datetime) -> Pause | None:
        """Return the pause that holds at ``now``, None when there is none."""
        return self._store.read(lambda c: paused(c, now))

    def reserve(self, now: datetime, number: int, per_minute: int) -> float:
        """Count requests in the current minute; return 0, or the seconds to wait until they fit."""
        return self._store.write(lambda c: reserve_requests(c, now, number, per_minute))

    def prune(self, before: datetime) -> int:
        """Delete rows untouched since ``before`` that nothing depends on; return how many.

        A settled row stays as long as its file: without it, renaming a reviewed file would count
        as an update, and the reviewer's comment would be overwritten.
        """
        stale = func.coalesce(files.c.looked_at, files.c.event_at, files.c.touched_at) < before
        idle = and_(files.c.due_at.is_(None), files.c.claim.is_(None), files.c.pending == 0)
        empty = and_(files.c.settled_version.is_(None), files.c.intent_version.is_(None))
        gone = files.c.reason == Rule.GONE.value
        unused = delete(files).where(stale, idle, or_(empty, gone))
        return self._store.write_long(lambda c: c.execute(unused).rowcount)

    # Events.

    def record(self, event: Event, now: datetime, source: Source = Source.WEBHOOK) -> bool:
        """Make the event's file due, durably; False for an echo of our own comment."""
        return self._store.write_each(record, (event, now, source))

    # Queries.

    def count_due(self, now: datetime, priority: int = LIVE) -> int:
        """Return how many files of this priority or a lower one are due at ``now``."""
        late = select(func.count()).where(files.c.due_at <= now, files.c.priority >= priority)
        return int(self._store.read(lambda c: c.execute(late).scalar_one()))

    def next_write_at(self, now: datetime, *, backfill: bool) -> datetime:
        """Return when a write (of a backfill) may be sent: now, or when the quota allows it."""
        priority = BACKFILL if backfill else LIVE
        return self._store.read(lambda c: next_write_at(c, now, self._quota, priority))

    def due(self, now: datetime, limit: int) -> list[Entry]:
        """Return due files without claiming them, to show what would be done."""
        late = select(files).where(files.c.due_at <= now).order_by(*PRECEDENCE).limit(limit)

        def job(c: Connection) -> list[Entry]:
            common = baseline(c)
            return [entry_of(row, common) for row in c.execute(late)]

        return self._store.read(job)

    def baseline(self) -> Baseline:
        """Return the values that hold for every row, such as the origin."""
        return self._store.read(baseline)

    def count_write(self, now: datetime) -> None:
        """Count a write that sets no comment: the portal has one daily limit for all writes."""
        self._store.write(lambda c: count_write(c, now))

    def entry(self, file_id: int) -> Entry:
        """Return the entry of a file, a blank one for an unknown file."""

        def job(c: Connection) -> Entry:
            row = c.execute(select(files).where(files.c.id == file_id)).first()
            common = baseline(c)
            blank = Entry(file_id, common.since, common.portal_known)
            return entry_of(row, common) if row else blank

        return self._store.read(job)

    def known_file(self) -> int | None:
        """Return a settled file that is not due, None if there is none."""
        idle = (files.c.due_at.is_(None), files.c.settled_version.is_not(None))
        found = select(files.c.id).where(*idle).limit(1)
        return self._store.read(lambda c: c.execute(found).scalar())

    def file_row(self, file_id: int) -> Mapping[str, Any] | None:
        """Return the whole row of a file, to show it."""

        def job(c: Connection) -> Mapping[str, Any] | None:
            row = c.execute(select(files).where(files.c.id == file_id)).first()
            return None if row is None else dict(row._mapping)

        return self._store.read(job)


def _opened_store(url: str, portal: str | None, *, read_only: bool) -> Store:
    """Open the ledger with current tables; with a ``portal`` only if it belongs to that one.

    With ``read_only`` it is not changed, and a missing one is empty. Raises LedgerError.
    """
    store = store_at(url, read_only=read_only)
    try:
        if store.read_only and not store.read(_is_current):
            store.close()
            store = store_at(MEMORY)
        if not store.read_only:
            store.write_long(migrate)
        known = store.read(PORTAL.get)
        if portal is not None and known is not None and not is_same_portal_url(known, portal):
            raise another_portal(known, portal)
    except LedgerError:
        store.close()
        raise
    return store


def _is_current(c: Connection) -> bool:
    """Return whether the tables are current, False where there are none. Raises LedgerError."""
    tables = inspect(c).get_table_names()
    if not tables:
        return False
    found = SCHEMA.get(c) if settings.name in tables else None
    if found is None:
        raise LedgerError("this database holds tables of another program")
    if found != str(VERSION):
        raise LedgerError(
            f"the ledger has schema {found}, this reconciler reads {VERSION}: start the serve of "
            "this version, which brings it there, or install the newer reconciler",
            LedgerCause.STATED,
        )
    return True
