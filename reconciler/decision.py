"""The decision on a file: set the comment, keep a person's, skip the file, or wait. Pure.

A webhook payload has neither version nor comment (docspace.md 4.1), so the decision is made on the
file as the portal shows it now (`File`) and on what the ledger has stored (`Entry`).

The table rests on these facts: every path that saves content writes a text of the portal's
own as the comment, and no comment carries over to a new version; a rename raises ``updated``
alone; a comment, a lock or an order change raises nothing; unlocking writes a text of its own
over the comment (docspace.md 4.2, 4.3). So the class of a comment decides nearly everything: a
text of the portal's on a revision that carried ours means that it was saved again or unlocked,
and a person's comment is never overwritten. The numbers are the rows of the table in design.md.
`tests/test_decision_model.py` checks the table against a model: change both together.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from reconciler.comments import CommentTexts, texts_of
from reconciler.model import (
    SECOND,
    Absent,
    Action,
    AttemptResult,
    Decision,
    Entry,
    Event,
    File,
    Rule,
    Section,
)

_LOCK_FIRST, _LOCK_MAX = timedelta(minutes=5), timedelta(hours=6)
_FORBIDDEN_RETRY = timedelta(days=1)
_EARLY_LOOKS = 3
_INACTIVE = {Section.TRASH, Section.ARCHIVE, Section.TEMPLATES, Section.AI_AGENTS}


@dataclass(frozen=True)
class Scope:
    """Which files are reviewed at all. An empty set of rooms or extensions means all of them."""

    rooms: frozenset[int] = frozenset()
    exclude_rooms: frozenset[int] = frozenset()
    extensions: frozenset[str] = frozenset()
    ignore_users: frozenset[str] = frozenset()
    personal: bool = True

    @property
    def by_room(self) -> bool:
        """Whether a file's room must be known to decide."""
        return bool(self.rooms or self.exclude_rooms)

    @property
    def holds_personal(self) -> bool:
        """Whether "My documents" are in scope: not where rooms are named."""
        return self.personal and not self.rooms

    def holds_room(self, room: int | None) -> bool:
        """Return whether the files of a room are in scope; None is no room."""
        return room not in self.exclude_rooms and (not self.rooms or room in self.rooms)

    def holds(self, file: File) -> bool:
        """Return whether the file is in scope."""
        if file.section is Section.PERSONAL and not self.holds_personal:
            return False
        if not self.holds_room(file.room) or file.updated_by in self.ignore_users:
            return False
        stem, _, extension = file.title.rpartition(".")
        return not self.extensions or (bool(stem) and extension.lower() in self.extensions)


@dataclass(frozen=True)
class Policy:
    """The configuration of the decision.

    ``former_targets`` are earlier values of ``target``, stored in the ledger.
    """

    target: str = "Need Review"
    former_targets: frozenset[str] = frozenset()
    portal_texts: tuple[str, ...] = ()
    unlock_texts: tuple[str, ...] = ()
    overwrite: bool = False
    mark_new: bool = False
    observe: bool = False
    scope: Scope = Scope()

    @property
    def texts(self) -> CommentTexts:
        """The texts that the portal writes by itself: of every language, and configured ones."""
        return texts_of(self.portal_texts, self.unlock_texts)

    @property
    def criteria(self) -> str:
        """The settings that select the updates to mark, as a text to compare.

        When it changes, updates that were skipped before may have to be marked now.
        """
        scope = self.scope
        rooms = (sorted(scope.rooms), sorted(scope.exclude_rooms), scope.personal)
        others = (sorted(scope.extensions), sorted(scope.ignore_users), self.observe)
        texts = (sorted(self.portal_texts), sorted(self.unlock_texts))
        return repr((*rooms, *others, *texts))

    def is_target(self, comment: str) -> bool:
        """Return whether the comment is the target, or was one before."""
        return comment == self.target or comment in self.former_targets

    def recognizes(self, comments: Iterable[str]) -> bool:
        """Return whether any of the comments is a text of the portal's that we know."""
        return any(map(self.texts.is_portal_text, comments))

    def knows_portal(
        self,
        known: bool | None,
        files: Iterable[File],
        sample: Callable[[int], Iterable[str]],
    ) -> bool | None:
        """Return whether the portal has shown a text that we know; ``known`` is the stored answer.

        Where it is None, ``sample`` is called once for comments of older versions of the first
        file and of other files. Returns None where no file needs the answer yet.
        """
        if known:
            return True
        unclear = [file for file in files if not self.is_target(file.comment)]
        if self.recognizes(file.comment for file in unclear):
            return True
        ids = [file.id for file in unclear if isinstance(file.id, int)]
        return known if known is not None or not ids else self.recognizes(sample(ids[0]))


