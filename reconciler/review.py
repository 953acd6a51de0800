"""The decision: may this file be left as it is, or must it carry the comment? Pure.

A webhook payload has neither version nor comment (docspace.md 4.1), so the decision is made
on a file as the portal shows it now (`File`) and on what the ledger remembers (`Entry`).

The facts that the table rests on: every path that saves content overwrites the comment with
a text of the portal's own, and the comment never carries over to a new version; a rename
raises ``updated`` and leaves version, size and comment; a comment, a lock or an order change
raises nothing; unlocking overwrites the comment (docspace.md 4.2, 4.3). So an unchanged
revision whose comment is not what we left was changed by a person, unless it is an unlock
text. The table was model-checked: `tests/test_review_model.py` is the checker; change one
only with the other at hand.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from reconciler.model import (
    SECOND,
    Absent,
    Action,
    Decision,
    Ending,
    Entry,
    Event,
    File,
    Revision,
    Rule,
    Section,
    Unknown,
)

# FilesCommonResource.resx of the server, English (docspace.md 4.2); {0} stands for anything.
PORTAL_TEXTS = (
    "Autosaved",
    "Changed owner",
    "Converted from {0}",
    "Copied",
    "Created",
    "Edited",
    "Encrypted",
    "Overwritten",
    "Restored from the document change of {0}",
    "Restored from the revision of {0}",
    "Saved",
    "Submitted form",
    "The file is unlocked",
    "Uploaded",
)
UNLOCK_TEXTS = ("The file is unlocked",)

_LOCK_FIRST, _LOCK_MOST = timedelta(minutes=5), timedelta(hours=6)
_FORBIDDEN_AGAIN = timedelta(days=1)
_TYPING = timedelta(minutes=1)
_INACTIVE = {Section.TRASH, Section.ARCHIVE, Section.TEMPLATES, Section.AI_AGENTS}


@dataclass(frozen=True)
class Scope:
    """Which files are reviewed at all. An empty set of rooms or extensions means every one."""

    rooms: frozenset[int] = frozenset()
    exclude_rooms: frozenset[int] = frozenset()
    extensions: frozenset[str] = frozenset()
    ignore_users: frozenset[str] = frozenset()
    personal: bool = True

    @property
    def by_room(self) -> bool:
        """Whether a file's room must be known to decide."""
        return bool(self.rooms or self.exclude_rooms)

    def holds(self, file: File) -> bool:
        """Return whether the file is in scope."""
        if file.section is Section.PERSONAL and (not self.personal or self.rooms):
            return False
        if self.rooms and file.room not in self.rooms:
            return False
        if file.room in self.exclude_rooms or file.updated_by in self.ignore_users:
            return False
        stem, _, extension = file.title.rpartition(".")
        return not self.extensions or (bool(stem) and extension.lower() in self.extensions)


@dataclass(frozen=True)
class Policy:
    """What the administrator configured about the decision."""

    target: str = "Need Review"
    portal_texts: tuple[str, ...] = ()
    unlock_texts: tuple[str, ...] = UNLOCK_TEXTS
    unknown: Unknown = Unknown.MARK
    mark_new: bool = False
    observe: bool = False
    scope: Scope = Scope()

    def is_portals(self, comment: str) -> bool:
        """Return whether the comment is a text that the portal writes by itself."""
        return _matches(comment, PORTAL_TEXTS + self.portal_texts + self.unlock_texts)

    def is_unlocking(self, comment: str) -> bool:
        """Return whether the comment is the text that unlocking writes (docspace.md 4.2)."""
        return _matches(comment, self.unlock_texts)


def decide(file: File | Absent, entry: Entry, policy: Policy, now: datetime) -> Decision:
    """Decide on a look at a file, or at where none was seen. The first row that matches wins."""
    if isinstance(file, Absent):
        return Decision(Rule.GONE if file is Absent.GONE else Rule.UNREADABLE)
    outside = _outside(file, policy)
    if outside is not None:
        return Decision(outside)
    forget = _is_another(file, entry)
    if forget:
        entry = entry.forgotten()
    rule = _row(file, entry, policy)
    if rule.action is Action.MARK:
        rule = _gate(file, entry, policy, now) or rule
    return Decision(rule, _again(rule, entry), forget)


def decide_listed(file: File, entry: Entry, policy: Policy, asked: datetime) -> Decision:
    """Decide on a list item of an answer that was asked for at ``asked`` (our clock).

    An item older than the entry's last settling or intent decides nothing, and only a look
    can tell that an id was reused. What must be marked is looked at again by the worker, so
    the gates are its business.
    """
    rule = _outside(file, policy)
    if rule is not None:
        return Decision(rule)
    stale = entry.touched_at is not None and asked <= entry.touched_at
    if stale or _is_another(file, entry):
        return Decision(Rule.STALE)
    return Decision(_row(file, entry, policy))


def hindrance(file: File) -> Rule | None:
    """Return what keeps us from commenting on the file now, None when nothing does."""
    if file.locked:
        return Rule.LOCKED
    return None if file.editable else Rule.FORBIDDEN


