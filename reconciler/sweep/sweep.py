"""The sweep: finds every file that changed since the last one, with few requests (docspace.md 1.5).

Every content save raises the date of all folders above it (docspace.md 1.4), so two requests show
whether anything changed at all, and the list of rooms shows where. Once a day a full scan reads
every room whatever its date: back to its own watermark, and to the date up to which all rooms were
last read, since a file may have been moved from a room that failed to one that was read.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.client import DocSpace, FilePage, RoomPage
from reconciler.errors import ForbiddenError, PermanentError, TransientError
from reconciler.ledger import (
    SWEEP,
    UNDATED_UPDATES,
    EnqueueOptions,
    Ledger,
    ListedFile,
    UndatedUpdates,
)
from reconciler.model import Section
from reconciler.sweep.lister import Folder, Lister, Report, ScanSettings

_UNKNOWN_FOLDER = 0  # "My documents" where its id is not known


@dataclass(frozen=True)
class _State:
    """The state when the sweep begins: the portal's time ``date``, its watermark, and the origin.

    ``changed_after`` is the watermark less the overlap, ``watermarks`` are those of the folders,
    and ``since`` is the origin. ``reads_all`` is whether every room is read back to ``back_to``,
    the date up to which everything was seen: in a full scan, or after a change of the scope.
    ``lists_all`` is whether every room is listed, since a hidden one may be back.
    ``counts_undated`` is whether updates in rooms of unchanged dates are counted: not after a
    change of the scope, which adds updates of the past.
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
    counts_undated: bool


@dataclass(frozen=True)
class Sweep:
    """Sweeps one portal. ``clock`` only separates stale list items from fresh ones.

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
        """Sweep once. Raises PortalError or LedgerError; then the watermarks do not move."""
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
        watermarks = self.ledger.watermarks
        incomplete, hidden = set(watermarks.incomplete_rooms()), set(watermarks.hidden_rooms())
        if mine is not None and isinstance(mine.folder, int):
            folder = Folder(mine.folder, None, "My documents")
            missed = folder.id in incomplete | hidden
            if state.reads_all or mine.updated >= state.changed_after or missed:
                self._read(lister, folder, state)
            incomplete.discard(folder.id)
            hidden.discard(folder.id)
        if state.lists_all or rooms.updated >= state.changed_after:
            self._sweep_rooms(lister, incomplete, hidden, state)
        incomplete |= {room for room in hidden if self._is_back(room)}
        for room in sorted(incomplete):
            self._read(lister, Folder(room, room, ""), state)
        if watermarks.portal() is None:
            lister.set_portal_known()
        if not dry and _UNKNOWN_FOLDER not in lister.report.incomplete:
            self._save_progress(state, complete=not lister.report.incomplete)
            watermarks.set_rooms_total(rooms.total)
        if state.counts_undated and not dry:
            self._save_undated(state.date, lister.report)
        return lister.report

    def _save_undated(self, date: datetime, report: Report) -> None:
        """Store the undated updates of a full scan, until one that reads everything finds none."""
        if report.undated_updates:
            undated_updates = UndatedUpdates(date, report.undated_updates)
            self.ledger.settings.set(UNDATED_UPDATES, undated_updates)
        elif not report.incomplete:
            self.ledger.settings.set(UNDATED_UPDATES, None)

    def _save_progress(self, state: _State, *, complete: bool) -> None:
        """Store the watermarks of the portal as a whole, and the criteria."""
        watermarks, criteria = self.ledger.watermarks, self.settings.policy.criteria
        watermarks.set_portal(state.date)
        if state.full_scan:
            watermarks.set_full_scan(state.date)
        if state.full_scan and complete:
            watermarks.set_complete_scan(state.watermark)
        if complete and watermarks.criteria_changed(criteria) is not None:
            self.ledger.health.delete_texts(self.settings.policy.texts.is_portal_text)
        if complete:
            watermarks.set_criteria(criteria, state.watermark)

    def _is_back(self, room: int) -> bool:
        """Return whether a room that was archived, or closed to our account, is back."""
        try:
            files = self.docspace.room_files(room, count=1).files
        except (ForbiddenError, PermanentError, TransientError):
            return False
        return not any(file.section is Section.ARCHIVE for file in files)

    def _sweep_rooms(
        self, lister: Lister, incomplete: set[int], hidden: set[int], state: _State
    ) -> None:
        """Read every room that changed, newest first; remove it from the two sets."""
        changed_after, all_rooms = state.changed_after, state.lists_all
        for room in lister.rooms(lambda room: not all_rooms and room.updated < changed_after):
            if not isinstance(room.id, int):
                lister.is_wanted(room)
                continue
            known = state.watermarks.get(room.id, state.since)
            missed = room.updated >= min(changed_after, known) or room.id in incomplete
            if not lister.is_wanted(room):
                if missed and not room.active and not lister.dry:
                    self.ledger.watermarks.set_hidden(room.id)
                continue
            before = lister.report.found
            if state.reads_all or missed:
                self._read(lister, Folder(room.id, room.id, room.title), state)
                hidden.discard(room.id)
            if state.counts_undated and not missed:
                lister.report.undated_updates += lister.report.found - before
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
            # Its folder is not known, so the portal's watermark does not move.
            lister.report.incomplete.append(_UNKNOWN_FOLDER)
            return None

    def _state(self, lister: Lister, rooms: RoomPage, mine: FilePage | None) -> _State:
        newest = max(rooms.updated, mine.updated) if mine else rooms.updated
        date = rooms.date or newest
        since = lister.set_origin(date)
        watermarks = self.ledger.watermarks
        # A watermark or a full scan in the future would hide every update until then.
        watermark = min(watermarks.portal() or since, date)
        first = lister.baseline.first_sweep
        full_scan = date - min(watermarks.full_scan() or first, date) >= self.settings.full_every
        criteria = watermarks.criteria_changed(self.settings.policy.criteria)
        seen_to = [watermarks.complete_scan() or since] if full_scan else []
        seen_to += [max(criteria, since)] if criteria is not None else []
        lister.report.since, lister.report.until = watermark, date
        lister.report.full_scan = full_scan
        return _State(
            date=date,
            watermark=watermark,
            changed_after=watermark - self.settings.overlap,
            watermarks=watermarks.rooms(),
            full_scan=full_scan,
            since=since,
            back_to=min(seen_to, default=date),
            reads_all=bool(seen_to),
            lists_all=bool(seen_to) or rooms.total != watermarks.rooms_total(),
            counts_undated=full_scan and criteria is None,
        )