class CommentClass(Enum):
    """The author of a comment, as far as the text shows it."""

    TARGET = auto()
    EMPTY = auto()
    UNLOCKING = auto()
    SAVING = auto()
    PERSON = auto()
    UNCLEAR = auto()


def classify(comment: str, entry: Entry, policy: Policy) -> CommentClass:
    """Return the class of a comment: the first that fits.

    Any other text is a person's on a portal that has shown a text which we know. On other portals
    it may be the portal's own, in an unknown language.
    """
    if policy.is_target(comment):
        return CommentClass.TARGET
    if not comment:
        return CommentClass.EMPTY
    if policy.texts.is_unlocking(comment):
        return CommentClass.UNLOCKING
    if policy.texts.is_portal_text(comment):
        return CommentClass.SAVING
    may_be_overwritten = policy.overwrite or entry.overwrite or not entry.portal_known
    return CommentClass.UNCLEAR if may_be_overwritten else CommentClass.PERSON


def decide(file: File | Absent, entry: Entry, policy: Policy) -> Decision:
    """Decide on a file that was looked at, or on its absence, by the first row that matches."""
    if isinstance(file, Absent):  # row 2
        return Decision(Rule.GONE if file is Absent.GONE else Rule.UNREADABLE)
    outside = _outside(file, policy)
    if outside is not None:
        return Decision(outside)
    is_new_identity = _is_another(file, entry)  # row 5
    if is_new_identity:
        entry = entry.reset()
    rule = Rule.EARLY if _is_early(file, entry) else _row(file, entry, policy)
    if rule.action is Action.MARK:
        rule = write_blocker(file) or (Rule.OBSERVED if policy.observe else rule)
    return Decision(rule, _retry_after(rule, entry), is_new_identity)


def decide_listed(file: File, entry: Entry, policy: Policy, asked: datetime) -> Decision:
    """Decide on a list item of an answer that was asked for at ``asked`` (our clock).

    An item older than the entry's last settling or intent decides nothing, and only a look
    can tell that an id was reused. The gates before a write are not checked: the worker looks
    again at every file that must be marked.
    """
    rule = _outside(file, policy)
    if rule is not None:
        return Decision(rule)
    stale = entry.touched_at is not None and asked <= entry.touched_at
    if stale or _is_another(file, entry):
        return Decision(Rule.STALE)
    return Decision(_row(file, entry, policy))


def write_blocker(file: File) -> Rule | None:
    """Return the gate that prevents a write to the file now, None when it is writable."""
    if file.locked:
        return Rule.LOCKED
    return None if file.editable else Rule.FORBIDDEN


def is_echo(event: Event, entry: Entry, owner: str | None) -> bool:
    """Return whether an event was caused by our own comment.

    The payload's date is the file's date at publishing (docspace.md 3). When it differs from the
    revision that we wrote to, the file was saved between the look and the write.
    """
    if owner is None or event.author != owner or event.modified is None:
        return False
    revisions = (entry.settled, entry.intent.revision if entry.intent else None)
    return any(r is not None and r.updated == event.modified for r in revisions)


def is_hidden(result: AttemptResult) -> bool:
    """Return whether a file was only hidden: its room is archived, or closed to our account."""
    archived = result.seen is not None and result.seen.section is Section.ARCHIVE
    return archived or result.reason == Rule.UNREADABLE.value


