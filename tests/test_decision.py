"""The decision table row by row, the gates, and the helpers of the decision: echoes, texts and the
scope.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from reconciler.comments import texts_of
from reconciler.decision import Policy, Scope, decide, decide_listed, is_echo
from reconciler.model import (
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
)
from reconciler.portal_texts import by_culture, every_text

NOW = datetime.fromisoformat("2025-11-24T12:00:00+00:00")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TARGET, APPROVED, UNLOCKED = "Need Review", "Approved", "The file is unlocked"
POLICY = Policy()
OVERWRITE = Policy(overwrite=True)
CREATED = NOW - 30 * DAY
SAVED = Revision(3, NOW - HOUR, 1000)
OLDER = Revision(2, NOW - 9 * HOUR, 900)
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
BLANK = Entry(7, portal_known=True)
OURS = replace(BLANK, created=CREATED, settled=SAVED, marked_by_us=True, marked_version=3)
THEIRS = replace(OURS, marked_by_us=False)
BEFORE = replace(OURS, settled=OLDER, marked_version=2)
WRITING = replace(BEFORE, intent=Intent(SAVED, "Edited"), marked_version=3)
STRANGE = replace(BLANK, portal_known=False)
BELIEVED = replace(STRANGE, announced=True)


def file(**differs: Any) -> File:
    return replace(FILE, **differs)


def rule(seen: File | Absent, entry: Entry = BLANK, policy: Policy = POLICY) -> Rule:
    return decide(seen, entry, policy).rule


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
    decision = decide(file(section=section, comment=TARGET), OURS, POLICY)
    assert (decision.rule, decision.action) == (Rule.SECTION, Action.LEAVE)


def test_row_4_scope() -> None:
    """A file outside the configured scope is skipped and settles nothing."""
    policy = Policy(scope=Scope(rooms=frozenset({11})))
    decision = decide(FILE, BLANK, policy)
    assert (decision.rule, decision.action) == (Rule.SCOPE, Action.LEAVE)


def test_row_5_id_used_again() -> None:
    """A file with another creation date is another file: the row is reset first."""
    decision = decide(file(comment=""), replace(THEIRS, created=CREATED - DAY), POLICY)
    assert decision == Decision(Rule.UPDATED, is_new_identity=True)


@pytest.mark.parametrize(
    ("seen", "entry"),
    [
        (file(comment="", created=None), THEIRS),
        (file(comment=""), replace(THEIRS, created=None)),
    ],
)
def test_row_5_without_a_creation_date(seen: File, entry: Entry) -> None:
    """Without a creation date the file is not taken for another one, and nothing is reset."""
    assert decide(seen, entry, POLICY) == Decision(Rule.CHANGED)


def test_row_5_portal_was_set_back() -> None:
    """A version lower than the settled one means that the portal was restored: the row is reset."""
    settled = replace(SAVED, version=4)
    decision = decide(FILE, replace(THEIRS, settled=settled), POLICY)
    assert decision == Decision(Rule.UPDATED, is_new_identity=True)


def test_row_5_forgets_the_intent_too() -> None:
    """An intent for another file of the same id says nothing about this one."""
    entry = replace(WRITING, created=CREATED - DAY, settled=None)
    assert rule(file(comment=""), entry) is Rule.UPDATED


def test_row_5_keeps_the_origin() -> None:
    """A reset row keeps its own `since`."""
    entry = replace(OURS, created=CREATED - DAY, since=NOW)
    assert decide(FILE, entry, POLICY) == Decision(Rule.OLD, is_new_identity=True)


def test_row_6_already() -> None:
    """A file that carries the target is settled as marked, whoever wrote it."""
    decision = decide(file(comment=TARGET), BEFORE, POLICY)
    assert (decision.rule, decision.action) == (Rule.ALREADY, Action.SETTLE_MARKED)


def test_row_6_a_former_target() -> None:
    """A file that carries an earlier value of `review.comment` counts as marked."""
    policy = Policy(target="Please check", former_targets=frozenset({TARGET}))
    assert rule(file(comment=TARGET), BEFORE, policy) is Rule.ALREADY
    assert rule(file(comment=TARGET), BEFORE, replace(policy, former_targets=frozenset())) is (
        Rule.UNMARKED
    )


@pytest.mark.parametrize("entry", [OURS, WRITING, replace(THEIRS, settled=SAVED)])
def test_row_7_a_person_replaced_our_comment(entry: Entry) -> None:
    """A person's comment on a version that carried ours is kept and settled as a person's."""
    decision = decide(file(comment=APPROVED), entry, POLICY)
    assert (decision.rule, decision.action) == (Rule.ANSWERED, Action.SETTLE_KEPT)


@pytest.mark.parametrize("entry", [BLANK, BEFORE, replace(BLANK, since=NOW)])
def test_row_7_a_version_that_was_never_marked(entry: Entry) -> None:
    """A person's comment on an update that was never marked is kept, and counted separately."""
    decision = decide(file(comment=APPROVED), entry, POLICY)
    assert (decision.rule, decision.action) == (Rule.UNMARKED, Action.SETTLE_KEPT)


