"""The decision table, row by row and gate by gate, and what else `review` answers."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from reconciler.model import (
    EPOCH,
    SECOND,
    Absent,
    Action,
    Decision,
    Entry,
    Event,
    File,
    Intent,
    Outcome,
    Revision,
    Rule,
    Section,
    Unknown,
)
from reconciler.review import (
    PORTAL_TEXTS,
    Policy,
    Scope,
    decide,
    decide_listed,
    due_after,
    is_echo,
)

NOW = datetime.fromisoformat("2025-11-24T12:00:00+00:00")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TARGET, APPROVED, UNLOCKED = "Need Review", "Approved", "The file is unlocked"
POLICY = Policy()
SAVED = Revision(3, NOW - HOUR, 1000)
OLDER = Revision(2, NOW - 9 * HOUR, 900)
CREATED = NOW - 30 * DAY
FILE = File(
    id=7,
    title="plan.docx",
    created=CREATED,
    revision=SAVED,
    comment="Edited",
    section=Section.ROOMS,
    folder=20,
    updated_by="anna",
    room=10,
    read_at=NOW,
)
UNKNOWN = Entry(7)
OURS = Entry(7, created=CREATED, title=FILE.title, settled=SAVED, ours=True)
THEIRS = replace(OURS, ours=False)
BEFORE = replace(OURS, settled=OLDER)
WRITING = replace(BEFORE, intent=Intent(SAVED, "Edited"))


def file(**differs: Any) -> File:
    return replace(FILE, **differs)


def rule(seen: File | Absent, entry: Entry = UNKNOWN, policy: Policy = POLICY) -> Rule:
    return decide(seen, entry, policy, NOW).rule


def touched(**differs: Any) -> File:
    """The settled file with a newer date, as a rename or a way through the trash leaves it."""
    return file(revision=replace(SAVED, updated=NOW - MINUTE), **differs)


# ---------------------------------------------------------------- the rows


@pytest.mark.parametrize("differs", [{"id": "sbox-12-L2RvY3M"}, {"provider": "Box"}])
def test_row_1_third_party(differs: dict[str, Any]) -> None:
    """A file in third-party storage takes no comment: refused."""
    assert rule(file(**differs)) is Rule.THIRD_PARTY
    assert Rule.THIRD_PARTY.outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("absent", "expected"),
    [(Absent.GONE, Rule.GONE), (Absent.UNREADABLE, Rule.UNREADABLE)],
)
def test_row_2_gone_or_unreadable(absent: Absent, expected: Rule) -> None:
    """A file that is gone or unreadable is skipped, and which of the two it was is remembered."""
    assert rule(absent, OURS) is expected
    assert (expected.action, expected.outcome) == (Action.LEAVE, Outcome.SKIPPED)


@pytest.mark.parametrize(
    "section", [Section.TRASH, Section.ARCHIVE, Section.TEMPLATES, Section.AI_AGENTS]
)
def test_row_3_section(section: Section) -> None:
    """A file in trash, archive, templates or AI agents is skipped and settles nothing."""
    decision = decide(file(section=section, comment=TARGET), OURS, POLICY, NOW)
    assert (decision.rule, decision.action) == (Rule.SECTION, Action.LEAVE)


def test_row_4_scope() -> None:
    """A file outside the configured scope is skipped and settles nothing."""
    policy = Policy(scope=Scope(rooms=frozenset({11})))
    decision = decide(FILE, UNKNOWN, policy, NOW)
    assert (decision.rule, decision.action) == (Rule.SCOPE, Action.LEAVE)


def test_row_5_id_used_again() -> None:
    """A file of another creation date is another file: the row is forgotten, then decided."""
    decision = decide(file(comment=""), replace(THEIRS, created=CREATED - DAY), POLICY, NOW)
    assert decision == Decision(Rule.UPDATED, forget=True)


def test_row_5_portal_was_set_back() -> None:
    """A version lower than the settled one means a restored portal: the row is forgotten."""
    settled = replace(SAVED, version=4)
    decision = decide(FILE, replace(THEIRS, settled=settled), POLICY, NOW)
    assert decision == Decision(Rule.UPDATED, forget=True)


def test_row_5_forgets_the_intent_too() -> None:
    """An intent for another file of the same id says nothing about this one."""
    entry = replace(WRITING, created=CREATED - DAY, settled=None)
    assert rule(file(comment=APPROVED), entry) is Rule.UPDATED


def test_row_5_keeps_where_our_responsibility_begins() -> None:
    """Forgetting a row does not forget its `since`."""
    entry = replace(OURS, created=CREATED - DAY, since=NOW)
    assert decide(FILE, entry, POLICY, NOW) == Decision(Rule.OLD, forget=True)


def test_row_6_already() -> None:
    """A file that carries the target is settled as ours, whoever wrote it."""
    decision = decide(file(comment=TARGET), BEFORE, POLICY, NOW)
    assert (decision.rule, decision.action) == (Rule.ALREADY, Action.SETTLE_OURS)


@pytest.mark.parametrize("comment", [APPROVED, ""])
def test_row_7_answered(comment: str) -> None:
    """An open intent, and a comment that is neither: the write happened, a person changed it."""
    decision = decide(file(comment=comment), WRITING, POLICY, NOW)
    assert (decision.rule, decision.action) == (Rule.ANSWERED, Action.SETTLE_THEIRS)


def test_row_7_comment_as_before_the_write() -> None:
    """An open intent whose comment is as before the write falls through to be marked again."""
    writing = replace(WRITING, intent=Intent(SAVED, APPROVED))
    assert rule(file(comment=APPROVED), writing) is Rule.UPDATED


def test_row_7_comment_is_the_portals() -> None:
    """An open intent over which the portal wrote falls through to be marked again."""
    assert rule(file(comment="Autosaved"), WRITING) is Rule.UPDATED


def test_row_7_intent_for_another_revision() -> None:
    """An intent for an older version says nothing about this one."""
    writing = replace(BEFORE, intent=Intent(OLDER, "Edited"))
    assert rule(file(comment=APPROVED), writing) is Rule.UPDATED


@pytest.mark.parametrize("title", ["plan.docx", "renamed.docx"])
def test_row_7_renamed_or_touched_under_an_open_intent(title: str) -> None:
    """The answer of a PUT is lost, a person answers, the file is renamed: the word stands."""
    assert rule(touched(comment=APPROVED, title=title), WRITING) is Rule.ANSWERED


def test_row_8_unlocked() -> None:
    """Unlocking wiped our mark: to be marked."""
    assert rule(file(comment=UNLOCKED), OURS) is Rule.UNLOCKED
    assert Rule.UNLOCKED.action is Action.MARK


def test_row_8_needs_ours() -> None:
    """Unlocking a file whose comment was a person's puts no mark there."""
    assert rule(file(comment=UNLOCKED), THEIRS) is Rule.SAME


