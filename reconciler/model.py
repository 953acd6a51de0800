"""Values that pass between the rooms: files, revisions, events, what is known, what was decided.

All are frozen; all times are aware UTC; dictionaries from JSON stop at `client` and `receiver`.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LAST_FILE_ID = 2**31 - 1  # ids of internal files are int32 (docspace.md 5)
LAST_NUMBER = 2**63 - 1  # what a database holds


def storable(text: str) -> str:
    """Return the text with what no database can hold (lone surrogates, NUL) replaced."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def shown(text: str) -> str:
    """Return what the portal or a person wrote, safe for a terminal: it cannot end a line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def is_number(value: object) -> bool:
    """Return whether a JSON value is a whole number that a database can hold; True is none."""
    return type(value) is int and -LAST_NUMBER <= value <= LAST_NUMBER


def whole_number(value: object) -> int | None:
    """Return a JSON value as a whole number, also digits in quotes; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if isinstance(value, int) and is_number(value) else None


@dataclass(frozen=True)
class Revision:
    """One state of a file's content, as far as the portal lets it be told (docspace.md 4.3).

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

    ``created`` is None, and ``folder`` empty, where the portal does not tell; then they identify
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
    """Why the portal shows no file: it is not there, or not for this account (docspace.md 2)."""

    GONE = "gone"
    UNREADABLE = "unreadable"


class Source(StrEnum):
    """What told us first that a file may have been updated."""

    WEBHOOK = "webhook"
    LOG = "log"  # the webhook's delivery log, which tells of deliveries that failed
    SWEEP = "sweep"
    BACKFILL = "backfill"


class Ailment(StrEnum):
    """What is wrong with the portal as a whole; it is over when the portal does as it is asked."""

    DEAD_KEY = "dead_key"
    AWAY = "away"
    THROTTLED = "throttled"


@dataclass(frozen=True)
class Event:
    """An authentic delivery: which file to look at, who caused it, and the file's date then."""

    id: int
    trigger: str
    file: int
    title: str
    author: str
    modified: datetime | None


@dataclass(frozen=True)
class Intent:
    """A write under way: the revision it is meant for and the comment that stood there."""

    revision: Revision
    before: str