def test_row_7_renamed() -> None:
    """A rename of a file that a person has commented on leaves the comment."""
    assert rule(touched(comment=APPROVED), OURS) is Rule.ANSWERED


@pytest.mark.parametrize("comment", ["Approved; Edited", "Edited; Approved", "Edited by me"])
def test_row_7_beside_a_text_of_the_portals(comment: str) -> None:
    """A comment is the portal's only when every part of it is."""
    assert rule(file(comment=comment)) is Rule.UNMARKED


@pytest.mark.parametrize("entry", [OURS, THEIRS])
def test_row_8_emptied(entry: Entry) -> None:
    """A settled version whose comment was emptied is kept: only a person can empty it."""
    decision = decide(file(comment=""), entry, POLICY)
    assert (decision.rule, decision.action) == (Rule.CHANGED, Action.SETTLE_KEPT)


def test_row_8_emptied_and_renamed() -> None:
    """A settled version whose comment was emptied is kept, also after its date or size changed."""
    assert rule(touched(comment=""), OURS) is Rule.CHANGED
    seen = file(comment="", revision=replace(SAVED, size=1))
    assert rule(seen, OURS) is Rule.CHANGED


def test_row_8_emptied_over_an_intent() -> None:
    """After a lost answer an empty comment that was not empty before is a person's: kept."""
    assert rule(file(comment=""), WRITING) is Rule.CHANGED


def test_row_8_as_before_the_intent() -> None:
    """If the comment is the one before the intent, no write happened, and the file is marked."""
    writing = replace(WRITING, intent=Intent(SAVED, ""))
    assert rule(file(comment=""), writing) is Rule.UPDATED


def test_row_8_an_intent_for_another_version() -> None:
    """An intent for an older version does not affect this one."""
    writing = replace(BEFORE, intent=Intent(OLDER, "Edited"))
    assert rule(file(comment=""), writing) is Rule.UPDATED


@pytest.mark.parametrize(
    ("entry", "policy"),
    [
        (STRANGE, POLICY),
        (replace(STRANGE, portal_known=None), POLICY),
        (BLANK, OVERWRITE),
        (replace(BLANK, overwrite=True), POLICY),
    ],
)
def test_row_8_an_unclear_comment(entry: Entry, policy: Policy) -> None:
    """Where no comment is known to be a person's, it is overwritten once per version."""
    strange = file(comment="Redaktita")
    assert rule(strange, entry, policy) is Rule.UPDATED
    settled = replace(entry, created=CREATED, settled=SAVED, marked_by_us=True)
    assert rule(strange, settled, policy) is Rule.CHANGED
    assert rule(strange, replace(settled, marked_by_us=False), policy) is Rule.CHANGED
    assert rule(strange, replace(entry, intent=Intent(SAVED, "Other")), policy) is Rule.CHANGED


def test_row_9_unlocking_wiped_a_persons_comment() -> None:
    """An unlocked file whose comment was a person's is not marked."""
    decision = decide(file(comment=UNLOCKED), THEIRS, POLICY)
    assert (decision.rule, decision.action) == (Rule.UNLOCKED, Action.SETTLE_KEPT)