def test_row_8_unlock_texts_are_configured() -> None:
    """The texts of unlocking are the policy's."""
    policy = Policy(unlock_texts=("Datei entsperrt",))
    assert rule(file(comment="Datei entsperrt"), OURS, policy) is Rule.UNLOCKED
    assert rule(file(comment=UNLOCKED), OURS, policy) is Rule.SAME


@pytest.mark.parametrize("entry", [OURS, THEIRS])
@pytest.mark.parametrize("comment", [APPROVED, "", "Edited"])
def test_row_9_same(comment: str, entry: Entry) -> None:
    """The settled revision with any other comment is kept, and settled as theirs."""
    decision = decide(file(comment=comment), entry, POLICY, NOW)
    assert (decision.rule, decision.action) == (Rule.SAME, Action.SETTLE_THEIRS)


@pytest.mark.parametrize("comment", [APPROVED, ""])
def test_row_10_renamed(comment: str) -> None:
    """A rename of a file whose comment a person changed is kept."""
    seen = touched(title="new.docx", comment=comment)
    assert rule(seen, OURS) is Rule.RENAMED
    assert Rule.RENAMED.action is Action.SETTLE_THEIRS


@pytest.mark.parametrize("comment", [APPROVED, ""])
def test_row_11_touched(comment: str) -> None:
    """A file that went to the trash and back is kept."""
    assert rule(touched(comment=comment), THEIRS) is Rule.TOUCHED
    assert Rule.TOUCHED.action is Action.SETTLE_THEIRS


