"""Values that pass between the packages: files, revisions, events, entries, decisions, results.

All are frozen; all times are aware UTC; dictionaries from JSON stop at `client` and `event`.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum

from reconciler.formats import LAST_NUMBER

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LAST_FILE_ID = 2**31 - 1  # ids of internal files are int32 (docspace.md 5)


@dataclass(frozen=True)
class Revision:
    """One state of a file's content, as far as the portal shows it (docspace.md 4.3).

    ``version`` alone is not enough: a forcesave replaces the content of the same version.
    """

    version: int
    updated: datetime
    size: int


class Section(Enum):
    """Where in the portal a file lies: the kind of its root folder (docspace.md 9)."""

    ROOMS = "rooms"
    PERSONAL = "personal"
    TRASH = "trash"
    ARCHIVE = "archive"
    TEMPLATES = "templates"
    AI_AGENTS = "ai_agents"
    OTHER = "other"


@dataclass(frozen=True)
class File:
    """A file as the portal showed it, in a look or in a listing.

    ``created`` is None, and ``folder`` empty, where the portal sends none; then they identify
    nothing. ``room`` is None where it was not asked for. ``locked`` means locked by someone else.
    ``read_at`` is the portal's own time of the answer (its ``Date``), None without that header.
    """

    id: int | str
    title: str
    created: datetime | None
    revision: Revision
    comment: str
    section: Section
    folder: int | str
    updated_by: str
    updated_by_name: str = ""
    room: int | None = None
    provider: str | None = None
    locked: bool = False
    editable: bool = True
    read_at: datetime | None = None


class Absent(Enum):
    """Why the portal shows no file: it is gone, or not readable by the account (docspace.md 2)."""

    GONE = "gone"
    UNREADABLE = "unreadable"


class Source(StrEnum):
    """The first source of an update: what announced that a file may have changed."""

    WEBHOOK = "webhook"
    LOG = "log"  # the webhook's delivery log, which lists failed deliveries
    SWEEP = "sweep"
    BACKFILL = "backfill"

    @property
    def label(self) -> str:
        """Its name on the page and in `status`."""
        return {"log": "delivery log", "sweep": "sweep only"}.get(self, self.value)


class OutageKind(StrEnum):
    """The kinds of outages. An outage ends with the first success of the requests it concerns."""

    DEAD_KEY = "dead_key"
    LOOKS = "looks"
    WRITES = "writes"
    RATE_LIMITED = "rate_limited"


@dataclass(frozen=True)
class Event:
    """An authentic delivery: its file, its author, and the file's date then."""

    id: int
    trigger: str
    file: int
    title: str
    author: str
    modified: datetime | None


@dataclass(frozen=True)
class Intent:
    """A write that was begun: the revision it is meant for, and the comment before it."""

    revision: Revision
    before: str


@dataclass(frozen=True)
class Entry:
    """The stored state of one file. An unknown file is an entry with an id alone.

    ``since`` is the origin: updates before it are not marked. ``portal_known`` is whether this
    portal has shown a text of its own that we know, None while that is unknown. ``announced`` is
    whether an event led to this look, ``announced_date`` the newest date that an event gave the
    file, and ``overwrite`` whether a backfill asked to overwrite comments.

    ``settled`` is the last revision that needs nothing more. ``marked_by_us`` is whether it was
    settled with the target as its comment, else a person's comment was kept. ``marked_version``
    is the last version that carried the target.

    ``attempts`` counts the failures in a row, ``locked_looks`` the looks in a row that found a
    lock, and ``early_looks`` those since the last event that showed an older date than the event's.
    """

    id: int
    since: datetime = EPOCH
    portal_known: bool | None = None
    announced: bool = False
    announced_date: datetime | None = None
    overwrite: bool = False
    created: datetime | None = None
    settled: Revision | None = None
    marked_by_us: bool = False
    marked_version: int | None = None
    intent: Intent | None = None
    touched_at: datetime | None = None
    attempts: int = 0
    locked_looks: int = 0
    early_looks: int = 0

    def reset(self) -> "Entry":
        """Return the entry without the values of another file with the same id."""
        return replace(
            self, created=None, settled=None, marked_by_us=False, marked_version=None, intent=None
        )


@dataclass(frozen=True)
class Claim:
    """A due entry that this process may work on until the lease ends; ``token`` proves it."""

    entry: Entry
    token: str


@dataclass(frozen=True)
class Quota:
    """How many writes may be sent in any 24 hours, and how many of them by backfills."""

    per_day: int
    backfill: int


UNLIMITED = Quota(LAST_NUMBER, LAST_NUMBER)


class Outcome(StrEnum):
    """The outcome of an accepted event or a listed file; each has exactly one."""

    MARKED = "marked"
    ALREADY = "already"
    KEPT = "kept"
    SKIPPED = "skipped"
    REFUSED = "refused"
    WAITING = "waiting"
    FAILED = "failed"


UNFINISHED_OUTCOMES = (Outcome.FAILED, Outcome.REFUSED, Outcome.WAITING)
"""The outcomes after which a file is looked at again, as they are listed."""


class Action(Enum):
    """The action of a decision. Only MARK writes to the portal; only the settling ones settle."""

    MARK = "mark"
    SETTLE_MARKED = "settle as marked by us"
    SETTLE_KEPT = "settle as kept for a person"
    LEAVE = "settle nothing"
    WAIT = "look again later"
    LOOK = "look: a list item does not tell"


