"""The values of the ledger's overview, and the records that are stored as settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.ledger.store.store import Role
from reconciler.model import OutageKind, Outcome, Source

BOUNDS = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)  # seconds; longer latencies have 0
_FIRST_RETRY, _LAST_RETRY = timedelta(minutes=1), timedelta(hours=1)
_GIVEN_UP = 2 * _LAST_RETRY
_VALID = timedelta(hours=1)  # the watch runs every few minutes


@dataclass(frozen=True)
class Notified:
    """The messages sent to an address of notifications, and its failures.

    ``name`` identifies the address without its secrets. Files marked up to ``marked_until`` were
    announced; the last reminder was at ``reminded_at``. ``alerts`` are the messages of open alerts,
    by kind. ``error`` is why the last ``failures`` messages in a row did not arrive, of which the
    first was sent at ``failing_since`` and the last at ``failed_at``.
    """

    name: str
    marked_until: datetime
    reminded_at: datetime | None = None
    alerts: Mapping[str, str] = field(default_factory=dict)
    failures: int = 0
    failing_since: datetime | None = None
    failed_at: datetime | None = None
    error: str = ""

    def is_due(self, now: datetime) -> bool:
        """Return whether it is time to send again. A failure dated in the future is ignored."""
        if self.failed_at is None or self.failed_at > now:
            return True
        wait = min(_FIRST_RETRY * (1 << min(self.failures - 1, 10)), _LAST_RETRY)
        return now - self.failed_at >= wait

    def is_failing(self, now: datetime) -> bool:
        """Return whether the last message did not arrive and is still retried."""
        return self.failed_at is not None and now - self.failed_at <= _GIVEN_UP


@dataclass(frozen=True)
class Queue:
    """The files to look at: ``depth`` is all of them, of which some are for a backfill or due now.

    ``oldest`` is since when the file that waits longest is due, ``next`` when the next file is due.
    ``due_live`` and ``oldest_live`` leave out the files of a backfill.
    """

    depth: int = 0
    backfill: int = 0
    due: int = 0
    oldest: datetime | None = None
    next: datetime | None = None
    due_live: int = 0
    oldest_live: datetime | None = None


@dataclass(frozen=True)
class UnfinishedFile:
    """A file that waits, failed or was refused, and will be looked at again."""

    file_id: int
    title: str
    outcome: Outcome
    reason: str
    error: str
    retry_at: datetime
    attempts: int
    looked_at: datetime | None


@dataclass(frozen=True)
class FileInReview:
    """A file that carried our comment when it was last seen, or a person's that was kept.

    ``room`` and its title are known where a listing had them; ``author`` saved the file last.
    ``marked_at`` is when we last set the comment, None where we never did. ``since`` is since when
    the file carries ours, not interrupted by a person's, or when the person's was first seen.
    ``comment`` is the person's.
    """

    file_id: int
    title: str
    version: int
    updated: datetime
    marked_at: datetime | None
    author: str
    room: int | None
    room_title: str
    since: datetime | None = None
    comment: str = ""


@dataclass(frozen=True)
class ReviewPage:
    """A page of the files that a query matches, and their total."""

    files: tuple[FileInReview, ...]
    total: int


@dataclass(frozen=True)
class RoomInReview:
    """A room, and how many files in it need review."""

    room: int
    title: str
    number: int


@dataclass(frozen=True)
class OutageRecord:
    """An outage: its kind, its beginning, and the portal's last error."""

    kind: OutageKind
    since: datetime
    reason: str


@dataclass(frozen=True)
class SweepRecord:
    """One sweep: the files that it ``enqueued`` for the worker, and the folders to read again.

    ``error`` is why it did not finish.
    """

    began: datetime
    seconds: float
    requests: int
    scanned: int = 0
    enqueued: int = 0
    incomplete_folders: int = 0
    full_scan: bool = False
    error: str = ""