def test_row_9_is_about_this_very_revision() -> None:
    """A text of unlocking on a newer date is an update, by a save or a rename, and is marked."""
    assert rule(touched(comment=UNLOCKED), THEIRS) is Rule.UPDATED


def test_row_10_new() -> None:
    """A new file that was never updated is skipped, and nothing is settled."""
    seen = file(revision=Revision(1, CREATED, 10), comment="Created")
    decision = decide(seen, BLANK, POLICY)
    assert (decision.rule, decision.action) == (Rule.NEW, Action.LEAVE)
    assert decision.rule.outcome is Outcome.SKIPPED


def test_row_10_mark_new_files() -> None:
    """With `mark_new_files` a new file is marked."""
    seen = file(revision=Revision(1, CREATED, 10), comment="Created")
    assert rule(seen, BLANK, Policy(mark_new=True)) is Rule.UPDATED


def test_row_10_version_1_saved_later() -> None:
    """Version 1 with a date after its creation was updated."""
    assert rule(file(revision=Revision(1, NOW - HOUR, 10))) is Rule.UPDATED


def test_row_10_a_new_file_of_ours() -> None:
    """A mark on a new file that unlocking removed is set again."""
    seen = file(revision=Revision(1, CREATED, 10), comment=UNLOCKED)
    assert rule(seen, replace(OURS, settled=seen.revision)) is Rule.RESTORED


def test_row_11_old() -> None:
    """A file updated before the origin is skipped, and nothing is settled."""
    decision = decide(FILE, replace(BLANK, since=SAVED.updated + SECOND), POLICY)
    assert (decision.rule, decision.action) == (Rule.OLD, Action.LEAVE)


def test_row_11_the_very_second() -> None:
    """A file updated in the very second of the origin is marked."""
    assert rule(FILE, replace(BLANK, since=SAVED.updated)) is Rule.UPDATED


def test_row_11_is_not_about_a_version_above_the_settled_one() -> None:
    """A version above the settled one is marked, whatever its date."""
    assert rule(FILE, replace(BEFORE, since=NOW)) is Rule.UPDATED


def test_row_11_is_not_about_a_settled_revision() -> None:
    """A mark that unlocking removed is set again, however old the revision."""
    assert rule(file(comment=UNLOCKED), replace(OURS, since=NOW)) is Rule.RESTORED


@pytest.mark.parametrize("comment", ["", "Redaktita"])
def test_rows_10_and_11_an_event_is_believed(comment: str) -> None:
    """On a portal with unknown texts an event leads to a mark, also on a new or old file."""
    new = file(revision=Revision(1, CREATED, 10), comment=comment)
    old = file(comment=comment)
    assert rule(new, BELIEVED) is rule(old, replace(BELIEVED, since=NOW)) is Rule.UPDATED
    assert rule(new, STRANGE) is Rule.NEW
    assert rule(old, replace(STRANGE, since=NOW)) is Rule.OLD
    dated = replace(BELIEVED, portal_known=True, announced_date=CREATED)
    assert rule(file(revision=new.revision, comment=""), dated) is Rule.NEW


@pytest.mark.parametrize("comment", ["", "Edited"])
def test_rows_10_and_11_an_event_without_a_date_is_believed(comment: str) -> None:
    """On such a portal an event without a date leads to a mark too: DocSpace itself did not send
    it, so the file's dates may be meaningless.
    """
    undated = replace(BELIEVED, portal_known=True)
    new = file(revision=Revision(1, CREATED, 10), comment=comment)
    old = file(comment=comment)
    assert rule(new, undated) is rule(old, replace(undated, since=NOW)) is Rule.UPDATED
    assert rule(old, replace(undated, since=NOW, announced=False)) is Rule.OLD


@pytest.mark.parametrize("comment", ["", "Edited"])
def test_row_12_a_new_version(comment: str) -> None:
    """A new version with one of the portal's texts, or none, is marked."""
    decision = decide(file(comment=comment), BEFORE, POLICY)
    assert decision == Decision(Rule.UPDATED)
    assert decision.action is Action.MARK


