"""Random histories on the real parts, and after each of them the promises must hold.

The sandbox portal over HTTP, the receiver on waitress, the ledger on disk, the worker stepped by
the test, the sweep. Users of many languages act; deliveries are lost, duplicated, late and out of
order; the portal fails; processes are killed. When all that ends, the system must come to rest,
with every update marked, no person's comment overwritten, nothing written twice, all counts adding
up, and a further sweep changing nothing (`support_promise.py`).

`RECONCILER_TEST_EXAMPLES` asks for more histories than the few of a normal run.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
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

from reconciler.sandbox import Fault
from tests.support_convergence import scene
from tests.support_ledger import totals
from tests.support_people import DROP, HOLD, ONCE, TWICE
from tests.support_promise import at_rest, check_write
from tests.world import TARGET

EXAMPLES = int(os.environ.get("RECONCILER_TEST_EXAMPLES", "10"))
STEPS = int(os.environ.get("RECONCILER_TEST_STEPS", "30"))

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
    """Users of many languages, deliveries, faults, worker and sweep, in any order."""

    files: Bundle[int] = Bundle("files")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.stage = self.stack.enter_context(scene(Path(folder) / "ledger.db", check_write))
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
        """Let users act on a file that was just saved, marked and perhaps reviewed."""
        for act in ("save", *word, *acts):
            self.people_and_work(file, [act])
            self.stage.advance(seconds)

    @rule(source=files, file=files)
    def copy_over(self, source: int, file: int) -> None:
        if self.stage.workable(file) and self.stage.workable(source) and source != file:
            self.stage.copy_over(source, file)

    # time and deliveries

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        self.stage.advance(seconds)

    @rule(post=st.sampled_from((ONCE, ONCE, ONCE, TWICE, HOLD, DROP)))
    def deliveries_travel(self, post: str) -> None:
        self.stage.post = post

    @precondition(lambda self: self.stage.late)
    @rule(number=st.integers(0, 9), keep=st.booleans())
    def late_letter(self, number: int, keep: bool) -> None:
        place = number % len(self.stage.late)
        delivery = self.stage.late[place]
        if not keep:
            del self.stage.late[place]
        self.stage.deliver(delivery)

    # faults

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
        """Save a file whose write fails, or whose answer is lost, and let users act meanwhile."""
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
        """Let something happen between an answer to the sweep and its use."""
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
        counts = totals(self.stage.here.ledger)
        assert counts.accepted == sum(counts.ended.values()) + counts.pending


def test_whatever_happens_the_portal_converges() -> None:
    """Every history ends with every update marked, no person's comment lost, all done."""
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
        ),
    )


def test_an_unannounced_save_that_was_moved_is_marked_a_day_later(tmp_path: Path) -> None:
    """An unannounced save that was moved is found by the full scan: a move raises no date."""
    with scene(tmp_path / "ledger.db", check_write) as stage:
        stage.settle(arrives=True)
        stage.post = DROP
        stage.act(stage.recent, "save")
        stage.act(stage.recent, "move")
        stage.settle(arrives=False)
        stage.advance(86400)
        stage.settle(arrives=False)
        assert stage.here.comment(stage.recent) == TARGET


def test_an_old_update_whose_event_had_to_wait_is_still_marked(tmp_path: Path) -> None:
    """An update whose event came days before the portal was first asked is marked, also after an
    unlocking removed a person's comment.
    """
    with scene(tmp_path / "ledger.db", check_write) as stage:
        old = next(file for file, known in stage.files.items() if known.answered)
        stage.act(old, "lock and unlock")
        stage.settle(arrives=True)
        assert stage.here.comment(old) == TARGET
