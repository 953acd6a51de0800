"""How far the portal has been read: watermarks of the portal and its rooms, scope, backfills.

All times are by the portal's clock. A room's row also has its title, to show it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from reconciler.ledger.settings import (
    COMPLETE_SCAN,
    CRITERIA,
    FULL_SCAN,
    ROOMS_TOTAL,
    WATERMARK,
    Criteria,
    LedgerSetting,
    Settings,
    time_setting,
)
from reconciler.ledger.store.schema import backfills, insert, rooms, upsert
from reconciler.ledger.store.store import Store
from reconciler.model import EPOCH


class Watermarks:
    """The progress of sweeps and backfills. Each call is one short transaction."""

    def __init__(self, store: Store) -> None:
        """Share the ledger's store."""
        self._store, self._settings = store, Settings(store)

    def portal(self) -> datetime | None:
        """Return up to when every room was listed, None before the first complete sweep."""
        return self._settings.get(WATERMARK)

    def set_portal(self, date: datetime) -> None:
        """Store that every room was listed up to ``date``."""
        self._settings.set(WATERMARK, date)

    def full_scan(self) -> datetime | None:
        """Return when the last full scan was."""
        return self._settings.get(FULL_SCAN)

    def set_full_scan(self, date: datetime) -> None:
        """Store that a full scan read every room at ``date``, or tried to."""
        self._settings.set(FULL_SCAN, date)

    def complete_scan(self) -> datetime | None:
        """Return up to when a full scan read every room without an error."""
        return self._settings.get(COMPLETE_SCAN)

    def set_complete_scan(self, date: datetime) -> None:
        """Store that every update up to ``date`` was seen, in any room."""
        self._settings.set(COMPLETE_SCAN, date)

    def rooms(self) -> dict[int, datetime]:
        """Return each room's own watermark."""
        found = select(rooms.c.id, rooms.c.watermark).where(rooms.c.watermark.is_not(None))
        return self._store.read(lambda c: {row.id: row.watermark for row in c.execute(found)})

    def incomplete_rooms(self) -> frozenset[int]:
        """Return the rooms that were not read to the end."""
        late = select(rooms.c.id).where(rooms.c.incomplete)
        return self._store.read(lambda c: frozenset(c.execute(late).scalars()))

    def hidden_rooms(self) -> frozenset[int]:
        """Return the hidden rooms: archived, or closed to our account."""
        found = select(rooms.c.id).where(rooms.c.hidden)
        return self._store.read(lambda c: frozenset(c.execute(found).scalars()))

    def set_room(self, room: int, date: datetime, title: str = "") -> None:
        """Store that the room was listed up to ``date``, and its title where it is known."""
        known = {"title": title} if title else {}
        self._put_room(room, {"watermark": date, "incomplete": False, "hidden": False} | known)

    def set_titles(self, titles: Mapping[int, str]) -> None:
        """Store the titles of rooms; only new ones are written."""
        found = select(rooms.c.id, rooms.c.title)
        known = self._store.read(lambda c: {row.id: row.title for row in c.execute(found)})
        new = {room: title for room, title in titles.items() if title and known.get(room) != title}

        def write(c: Connection) -> None:
            put = insert(c.dialect.name, rooms)
            newer = put.on_conflict_do_update(
                index_elements=["id"], set_={"title": put.excluded.title}
            )
            c.execute(newer, [{"id": room, "title": title} for room, title in new.items()])

        if new:
            self._store.write(write)

    def set_incomplete(self, room: int) -> None:
        """Store that the room was not read to the end: it keeps its watermark and is read again."""
        self._put_room(room, {"incomplete": True})

    def set_hidden(self, room: int) -> None:
        """Store that the room is hidden: it keeps its watermark until it is visible again."""
        self._put_room(room, {"incomplete": False, "hidden": True})

    def drop_room(self, room: int) -> None:
        """Store that the room is deleted: it is not read again."""
        leave = update(rooms).where(rooms.c.id == room).values(incomplete=False, hidden=False)
        self._store.write(lambda c: c.execute(leave))

    def rooms_total(self) -> int | None:
        """Return how many rooms the last complete sweep saw."""
        return self._settings.get(ROOMS_TOTAL)

    def set_rooms_total(self, total: int) -> None:
        """Store how many rooms there are: a change may mean that a hidden room is back."""
        if total != self.rooms_total():
            self._settings.set(ROOMS_TOTAL, total)

    def criteria_changed(self, criteria: str) -> datetime | None:
        """Return up to when every update in scope was seen, if the criteria have changed.

        None when they are the same; the epoch when they never held before.
        """
        known = self._criteria()
        return None if known.current in {None, criteria} else known.ended.get(criteria, EPOCH)

    def set_criteria(self, criteria: str, date: datetime) -> None:
        """Store the current criteria; the former ones ended at ``date``."""
        known = self._criteria()
        if known.current == criteria:
            return
        ended = dict(known.ended) if known.current is None else {**known.ended, known.current: date}
        ended.pop(criteria, None)
        self._settings.set(CRITERIA, Criteria(criteria, ended))

    def _criteria(self) -> Criteria:
        return self._settings.get(CRITERIA) or Criteria()

    def done_rooms(self, job: str) -> frozenset[int]:
        """Return the rooms that the backfill has finished."""
        found = select(backfills.c.room).where(backfills.c.job == job)
        return self._store.read(lambda c: frozenset(c.execute(found).scalars()))

    def set_done(self, job: str, room: int) -> None:
        """Store that the backfill has finished a room."""

        def write(c: Connection) -> None:
            put = insert(c.dialect.name, backfills).values(job=job, room=room)
            c.execute(put.on_conflict_do_nothing())

        self._store.write(write)

    def began(self, job: str, since: datetime) -> datetime:
        """Return the backfill's ``since``: that of its first run, else the given one."""

        def write(c: Connection) -> datetime:
            known = _began(job).get(c)
            if known is None:
                _began(job).set(c, since)
            return known or since

        return self._store.write(write)

    def complete(self, job: str) -> None:
        """Delete the backfill's checkpoints: the same command then starts from the beginning."""

        def write(c: Connection) -> None:
            c.execute(delete(backfills).where(backfills.c.job == job))
            _began(job).set(c, None)

        self._store.write(write)

    def _put_room(self, room: int, values: dict[str, Any]) -> None:
        self._store.write(lambda c: upsert(c, rooms, {"id": room}, values))


def hide_and_reset(c: Connection, room: int) -> None:
    """Hide a room, and read it from the beginning when it is visible again."""
    c.execute(update(rooms).where(rooms.c.id == room).values(watermark=None, hidden=True))


def _began(job: str) -> LedgerSetting[datetime]:
    return time_setting(f"backfill {job}")