@pytest.mark.parametrize("entry", [OURS, THEIRS])
@pytest.mark.parametrize(
    "seen",
    [touched(comment="Autosaved"), touched(comment=UNLOCKED), file(comment="Autosaved")],
    ids=["saved later", "unlocked later", "saved again in its second"],
)
def test_row_12_saved_again(seen: File, entry: Entry) -> None:
    """A portal's text on a newer date, or on the settled revision, is a save and is marked."""
    assert rule(seen, entry) is Rule.UPDATED


@pytest.mark.parametrize("culture", by_culture())
def test_row_12_unlocked_in_any_language(culture: str) -> None:
    """A mark that unlocking removed is set again, in whatever language the person works."""
    unlocked = by_culture()[culture]["unlocked"]
    assert rule(file(comment=unlocked), OURS) is Rule.RESTORED
    assert Rule.RESTORED.action is Action.MARK


@pytest.mark.parametrize("text", ["Failas atrakintas", "Atrakinta {0}"])
def test_row_12_unlock_texts_are_added(text: str) -> None:
    """The texts of `review.unlock_texts` count like the known ones."""
    policy = Policy(unlock_texts=(text,))
    seen = file(comment=text.replace("{0}", "9:15"))
    assert rule(seen, OURS, policy) is rule(file(comment=UNLOCKED), OURS, policy) is Rule.RESTORED
    assert rule(seen, OURS) is Rule.ANSWERED


def test_row_12_portal_texts_are_added() -> None:
    """A text of `review.portal_texts` no longer counts as a person's."""
    seen = file(comment="Redaguota")
    assert rule(seen, THEIRS) is Rule.ANSWERED
    assert rule(seen, THEIRS, Policy(portal_texts=("Redaguota",))) is Rule.UPDATED


def test_row_12_over_the_portals_text_under_an_intent() -> None:
    """If the portal's text replaces the comment of an open intent, the file is marked again."""
    assert rule(file(comment="Autosaved"), WRITING) is Rule.UPDATED


def test_row_12_never_seen() -> None:
    """A file without a row that was updated after the origin is marked."""
    assert rule(FILE) is Rule.UPDATED


# ---------------------------------------------------------------- first match wins

NEW = Revision(1, CREATED, 10)
TRASHED = {"section": Section.TRASH, "comment": TARGET}


@pytest.mark.parametrize(
    ("seen", "entry", "policy", "expected"),
    [
        (file(provider="Box", **TRASHED), OURS, POLICY, Rule.THIRD_PARTY),
        (file(updated_by="bot", **TRASHED), OURS, POLICY, Rule.SECTION),
        (file(updated_by="bot", comment=TARGET), OURS, POLICY, Rule.SCOPE),
        (file(comment=TARGET), replace(WRITING, settled=SAVED), POLICY, Rule.ALREADY),
        (file(comment=TARGET, locked=True), BEFORE, POLICY, Rule.ALREADY),
        (file(comment=TARGET, revision=NEW), BLANK, POLICY, Rule.ALREADY),
        (file(comment=TARGET), replace(BLANK, since=NOW), POLICY, Rule.ALREADY),
        (file(comment=APPROVED), replace(BLANK, since=NOW), POLICY, Rule.UNMARKED),
        (file(comment=APPROVED, revision=NEW), BLANK, POLICY, Rule.UNMARKED),
        (file(comment=APPROVED, locked=True), BLANK, POLICY, Rule.UNMARKED),
        (file(comment=""), replace(OURS, since=NOW), POLICY, Rule.CHANGED),
        (file(comment="", revision=NEW), replace(THEIRS, settled=NEW), POLICY, Rule.CHANGED),
        (file(comment=APPROVED), replace(OURS, since=NOW), OVERWRITE, Rule.CHANGED),
        (file(comment=UNLOCKED), replace(THEIRS, since=NOW), POLICY, Rule.UNLOCKED),
        (file(revision=NEW), replace(BLANK, since=NOW), POLICY, Rule.NEW),
        (file(locked=True), replace(BLANK, since=NOW), POLICY, Rule.OLD),
    ],
)
def test_the_first_row_that_matches_wins(
    seen: File, entry: Entry, policy: Policy, expected: Rule
) -> None:
    """Where two rows match, the upper one decides."""
    policy = replace(policy, scope=Scope(ignore_users=frozenset({"bot"})))
    assert rule(seen, entry, policy) is expected


