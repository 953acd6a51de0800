"""A scene for `test_convergence.py`: the world of `world.py` with more rooms and files, people
of many languages whose every action is written down, letters that a test delivers itself, and
faults.

`Known` holds about each file what only the test knows: which content stands there, when it was
saved, who typed what upon it. Nothing is delivered by itself: each event waits as a letter
until the scene's post sends it, once, twice, late, or never.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.errors import PortalError
from reconciler.ledger import Quota
from reconciler.model import EPOCH, Absent, Action, Entry, Revision
from reconciler.portal_texts import unlock_texts
from reconciler.review import decide
from reconciler.sandbox import CommentWrite, FileInfo, Network, User
from reconciler.sweep import Sweep, Terms
from reconciler.worker import Attempt
from tests.world import TARGET, World, world

WORD = "Approved"
LANGUAGES = ("en", "de", "ja-JP", "ar-SA", "pt-BR", "zh-CN")
LOOKBACK = timedelta(hours=24)
DROP, ONCE, TWICE, HOLD = "drop", "once", "twice", "hold"
NOTHING_ARRIVES = Network(drop=1.0)


@dataclass
class Known:
    """What only the test knows of a file. Ticks order what happened; 0 is never."""

    id: int
    content: int = 0  # a new number with every save
    saved: bool = False  # that content was saved, not created
    saved_at: datetime = EPOCH
    looked: set[int] = field(default_factory=set)  # contents that were looked at or settled
    decided: set[int] = field(default_factory=set)  # those whose look had not to wait
    marked: set[int] = field(default_factory=set)  # contents that we wrote the target upon
    answered: set[int] = field(default_factory=set)  # contents that a person wrote a word upon
    emptied_early: bool = False  # the comment that stands was emptied before the first look
    wiped: str = ""  # what the last unlocking wiped that was no unlock text itself
    writes: int = 0  # comment writes that were judged
    saved_tick: int = 0
    heard_tick: int = 0  # the last delivery of an event that a person caused
    unlocked_tick: int = 0
    trashed_tick: int = 0
    restored_tick: int = 0
    moved_tick: int = 0


@dataclass(frozen=True)
class Wrote:
    """One write of ours: the file as it stood before it, the row then, and the write."""

    known: Known
    file: FileInfo
    entry: Entry
    since: datetime
    write: CommentWrite


def is_unlocked(comment: str | None) -> bool:
    """Whether an unlocking wrote it, in any language."""
    return comment in unlock_texts()


def revision(file: FileInfo) -> Revision:
    """Return what a look can tell of the content."""
    return Revision(file.version, file.updated, file.size)


class Scene:
    """Everything together. ``post`` says how letters travel; ``judge`` hears of each write."""

    def __init__(self, here: World, judge: Callable[[Wrote], None]) -> None:
        """Furnish the world: old files, new ones, an indexed room, documents of the bot's own."""
        self.here, self.portal, self._judge = here, here.portal, judge
        self.post, self.tick, self._words, self._titles, self._acts = ONCE, 1, 0, 0, 0
        self.files: dict[int, Known] = {}
        self.late: list[int] = []
        self.deep_tick = 0  # the last deep sweep that lacked no room
        self._posted = 0
        self.portal.network = NOTHING_ARRIVES
        room = int(self.portal.add_room("Sales", owner=here.ann, indexing=True))
        self.portal.invite(room, here.bot, access=9)
        self.rooms = (here.room, room)
        self._know(here.file)
        self._furnish()
        self.late.clear()
        self._posted = self.portal.next_log_id - 1

    def _furnish(self) -> None:
        here = self.here
        old = self.create(self.rooms[1])
        self.advance(60)
        self.save(old)
        self.advance(60)
        self.say(old)
        self.advance(3 * 86400)
        self.recent = recent = self.create(self.rooms[0])
        mine = self.create(self.portal.personal(here.bot))
        self.portal.share(mine, here.ann)
        hidden = self.create(self.portal.personal(here.bot))
        self.advance(60)
        self.save(recent)
        self.save(hidden)
        self.advance(3600)

    # ------------------------------------------------------------ time and letters

    @property
    def now(self) -> datetime:
        """The time."""
        return self.here.clock.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.here.clock.advance(seconds)

    def collect(self) -> None:
        """Take what was published since, and let it travel as ``post`` says."""
        letters = range(self._posted + 1, self.portal.next_log_id)
        self._posted = self.portal.next_log_id - 1
        for letter in letters:
            if self.post == HOLD:
                self.late.append(letter)
            elif self.post != DROP:
                self.deliver(letter)
            if self.post == TWICE:
                self.deliver(letter)

    def deliver(self, letter: int) -> None:
        """Deliver one letter over HTTP, now."""
        if letter not in self.portal.logs:
            return
        self.portal.network = Network()
        again = self.portal.retry_log(letter)
        assert self.here.server.drain()
        self.portal.network = NOTHING_ARRIVES
        self._posted = max(self._posted, again)
        self.tick += 1
        log = self.portal.logs[again]
        assert log.status == 200
        known = self.files.get(int(log.file_id))
        if known is not None and log.event["createBy"] != self.here.bot.id:
            known.heard_tick = self.tick

    # ------------------------------------------------------------ what people do

    def person(self, file: int, *, anonymous: bool = False) -> User:
        """Ann works; what she locked is hers alone. She locks everything."""
        if self.portal.file(file).locked_by:
            return self.ann
        return self.speaking(self.portal.anonymous if anonymous else self.here.bob)

    @property
    def ann(self) -> User:
        """Ann, who speaks another language with each act."""
        return self.speaking(self.here.ann)

    def speaking(self, person: User) -> User:
        """Let a person act in another language than the last one did."""
        self._acts += 1
        return replace(person, culture=LANGUAGES[self._acts % len(LANGUAGES)])

    def workable(self, file: int) -> bool:
        """Whether the file is there and people can work on it."""
        return file in self.files and not self.portal.file(file).trashed

    def create(self, folder: int) -> int:
        """Create a file of its own title."""
        self._titles += 1
        file = int(self.portal.create(folder, f"File {self._titles}.docx", by=self.ann))
        self._know(file)
        self.collect()
        return file

    def recreate(self, file: int) -> bool:
        """Delete a file and create another one of the same id, in another second."""
        before = self.portal.file(file)
        if before.created == self.portal.now():
            return False
        self.portal.delete(file, by=self.ann)
        following, self.portal.next_id = self.portal.next_id, file
        self._titles += 1
        self.portal.create(self.rooms[0], f"File {self._titles}.docx", by=self.ann)
        self.portal.next_id = following
        self._know(file)
        self.collect()
        return True

    def delete(self, file: int) -> None:
        """Delete a file for good."""
        self.portal.delete(file, by=self.ann)
        del self.files[file]
        self.collect()

    def save(self, file: int, how: str = "save", size: int | None = None) -> None:
        """Save new content in one of the many ways; the last three publish no file.updated."""
        portal, info = self.portal, self.portal.file(file)
        by = self.person(file, anonymous=how.startswith("anonymous"))
        match how.removeprefix("anonymous "):
            case "save":
                portal.save(file, by=by, size=size)
            case "forcesave" | "autosave":
                portal.forcesave(file, by=by, size=size, timer=how.endswith("autosave"))
            case "restore_version":
                portal.restore_version(file, 1, by=by)
            case "upload":
                portal.upload(info.folder_id, info.title, by=by, size=size or info.size + 11)
            case "replace":
                portal.replace_content(file, by=by, size=size)
            case "convert":
                portal.convert(file, by=by)
            case _:
                raise ValueError(how)
        self._saved(file)

    def copy_over(self, source: int, file: int) -> None:
        """Copy another file over this one: no file.updated."""
        folder = self.portal.file(file).folder_id
        self.portal.copy(source, folder, by=self.person(file), overwrite=file)
        self._saved(file)

    def say(self, file: int) -> None:
        """Type a word that nobody has typed before."""
        self._words += 1
        self._type(file, f"{WORD} {self._words}")

    def empty(self, file: int) -> None:
        """Empty the comment."""
        self._type(file, "")

    def _type(self, file: int, word: str) -> None:
        known = self.files[file]
        self.portal.comment(file, word, by=self.person(file))
        known.answered.add(known.content)
        known.emptied_early = not word and known.content not in known.looked
        self._touched(file)

    def rename(self, file: int) -> None:
        """Give the file another title."""
        self._titles += 1
        self.portal.rename(file, f"File {self._titles}.docx", by=self.person(file))
        self._touched(file)

    def lock(self, file: int) -> None:
        """Lock a file against everybody but Ann."""
        self.portal.lock(file, by=self.ann)
        self._touched(file)

    def unlock(self, file: int) -> None:
        """Unlock it: the portal writes over the comment."""
        known, before = self.files[file], self.portal.file(file).comment or ""
        known.wiped = known.wiped if is_unlocked(before) else before
        self.portal.unlock(file, by=self.ann)
        known.unlocked_tick = self._touched(file)

    def move(self, file: int, room: int) -> None:
        """Move a file to a room: no date changes."""
        self.portal.move(file, room, by=self.person(file))
        self.files[file].moved_tick = self._touched(file)

    def trash(self, file: int) -> None:
        """Put a file into Ann's trash."""
        self.portal.trash(file, by=self.ann)
        self.files[file].trashed_tick = self._touched(file)

    def restore(self, file: int) -> None:
        """Take it out again."""
        self.portal.restore(file, by=self.ann)
        self.files[file].restored_tick = self._touched(file)

    def act(self, file: int, what: str) -> None:
        """Let somebody do something with a file, if that is possible, or the worker a step."""
        if what == "work":
            self.step()
        elif file in self.files:
            self._act(file, what)

    def _act(self, file: int, what: str) -> None:
        info = self.portal.file(file)
        if what == "trash":
            (self.restore if info.trashed else self.trash)(file)
        elif info.trashed:
            return
        elif what == "lock":
            (self.unlock if info.locked_by else self.lock)(file)
        elif what == "move":
            here, there = self.rooms
            self.move(file, there if info.folder_id == here else here)
        elif " and " in what:  # and back
            self._act(file, what.partition(" ")[0])
            self._act(file, what.partition(" ")[0])
        elif what == "same size":
            self.save(file, "forcesave", info.size)
        elif what in {"say", "empty", "rename", "recreate", "delete"}:
            getattr(self, what)(file)
        else:
            self.save(file, what)

    def _know(self, file: int) -> None:
        writes = len(self.portal.comment_writes(file))
        self.files[file] = Known(file, saved_at=self.portal.file(file).updated, writes=writes)

    def _saved(self, file: int) -> None:
        known = self.files[file]
        known.content += 1
        known.saved, known.emptied_early, known.wiped = True, False, ""
        known.saved_at = self.portal.file(file).updated
        known.saved_tick = self._touched(file)

    def _touched(self, file: int) -> int:
        """Let the event of what was done to the file travel."""
        self.tick += 1
        tick = self.tick
        known = self.files[file]
        known.writes = len(self.portal.comment_writes(file))
        self.collect()
        return tick

    # ------------------------------------------------------------ what the machinery does

    def since(self) -> datetime:
        """Return where our responsibility begins, or would begin now."""
        since = self.here.ledger.baseline().since
        return self.now.replace(microsecond=0) - LOOKBACK if since == EPOCH else since

    def step(self) -> Attempt | None:
        """Let the worker work off one due file, and judge what it wrote."""
        before = self._before()
        attempt = self.here.worker.step()
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
                found.append((self.files[entry.id], file, entry.forgotten() if another else entry))
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
        claims = ledger.claim(now, 1, timedelta(seconds=180))
        if not claims or how == "claim":
            return
        entry = claims[0].entry
        try:
            file = self.here.docspace.file(entry.id)
            if isinstance(file, Absent) or entry.since == EPOCH:
                return
            entry = replace(entry, portal_known=self.here.making.knows_portal(entry, file))
            decision = decide(file, entry, self.here.policy)
            if decision.action is not Action.MARK:
                return
            until = now + timedelta(seconds=60)
            ledger.permit(claims[0], file, now, until=until, forget=decision.forget)
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
            report = Sweep(here.ledger, here.docspace, Terms(here.policy), here.clock).run()
        except PortalError as error:
            here.health.record_listing_failure(error, self.now)
            return False
        finally:
            self.tick += 1
            self.after([])
        if report.deep and not report.behind:
            self.deep_tick = self.tick
        assert report.scanned == report.handed + sum(report.ended.values())
        return not report.behind

    def restart(self) -> None:
        """Close ledger and client, and open them again."""
        self.here.restart()

    # ------------------------------------------------------------ coming to rest

    def work_off(self) -> int:
        """Step until nothing is due, however long that takes; return how many attempts it took.

        What waits for a lock that is still there may wait.
        """
        for steps in range(300):
            due = self.here.ledger.next_claim(self.now, Quota())
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
        row = self.here.ledger.facts(file)
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