def _outside(file: File, policy: Policy) -> Rule | None:
    """Rows 1, 3 and 4."""
    if isinstance(file.id, str) or file.provider:
        return Rule.THIRD_PARTY
    if file.section in _INACTIVE:
        return Rule.SECTION
    return None if policy.scope.holds(file) else Rule.SCOPE


def _row(file: File, entry: Entry, policy: Policy) -> Rule:
    comment_class = classify(file.comment, entry, policy)
    return _kept_row(file, entry, comment_class) or _unsettled_row(
        file, entry, policy, comment_class
    )


def _kept_row(file: File, entry: Entry, comment_class: CommentClass) -> Rule | None:
    """Rows 6 to 9: the class of the comment, compared with the settled revision and the intent."""
    if comment_class is CommentClass.TARGET:  # row 6
        return Rule.ALREADY
    version = file.revision.version
    if comment_class is CommentClass.PERSON:  # row 7
        return Rule.ANSWERED if version == entry.marked_version else Rule.UNMARKED
    settled = entry.settled
    if comment_class in {CommentClass.EMPTY, CommentClass.UNCLEAR}:  # row 8
        is_settled = settled is not None and settled.version == version
        return Rule.CHANGED if is_settled or _is_overwritten(file, entry) else None
    is_settled_by_person = settled == file.revision and not entry.marked_by_us
    if comment_class is CommentClass.UNLOCKING and is_settled_by_person:  # row 9
        return Rule.UNLOCKED
    return None


def _is_overwritten(file: File, entry: Entry) -> bool:
    """Whether a write was begun on this version, and another comment has been set since.

    Where the comment is still the one before the write, the write never happened.
    """
    intent = entry.intent
    if intent is None or intent.revision.version != file.revision.version:
        return False
    return file.comment != intent.before


def _unsettled_row(file: File, entry: Entry, policy: Policy, comment_class: CommentClass) -> Rule:
    """Rows 10 to 12: the comment on the file is not protected."""
    settled_here = entry.settled == file.revision
    if not _is_event_trusted(entry):
        new = file.revision.version == 1 and file.revision.updated == file.created
        if new and not policy.mark_new and not (settled_here and entry.marked_by_us):  # row 10
            return Rule.NEW
        if file.revision.updated < entry.since and not _is_after_settled(file, entry):  # row 11
            return Rule.OLD
    wiped = settled_here and entry.marked_by_us and comment_class is CommentClass.UNLOCKING
    return Rule.RESTORED if wiped else Rule.UPDATED  # row 12


def _is_after_settled(file: File, entry: Entry) -> bool:
    """Whether it is the settled revision or a newer version, hence saved after the origin."""
    settled = entry.settled
    newer = settled is not None and file.revision.version > settled.version
    return newer or settled == file.revision


def _is_event_trusted(entry: Entry) -> bool:
    """Whether the event alone is trusted, as the tutorial does (docspace.md 9): on a portal
    of unknown texts, or one whose events carry no date. DocSpace's carry one (docspace.md 4.1).
    """
    return entry.announced and (not entry.portal_known or entry.announced_date is None)


def _is_another(file: File, entry: Entry) -> bool:
    """Row 5. Without a creation date a file cannot be told from another with its id."""
    if None not in {entry.created, file.created} and entry.created != file.created:
        return True
    return entry.settled is not None and file.revision.version < entry.settled.version


def _is_early(file: File, entry: Entry) -> bool:
    """Whether an event gave the file a newer date than the look shows, for the first few looks.

    Such a look says nothing about the update, whichever row it matches.
    """
    date = entry.announced_date
    return date is not None and file.revision.updated < date and entry.early_looks < _EARLY_LOOKS


def _retry_after(rule: Rule, entry: Entry) -> timedelta | None:
    if rule is Rule.LOCKED:
        return min(_LOCK_FIRST * (1 << min(entry.locked_looks, 10)), _LOCK_MAX)
    if rule is Rule.FORBIDDEN:
        return _FORBIDDEN_RETRY
    return SECOND if rule is Rule.EARLY else None