@pytest.mark.parametrize("title", ["plan.docx", "renamed.docx"])
@pytest.mark.parametrize("comment", ["Autosaved", UNLOCKED])
def test_rows_10_and_11_portals_text(comment: str, title: str) -> None:
    """The portal's text on a newer date is a save, renamed or not."""
    assert rule(touched(comment=comment, title=title), OURS) is Rule.UPDATED


@pytest.mark.parametrize("differs", [{"version": 4}, {"size": 1001}])
def test_rows_10_and_11_other_content(differs: dict[str, Any]) -> None:
    """Another version or size is a save, whatever the comment says."""
    seen = touched(comment=APPROVED)
    assert rule(replace(seen, revision=replace(seen.revision, **differs)), OURS) is Rule.UPDATED


def test_row_12_new() -> None:
    """A new file is not an updated one: skipped, and settled as theirs."""
    seen = file(revision=Revision(1, CREATED, 10), comment="Created")
    decision = decide(seen, UNKNOWN, POLICY, NOW)
    assert (decision.rule, decision.action) == (Rule.NEW, Action.SETTLE_THEIRS)
    assert decision.rule.outcome is Outcome.SKIPPED


def test_row_12_mark_new_files() -> None:
    """With `mark_new_files` a new file is marked."""
    seen = file(revision=Revision(1, CREATED, 10), comment="Created")
    assert rule(seen, UNKNOWN, Policy(mark_new=True)) is Rule.UPDATED


def test_row_12_version_1_saved_later() -> None:
    """Version 1 with a later date was updated."""
    assert rule(file(revision=Revision(1, NOW - HOUR, 10))) is Rule.UPDATED


def test_row_13_old() -> None:
    """What was updated before our responsibility begins is skipped and settles nothing."""
    decision = decide(FILE, Entry(7, since=SAVED.updated + SECOND), POLICY, NOW)
    assert (decision.rule, decision.action) == (Rule.OLD, Action.LEAVE)


def test_row_13_the_very_second() -> None:
    """The second in which our responsibility begins is ours."""
    assert rule(FILE, Entry(7, since=SAVED.updated)) is Rule.UPDATED


def test_row_14_unknown_kept() -> None:
    """With "keep" a comment of unknown origin is kept, and settled as theirs."""
    policy = Policy(unknown=Unknown.KEEP)
    assert rule(file(comment=APPROVED), UNKNOWN, policy) is Rule.UNKNOWN
    assert Rule.UNKNOWN.action is Action.SETTLE_THEIRS


@pytest.mark.parametrize("comment", ["", "Edited"])
def test_row_14_is_about_other_comments(comment: str) -> None:
    """Empty and the portal's own are no unknown comments."""
    assert rule(file(comment=comment), UNKNOWN, Policy(unknown=Unknown.KEEP)) is Rule.UPDATED


@pytest.mark.parametrize(
    ("age", "expected"), [(MINUTE, Rule.UPDATED), (MINUTE + SECOND, Rule.UNKNOWN)]
)
def test_row_14_first_minute(age: timedelta, expected: Rule) -> None:
    """Within a minute of a save nobody has typed: whatever stands there is the portal's."""
    seen = file(comment=APPROVED, revision=replace(SAVED, updated=NOW - age))
    assert rule(seen, UNKNOWN, Policy(unknown=Unknown.KEEP)) is expected


