"""The sweep: the cheapest way to every file that changed since the last one (docspace.md 1.5).

Every content save raises the date of all folders above it (docspace.md 1.4), so two questions
tell whether anything changed at all, and the list of rooms tells where. Once a day the dates
are not trusted, and a full scan reads every room: back to its own watermark, and to where all rooms
were last read together, since a file may have been moved from a room that failed to one that was
read.
"""

import threading
from collections.abc import Callable, Mapping
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
from reconciler.sweep.lister import Folder, Lister, Report, ScanSettings

_UNKNOWN_FOLDER = 0  # stands for "My documents" where its id is not known


@dataclass(frozen=True)
class _State:
    """What is known at the beginning: the portal's time, its watermark, and the beginning.

    ``changed_after`` is the watermark less the overlap, ``watermarks`` has each folder's own.
    ``reads_all`` is whether every room is read back to ``back_to``, the date up to which everything
    was seen: in a full scan, or after a change of the scope. ``lists_all`` is whether every room is
    listed: one may have come back.
    """

    date: datetime
    watermark: datetime
    changed_after: datetime
    watermarks: Mapping[int, datetime]
    since: datetime
    full_scan: bool
    back_to: datetime
    reads_all: bool
    lists_all: bool


@dataclass(frozen=True)
class Sweep:
    """Sweeps one portal. ``clock`` only tells stale list items from fresh ones.

    A sweep raises ShutdownRequested once ``stop`` is set.
    """

    ledger: Ledger
    docspace: DocSpace
    settings: ScanSettings
    clock: Callable[[], datetime]
    stop: threading.Event | None = None

    def run(
        self, *, dry: bool = False, on_file: Callable[[ListedFile], None] = lambda _: None
    ) -> Report:
        """Sweep once and report. Raises PortalError or LedgerError; the watermarks then stay."""
        lister = Lister(
            self.ledger,
            self.docspace,
            self.settings,
            self.clock,
            options=EnqueueOptions(priority=SWEEP),
            dry=dry,
            on_file=on_file,
            stop=self.stop,
        )
        rooms, mine = self.docspace.rooms(count=1), self._my_documents(lister)
        state = self._state(lister, rooms, mine)
        marks = self.ledger.watermarks
        incomplete, hidden = set(marks.incomplete_rooms()), marks.hidden_rooms()
        if mine is not None and isinstance(mine.folder, int):
            folder = Folder(mine.folder, None, "My documents")
            if state.reads_all or mine.updated >= state.changed_after or folder.id in incomplete:
                self._read(lister, folder, state)
            incomplete.discard(folder.id)
        if state.lists_all or rooms.updated >= state.changed_after:
            self._sweep_rooms(lister, incomplete, state)
        incomplete |= {room for room in hidden if self._is_back(room)}
        for room in sorted(incomplete):
            self._read(lister, Folder(room, room, ""), state)
        if marks.portal() is None:
            lister.set_portal_known()
        if not dry and _UNKNOWN_FOLDER not in lister.report.incomplete:
            self._note_progress(state, complete=not lister.report.incomplete)
            marks.set_rooms_total(rooms.total)
        if lister.report.hidden_updates and not dry:
            hidden_updates = HiddenUpdates(state.date, lister.report.hidden_updates)
            self.ledger.settings.set(HIDDEN_UPDATES, hidden_updates)
        return lister.report

    def _note_progress(self, state: _State, *, complete: bool) -> None:
        """Move the watermarks of the portal as a whole."""
        marks, criteria = self.ledger.watermarks, self.settings.policy.criteria
        marks.set_portal(state.date)
        if state.full_scan:
            marks.set_full_scan(state.date)
        if state.full_scan and complete:
            marks.set_complete_scan(state.watermark)
        if complete and marks.criteria_changed(criteria) is not None:
            self.ledger.health.delete_texts(self.settings.policy.texts.is_portal_text)
        if complete:
            marks.set_criteria(criteria, state.watermark)

    def _is_back(self, room: int) -> bool:
        """Ask whether a room that was archived, or closed to our account, is back."""
        try:
            files = self.docspace.room_files(room, count=1).files
        except (ForbiddenError, PermanentError, TransientError):
            return False
        return not any(file.section is Section.ARCHIVE for file in files)

    def _sweep_rooms(self, lister: Lister, incomplete: set[int], state: _State) -> None:
        """Read every room that changed, newest first; remove it from the incomplete ones."""
        changed_after, all_rooms = state.changed_after, state.lists_all
        for room in lister.rooms(lambda room: not all_rooms and room.updated < changed_after):
            if not isinstance(room.id, int):
                lister.wanted(room)
                continue
            known = state.watermarks.get(room.id, state.since)
            missed = room.updated >= min(changed_after, known) or room.id in incomplete
            if not lister.wanted(room):
                if missed and not room.active and not lister.dry:
                    self.ledger.watermarks.set_hidden(room.id)
                continue
            before = lister.report.to_mark
            if state.reads_all or missed:
                self._read(lister, Folder(room.id, room.id, room.title), state)
            if not missed:
                lister.report.hidden_updates += lister.report.to_mark - before
            incomplete.discard(room.id)

    def _read(self, lister: Lister, folder: Folder, state: _State) -> None:
        own = state.watermarks.get(folder.id, state.since)
        known = min(own, state.date, state.back_to)
        complete = lister.read(folder, known - self.settings.overlap)
        if complete and not lister.dry:
            self.ledger.watermarks.set_room(folder.id, state.date, folder.title)

    def _my_documents(self, lister: Lister) -> FilePage | None:
        """Return one item of "My documents", None where there are none to read."""
        try:
            return lister.my_documents()
        except TransientError:
            # Its folder is not known, so the portal's watermark waits for it.
            lister.report.incomplete.append(_UNKNOWN_FOLDER)
            return None

    def _state(self, lister: Lister, rooms: RoomPage, mine: FilePage | None) -> _State:
        newest = max(rooms.updated, mine.updated) if mine else rooms.updated
        date = rooms.date or newest
        since = lister.set_origin(date)
        marks = self.ledger.watermarks
        # A watermark ahead of the portal's clock would hide everything until then.
        watermark = min(marks.portal() or since, date)
        first = lister.baseline.first_sweep
        # So would a full scan that lies ahead.
        full_scan = date - min(marks.full_scan() or first, date) >= self.settings.full_every
        criteria = marks.criteria_changed(self.settings.policy.criteria)
        seen_to = [marks.complete_scan() or since] if full_scan else []
        seen_to += [max(criteria, since)] if criteria is not None else []
        lister.report.since, lister.report.until = watermark, date
        lister.report.full_scan = full_scan
        return _State(
            date=date,
            watermark=watermark,
            changed_after=watermark - self.settings.overlap,
            watermarks=marks.rooms(),
            full_scan=full_scan,
            since=since,
            back_to=min(seen_to, default=date),
            reads_all=bool(seen_to),
            lists_all=bool(seen_to) or rooms.total != marks.rooms_total(),
        )
