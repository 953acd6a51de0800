"""The sweep: the cheapest way to every file that changed since the last one (docspace.md 1.5).

Every content save raises the date of all folders above it (docspace.md 1.4), so two questions
tell whether anything changed at all, and the list of rooms tells where. Once a day the dates
are not believed and every room is read: back to its own watermark, and to where all rooms were
last read together, since a file may have been moved from a room that failed to one that was read.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.client import DocSpace, FilePage, RoomPage
from reconciler.errors import ForbiddenError, PermanentError, TransientError
from reconciler.ledger import (
    HIDDEN_UPDATES,
    SWEEP,
    EnqueueOptions,
    HiddenUpdates,
    Ledger,
    ListedFile,
)
from reconciler.model import Section
from reconciler.sweep.lister import Folder, Lister, ScanSettings
from reconciler.sweep.report import Report

__all__ = ["ScanSettings", "Sweep"]

_MINE = 0  # stands for "My documents" where its id is not known


@dataclass(frozen=True)
class _State:
    """What is known at the beginning: the portal's time, its watermark, and the beginning.

    ``widened`` says that every room is read back to ``back_to``, up to when everything was seen:
    all rooms together, for a deep sweep, or all that is in reach now, where that was changed.
    ``all_rooms`` says that every room is looked at: one may have come back.
    """

    date: datetime
    watermark: datetime
    since: datetime
    deep: bool
    back_to: datetime
    widened: bool
    all_rooms: bool


class Sweep:
    """Sweeps one portal. ``clock`` is only used to tell stale list items from fresh ones."""

    def __init__(
        self,
        ledger: Ledger,
        docspace: DocSpace,
        terms: ScanSettings,
        clock: Callable[[], datetime],
        stop: threading.Event | None = None,
    ) -> None:
        """Start nothing; a sweep ends with Stopped when ``stop`` is set."""
        self._stop = stop
        self._ledger, self._docspace, self._terms, self._clock = ledger, docspace, terms, clock

    def run(
        self, *, dry: bool = False, on_file: Callable[[ListedFile], None] = lambda _: None
    ) -> Report:
        """Sweep once and report. Raises PortalError or LedgerError; the watermarks then stay."""
        lister = Lister(
            self._ledger,
            self._docspace,
            self._terms,
            self._clock,
            options=EnqueueOptions(priority=SWEEP),
            dry=dry,
            on_file=on_file,
            stop=self._stop,
        )
        rooms, mine = self._docspace.rooms(count=1), self._mine(lister)
        state = self._state(lister, rooms, mine)
        marks = self._ledger.watermarks
        own, behind, hidden = marks.rooms(), set(marks.incomplete_rooms()), marks.hidden_rooms()
        changed_after = state.watermark - self._terms.overlap
        if mine is not None and isinstance(mine.folder, int):
            folder = Folder(mine.folder, None, "My documents")
            if state.widened or mine.updated >= changed_after or folder.id in behind:
                self._read(lister, folder, own, state, dry)
            behind.discard(folder.id)
        if state.all_rooms or rooms.updated >= changed_after:
            self._sweep_rooms(lister, own, behind, state, dry)
        behind |= {room for room in hidden if self._is_back(room)}
        for room in sorted(behind):
            self._read(lister, Folder(room, room, ""), own, state, dry)
        if marks.portal() is None:
            lister.set_portal_known()
        if not dry and _MINE not in lister.report.incomplete:
            self._note_progress(state, complete=not lister.report.incomplete)
            marks.set_rooms_total(rooms.total)
        if lister.report.hidden and not dry:
            hidden_updates = HiddenUpdates(state.date, lister.report.hidden)
            self._ledger.settings.set(HIDDEN_UPDATES, hidden_updates)
        return lister.report

    def _note_progress(self, state: _State, *, complete: bool) -> None:
        """Move the watermarks of the portal as a whole."""
        marks, reach = self._ledger.watermarks, self._terms.policy.reach
        marks.set_portal(state.date)
        if state.deep:
            marks.set_full_scan(state.date)
        if state.deep and complete:
            marks.set_complete_scan(state.watermark)
        if complete and marks.reach_changed(reach) is not None:
            self._ledger.health.forget_texts(self._terms.policy.texts.is_portals)
        if complete:
            marks.set_reach(reach, state.watermark)

    def _is_back(self, room: int) -> bool:
        """Ask whether a room that was archived, or closed to our account, is back."""
        try:
            files = self._docspace.room_files(room, count=1).files
        except (ForbiddenError, PermanentError, TransientError):
            return False
        return not any(file.section is Section.ARCHIVE for file in files)

    def _sweep_rooms(
        self,
        lister: Lister,
        own: dict[int, datetime],
        behind: set[int],
        state: _State,
        dry: bool,
    ) -> None:
        """Read every room that changed, newest first; take it from those that are behind."""
        changed_after = state.watermark - self._terms.overlap
        for room in lister.rooms(lambda room: not state.all_rooms and room.updated < changed_after):
            if not isinstance(room.id, int):
                lister.wanted(room)
                continue
            known = own.get(room.id, state.since)
            missed = room.updated >= min(changed_after, known) or room.id in behind
            if not lister.wanted(room):
                if missed and not room.active and not dry:
                    self._ledger.watermarks.set_hidden(room.id)
                continue
            before = lister.report.to_mark
            if state.widened or missed:
                self._read(lister, Folder(room.id, room.id, room.title), own, state, dry)
            if not missed:
                lister.report.hidden += lister.report.to_mark - before
            behind.discard(room.id)

    def _read(
        self,
        lister: Lister,
        folder: Folder,
        own: dict[int, datetime],
        state: _State,
        dry: bool,
    ) -> None:
        known = min(own.get(folder.id, state.since), state.date, state.back_to)
        complete = lister.read(folder, known - self._terms.overlap)
        if complete and not dry:
            self._ledger.watermarks.set_room(folder.id, state.date, folder.title)

    def _mine(self, lister: Lister) -> FilePage | None:
        """Ask for "My documents", if they are reviewed and the account has any."""
        scope = self._terms.policy.scope
        if not scope.personal or scope.rooms:
            return None
        try:
            return self._docspace.my_files(count=1)
        except (ForbiddenError, PermanentError):
            lister.report.skipped["personal"] += 1
            return None
        except TransientError:
            # Its folder is not known, so the portal's watermark waits for it.
            lister.report.incomplete.append(_MINE)
            return None

    def _state(self, lister: Lister, rooms: RoomPage, mine: FilePage | None) -> _State:
        newest = max(rooms.updated, mine.updated) if mine else rooms.updated
        date = rooms.date or newest
        since = lister.set_origin(date)
        marks = self._ledger.watermarks
        # A watermark ahead of the portal's clock would hide everything until then.
        watermark = min(marks.portal() or since, date)
        first = lister.baseline.first_sweep
        # So would a full scan that lies ahead.
        deep = date - min(marks.full_scan() or first, date) >= self._terms.full_every
        reach = marks.reach_changed(self._terms.policy.reach)
        seen_to = [marks.complete_scan() or since] if deep else []
        seen_to += [max(reach, since)] if reach is not None else []
        lister.report.since, lister.report.until, lister.report.full_scan = watermark, date, deep
        return _State(
            date=date,
            watermark=watermark,
            deep=deep,
            since=since,
            back_to=min(seen_to, default=date),
            widened=bool(seen_to),
            all_rooms=bool(seen_to) or rooms.total != marks.rooms_total(),
        )