def test_row_14_without_a_date() -> None:
    """Without the portal's date nobody can say that nobody has typed: kept."""
    seen = file(comment=APPROVED, read_at=None)
    assert rule(seen, UNKNOWN, Policy(unknown=Unknown.KEEP)) is Rule.UNKNOWN


@pytest.mark.parametrize(("older", "expected"), [(SECOND, Rule.UNKNOWN), (0 * DAY, Rule.UPDATED)])
def test_row_14_before_the_first_sweep(older: timedelta, expected: Rule) -> None:
    """Unknown comments are kept on what was updated before the first sweep, marked later."""
    entry = Entry(7, since=EPOCH, first_sweep=SAVED.updated + older)
    assert rule(file(comment=APPROVED), entry) is expected


@pytest.mark.parametrize(
    ("asked", "expected"), [(Unknown.KEEP, Rule.UNKNOWN), (Unknown.MARK, Rule.UPDATED)]
)
def test_row_14_a_backfill_says_it_itself(asked: Unknown, expected: Rule) -> None:
    """What a backfill asked for goes before the first sweep's division."""
    first_sweep = NOW if asked is Unknown.MARK else EPOCH
    entry = Entry(7, first_sweep=first_sweep, unknown=asked)
    assert rule(file(comment=APPROVED), entry) is expected


def test_row_14_the_policy_goes_first() -> None:
    """A configured "keep" holds for a backfill that would mark."""
    entry = Entry(7, unknown=Unknown.MARK)
    assert rule(file(comment=APPROVED), entry, Policy(unknown=Unknown.KEEP)) is Rule.UNKNOWN


@pytest.mark.parametrize("comment", ["", "Edited", APPROVED])
def test_row_15_a_new_version(comment: str) -> None:
    """A new version is marked, whatever the comment."""
    decision = decide(file(comment=comment), BEFORE, POLICY, NOW)
    assert decision == Decision(Rule.UPDATED)
    assert decision.action is Action.MARK


def test_row_15_other_content_in_the_same_version() -> None:
    """A forcesave within the settled version is marked."""
    settled = replace(SAVED, size=999, updated=NOW - 2 * HOUR)
    assert rule(file(comment="Autosaved"), replace(OURS, settled=settled)) is Rule.UPDATED


def test_row_15_never_seen() -> None:
    """A file never heard of, updated in our time, is marked."""
    assert rule(FILE) is Rule.UPDATED


# ---------------------------------------------------------------- first match wins

NEW = Revision(1, CREATED, 10)
TRASHED = {"section": Section.TRASH, "comment": TARGET}
WIPED = replace(WRITING, settled=SAVED)
KEEP = Policy(unknown=Unknown.KEEP)


