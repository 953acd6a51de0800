"""The users of `test_convergence.py`, of many languages, and the deliveries about their actions.

`Known` has what only the test knows about each file: its content, when it was saved, who typed
which comment. Nothing is delivered automatically: each event waits until the scene's ``post`` sends
it, once, twice, late, or never.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.model import EPOCH
from reconciler.portal_texts import unlock_texts
from reconciler.sandbox import Network, User
from tests.world import World

WORD = "Approved"
LANGUAGES = ("en", "de", "ja-JP", "ar-SA", "pt-BR", "zh-CN")
DROP, ONCE, TWICE, HOLD = "drop", "once", "twice", "hold"
NOTHING_ARRIVES = Network(drop=1.0)


@dataclass
class Known:
    """What only the test knows of a file. Ticks order the actions; 0 is never."""

    id: int
    content: int = 0  # a new number with every save
    saved: bool = False  # that content was saved, not created
    saved_at: datetime = EPOCH
    waiting_from: datetime | None = None  # the first event, if that came before the first look
    looked: set[int] = field(default_factory=set)  # contents that were looked at or settled
    decided: set[int] = field(default_factory=set)  # those whose look led to no wait
    marked: set[int] = field(default_factory=set)  # contents on which we wrote the target
    answered: set[int] = field(default_factory=set)  # contents on which a person commented
    emptied_early: bool = False  # the comment was emptied before the first look
    wiped: str = ""  # the comment that the last unlocking overwrote, if no text of unlocking
    writes: int = 0  # comment writes that were checked
    saved_tick: int = 0
    heard_tick: int = 0  # the last delivery of an event that a person caused
    unlocked_tick: int = 0
    trashed_tick: int = 0
    restored_tick: int = 0
    moved_tick: int = 0


def is_unlocked(comment: str | None) -> bool:
    """Whether a comment is a text of unlocking, in any language."""
    return comment in unlock_texts()


class People:
    """The actions of users on the files of a world; ``post`` says how events are delivered."""

    def __init__(self, here: World) -> None:
        """Add old files, new ones, an indexed room, and the bot's own documents."""
        self.here, self.portal = here, here.portal
        self.post, self.tick, self._words, self._titles, self._acts = ONCE, 1, 0, 0, 0
        self.files: dict[int, Known] = {}
        self.late: list[int] = []
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

    # ------------------------------------------------------------ time and deliveries

    @property
    def now(self) -> datetime:
        """The time."""
        return self.here.clock.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.here.clock.advance(seconds)

    def collect(self) -> None:
        """Take the events published since, and deliver them as ``post`` says."""
        deliveries = range(self._posted + 1, self.portal.next_log_id)
        self._posted = self.portal.next_log_id - 1
        for delivery in deliveries:
            if self.post == HOLD:
                self.late.append(delivery)
            elif self.post != DROP:
                self.deliver(delivery)
            if self.post == TWICE:
                self.deliver(delivery)

    def deliver(self, delivery: int) -> None:
        """Send one delivery over HTTP, now."""
        if delivery not in self.portal.logs:
            return
        self.portal.network = Network()
        again = self.portal.retry_log(delivery)
        assert self.here.server.drain()
        self.portal.network = NOTHING_ARRIVES
        self._posted = max(self._posted, again)
        self.tick += 1
        log = self.portal.logs[again]
        assert log.status == 200
        known = self.files.get(int(log.file_id))
        if known is not None and log.event["createBy"] != self.here.bot.id:
            known.heard_tick = self.tick
            if known.waiting_from is None and not self.here.ledger.has_origin():
                known.waiting_from = self.now

    # ------------------------------------------------------------ what people do

    def person(self, file: int, *, anonymous: bool = False) -> User:
        """Return who acts on a file: Ann if she has locked it, since it is then hers alone."""
        if self.portal.file(file).locked_by:
            return self.ann
        return self.speaking(self.portal.anonymous if anonymous else self.here.bob)

    @property
    def ann(self) -> User:
        """Ann, with another language at each action."""
        return self.speaking(self.here.ann)

    def speaking(self, person: User) -> User:
        """Return a user with another language than at the last action."""
        self._acts += 1
        return replace(person, culture=LANGUAGES[self._acts % len(LANGUAGES)])

    def workable(self, file: int) -> bool:
        """Return whether the file is there and can be edited."""
        return file in self.files and not self.portal.file(file).trashed

    def create(self, folder: int) -> int:
        """Create a file with its own title."""
        self._titles += 1
        file = int(self.portal.create(folder, f"File {self._titles}.docx", by=self.ann))
        self._know(file)
        self.collect()
        return file

    def recreate(self, file: int) -> bool:
        """Delete a file and create another one with the same id in another second."""
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
        """Delete a file permanently."""
        self.portal.delete(file, by=self.ann)
        del self.files[file]
        self.collect()

    def save(self, file: int, how: str = "save", size: int | None = None) -> None:
        """Save new content in one of several ways; the last three publish no file.updated."""
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
        """Type a comment that was not typed before."""
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
        """Lock a file as Ann."""
        self.portal.lock(file, by=self.ann)
        self._touched(file)

    def unlock(self, file: int) -> None:
        """Unlock it: the portal overwrites the comment."""
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
        """Restore it from the trash."""
        self.portal.restore(file, by=self.ann)
        self.files[file].restored_tick = self._touched(file)

    def do(self, file: int, what: str) -> None:
        """Let a user do something with a file, if that is possible."""
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
            self.do(file, what.partition(" ")[0])
            self.do(file, what.partition(" ")[0])
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
        """Deliver the event of an action on the file."""
        self.tick += 1
        tick = self.tick
        known = self.files[file]
        known.writes = len(self.portal.comment_writes(file))
        self.collect()
        return tick
