"""Big portals, and what their journal says was asked of them.

Rooms are of very different size, as they are everywhere: the second is half as large as the
first, the third a third of it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.sandbox import Limits, ManualClock, Portal, Server, User

TARGET = "Need Review"
PAGE = 100
_BEGIN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_APART = 4  # seconds between two files
_DAY = 24 * 3600


def shares(total: int, parts: int) -> list[int]:
    """Split a number into so many parts, the n-th about as large as 1/n of the first."""
    whole = sum(1 / n for n in range(1, parts + 1))
    split = [max(int(total / n / whole), 1) for n in range(1, parts + 1)]
    return [max(split[0] + total - sum(split), 1), *split[1:]]


@dataclass
class Place:
    """A portal that is being served, at rest for two days; its rooms with their files."""

    portal: Portal
    clock: ManualClock
    server: Server
    ann: User
    bot: User
    key: str
    rooms: dict[int, list[int]]

    @property
    def files(self) -> int:
        """How many files there are."""
        return sum(map(len, self.rooms.values()))

    def comment(self, file: int) -> str | None:
        """Return the comment that stands on a file now."""
        return self.portal.file(file).comment

    def mark_all(self) -> None:
        """Save and mark every file, as if we had always been there."""
        for files in self.rooms.values():
            for file in files:
                self.portal.save(file, by=self.ann)
                self.portal.comment(file, TARGET, by=self.bot)
                self.clock.advance(_APART)

    def change(self, number: int, rooms: int) -> dict[int, list[int]]:
        """Update so many files in so many rooms: saves, and uploads over what is there."""
        chosen = list(self.rooms)[:: max(len(self.rooms) // rooms, 1)][:rooms]
        changed: dict[int, list[int]] = {}
        for room, some in zip(chosen, shares(number, rooms), strict=True):
            changed[room] = self.rooms[room][:: max(len(self.rooms[room]) // some, 1)][:some]
            for place, file in enumerate(changed[room]):
                self.clock.advance(1)
                before = self.portal.file(file)
                if place % 4:
                    self.portal.save(file, by=self.ann)
                else:
                    self.portal.upload(before.folder_id, before.title, by=self.ann)
        self.clock.advance(2)
        return changed

    @contextmanager
    def asked(self) -> Iterator["Asked"]:
        """Tell what is asked of the portal within the block."""
        asked = Asked(Counter(), Counter(), Counter(), Counter())
        self.portal.requests.clear()
        yield asked
        for one in self.portal.requests:
            name = one.path.partition(" ")[2]
            if one.file_id is not None:
                (asked.looks if one.method == "GET" else asked.puts)[one.file_id] += 1
            else:
                (asked.listings if name.startswith("files/") else asked.other)[name] += 1


@dataclass
class Asked:
    """Requests: looks and PUTs by file, listings and all others by route."""

    looks: Counter[int | str]
    puts: Counter[int | str]
    listings: Counter[str]
    other: Counter[str]

    @property
    def gets(self) -> int:
        """How many GETs there were of every kind."""
        return self.looks.total() + self.listings.total() + self.other.total()


@contextmanager
def served(rooms: int, files: int, latency: float, *, real_time: bool = False) -> Iterator[Place]:
    """Serve a portal within the block, without webhook and without limits of its own.

    Its clock stands still, or is the real one once it is furnished.
    """
    clock = ManualClock(_BEGIN)
    portal = Portal(clock=clock)
    portal.limits = Limits(enabled=False)
    portal.latency = latency
    ann = portal.add_user("Ann Lee", kind="room_admin")
    bot = portal.add_user("Review Bot")
    made: dict[int, list[int]] = {}
    for number, size in enumerate(shares(files, rooms), 1):
        room = int(portal.add_room(f"Project {number}", owner=ann))
        portal.invite(room, bot, access=9)
        folders = (room, portal.add_folder(room, "Drafts", by=ann))
        made[room] = []
        for place in range(size):
            clock.advance(_APART)
            title = f"Report {number}-{place}.docx"
            file = portal.create(folders[place % 2], title, by=ann, publish=False)
            made[room].append(int(file))
    clock.advance(2 * _DAY)
    if real_time:
        portal.clock = lambda: datetime.now(UTC)
    with Server(portal) as server:
        yield Place(portal, clock, server, ann, bot, portal.add_key(bot), made)
