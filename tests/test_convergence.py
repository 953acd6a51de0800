"""Random histories on the real thing, and after each of them the promise must hold.

The sandbox portal over HTTP, the receiver on waitress, the ledger on disk, the worker stepped
by hand, the sweep. People of many languages do what
people do; letters are lost, doubled, late and out of order;
the portal fails; processes are killed. When all that ends, the system must come to rest, with
every update marked, no person's word written over, nothing written twice, all counts adding
up, and a further sweep changing nothing. What cannot be told apart (README) is a list of
predicates, each with its sentence.

`RECONCILER_TEST_EXAMPLES` asks for more histories than the few of a normal run.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from reconciler.model import Intent
from reconciler.review import Policy
from reconciler.sandbox import Fault
from tests.support_convergence import (
    DROP,
    HOLD,
    ONCE,
    TWICE,
    WORD,
    Known,
    Scene,
    Wrote,
    is_unlocked,
    revision,
    scene,
)
from tests.world import TARGET

EXAMPLES = int(os.environ.get("RECONCILER_TEST_EXAMPLES", "20"))
STEPS = int(os.environ.get("RECONCILER_TEST_STEPS", "30"))
POLICY = Policy()

# ---------------------------------------------------------------- what cannot be told apart


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
    if settled is None or not POLICY.texts.is_portals(wrote.write.before or ""):
        return False
    seen = revision(wrote.file)
    same = (settled.version, settled.size) == (seen.version, seen.size)
    return same and settled.updated < seen.updated


def mark_was_wiped(wrote: Wrote) -> bool:
    """No exception: our comment stood there, and unlocking wiped it."""
    return is_unlocked(wrote.write.before) and wrote.known.wiped == TARGET


def word_wiped_unseen(wrote: Wrote) -> bool:
    """A word that an unlocking wiped before we saw it gives way to our comment."""
    unseen = wrote.entry.ours or wrote.entry.intent is not None
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

    A move raises no date, so the new room is not read back that far before the deep sweep.
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
    if not known.saved or known.saved_at < wrote.since:
        assert excused(wrote, NOT_UPDATED), f"what was not updated was marked: {wrote}"


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
        row = ledger.facts(known.id)
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


# ---------------------------------------------------------------- every kind of history

FAULTS = (
    "status",
    "throttle",
    "throttle_day",
    "html",
    "not_json",
    "redirect",
    "empty",
    "truncated",
    "reset_before",
    "reset_after",
    "reset_after",
)
ROUTES = ("GET files/file/{id}", "PUT files/file/{id}/comment", "GET files", "*")
ACTS = (
    *("lock and unlock", "lock and unlock", "say", "rename", "say", "rename", "say", "empty"),
    *("save", "save", "forcesave", "same size", "autosave"),
    *("upload", "replace", "convert", "restore_version"),
    *("anonymous save", "anonymous forcesave", "anonymous autosave"),
    *("lock", "move", "trash", "trash and restore", "recreate", "delete"),
)
WAITS = (0.3, 0.7, 1.0, 1.0, 2.0, 10.0, 61.0, 200.0, 400.0, 3600.0, 6 * 3600.0, 86400.0)


class Histories(RuleBasedStateMachine):
    """People of many languages, letters, trouble, worker and sweep, in any order."""

    files: Bundle[int] = Bundle("files")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.stage = self.stack.enter_context(scene(Path(folder) / "ledger.db", judge))
        self.portal = self.stage.portal

    def teardown(self) -> None:
        with self.stack:
            if sys.exc_info()[0] is None:
                self.settle_again(arrives=True)
                self.stage.advance(86400)
                self.settle_again(arrives=True)

    def settle_again(self, *, arrives: bool) -> None:
        self.stage.settle(arrives=arrives)
        at_rest(self.stage)

    # people

    @initialize(target=files, known=st.booleans())
    def begin(self, known: bool) -> MultipleResults[int]:
        if known:
            self.stage.settle(arrives=True)
        focus = [self.stage.recent] * 4 * len(self.stage.files)  # most happens to one file
        return multiple(*focus, *self.stage.files)

    @rule(target=files, room=st.sampled_from((0, 1)))
    def create(self, room: int) -> int:
        return self.stage.create(self.stage.rooms[room])

    @rule(file=files, acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=4))
    def people(self, file: int, acts: list[str]) -> None:
        for act in acts:
            self.stage.act(file, act)

    @rule(file=files, acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=3))
    def people_and_work(self, file: int, acts: list[str]) -> None:
        self.people(file, acts)
        self.work_a_moment_later(1.5)

    @rule(
        file=files,
        word=st.sampled_from((["say"], [])),
        acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=2),
        seconds=st.sampled_from((0.0, 0.0, 400.0)),
    )
    def people_after_a_mark(
        self, file: int, word: list[str], acts: list[str], seconds: float
    ) -> None:
        """What people do with a file that was just saved, marked and perhaps reviewed."""
        for act in ("save", *word, *acts):
            self.people_and_work(file, [act])
            self.stage.advance(seconds)

    @rule(source=files, file=files)
    def copy_over(self, source: int, file: int) -> None:
        if self.stage.workable(file) and self.stage.workable(source) and source != file:
            self.stage.copy_over(source, file)

    # time and letters

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        self.stage.advance(seconds)

    @rule(post=st.sampled_from((ONCE, ONCE, ONCE, TWICE, HOLD, DROP)))
    def letters_travel(self, post: str) -> None:
        self.stage.post = post

    @precondition(lambda self: self.stage.late)
    @rule(number=st.integers(0, 9), keep=st.booleans())
    def late_letter(self, number: int, keep: bool) -> None:
        place = number % len(self.stage.late)
        letter = self.stage.late[place]
        if not keep:
            del self.stage.late[place]
        self.stage.deliver(letter)

    # trouble

    @rule(
        kind=st.sampled_from(FAULTS),
        route=st.sampled_from(ROUTES),
        skip=st.integers(0, 2),
        times=st.sampled_from((1, 1, 2, 5)),
        meets=st.sampled_from(("work", "sweep", "")),
    )
    def fault(self, kind: str, route: str, skip: int, times: int, meets: str) -> None:
        self.portal.faults.add(Fault(route, kind, times=times, skip=skip))
        if meets == "sweep":
            self.stage.sweep()
        elif meets:
            self.work_a_moment_later(1.0)

    @rule(file=files, kind=st.sampled_from(FAULTS), act=st.sampled_from((*ACTS[:8], "work")))
    def write_fails(self, file: int, kind: str, act: str) -> None:
        """A save whose write fails, or whose answer is lost, and what people do meanwhile."""
        self.portal.faults.add(Fault("PUT", kind))
        self.people_and_work(file, ["save"])
        self.stage.act(file, act)

    @rule(how=st.sampled_from(("claim", "intent", "effect", "")), again=st.booleans())
    def killed_or_restarted(self, how: str, again: bool) -> None:
        if how:
            self.stage.killed(how)
        if again:
            self.stage.restart()

    # the machinery

    def work_a_moment_later(self, seconds: float) -> None:
        self.stage.advance(seconds)
        for _ in range(4):
            self.stage.step()

    @rule()
    def work(self) -> None:
        self.stage.step()

    @rule()
    def sweep(self) -> None:
        self.stage.sweep()

    @rule(
        file=files,
        act=st.sampled_from((*ACTS, "work")),
        request=st.integers(1, 5),
    )
    def sweep_meanwhile(self, file: int, act: str, request: int) -> None:
        """Something happens after an answer of the sweep was made, before it is used."""
        left = [request]

        def meanwhile(method: str, route: str, which: object) -> None:
            left[0] -= 1
            if left[0] == 0:
                self.portal.on_answer = None
                self.stage.act(file, act)

        self.portal.on_answer = meanwhile
        self.stage.sweep()
        self.portal.on_answer = None

    @rule(arrives=st.booleans())
    def settle(self, arrives: bool) -> None:
        self.settle_again(arrives=arrives)

    @invariant()
    def counts_add_up(self) -> None:
        totals = self.stage.here.ledger.totals()
        assert totals.accepted == sum(totals.ended.values()) + totals.pending


def test_whatever_happens_the_portal_converges() -> None:
    """Every history ends with every update marked, no word lost, and nothing left to do."""
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,  # histories differ in length; the file as a whole is timed
            database=None,
            suppress_health_check=[HealthCheck.too_slow],  # a world is servers and a database
        ),
    )


def test_an_unannounced_save_that_was_moved_is_marked_a_day_later(tmp_path: Path) -> None:
    """A move raises no date: the deep sweep finds the file in its new room."""
    with scene(tmp_path / "ledger.db", judge) as stage:
        stage.settle(arrives=True)
        stage.post = DROP
        stage.act(stage.recent, "save")
        stage.act(stage.recent, "move")
        stage.settle(arrives=False)
        stage.advance(86400)
        stage.settle(arrives=False)
        assert stage.here.comment(stage.recent) == TARGET
