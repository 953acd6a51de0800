"""What must hold after every history of `test_convergence.py`, and what README excepts from it.

An update is marked, once; a person's word is written over by nothing. What cannot be told apart
is a list of predicates, each with its sentence.
"""

from collections.abc import Callable
from datetime import datetime

from reconciler.decision import Policy
from reconciler.model import Intent
from tests.support_convergence import LOOKBACK, Scene, Wrote, revision
from tests.support_people import WORD, Known, is_unlocked
from tests.world import TARGET

POLICY = Policy()


def emptied_before_first_look(wrote: Wrote) -> bool:
    """A comment that somebody emptied before the first look.

    Also one that was emptied so again, over a write whose answer was lost.
    """
    return wrote.write.before == "" and (wrote.known.emptied_early or emptied_again(wrote))


def emptied_again(wrote: Wrote) -> bool:
    """Whether a write was begun over an emptied comment of this version, and none stands there."""
    match wrote.entry.intent:
        case Intent(seen, before):
            return (seen.version, before) == (wrote.file.version, "")
    return False


def touched_never_settled(wrote: Wrote) -> bool:
    """A file that was never settled, and is renamed or comes back from the trash."""
    return wrote.entry.settled is None and wrote.file.updated > wrote.known.saved_at


def touched_portals_text(wrote: Wrote) -> bool:
    """A file with a text of the portal's on it that is renamed or comes back from the trash."""
    settled = wrote.entry.settled
    if settled is None or not POLICY.texts.is_portal_text(wrote.write.before or ""):
        return False
    seen = revision(wrote.file)
    same = (settled.version, settled.size) == (seen.version, seen.size)
    return same and settled.updated < seen.updated


def mark_was_wiped(wrote: Wrote) -> bool:
    """No exception: our comment stood there, and unlocking wiped it."""
    return is_unlocked(wrote.write.before) and wrote.known.wiped == TARGET


def word_wiped_unseen(wrote: Wrote) -> bool:
    """A word that an unlocking wiped before we saw it gives way to our comment."""
    unseen = wrote.entry.marked_by_us or wrote.entry.intent is not None
    return is_unlocked(wrote.write.before) and unseen


def second_of_creation(stage: Scene, known: Known) -> bool:
    """A save of a new file in the second of its creation."""
    file = stage.portal.file(known.id)
    return file.version == 1 and file.updated == file.created


def unlocking_without_event(stage: Scene, known: Known) -> bool:
    """An unlocking of which no event arrives."""
    unlocked = is_unlocked(stage.portal.file(known.id).comment)
    return unlocked and known.heard_tick < known.unlocked_tick


def trashed_before_a_look(stage: Scene, known: Known) -> bool:
    """A save that nobody looked at, trashed before the next sweep and restored after the overlap.

    The README says "that no event announces"; an event whose look finds the trash is no help.
    """
    hidden = known.saved_tick < known.trashed_tick < known.restored_tick
    return hidden and unseen_since(stage, known, known.restored_tick)


def moved_before_a_look(stage: Scene, known: Known) -> bool:
    """A save that no event announces, moved before the next sweep: late, as README says.

    A move raises no date, so the new room is not read back that far before the full scan.
    """
    left = known.saved_tick < known.moved_tick and unseen_since(stage, known, known.moved_tick)
    return left and stage.deep_tick < known.moved_tick


def unseen_since(stage: Scene, known: Known, tick: int) -> bool:
    """Whether no look decided on the content, and no event brings one since ``tick``."""
    return known.content not in known.decided and known.heard_tick < tick


OVER_A_PERSON = (emptied_before_first_look,)
NOT_UPDATED = (touched_never_settled, touched_portals_text, mark_was_wiped)
TWICE_WRITTEN = (
    mark_was_wiped,
    word_wiped_unseen,
    touched_portals_text,
    emptied_before_first_look,
)
NEVER_MARKED = (
    second_of_creation,
    unlocking_without_event,
    trashed_before_a_look,
    moved_before_a_look,
)

# ---------------------------------------------------------------- what must hold


def judge(wrote: Wrote) -> None:
    """A write of ours must be of the target, on an update, over no person, and the first."""
    known, write = wrote.known, wrote.write
    assert write.after == TARGET
    assert write.version == wrote.file.version, "an older version was written to"
    assert write.before != TARGET, "the target was written over itself"
    if is_word(write.before or ""):
        assert excused(wrote, OVER_A_PERSON), f"a person's word was written over: {wrote}"
    if known.content in known.marked:
        assert excused(wrote, TWICE_WRITTEN), f"an update was marked twice: {wrote}"
    if not known.saved or known.saved_at < begins(wrote):
        assert excused(wrote, NOT_UPDATED), f"what was not updated was marked: {wrote}"


def begins(wrote: Wrote) -> datetime:
    """Return where our responsibility for the file begins.

    An event that was accepted before the portal was ever asked counts from its own time on, until
    the file is settled.
    """
    waiting = wrote.known.waiting_from
    if waiting is None or wrote.entry.settled is not None:
        return wrote.since
    return min(wrote.since, waiting - LOOKBACK)


def excused(wrote: Wrote, excuses: tuple[Callable[[Wrote], bool], ...]) -> bool:
    return any(excuse(wrote) for excuse in excuses)


def is_word(comment: str) -> bool:
    """Whether a person typed it: every save writes some text, so only people leave none."""
    return comment == "" or comment.startswith(WORD)


def marked_or_answered(stage: Scene, known: Known) -> bool:
    """Whether an update has what it needs; nothing is asked of what nobody may write to."""
    file = stage.portal.file(known.id)
    ours = known.saved and known.saved_at >= stage.since()
    if not ours or file.trashed or file.locked_by:
        return True
    comment, answered = file.comment or "", known.content in known.answered
    if comment == TARGET or (answered and (is_word(comment) or is_unlocked(comment))):
        return True
    return any(excuse(stage, known) for excuse in NEVER_MARKED)


def at_rest(stage: Scene) -> None:
    """What must hold when all trouble has ended and nothing is due any more."""
    ledger, now = stage.here.ledger, stage.now
    for known in stage.files.values():
        assert marked_or_answered(stage, known), f"never marked: {stage.portal.file(known.id)}"
        row = ledger.file_row(known.id)
        if row is None:
            continue
        assert row["claim"] is None
        if row["due_at"] is None:
            assert row["pending"] == 0
        else:
            assert row["reason"] == "locked"
            assert row["due_at"] > now
    comments = {file: stage.here.comment(file) for file in stage.files}
    writes = stage.portal.count("PUT")
    stage.advance(2)
    assert stage.sweep()
    stage.work_off()
    assert stage.portal.count("PUT") == writes
    assert comments == {file: stage.here.comment(file) for file in stage.files}