@dataclass(frozen=True)
class LatencyHistogram:
    """The latencies of updates, from the save to our comment.

    ``buckets`` counts the updates up to each of `BOUNDS` and above the bound before it; under 0 it
    counts those above all bounds. ``seconds`` is the sum of all latencies.
    """

    buckets: Mapping[int, int]
    seconds: int

    @property
    def number(self) -> int:
        """How many updates there were."""
        return sum(self.buckets.values())

    def quantile(self, share: float) -> int | None:
        """Return within how many seconds this share had its comment; None: above all bounds."""
        done = 0
        for bound in BOUNDS:
            done += self.buckets.get(bound, 0)
            if done >= share * self.number:
                return bound
        return None


@dataclass(frozen=True)
class Overview:
    """How the service is doing at ``now``. Lists have the newest or the worst entries first.

    ``ended`` counts events and listings by outcome and reason. ``unfinished`` counts the files that
    wait, failed or were refused; ``files`` are the first of them. ``last_marked_at``
    is of any file, also of one that a person has decided on since. ``days`` counts the marked
    updates by day and by first source; ``latencies`` covers all days. ``holders`` are the processes
    by role. ``sweeping`` is since when a sweep is under way, ``next_sweep`` when the daemon's next
    sweep is scheduled, even if the daemon has stopped since. ``webhook`` is a recent problem of our
    webhook, and the hint. ``unknown_texts`` were kept as a person's and may be the
    portal's own. ``unreachable`` are the addresses that cannot be notified.
    """

    now: datetime
    queue: Queue
    accepted: int
    echoes: int
    ended: Mapping[tuple[str, str], int]
    unfinished: Mapping[Outcome, int]
    files: tuple[UnfinishedFile, ...]
    in_review: int
    reviews: tuple[FileInReview, ...]
    last_marked_at: datetime | None
    outages: tuple[OutageRecord, ...]
    paused_until: datetime | None
    paused_why: str
    backfill_until: datetime | None
    written: int
    sweeps: tuple[SweepRecord, ...]
    sweeping: datetime | None
    next_sweep: datetime | None
    incomplete_folders: int
    texts: tuple[tuple[str, int], ...]
    unknown_texts: tuple[str, ...]
    days: Mapping[datetime, Mapping[Source, int]]
    latencies: Mapping[Source, LatencyHistogram]
    holders: Mapping[Role, str] = field(default_factory=dict)
    webhook: str = ""
    unreachable: tuple[Notified, ...] = ()

    @property
    def serving(self) -> bool:
        """Whether a process has the role of the sweep: the daemon, or a reconcile while it runs."""
        return Role.SWEEP in self.holders

    def number_from(self, source: Source) -> int:
        """Return how many updates ``source`` detected first, over all days."""
        return self.latencies[source].number if source in self.latencies else 0


class WebhookState(StrEnum):
    """Whether our webhook delivers, and if not, why."""

    OK = "ok"
    UNSEEN = "unseen"  # not visible: another account may own it
    MISSING = "missing"
    DISABLED = "disabled"
    ADDRESS = "address"  # it calls another one
    SIGNATURE = "signature"  # the receiver refuses the portal's
    TRIGGERS = "triggers"  # it lacks some


@dataclass(frozen=True)
class WebhookRecord:
    """The state of our webhook ``at`` a time: its problem, and the hint.

    ``last_success`` and ``last_failure`` are the portal's wall-clock times, empty for never: their
    zone is not known (docspace.md 3).
    """

    state: WebhookState
    at: datetime
    reason: str = ""
    hint: str = ""
    id: int | None = None
    url: str = ""
    last_success: str = ""
    last_failure: str = ""
    failure: str = ""

    @property
    def has_problem(self) -> bool:
        """Whether deliveries are known to be lost."""
        return self.state not in {WebhookState.OK, WebhookState.UNSEEN}

    def is_recent(self, now: datetime) -> bool:
        """Return whether the record is recent: a running watch renews it every few minutes."""
        return now - self.at <= _VALID
