"""Short words for sweeps in tests: a world of which no webhook tells, and what a sweep found."""

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.decision import Policy
from reconciler.sandbox import EntryId, ManualClock, Network, Server
from reconciler.sweep import Report
from tests import program
from tests.daemon import environment, free_port
from tests.support_ledger import sql, tables
from tests.support_office import Office, office
from tests.world import TARGET, World, world

HOUR, DAY = 3600, 86400
LISTING = "files/{id}"


@contextmanager
def silent(path: Path, policy: Policy | None = None) -> Iterator[World]:
    """Build a world whose deliveries are all lost, before its first sweep."""
    with world(path, policy) as here:
        here.portal.network = Network(drop=1.0)
        yield here


@contextmanager
def run_sweep(path: Path, policy: Policy | None = None) -> Iterator[World]:
    """Build a world whose deliveries are all lost, an hour after its first sweep."""
    with silent(path, policy) as here:
        here.sweep()
        here.clock.advance(HOUR)
        yield here


def add_room(here: World, title: str = "More", *, indexing: bool = False) -> int:
    """Add a room of Ann's that the bot manages."""
    room = int(here.portal.add_room(title, owner=here.ann, indexing=indexing))
    here.portal.invite(room, here.bot, access=9)
    return room


def add_files(here: World, number: int, folder: EntryId | None = None) -> list[int]:
    """Add files, and let an hour pass."""
    where = here.room if folder is None else folder
    made = [
        int(here.portal.create(where, f"{n}.docx", by=here.ann, publish=False))
        for n in range(number)
    ]
    here.clock.advance(HOUR)
    return made


def save(here: World, *files: int, every: float = 1) -> None:
    """Save one file after the other, ``every`` so many seconds."""
    for file in files:
        here.portal.save(file, by=here.ann)
        here.clock.advance(every)


def due(here: World) -> set[int]:
    """Return the files that are due now."""
    return {entry.id for entry in here.ledger.due(here.clock(), 10_000)}


def work(here: World) -> None:
    """Work off what is due."""
    here.clock.advance(2)
    while here.step() is not None:
        pass


def sweep_and_work(here: World, after: float = 0) -> Report:
    """Sweep once, ``after`` so many seconds, and work off what it found."""
    report = here.sweep(after=after)
    work(here)
    return report


def unmarked(here: World, *files: int) -> list[int]:
    """Return those of the files that do not carry the comment."""
    return [file for file in files if here.comment(file) != TARGET]


def asked(here: World, act: Callable[[], object]) -> Counter[str]:
    """Return how often each route was asked for while ``act`` ran."""
    before = len(here.portal.requests)
    act()
    return Counter(one.path for one in here.portal.requests[before:])


def at_listing(here: World, number: int, act: Callable[[], object], route: str = LISTING) -> None:
    """Let ``act`` happen just before the portal computes the so-many-th answer of a route."""
    left = [number]

    def webhook(method: str, seen: str, file: EntryId | None) -> None:
        if method == "GET" and seen == route:
            left[0] -= 1
            if left[0] == 0:
                here.portal.on_request = None
                act()

    here.portal.on_request = webhook


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return everything that is in a ledger, table by table, but the pace of the requests.

    Of that all processes tell each other, also those that write nothing else.
    """
    names = set(tables(path.parent)) - {"paces"}
    return {
        table: sorted(sql(path.parent, f"SELECT * FROM {table}"), key=repr)  # noqa: S608
        for table in sorted(names)
    }


@dataclass
class Stage(Office):
    """A portal for real processes: three files in one room, saved an hour ago, untold."""

    server: Server
    clock: ManualClock
    environ: dict[str, str]
    folder: Path
    files: list[int] = field(default_factory=list)

    @property
    def ledger(self) -> Path:
        """Where the processes keep their ledger."""
        return self.folder / "ledger.db"

    def add_files(self, titles: str, room: int | None = None, days: float = 0) -> list[int]:
        """Add files that are created, and a minute later saved, so many days ago."""
        now = self.clock()
        self.clock.set(now - timedelta(days=days, seconds=120))
        where = self.room if room is None else room
        made = [int(self.portal.create(where, t, by=self.ann)) for t in titles.split()]
        self.clock.advance(60)
        for file in made:
            self.portal.save(file, by=self.ann)
        self.clock.set(now)
        return made

    def add_room(self, title: str) -> int:
        """Add a room of Ann's that the bot manages."""
        room = int(self.portal.add_room(title, owner=self.ann))
        self.portal.invite(room, self.bot, access=9)
        return room

    def comments(self, files: Sequence[int] = ()) -> list[str]:
        """Return the comments on files, all three of the room if none are named."""
        return [self.portal.file(file).comment or "" for file in files or self.files]

    def effective(self, file: int) -> int:
        """Return how often the comment was really written."""
        return sum(w.after == TARGET != w.before for w in self.portal.comment_writes(file))


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Set the stage; the portal's clock stands, and is near the real one."""
    clock = ManualClock(datetime.now(UTC) - timedelta(hours=2))
    place = office(clock=clock)
    place.portal.network = Network(drop=1.0)
    with Server(place.portal) as server:
        environ = environment(server.url, place.portal.add_key(place.bot), folder, free_port())
        built = Stage(**vars(place), server=server, clock=clock, environ=environ, folder=folder)
        clock.advance(HOUR)
        built.files = built.add_files("A.docx B.docx C.docx")
        clock.advance(HOUR)
        yield built


def run(scene: Stage, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, with no terminal."""
    return program.run(words, scene.environ | more, scene.folder)


@contextmanager
def held(
    scene: Stage, method: str, route: str, *words: str, after: bool = False, number: int = 1
) -> Iterator[program.Program]:
    """Run a command, and enter the block when its so-many-th request of a route has arrived
    (or, with ``after``, has taken effect); it goes on, or is dead, when the block is left.
    """
    arrived, left, count = threading.Event(), threading.Event(), [number]

    def webhook(seen: str, path: str, file: EntryId | None) -> None:
        if (seen, path) != (method, route):
            return
        count[0] -= 1
        if count[0] == 0:
            scene.portal.on_request = scene.portal.on_answer = None
            arrived.set()
            left.wait(20)
            if process.poll() is not None:
                raise ConnectionResetError  # nobody is there any more: without effect

    if after:
        scene.portal.on_answer = webhook
    else:
        scene.portal.on_request = webhook
    log = scene.folder / "held.log"
    process = program.Program(words, scene.environ, scene.folder, scene.folder / "held.out", log)
    try:
        assert arrived.wait(20), log.read_text("utf-8")
        yield process
    finally:
        left.set()
        process.wait()


def killed(scene: Stage, method: str, route: str, *words: str, **when: Any) -> None:
    """Run a command, and kill it at that request."""
    with held(scene, method, route, *words, **when) as process:
        process.kill()
        process.wait()


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the one JSON object that was printed."""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


OUTCOMES = ("marked", "already", "kept", "skipped", "refused", "waiting", "failed")


def added_up(summary: dict[str, Any]) -> int:
    """Return the sum of all outcomes."""
    return sum(int(summary[outcome]) for outcome in OUTCOMES)