@pytest.mark.parametrize(
    ("seen", "entry", "policy", "expected"),
    [
        (file(provider="Box", **TRASHED), OURS, POLICY, Rule.THIRD_PARTY),
        (file(updated_by="bot", **TRASHED), OURS, POLICY, Rule.SECTION),
        (file(updated_by="bot", comment=TARGET), OURS, POLICY, Rule.SCOPE),
        (file(comment=TARGET), replace(WRITING, settled=SAVED), POLICY, Rule.ALREADY),
        (file(comment=TARGET, locked=True), BEFORE, POLICY, Rule.ALREADY),
        (file(comment=TARGET, revision=NEW), UNKNOWN, POLICY, Rule.ALREADY),
        (file(comment=TARGET), Entry(7, since=NOW), POLICY, Rule.ALREADY),
        (file(comment=APPROVED), WIPED, POLICY, Rule.ANSWERED),
        (file(comment=APPROVED), replace(WRITING, since=NOW), POLICY, Rule.ANSWERED),
        (file(comment=UNLOCKED), WIPED, POLICY, Rule.UNLOCKED),
        (file(comment=UNLOCKED), replace(OURS, since=NOW), POLICY, Rule.UNLOCKED),
        (file(comment=APPROVED), replace(THEIRS, since=NOW), KEEP, Rule.SAME),
        (file(revision=NEW), replace(THEIRS, settled=NEW), POLICY, Rule.SAME),
        (touched(title="b", comment=APPROVED), replace(OURS, since=NOW), KEEP, Rule.RENAMED),
        (touched(comment=APPROVED), replace(OURS, since=NOW), KEEP, Rule.TOUCHED),
        (file(revision=NEW, comment=APPROVED), Entry(7, since=NOW), KEEP, Rule.NEW),
        (file(comment=APPROVED), Entry(7, since=NOW), KEEP, Rule.OLD),
        (file(comment=APPROVED, locked=True), UNKNOWN, KEEP, Rule.UNKNOWN),
    ],
)
def test_the_first_row_that_matches_wins(
    seen: File, entry: Entry, policy: Policy, expected: Rule
) -> None:
    """Where two rows match, the upper one decides."""
    policy = replace(policy, scope=Scope(ignore_users=frozenset({"bot"})))
    assert rule(seen, entry, policy) is expected


# ---------------------------------------------------------------- the gates

JUST_SAVED = file(revision=replace(SAVED, updated=NOW))
JUST_WRITTEN = replace(BEFORE, written_at=NOW - SECOND / 2)


@pytest.mark.parametrize(
    ("attempts", "minutes"), [(0, 5), (1, 10), (2, 20), (6, 320), (7, 360), (10**9, 360)]
)
def test_gate_lock(attempts: int, minutes: int) -> None:
    """A lock is waited for: five minutes, doubling to six hours."""
    decision = decide(file(locked=True), replace(BEFORE, attempts=attempts), POLICY, NOW)
    assert decision == Decision(Rule.LOCKED, timedelta(minutes=minutes))


def test_gate_forbidden() -> None:
    """Where the key's account may not comment it is refused, and looked at again in a day."""
    decision = decide(file(editable=False), BEFORE, POLICY, NOW)
    assert decision == Decision(Rule.FORBIDDEN, DAY)
    assert decision.rule.outcome is Outcome.REFUSED


def test_gate_written_in_this_second() -> None:
    """A file written less than a second ago is due again a second later."""
    assert decide(FILE, JUST_WRITTEN, POLICY, NOW) == Decision(Rule.TOO_SOON, SECOND)
    assert rule(FILE, replace(BEFORE, written_at=NOW - SECOND)) is Rule.UPDATED


@pytest.mark.parametrize("ahead", [timedelta(0), SECOND / 2, -SECOND / 2])
def test_gate_saved_in_this_second(ahead: timedelta) -> None:
    """A look within a second of `updated`, by the portal's own clock, is due again later."""
    seen = file(revision=replace(SAVED, updated=NOW + ahead))
    assert decide(seen, BEFORE, POLICY, NOW) == Decision(Rule.TOO_SOON, SECOND)


def test_gate_saved_a_second_ago() -> None:
    """A whole second after the save the file is marked."""
    assert rule(file(revision=replace(SAVED, updated=NOW - SECOND)), BEFORE) is Rule.UPDATED


def test_gate_our_clock_does_not_count() -> None:
    """The second of a save is told by the portal's date alone."""
    seen = file(revision=replace(SAVED, updated=NOW), read_at=NOW + MINUTE)
    assert rule(seen, BEFORE) is Rule.UPDATED


def test_gate_without_the_portals_date() -> None:
    """Without the portal's date there is nothing to compare: the file is marked."""
    assert rule(replace(JUST_SAVED, read_at=None), BEFORE) is Rule.UPDATED