def is_echo(event: Event, entry: Entry, owner: str | None) -> bool:
    """Return whether an event only tells us of our own comment.

    The payload's date is the file's date at publishing (docspace.md 3); when it differs from
    the revision that we wrote to, a save slipped in between look and write.
    """
    if owner is None or event.author != owner or event.modified is None:
        return False
    revisions = (entry.settled, entry.intent.revision if entry.intent else None)
    return any(r is not None and r.updated == event.modified for r in revisions)


def is_out_of_sight(ending: Ending) -> bool:
    """Return whether a file was only hidden: its room is archived, or not ours for a while."""
    archived = ending.seen is not None and ending.seen.section is Section.ARCHIVE
    return archived or ending.reason == Rule.UNREADABLE.value


def due_after(event: Event, now: datetime) -> datetime:
    """Return when an event that was received at ``now`` becomes due: one second later.

    Dates are whole seconds, and a look must not share its second with the save that caused
    it. MySQL rounds half a second up (docspace.md 3), so a date just ahead of us counts too.
    """
    if event.modified is not None and now < event.modified <= now + SECOND:
        return event.modified + SECOND
    return now + SECOND


def _row(file: File, entry: Entry, policy: Policy) -> Rule:
    return _comment_row(file, entry, policy) or _unsettled_row(file, entry, policy)


def _outside(file: File, policy: Policy) -> Rule | None:
    if isinstance(file.id, str) or file.provider:
        return Rule.THIRD_PARTY
    if file.section in _INACTIVE:
        return Rule.SECTION
    return None if policy.scope.holds(file) else Rule.SCOPE


def _comment_row(file: File, entry: Entry, policy: Policy) -> Rule | None:
    """Rows 6 to 11: what the comment tells beside the settled revision and an open intent."""
    settled, seen = entry.settled, file.revision
    if file.comment == policy.target:
        return Rule.ALREADY
    portals = policy.is_portals(file.comment)
    intent = entry.intent
    under_way = intent is not None and _same_content(intent.revision, seen)
    if intent and under_way and file.comment != intent.before and not portals:
        return Rule.ANSWERED
    if settled == seen:
        wiped = entry.ours and policy.is_unlocking(file.comment)
        return Rule.UNLOCKED if wiped else Rule.SAME
    if settled is None or portals or not _same_content(settled, seen):
        return None
    return Rule.RENAMED if file.title != entry.title else Rule.TOUCHED


def _same_content(before: Revision, seen: Revision) -> bool:
    """Whether only a rename or a touch lies between: they raise the date alone."""
    same = (before.version, before.size) == (seen.version, seen.size)
    return same and before.updated <= seen.updated


def _unsettled_row(file: File, entry: Entry, policy: Policy) -> Rule:
    """Rows 12 to 15: the revision is not settled."""
    new = file.revision.version == 1 and file.revision.updated == file.created
    if new and not policy.mark_new:
        return Rule.NEW
    if file.revision.updated < entry.since:
        return Rule.OLD
    other = bool(file.comment) and not policy.is_portals(file.comment)
    if other and _is_settled_down(file) and _on_unknown(file, entry, policy) is Unknown.KEEP:
        return Rule.UNKNOWN
    return Rule.UPDATED


def _is_settled_down(file: File) -> bool:
    """Within a minute of a save nobody has typed: whatever stands there is the portal's."""
    return file.read_at is None or file.read_at - file.revision.updated > _TYPING


def _on_unknown(file: File, entry: Entry, policy: Policy) -> Unknown:
    if policy.unknown is Unknown.KEEP:
        return Unknown.KEEP
    if entry.unknown is not None:
        return entry.unknown
    return Unknown.KEEP if file.revision.updated < entry.first_sweep else Unknown.MARK


def _is_another(file: File, entry: Entry) -> bool:
    if entry.created is not None and entry.created != file.created:
        return True
    return entry.settled is not None and file.revision.version < entry.settled.version


def _gate(file: File, entry: Entry, policy: Policy, now: datetime) -> Rule | None:
    if (hindered := hindrance(file)) is not None:
        return hindered
    if entry.written_at is not None and abs(now - entry.written_at) < SECOND:
        return Rule.TOO_SOON
    if file.read_at is not None and abs(file.read_at - file.revision.updated) < SECOND:
        return Rule.TOO_SOON
    return Rule.OBSERVED if policy.observe else None


def _again(rule: Rule, entry: Entry) -> timedelta | None:
    if rule is Rule.LOCKED:
        return min(_LOCK_FIRST * (1 << min(entry.attempts, 10)), _LOCK_MOST)
    if rule is Rule.FORBIDDEN:
        return _FORBIDDEN_AGAIN
    return SECOND if rule is Rule.TOO_SOON else None


def _matches(comment: str, patterns: tuple[str, ...]) -> bool:
    return _compiled(patterns).fullmatch(comment) is not None


@lru_cache
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_pattern, patterns)) or r"(?!)", re.DOTALL)


def _pattern(text: str) -> str:
    return ".*".join(map(re.escape, text.split("{0}")))