def test_rows_are_numbered_as_in_the_table() -> None:
    """Each row has its number in the code, in order, except row 5, which only resets."""
    numbers = [rule.row for rule in Rule if rule.row is not None]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, 13)) - {5}


# ---------------------------------------------------------------- the gates


@pytest.mark.parametrize(
    ("looks", "minutes"), [(0, 5), (1, 10), (2, 20), (6, 320), (7, 360), (10**9, 360)]
)
def test_gate_lock(looks: int, minutes: int) -> None:
    """A locked file is looked at again after five minutes, doubling to six hours."""
    decision = decide(file(locked=True), replace(BEFORE, locked_looks=looks), POLICY)
    assert decision == Decision(Rule.LOCKED, timedelta(minutes=minutes))


def test_gate_forbidden() -> None:
    """A file that the account may not comment is refused, and looked at after a day."""
    decision = decide(file(editable=False), BEFORE, POLICY)
    assert decision == Decision(Rule.FORBIDDEN, DAY)
    assert decision.rule.outcome is Outcome.REFUSED


@pytest.mark.parametrize("comment", ["Edited", TARGET, APPROVED])
def test_gate_early(comment: str) -> None:
    """A file older than its event's date is looked at again after a second."""
    entry = replace(BEFORE, announced_date=SAVED.updated + SECOND)
    assert decide(file(comment=comment), entry, POLICY) == Decision(Rule.EARLY, SECOND)


def test_gate_early_three_times_at_most() -> None:
    """After three such looks the portal's date is accepted."""
    entry = replace(BEFORE, announced_date=NOW, early_looks=2)
    assert rule(FILE, entry) is Rule.EARLY
    assert rule(FILE, replace(entry, early_looks=3)) is Rule.UPDATED


def test_gate_early_is_not_about_the_same_date() -> None:
    """A file with exactly its event's date is not early."""
    assert rule(FILE, replace(BEFORE, announced_date=SAVED.updated)) is Rule.UPDATED


def test_there_is_no_waiting_for_a_second_to_be_over() -> None:
    """A file saved in this very second is marked at once."""
    assert rule(file(revision=replace(SAVED, updated=NOW)), BEFORE) is Rule.UPDATED


def test_gate_observe() -> None:
    """With `review.observe`, a file that would be marked is left, and nothing is settled."""
    decision = decide(FILE, BEFORE, Policy(observe=True))
    assert (decision.rule, decision.action) == (Rule.OBSERVED, Action.LEAVE)


def test_gates_stand_before_unlocking_too() -> None:
    """A mark that unlocking removed passes the same gates before it is set again."""
    assert rule(file(comment=UNLOCKED, locked=True), OURS) is Rule.LOCKED


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (file(locked=True, editable=False), Rule.LOCKED),
        (file(editable=False), Rule.FORBIDDEN),
        (FILE, Rule.OBSERVED),
    ],
)
def test_the_first_gate_that_is_shut_wins(seen: File, expected: Rule) -> None:
    """Of several closed gates the first decides: locked, forbidden, observing."""
    assert rule(seen, BEFORE, Policy(observe=True)) is expected


def test_a_row_that_is_forgotten_keeps_its_attempts() -> None:
    """A reset row keeps its attempts, so that the wait for a lock grows."""
    entry = replace(OURS, created=CREATED - DAY, locked_looks=1)
    decision = decide(file(locked=True), entry, POLICY)
    assert decision == Decision(Rule.LOCKED, timedelta(minutes=10), is_new_identity=True)


# ---------------------------------------------------------------- list items


def test_listed_decides_like_a_look() -> None:
    """A list item is decided on by the same rows as a look, since it is a whole file."""
    assert decide_listed(file(comment=APPROVED), OURS, POLICY, NOW).rule is Rule.ANSWERED
    assert decide_listed(file(section=Section.TRASH), OURS, POLICY, NOW).rule is Rule.SECTION


def test_listed_leaves_the_gates_to_the_worker() -> None:
    """A list item that must be marked goes to the worker, whose look checks the gates."""
    seen = file(locked=True, editable=False)
    entry = replace(BEFORE, announced_date=NOW)
    assert decide_listed(seen, entry, Policy(observe=True), NOW) == Decision(Rule.UPDATED)