def test_gate_observe() -> None:
    """Observing, what would be marked is left, and nothing is settled."""
    decision = decide(FILE, BEFORE, Policy(observe=True), NOW)
    assert (decision.rule, decision.action) == (Rule.OBSERVED, Action.LEAVE)


def test_gates_stand_before_unlocking_too() -> None:
    """A mark that unlocking wiped is put back through the same gates."""
    assert rule(file(comment=UNLOCKED, locked=True), OURS) is Rule.LOCKED


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (replace(JUST_SAVED, locked=True, editable=False), Rule.LOCKED),
        (replace(JUST_SAVED, editable=False), Rule.FORBIDDEN),
        (JUST_SAVED, Rule.TOO_SOON),
        (FILE, Rule.OBSERVED),
    ],
)
def test_the_first_gate_that_is_shut_wins(seen: File, expected: Rule) -> None:
    """Locked, forbidden, too soon, observing: in this order."""
    assert rule(seen, BEFORE, Policy(observe=True)) is expected


def test_a_row_that_is_forgotten_keeps_its_attempts() -> None:
    """The wait for a lock grows also when the row was about another file."""
    entry = replace(OURS, created=CREATED - DAY, attempts=1)
    decision = decide(file(locked=True), entry, POLICY, NOW)
    assert decision == Decision(Rule.LOCKED, timedelta(minutes=10), forget=True)


# ---------------------------------------------------------------- list items


def test_listed_decides_like_a_look() -> None:
    """A list item is a whole file: it is decided on by the same rows."""
    assert decide_listed(file(comment=APPROVED), OURS, POLICY, NOW).rule is Rule.SAME
    assert decide_listed(file(section=Section.TRASH), OURS, POLICY, NOW).rule is Rule.SECTION


def test_listed_leaves_the_gates_to_the_worker() -> None:
    """What must be marked goes to the worker, which looks again: no gate here."""
    seen = replace(JUST_SAVED, locked=True, editable=False)
    assert decide_listed(seen, BEFORE, Policy(observe=True), NOW) == Decision(Rule.UPDATED)


@pytest.mark.parametrize("late", [timedelta(0), SECOND])
def test_listed_before_the_last_touch(late: timedelta) -> None:
    """An item asked for before the last settling or intent decides nothing: look."""
    decision = decide_listed(FILE, replace(OURS, touched_at=NOW + late), POLICY, NOW)
    assert (decision.rule, decision.action) == (Rule.STALE, Action.LOOK)


def test_listed_after_the_last_touch() -> None:
    """An item asked for after the last settling or intent decides."""
    entry = replace(OURS, touched_at=NOW - SECOND)
    assert decide_listed(FILE, entry, POLICY, NOW).rule is Rule.SAME


@pytest.mark.parametrize(
    "entry",
    [replace(OURS, created=CREATED - DAY), replace(OURS, settled=replace(SAVED, version=4))],
)
def test_listed_another_file(entry: Entry) -> None:
    """Only a look can tell that an id was used again or the portal set back."""
    assert decide_listed(FILE, entry, POLICY, NOW) == Decision(Rule.STALE)


# ---------------------------------------------------------------- events


def event(author: str = "us", modified: datetime | None = SAVED.updated) -> Event:
    return Event(1, "file.updated", 7, FILE.title, author, modified)


@pytest.mark.parametrize("entry", [OURS, replace(UNKNOWN, intent=Intent(SAVED, ""))])
def test_echo(entry: Entry) -> None:
    """Our own event with the date of the settled revision or of the open intent is an echo."""
    assert is_echo(event(), entry, owner="us")


@pytest.mark.parametrize(
    ("heard", "entry", "owner"),
    [
        (event(author="anna"), OURS, "us"),
        (event(modified=SAVED.updated + SECOND), OURS, "us"),
        (event(modified=None), OURS, "us"),
        (event(), UNKNOWN, "us"),
        (event(), OURS, None),
    ],
)
def test_no_echo(heard: Event, entry: Entry, owner: str | None) -> None:
    """Another author, another date, an unknown file or an unknown owner is no echo."""
    assert not is_echo(heard, entry, owner)