class Unknown(Enum):
    """What to do with a comment that is neither ours, nor empty, nor the portal's own."""

    KEEP = "keep"
    MARK = "mark"


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of one file. A file never heard of is an entry with an id alone.

    ``settled`` is the last revision that is done with and ``title`` the file's title then;
    ``ours`` says that the target stood there when we left it, else a person's word stands.
    ``since`` is where our responsibility begins; ``first_sweep`` divides files that we have
    watched from those that were there before us. ``unknown`` is what a backfill asked for.
    """

    id: int
    since: datetime = EPOCH
    first_sweep: datetime = EPOCH
    unknown: Unknown | None = None
    created: datetime | None = None
    title: str = ""
    settled: Revision | None = None
    ours: bool = False
    intent: Intent | None = None
    written_at: datetime | None = None
    touched_at: datetime | None = None
    attempts: int = 0

    def forgotten(self) -> "Entry":
        """Return the entry without what was known of another file of the same id."""
        return replace(
            self, created=None, title="", settled=None, ours=False, intent=None, written_at=None
        )


@dataclass(frozen=True)
class Claim:
    """A due entry that is ours to work on until the lease ends. ``token`` proves the claim."""

    entry: Entry
    token: str


class Outcome(StrEnum):
    """How an accepted event or a listed file ended; every one ends in exactly one of these."""

    MARKED = "marked"
    ALREADY = "already"
    KEPT = "kept"
    SKIPPED = "skipped"
    REFUSED = "refused"
    WAITING = "waiting"
    FAILED = "failed"


class Action(Enum):
    """What a decision asks for. Only MARK writes to the portal; only the settling ones settle."""

    MARK = "mark"
    SETTLE_OURS = "settle as ours"
    SETTLE_THEIRS = "settle as theirs"
    LEAVE = "settle nothing"
    WAIT = "look again later"
    LOOK = "a list item cannot tell: look"


class Rule(Enum):
    """The rows of the decision table and its gates: (name, action, outcome, words)."""

    action: Action
    outcome: Outcome | None
    words: str

    THIRD_PARTY = ("third_party", Action.LEAVE, Outcome.REFUSED, "third-party storage")
    GONE = ("gone", Action.LEAVE, Outcome.SKIPPED, "gone")
    UNREADABLE = ("unreadable", Action.LEAVE, Outcome.SKIPPED, "not readable by the key's account")
    SECTION = ("section", Action.LEAVE, Outcome.SKIPPED, "in trash, archive or templates")
    SCOPE = ("scope", Action.LEAVE, Outcome.SKIPPED, "outside the configured scope")
    ALREADY = ("already", Action.SETTLE_OURS, Outcome.ALREADY, "carries the comment already")
    ANSWERED = ("answered", Action.SETTLE_THEIRS, Outcome.KEPT, "a person changed our comment")
    UNLOCKED = ("unlocked", Action.MARK, Outcome.MARKED, "unlocking wiped our comment")
    SAME = ("same", Action.SETTLE_THEIRS, Outcome.KEPT, "no update, a person's comment stands")
    RENAMED = ("renamed", Action.SETTLE_THEIRS, Outcome.KEPT, "renamed, not saved")
    TOUCHED = ("touched", Action.SETTLE_THEIRS, Outcome.KEPT, "touched, not saved")
    NEW = ("new", Action.SETTLE_THEIRS, Outcome.SKIPPED, "new, not updated")
    OLD = ("old", Action.LEAVE, Outcome.SKIPPED, "updated before our responsibility begins")
    UNKNOWN = ("unknown", Action.SETTLE_THEIRS, Outcome.KEPT, "an unknown comment is kept")
    UPDATED = ("updated", Action.MARK, Outcome.MARKED, "updated")
    LOCKED = ("locked", Action.WAIT, Outcome.WAITING, "locked by someone else")
    FORBIDDEN = ("forbidden", Action.WAIT, Outcome.REFUSED, "the key's account may not comment")
    TOO_SOON = ("too_soon", Action.WAIT, Outcome.WAITING, "saved or written in this very second")
    OBSERVED = ("observed", Action.LEAVE, Outcome.SKIPPED, "observing only: would mark")
    STALE = ("stale", Action.LOOK, None, "listed before the last write or settling")

    def __new__(cls, name: str, action: Action, outcome: Outcome | None, words: str) -> "Rule":
        """Keep the name as the value; the rest are attributes."""
        rule = object.__new__(cls)
        rule._value_ = name
        rule.action, rule.outcome, rule.words = action, outcome, words
        return rule


@dataclass(frozen=True)
class Decision:
    """What to do about a file, and the rule that says so.

    ``again`` is the delay after which the file is looked at anew. ``forget`` says that the
    entry was about another file of the same id, or about a portal that was set back.
    """

    rule: Rule
    again: timedelta | None = None
    forget: bool = False

    @property
    def action(self) -> Action:
        """What the rule asks for."""
        return self.rule.action


@dataclass(frozen=True)
class Ending:
    """How one attempt at a claimed file ended; the ledger writes it down in one step.

    ``again`` is when the file is due anew. With ``settled`` the revision is done with, and
    ``ours`` tells whose word stands. ``closes`` ends the intent, ``forget`` drops what was
    known before. ``error`` says in words what failed, ``attempts`` how often so far.
    """

    outcome: Outcome
    reason: str
    again: datetime | None = None
    seen: File | None = None
    settled: bool = False
    ours: bool = False
    closes: bool = False
    forget: bool = False
    error: str = ""
    attempts: int = 0


class Permit(Enum):
    """The ledger's answer to a worker that is about to write."""

    GRANTED = "granted"
    LOST = "lost"  # the claim is no longer ours
    SPENT = "spent"  # the day's writes are used up
    LOOPING = "looping"  # this revision was written to too often