@pytest.mark.parametrize("late", [timedelta(0), SECOND])
def test_listed_before_the_last_touch(late: timedelta) -> None:
    """An item requested before the last settling or intent decides nothing: a look is needed."""
    decision = decide_listed(FILE, replace(OURS, touched_at=NOW + late), POLICY, NOW)
    assert (decision.rule, decision.action) == (Rule.STALE, Action.LOOK)


def test_listed_after_the_last_touch() -> None:
    """An item requested after the last settling or intent decides."""
    entry = replace(OURS, touched_at=NOW - SECOND)
    assert decide_listed(file(comment=TARGET), entry, POLICY, NOW).rule is Rule.ALREADY


@pytest.mark.parametrize(
    "entry",
    [replace(OURS, created=CREATED - DAY), replace(OURS, settled=replace(SAVED, version=4))],
)
def test_listed_another_file(entry: Entry) -> None:
    """An item with another creation date or a lower version needs a look."""
    assert decide_listed(FILE, entry, POLICY, NOW) == Decision(Rule.STALE)


# ---------------------------------------------------------------- events


def event(author: str = "us", modified: datetime | None = SAVED.updated) -> Event:
    return Event(1, "file.updated", 7, FILE.title, author, modified)


@pytest.mark.parametrize("entry", [OURS, replace(BLANK, intent=Intent(SAVED, ""))])
def test_echo(entry: Entry) -> None:
    """Our own event with the date of the settled revision or the open intent is an echo."""
    assert is_echo(event(), entry, owner="us")


@pytest.mark.parametrize(
    ("heard", "entry", "owner"),
    [
        (event(author="anna"), OURS, "us"),
        (event(modified=SAVED.updated + SECOND), OURS, "us"),
        (event(modified=None), OURS, "us"),
        (event(), BLANK, "us"),
        (event(), OURS, None),
    ],
)
def test_no_echo(heard: Event, entry: Entry, owner: str | None) -> None:
    """Another author, another date, an unknown file or an unknown owner is no echo."""
    assert not is_echo(heard, entry, owner)


# ---------------------------------------------------------------- policy and scope


@pytest.mark.parametrize("culture", by_culture())
def test_portals_texts(culture: str) -> None:
    """Every text in every language is the portal's, with any text in place of {0}."""
    for text in by_culture()[culture].values():
        assert POLICY.texts.is_portal_text(text.replace("{0}", "11/24/2025 (9:15)\nAM"))


@given(st.lists(st.sampled_from(sorted(every_text())), min_size=1, max_size=4))
def test_joined_texts(texts: list[str]) -> None:
    """Several texts of the portal's, joined by "; ", are the portal's."""
    assert POLICY.texts.is_portal_text("; ".join(texts))


@pytest.mark.parametrize("text", ["edited", "Edited by me", "Not Edited", TARGET, "Edited;Saved"])
def test_not_the_portals_texts(text: str) -> None:
    """A text is the portal's only if it matches completely and exactly."""
    assert not POLICY.texts.is_portal_text(text)


@given(st.text())
def test_a_persons_part_makes_the_comment_a_persons(text: str) -> None:
    """A comment that a person appended to a portal's text is a person's."""
    assume(not all(map(POLICY.texts.is_portal_text, text.split("; "))))
    assert not POLICY.texts.is_portal_text(f"Autosaved; {text}")


def test_configured_portal_texts() -> None:
    """Configured texts of another server are added; only {0} is special in them."""
    texts = texts_of(("Redaguota (v.{0})",))
    assert texts.is_portal_text("Redaguota (v.12)")
    assert texts.is_portal_text("Edited; Redaguota (v.12)")
    assert not texts.is_portal_text("Redaguota (vx12)")


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
        (Scope(extensions=frozenset({"docx"})), file(title="docx"), False),
        (Scope(ignore_users=frozenset({"anna"})), FILE, False),
        (Scope(ignore_users=frozenset({"bot"})), FILE, True),
    ],
)
def test_scope(scope: Scope, seen: File, holds: bool) -> None:
    """Rooms, excluded rooms, extensions, ignored users and personal documents bound the scope."""
    assert scope.holds(seen) is holds