@pytest.mark.parametrize("modified", [None, NOW - HOUR, NOW, NOW + HOUR])
def test_due_a_second_later(modified: datetime | None) -> None:
    """An event becomes due one second after it was received; a far date does not move it."""
    assert due_after(event(modified=modified), NOW) == NOW + SECOND


@pytest.mark.parametrize("ahead", [SECOND / 4, SECOND])
def test_due_a_second_after_a_rounded_date(ahead: timedelta) -> None:
    """A date that was rounded up ahead of us is waited for, and the second after it."""
    assert due_after(event(modified=NOW + ahead), NOW) == NOW + ahead + SECOND


# ---------------------------------------------------------------- policy and scope


@pytest.mark.parametrize("text", PORTAL_TEXTS)
def test_portals_texts(text: str) -> None:
    """Every text that the portal writes by itself is known, whatever stands for {0}."""
    assert POLICY.is_portals(text.replace("{0}", "11/24/2025 (9:15)\nAM"))


@pytest.mark.parametrize("text", ["", "edited", "Edited by me", "Not Edited", TARGET, "Copied {0}"])
def test_not_the_portals_texts(text: str) -> None:
    """A text is the portal's as a whole, letter by letter, or not at all."""
    assert not POLICY.is_portals(text)


def test_configured_portal_texts() -> None:
    """Texts in another language are added, and only {0} is special in them."""
    policy = Policy(portal_texts=("Gespeichert (v.{0})",))
    assert policy.is_portals("Gespeichert (v.12)")
    assert policy.is_portals("Edited")
    assert not policy.is_portals("Gespeichert (vx12)")


def test_no_unlock_texts() -> None:
    """With no texts of unlocking configured no comment is one, not even the empty one."""
    assert not Policy(unlock_texts=()).is_unlocking("")


PERSONAL = file(section=Section.PERSONAL, room=None)


@pytest.mark.parametrize(
    ("scope", "seen", "holds"),
    [
        (Scope(), FILE, True),
        (Scope(), PERSONAL, True),
        (Scope(personal=False), PERSONAL, False),
        (Scope(personal=False), FILE, True),
        (Scope(rooms=frozenset({10})), FILE, True),
        (Scope(rooms=frozenset({11})), FILE, False),
        (Scope(rooms=frozenset({10})), file(room=None), False),
        (Scope(rooms=frozenset({10})), PERSONAL, False),
        (Scope(exclude_rooms=frozenset({10})), FILE, False),
        (Scope(exclude_rooms=frozenset({11})), FILE, True),
        (Scope(exclude_rooms=frozenset({10})), PERSONAL, True),
        (Scope(rooms=frozenset({10}), exclude_rooms=frozenset({10})), FILE, False),
        (Scope(extensions=frozenset({"docx"})), file(title="A.B.DOCX"), True),
        (Scope(extensions=frozenset({"xlsx"})), FILE, False),
        (Scope(extensions=frozenset({"docx"})), file(title="plan"), False),
        (Scope(ignore_users=frozenset({"anna"})), FILE, False),
        (Scope(ignore_users=frozenset({"bot"})), FILE, True),
    ],
)
def test_scope(scope: Scope, seen: File, holds: bool) -> None:
    """Rooms, excluded rooms, extensions, ignored users and personal documents bound the scope."""
    assert scope.holds(seen) is holds


def test_scope_a_title_without_an_extension() -> None:
    """A file that is called "docx" has no extension."""
    assert not Scope(extensions=frozenset({"docx"})).holds(file(title="docx"))