class Rule(Enum):
    """The rows of the decision table and its gates: (name, row, action, outcome, description).

    ``row`` is the number in the table of design.md; a gate has None.
    """

    row: int | None
    action: Action
    outcome: Outcome | None
    description: str

    THIRD_PARTY = ("third_party", 1, Action.LEAVE, Outcome.REFUSED, "third-party storage")
    GONE = ("gone", 2, Action.LEAVE, Outcome.SKIPPED, "gone")
    UNREADABLE = (
        *("unreadable", 2, Action.LEAVE, Outcome.SKIPPED),
        "not readable by the key's account",
    )
    SECTION = (
        *("section", 3, Action.LEAVE, Outcome.SKIPPED),
        "in trash, archive, templates or an agent's room",
    )
    SCOPE = ("scope", 4, Action.LEAVE, Outcome.SKIPPED, "outside the configured scope")
    ALREADY = ("already", 6, Action.SETTLE_MARKED, Outcome.ALREADY, "carries the comment already")
    ANSWERED = (
        *("answered", 7, Action.SETTLE_KEPT, Outcome.KEPT),
        "a person replaced our comment",
    )
    UNMARKED = (
        *("kept_unmarked", 7, Action.SETTLE_KEPT, Outcome.KEPT),
        "a person's comment is on a version that was never marked",
    )
    CHANGED = (
        *("changed", 8, Action.SETTLE_KEPT, Outcome.KEPT),
        "the comment of a settled version was changed by a person",
    )
    UNLOCKED = (
        *("unlocked", 9, Action.SETTLE_KEPT, Outcome.KEPT),
        "unlocking wiped a person's comment, not ours",
    )
    NEW = ("new", 10, Action.LEAVE, Outcome.SKIPPED, "new, not updated")
    OLD = ("old", 11, Action.LEAVE, Outcome.SKIPPED, "updated before the origin")
    UPDATED = ("updated", 12, Action.MARK, Outcome.MARKED, "updated")
    RESTORED = ("restored", 12, Action.MARK, Outcome.MARKED, "unlocking wiped our comment")
    LOCKED = ("locked", None, Action.WAIT, Outcome.WAITING, "locked by someone else")
    FORBIDDEN = (
        *("forbidden", None, Action.WAIT, Outcome.REFUSED),
        "the key's account may not comment",
    )
    EARLY = (
        *("early", None, Action.WAIT, Outcome.WAITING),
        "the portal does not yet show the update that it announced",
    )
    OBSERVED = ("observed", None, Action.LEAVE, Outcome.SKIPPED, "observing only: would mark")
    STALE = ("stale", None, Action.LOOK, None, "listed before the last write or settling")

    def __new__(
        cls, name: str, row: int | None, action: Action, outcome: Outcome | None, description: str
    ) -> "Rule":
        """Keep the name as the value; the rest are attributes."""
        rule = object.__new__(cls)
        rule._value_ = name
        rule.row, rule.action, rule.outcome, rule.description = row, action, outcome, description
        return rule


@dataclass(frozen=True)
class Decision:
    """The decision on a file: the first rule that matched, which has the action.

    ``retry_after`` is the delay after which the file is looked at again. ``is_new_identity`` is
    whether the entry was about another file of the same id, or about a portal that was restored.
    """

    rule: Rule
    retry_after: timedelta | None = None
    is_new_identity: bool = False

    @property
    def action(self) -> Action:
        """The action of the rule."""
        return self.rule.action


class AttemptReason(Enum):
    """Why an attempt ended other than by a rule or an error of the portal: (name, description)."""

    description: str

    QUOTA_EXHAUSTED = ("quota_exhausted", "the writes of a day are used up")
    WRITES_FAIL = ("writes_fail", "writes fail, and another file probes whether they work again")
    ALTERED = ("altered", "the portal stored another text than our comment")
    LOOP = ("loop", "our comment was undone more than five times within an hour")
    BUG = ("bug", "a bug in reconciler ended the attempt")

    def __new__(cls, name: str, description: str) -> "AttemptReason":
        """Keep the name as the value."""
        reason = object.__new__(cls)
        reason._value_, reason.description = name, description
        return reason


@dataclass(frozen=True)
class AttemptResult:
    """The result of one attempt at a claimed file; the ledger stores it in one transaction.

    ``retry_at`` is when the file is due again. With ``settled`` the revision needs nothing more,
    and ``marked_by_us`` is whether it carries our comment. ``clears_intent`` ends the intent,
    ``is_new_identity`` drops the values stored before. ``error`` describes the failure,
    ``attempts`` counts the failures in a row, or the looks in a row that found a lock, and
    ``waits_for`` is the kind of request that has to work before the file can be marked.
    ``needs_write`` is whether the revision that was seen still has to be written to.
    """

    outcome: Outcome
    reason: str
    retry_at: datetime | None = None
    seen: File | None = None
    settled: bool = False
    marked_by_us: bool = False
    clears_intent: bool = False
    is_new_identity: bool = False
    error: str = ""
    attempts: int = 0
    waits_for: OutageKind | None = None
    needs_write: bool = False


class WriteGrant(Enum):
    """The ledger's answer to a worker that is about to write."""

    GRANTED = "granted"
    CLAIM_LOST = "lost"  # another process has the claim
    QUOTA_EXHAUSTED = "quota_exhausted"  # the day's writes are used up
    LOOP = "looping"  # our comment on this revision was undone too often