@pytest.mark.parametrize(
    ("scope", "needed"),
    [
        (Scope(), False),
        (Scope(rooms=frozenset({1})), True),
        (Scope(exclude_rooms=frozenset({1})), True),
    ],
)
def test_scope_by_room(scope: Scope, needed: bool) -> None:
    """A file's room is requested only if rooms are configured."""
    assert scope.by_room is needed


# ---------------------------------------------------------------- whatever comes

moments = st.sampled_from([NOW + n * SECOND for n in (-90, -60, -2, -1, 0, 1)]) | st.datetimes(
    timezones=st.just(NOW.tzinfo)
)
maybe = st.none() | moments
revisions = st.builds(Revision, st.integers(0, 3), moments, st.integers(0, 2))
words = st.sampled_from([TARGET, APPROVED, "", "Edited", UNLOCKED]) | st.text()
numbers = st.integers(1, 2)
files = st.builds(
    File,
    id=numbers | st.just("box-1"),
    title=st.sampled_from(["a.docx", "b.docx"]) | st.text(),
    created=maybe,
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
    portal_known=st.sampled_from([True, False, None]),
    announced=st.booleans(),
    announced_date=maybe,
    overwrite=st.booleans(),
    created=maybe,
    settled=st.none() | revisions,
    marked_by_us=st.booleans(),
    marked_version=st.none() | st.integers(0, 3),
    intent=st.none() | st.builds(Intent, revisions, words),
    touched_at=maybe,
    attempts=st.integers(0, 10**6),
    locked_looks=st.integers(0, 10**6),
    early_looks=st.integers(0, 10**6),
)
policies = st.builds(
    Policy,
    overwrite=st.booleans(),
    mark_new=st.booleans(),
    observe=st.booleans(),
    scope=st.builds(Scope, rooms=st.frozensets(numbers), personal=st.booleans()),
)


@given(st.sampled_from(Absent) | files, entries, policies)
@example(file(locked=True), replace(BEFORE, locked_looks=10**9), POLICY)
def test_a_decision_for_everything(seen: File | Absent, entry: Entry, policy: Policy) -> None:
    """Every file has a decision with every entry, and only a wait has a delay."""
    decision = decide(seen, entry, policy)
    assert isinstance(decision.action, Action)
    assert (decision.retry_after is not None) == (decision.action is Action.WAIT)
    if isinstance(seen, File):
        listed = decide_listed(seen, entry, policy, NOW)
        assert listed.action is not Action.WAIT


def test_every_rule_has_an_action() -> None:
    """Every rule has an action, and every rule but the stale item an outcome."""
    assert all(isinstance(rule.action, Action) and rule.description for rule in Rule)
    assert [rule for rule in Rule if rule.outcome is None] == [Rule.STALE]


@given(files, entries, policies)
def test_the_target_is_never_written_again(seen: File, entry: Entry, policy: Policy) -> None:
    """A file that carries the target is never marked, so our own events cannot cause a loop."""
    seen = replace(seen, comment=policy.target)
    assert decide(seen, entry, policy).action is not Action.MARK
    assert decide_listed(seen, entry, policy, NOW).action is not Action.MARK


@given(files, entries, policies, st.text(min_size=1))
def test_a_persons_comment_is_never_overwritten(
    seen: File, entry: Entry, policy: Policy, comment: str
) -> None:
    """On a known portal a person's comment is never overwritten, whatever the ledger has."""
    policy = replace(policy, overwrite=False)
    entry = replace(entry, portal_known=True, overwrite=False)
    assume(not policy.texts.is_portal_text(comment))
    assert decide(replace(seen, comment=comment), entry, policy).action is not Action.MARK


@given(files, entries, policies, st.text())
def test_a_settled_version_keeps_what_no_portal_writes(
    seen: File, entry: Entry, policy: Policy, comment: str
) -> None:
    """On any portal, a settled version is marked again only over the portal's texts."""
    assume(not policy.texts.is_portal_text(comment))
    entry = replace(entry, settled=seen.revision, created=seen.created)
    assert decide(replace(seen, comment=comment), entry, policy).action is not Action.MARK
