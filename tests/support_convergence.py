"""A scene for `test_convergence.py`: the world of `world.py` with more rooms and files, people
whose every action is written down, letters that a test delivers itself, and faults.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.errors import PortalError
from reconciler.model import EPOCH, Action, Entry, Revision
from reconciler.sandbox import CommentWrite, FileInfo
from reconciler.sweep import Sweep
from reconciler.worker import Processed
from tests.support_people import DROP, ONCE, Known, People
from tests.world import TARGET, World, scan_settings, world

LOOKBACK = timedelta(hours=24)


@dataclass(frozen=True)
class Wrote:
    """One write of ours: the file as it stood before it, the row then, and the write."""

    known: Known
    file: FileInfo
    entry: Entry
    since: datetime
    write: CommentWrite


def revision(file: FileInfo) -> Revision:
    """Return what a look can tell of the content."""
    return Revision(file.version, file.updated, file.size)


class Scene(People):
    """Everything together; ``judge`` hears of each write."""

    def __init__(self, here: World, judge: Callable[[Wrote], None]) -> None:
        """Start as `People` does."""
        super().__init__(here)
        self._judge = judge
        self.deep_tick = 0  # the last deep sweep that lacked no room

    def act(self, file: int, what: str) -> None:
        """Let somebody do something with a file, if that is possible, or the worker a step."""
        if what == "work":
            self.step()
        elif file in self.files:
            self.do(file, what)

    # ------------------------------------------------------------ what the machinery does

    def since(self) -> datetime:
        """Return where our responsibility begins, or would begin now."""
        since = self.here.ledger.baseline().since
        return self.now.replace(microsecond=0) - LOOKBACK if since == EPOCH else since

    def step(self) -> Processed | None:
        """Let the worker work off one due file, and judge what it wrote."""
        before = self._before()
        attempt = self.here.step()
        self.tick += 1
        self.after(before)
        if attempt is not None and attempt.file in self.files and attempt.seen is not None:
            waits = attempt.rule is not None and attempt.rule.action is Action.WAIT
            self._look(attempt.file, decided=not waits)
        return attempt

    def _before(self) -> list[tuple[Known, FileInfo, Entry]]:
        """Return the file that is to be claimed, as it stands, and what is known of it."""
        found = []
        for entry in self.here.ledger.due(self.now, 1):
            if entry.id in self.files:
                file = self.portal.file(entry.id)
                another = entry.created not in (None, file.created)  # the id is used again
                found.append((self.files[entry.id], file, entry.reset() if another else entry))
        return found

    def after(self, before: list[tuple[Known, FileInfo, Entry]]) -> None:
        """Judge the writes of ours that there are now and were not before."""
        since, befores = self.since(), {known.id: (f, e) for known, f, e in before}
        for known in list(self.files.values()):
            for write in self.portal.comment_writes(known.id)[known.writes :]:
                assert write.by == self.here.bot
                assert known.id in befores, f"{known.id} was written to and was not due"
                self._judge(Wrote(known, *befores[known.id], since, write))
                known.marked.add(known.content)
                known.writes += 1
            entry = self.here.ledger.entry(known.id)
            intended = entry.intent.revision if entry.intent else None
            if revision(self.portal.file(known.id)) in (entry.settled, intended):
                self._look(known.id, decided=True)
        self.collect()

    def _look(self, file: int, *, decided: bool) -> None:
        known = self.files[file]
        if decided:
            known.decided.add(known.content)
        known.looked.add(known.content)

    def killed(self, how: str) -> None:
        """Claim a file and get as far as ``how`` says, then die: the claim stays open."""
        before = self._before()
        ledger, now = self.here.ledger, self.now
        claims = ledger.claims.take(now, 1, timedelta(seconds=180))
        if not claims or how == "claim":
            return
        entry = claims[0].entry
        try:
            if entry.since == EPOCH:
                return
            look = self.here.making.looker.look(entry)
            file, decision = look.file, look.decision
            if file is None or decision.action is not Action.MARK:
                return
            until = now + timedelta(seconds=60)
            ledger.claims.begin_write(
                claims[0], file, now, until=until, is_new_identity=decision.is_new_identity
            )
            if how == "effect":
                self.here.docspace.set_comment(entry.id, file.revision.version, TARGET)
        except PortalError:
            return
        finally:
            self.tick += 1
            self.after(before)

    def sweep(self) -> bool:
        """Sweep as the service does; return whether it was complete."""
        here = self.here
        if here.ledger.paused(self.now) is not None:
            return False
        try:
            report = Sweep(here.ledger, here.docspace, scan_settings(here.policy), here.clock).run()
        except PortalError as error:
            here.health.record_listing_failure(error, self.now)
            return False
        finally:
            self.tick += 1
            self.after([])
        if report.full_scan and not report.incomplete:
            self.deep_tick = self.tick
        assert report.scanned == report.enqueued + sum(report.ended.values())
        return not report.incomplete

    def restart(self) -> None:
        """Close ledger and client, and open them again."""
        self.here.restart()

    # ------------------------------------------------------------ coming to rest

    def work_off(self) -> int:
        """Step until nothing is due, however long that takes; return how many attempts it took.

        What waits for a lock that is still there may wait.
        """
        for steps in range(300):
            due = self.here.ledger.claims.next_at(self.now)
            if due is None:
                return steps
            due = max(due, self.here.health.next_look(self.now))
            if due > self.now:
                if all(self._waits_for_its_lock(one.id) for one in self._owed()):
                    return steps
                self.here.clock.now = due
            self.step()
        raise AssertionError("the worker does not come to rest")

    def _owed(self) -> list[Entry]:
        return self.here.ledger.due(self.now + timedelta(days=365), 100)

    def _waits_for_its_lock(self, file: int) -> bool:
        row = self.here.ledger.file_row(file)
        assert row is not None
        locked = file in self.files and self.portal.file(file).locked_by is not None
        return locked and row["reason"] == "locked" and row["claim"] is None

    def settle(self, *, arrives: bool) -> None:
        """End all trouble, deliver what is late or lose it, sweep and work until all is quiet."""
        self.portal.faults.clear()
        self.post = ONCE if arrives else DROP
        letters, self.late = self.late, []
        for letter in letters if arrives else []:
            self.deliver(letter)
        for _ in range(12):
            attempts = self.work_off()
            self.advance(1)  # an item read in the very moment of a settling decides nothing
            pause = self.here.ledger.paused(self.now)
            self.here.clock.now = self.now if pause is None else pause.until
            if self.sweep() and attempts + self.work_off() == 0:
                self.post = ONCE
                return
        raise AssertionError("the system does not come to rest")


@contextmanager
def scene(path: Path, judge: Callable[[Wrote], None]) -> Iterator[Scene]:
    """Build a scene within the block; its ledger lies at ``path``."""
    with world(path) as here:
        yield Scene(here, judge)
