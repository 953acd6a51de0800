"""Reads folders for a sweep or a backfill: ingests and counts their files, or skips a folder."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.client import DocSpace, FilePage, Room
from reconciler.decision import Policy
from reconciler.errors import ForbiddenError, PermanentError, ShutdownRequested, TransientError
from reconciler.ledger import Baseline, EnqueueOptions, Ledger, ListedFile
from reconciler.model import EPOCH, Action, File, Outcome, Rule
from reconciler.sweep.paging import read_folder
from reconciler.sweep.planning import PageContext, plan_changes

_NOT_FOUND = 404
_INACTIVE = (Outcome.SKIPPED, Rule.SECTION.value)  # files that lie in an archived room
_MAX_FAILURES = 3  # failing folders in a row, after which the portal may be the cause


@dataclass(frozen=True)
class ScanSettings:
    """The settings of sweeps and backfills."""

    policy: Policy
    overlap: timedelta
    lookback: timedelta
    full_every: timedelta


@dataclass(frozen=True)
class Folder:
    """A room, or "My documents" where ``room`` is None. ``id`` is the key of its watermark."""

    id: int
    room: int | None
    title: str


@dataclass
class Report:
    """Counts of one sweep or backfill. Scanned files have ended, or were enqueued.

    ``skipped`` counts the folders that were skipped, by reason. ``incomplete`` are those that were
    not read to the end, ``broken`` the files of which a listing showed only the id.
    ``to_mark`` counts the updates, ``found`` those that were not due already, and
    ``undated_updates`` those found by a full scan in rooms whose dates did not show any.
    """

    since: datetime | None = None
    until: datetime | None = None
    scanned: int = 0
    ended: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    enqueued: int = 0
    to_mark: int = 0
    found: int = 0
    undated_updates: int = 0
    folders: int = 0
    full_scan: bool = False
    skipped: Counter[str] = field(default_factory=Counter)
    incomplete: list[int] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    _enqueued_ids: set[int] = field(default_factory=set)

    def count(self, listed: ListedFile) -> None:
        """Count one listed file."""
        self.scanned += 1
        if listed.outcome is None:
            self.enqueued += 1
            is_update = listed.decision.action is Action.MARK
            self.to_mark += is_update
            self.found += is_update and not listed.was_due
            if isinstance(listed.file.id, int):
                self._enqueued_ids.add(listed.file.id)
        else:
            self.ended[listed.outcome, listed.decision.rule.value] += 1

    def count_broken(self, ids: Sequence[int]) -> list[int]:
        """Count files of which a listing showed only the id; return those not counted before."""
        fresh = [number for number in ids if number not in self.broken]
        self.broken.update(fresh)
        self.scanned += len(fresh)
        self.enqueued += len(fresh)
        self._enqueued_ids.update(fresh)
        return fresh

    def take_enqueued(self) -> set[int]:
        """Return the files that were enqueued since the last call."""
        taken, self._enqueued_ids = self._enqueued_ids, set()
        return taken

    def number(self, outcome: Outcome) -> int:
        """Return how many files had this outcome."""
        return sum(n for (ended, _), n in self.ended.items() if ended is outcome)


class Lister:
    """Reads folders for one sweep or backfill. With ``dry`` nothing is written to the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        docspace: DocSpace,
        settings: ScanSettings,
        clock: Callable[[], datetime],
        *,
        options: EnqueueOptions,
        dry: bool = False,
        on_file: Callable[[ListedFile], None] = lambda _: None,
        stop: threading.Event | None = None,
    ) -> None:
        """Call ``on_file`` for each listed file; raise ShutdownRequested once ``stop`` is set."""
        self._stop = stop or threading.Event()
        self._ledger, self._docspace = ledger, docspace
        self._policy, self._lookback = settings.policy, settings.lookback
        self._clock, self._options, self.dry, self._on_file = clock, options, dry, on_file
        self._failures = 0
        self.baseline = Baseline()
        self.report = Report()

    def set_origin(self, date: datetime) -> datetime:
        """Fix the origin, once, and return it; a dry run assumes it without storing it."""
        if not self.dry:
            self._ledger.set_origin(date, self._lookback)
        known = self._ledger.baseline()
        if known.first_sweep == EPOCH:
            known = known._replace(since=date - self._lookback, first_sweep=date)
        self.baseline = known
        return known.since

    def set_portal_known(self) -> None:
        """Store that the portal writes texts that we know, if a sample of comments shows it.

        Only the first sweep does this: later, any sample may be a person's text. That the portal
        writes none is decided by a look that depends on it, with the file's history.
        """
        if self.baseline.portal_known is None and not self.dry:
            with suppress(TransientError):
                if self._policy.recognizes(self._docspace.sample_comments()):
                    self._ledger.set_portal_known(True)

    def _check_portal(self, files: Sequence[File]) -> None:
        """Find out whether the portal writes texts that we know, before any text is classified."""
        before, sample = self.baseline.portal_known, self._docspace.sample_comments
        known = self._policy.knows_portal(before, (f for f in files if f.comment), sample)
        self.baseline = self.baseline._replace(portal_known=known)
        if known not in {None, before} and not self.dry:
            self._ledger.set_portal_known(known is True)

    def rooms(self, until: Callable[[Room], bool]) -> list[Room]:
        """Return the rooms until ``until`` is true (`DocSpace.all_rooms`), and store their titles.

        A file that came by event is shown with its room's title.
        """
        found = self._docspace.all_rooms(until)
        if not self.dry:
            titles = {room.id: room.title for room in found if isinstance(room.id, int)}
            self._ledger.watermarks.set_titles(titles)
        return found

    def my_documents(self) -> FilePage | None:
        """Return one item of "My documents"; None where they are not reviewed, or there are none.

        Raises TransientError.
        """
        if not self._policy.scope.holds_personal:
            return None
        try:
            return self._docspace.my_files(count=1)
        except (ForbiddenError, PermanentError):
            self.report.skipped["personal"] += 1
            return None

    def is_wanted(self, room: Room) -> bool:
        """Return whether a room is to be read at all; count it as skipped otherwise."""
        if not isinstance(room.id, int):
            self.report.skipped["third_party"] += 1
        elif not room.active:
            self.report.skipped["section"] += 1
        elif not self._policy.scope.holds_room(room.id):
            self.report.skipped["scope"] += 1
        else:
            return True
        return False

    def read(self, folder: Folder, back_to: datetime | None, until: datetime | None = None) -> bool:
        """Ingest a folder's files back to ``back_to``; return whether none was missed.

        Raises PortalError when the portal as a whole fails. A folder that cannot be read now
        is read again by the next sweep, and does not stop the others.
        """
        self.report.folders += 1
        inactive = self.report.ended[_INACTIVE]
        try:
            complete = read_folder(
                lambda start: self._page(folder, start),
                back_to,
                lambda page, files: self._ingest_page(page, files, back_to, until),
            )
        except ForbiddenError:
            return self._skip(folder, "forbidden")
        except PermanentError as error:
            if error.status == _NOT_FOUND:
                return self._skip(folder, "gone")
            complete = False
        except TransientError:
            self._failures += 1
            if self._failures >= _MAX_FAILURES:
                self._docspace.key()  # raises when the portal fails, and not only these folders
                self._failures = 0
            complete = False
        else:
            self._failures = 0
        if complete and self.report.ended[_INACTIVE] > inactive:
            return self._skip(folder, "section")
        if not complete:
            self.report.incomplete.append(folder.id)
            if not self.dry:
                self._ledger.watermarks.set_incomplete(folder.id)
        return complete

    def _skip(self, folder: Folder, reason: str) -> bool:
        """Skip a folder that is gone or hidden; a hidden one keeps its watermark."""
        self.report.skipped[reason] += 1
        if not self.dry and reason == "gone":
            self._ledger.watermarks.drop_room(folder.id)
        elif not self.dry:
            self._ledger.watermarks.set_hidden(folder.id)
        return False

    def _page(self, folder: Folder, start: int) -> FilePage:
        if self._stop.is_set():
            raise ShutdownRequested(folder.title)
        self._asked = self._clock()
        if folder.room is None:
            return self._docspace.my_files(start)
        return self._docspace.room_files(folder.room, start)

    def _ingest_page(
        self,
        page: FilePage,
        files: Sequence[File],
        back_to: datetime | None,
        until: datetime | None,
    ) -> None:
        self._check_portal(files)
        inside = [f for f in files if _is_between(f.revision.updated, back_to, until)]
        for listed in self._ingest(inside):
            self.report.count(listed)
            self._on_file(listed)
        self._enqueue_broken(page.broken)

    def _ingest(self, files: Sequence[File]) -> list[ListedFile]:
        """Settle the files that the listing settles, and enqueue those that need a look."""
        asked, now, since = self._asked, self._clock(), self._options.since
        baseline = self.baseline._replace(
            since=min(self.baseline.since, since or self.baseline.since)
        )
        rows = self._ledger.listings.rows([file.id for file in files], baseline)
        page = PageContext(self._policy, self._options, asked, now)
        changes = plan_changes(files, rows, page)
        if self.dry:
            return [change.listed for change in changes]
        return self._ledger.listings.apply(changes, self._options, now)

    def _enqueue_broken(self, broken: Sequence[int]) -> None:
        fresh = self.report.count_broken(broken)
        if fresh and not self.dry:
            self._ledger.listings.enqueue(fresh, self._options, self._clock())


def _is_between(date: datetime, back_to: datetime | None, until: datetime | None) -> bool:
    return (back_to is None or date >= back_to) and (until is None or date <= until)
