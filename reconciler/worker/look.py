"""A look at one file, and the decision on it: for the worker, `explain` and dry runs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.client import DocSpace
from reconciler.decision import Policy, decide
from reconciler.errors import TransientError
from reconciler.ledger import Ledger
from reconciler.model import EPOCH, Absent, Decision, Entry, File, Section

_MAX_SAMPLES = 3  # attempts to learn whether the portal is known
_ROOM_CACHED = timedelta(minutes=5)


@dataclass(frozen=True)
class Look:
    """The file that a look showed, None where the portal shows none, and the decision on it."""

    file: File | None
    decision: Decision


class Looker:
    """Looks at files.

    A look may fix the origin and show whether the portal is known. Both are stored, unless the
    ledger is read-only.
    """

    def __init__(
        self,
        ledger: Ledger,
        docspace: DocSpace,
        policy: Policy,
        lookback: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        """``lookback`` sets the origin if a look comes before the first sweep."""
        self._ledger, self._docspace, self._policy = ledger, docspace, policy
        self._lookback, self._clock = lookback, clock
        self._rooms: dict[int | str, tuple[int | None, datetime]] = {}
        self._failed_samples = 0

    def look(self, entry: Entry) -> Look:
        """Ask for the file and decide. Raises PortalError."""
        seen = self._docspace.file(entry.id)
        if isinstance(seen, Absent):
            return Look(None, decide(seen, entry, self._policy))
        now = self._clock()
        entry = self._with_portal(self._with_origin(entry, seen, now), seen)
        file = self._with_room(seen, now)
        return Look(file, decide(file, entry, self._policy))

    def _with_origin(self, entry: Entry, file: File, now: datetime) -> Entry:
        """Return the entry with the origin, which the first look fixes before the first sweep."""
        if entry.since != EPOCH:
            return entry
        date = file.read_at or now
        if self._ledger.read_only:
            return replace(entry, since=date - self._lookback)
        self._ledger.set_origin(date, self._lookback)
        return self._ledger.entry(entry.id)

    def _with_portal(self, entry: Entry, file: File) -> Entry:
        """Return the entry with ``portal_known``; store a new answer."""
        known = self._knows_portal(entry, file)
        if known not in {None, entry.portal_known} and not self._ledger.read_only:
            self._ledger.set_portal_known(known is True)
        return replace(entry, portal_known=known)

    def _knows_portal(self, entry: Entry, file: File) -> bool | None:
        try:
            sample = self._docspace.sample_comments
            return self._policy.knows_portal(entry.portal_known, [file], sample)
        except TransientError:
            # These requests go beyond the tutorial's (docspace.md 9), and may always fail.
            self._failed_samples += 1
            if self._failed_samples < _MAX_SAMPLES:
                raise
            return None

    def _with_room(self, file: File, now: datetime) -> File:
        """Return the file with the room of its folder: a look shows none (docspace.md 1.1)."""
        folder = file.folder
        if not self._policy.scope.by_room or file.section is not Section.ROOMS:
            return file
        if isinstance(folder, str):
            return file
        room, known = self._rooms.get(folder, (None, EPOCH))
        if not timedelta() <= now - known <= _ROOM_CACHED:
            room = self._docspace.room_of(folder)
            self._rooms[folder] = (room, now)
        return replace(file, room=room)