@pytest.mark.parametrize(
    ("scope", "needed"),
    [
        (Scope(), False),
        (Scope(rooms=frozenset({1})), True),
        (Scope(exclude_rooms=frozenset({1})), True),
    ],
)
def test_scope_by_room(scope: Scope, needed: bool) -> None:
    """A file's room is asked for only where rooms are configured."""
    assert scope.by_room is needed


# ---------------------------------------------------------------- whatever comes

moments = st.sampled_from([NOW + n * SECOND for n in (-90, -60, -2, -1, 0, 1)]) | st.datetimes(
    timezones=st.just(NOW.tzinfo)
)
maybe = st.none() | moments
revisions = st.builds(Revision, st.integers(0, 3), moments, st.integers(0, 2))
words = st.sampled_from([TARGET, APPROVED, "", "Edited", UNLOCKED]) | st.text()
titles = st.sampled_from(["a.docx", "b.docx"]) | st.text()
numbers = st.integers(1, 2)
files = st.builds(
    File,
    id=numbers | st.just("box-1"),
    title=titles,
    created=moments,
    revision=revisions,
    comment=words,
    section=st.sampled_from([Section.ROOMS, Section.PERSONAL, *Section]),
    folder=numbers,
    updated_by=st.sampled_from(["anna", "bot"]),
    room=st.none() | numbers,
    provider=st.none() | st.just("Box"),
    locked=st.booleans(),
    editable=st.booleans(),
    read_at=maybe,
)
entries = st.builds(
    Entry,
    id=st.just(1),
    since=moments,
    first_sweep=moments,
    unknown=st.none() | st.sampled_from(Unknown),
    created=maybe,
    title=titles,
    settled=st.none() | revisions,
    ours=st.booleans(),
    intent=st.none() | st.builds(Intent, revisions, words),
    written_at=maybe,
    touched_at=maybe,
    attempts=st.integers(0, 10**6),
)
policies = st.builds(
    Policy,
    portal_texts=st.lists(st.text()).map(tuple),
    unlock_texts=st.lists(st.text()).map(tuple),
    unknown=st.sampled_from(Unknown),
    mark_new=st.booleans(),
    observe=st.booleans(),
    scope=st.builds(Scope, rooms=st.frozensets(numbers), personal=st.booleans()),
)


@given(st.sampled_from(Absent) | files, entries, policies)
@example(file(locked=True), replace(BEFORE, attempts=10**9), POLICY)
def test_a_decision_for_everything(seen: File | Absent, entry: Entry, policy: Policy) -> None:
    """Whatever file meets whatever entry, there is an answer; only waiting comes with a delay."""
    decision = decide(seen, entry, policy, NOW)
    assert isinstance(decision.action, Action)
    assert (decision.again is not None) == (decision.action is Action.WAIT)
    if isinstance(seen, File):
        listed = decide_listed(seen, entry, policy, NOW)
        assert listed.action is not Action.WAIT


def test_every_rule_has_an_action() -> None:
    """Every rule says what to do, and every one but a stale item how it ends."""
    assert all(isinstance(rule.action, Action) and rule.words for rule in Rule)
    assert [rule for rule in Rule if rule.outcome is None] == [Rule.STALE]


@given(files, entries, policies)
def test_the_target_is_never_written_again(seen: File, entry: Entry, policy: Policy) -> None:
    """A file that carries the target is never marked: our own events cannot make a loop."""
    seen = replace(seen, comment=policy.target)
    assert decide(seen, entry, policy, NOW).action is not Action.MARK
    assert decide_listed(seen, entry, policy, NOW).action is not Action.MARK


@given(files, entries, policies, words)
def test_a_persons_word_on_a_settled_revision_stands(
    seen: File, entry: Entry, policy: Policy, word: str
) -> None:
    """A settled revision that did not change is not marked over any word but that of unlocking."""
    assume(not policy.is_unlocking(word))
    entry = replace(entry, settled=seen.revision, created=seen.created)
    assert decide(replace(seen, comment=word), entry, policy, NOW).action is not Action.MARK
