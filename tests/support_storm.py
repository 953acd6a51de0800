"""A storm of edits with lossy deliveries, and real daemons that can be killed during it."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.ledger import Ledger
from reconciler.sandbox import Network, Portal, Server, User
from tests.daemon import SECRET, environment, free_port
from tests.program import Program
from tests.support_ledger import Totals, totals
from tests.waiting import eventually, is_open

TARGET = "Need Review"
pause = threading.Event().wait  # a daemon in another process works in real time
FILES = 40


@dataclass
class Storm:
    """A portal with users who edit, and the means to start a daemon."""

    portal: Portal
    server: Server
    people: tuple[User, User]
    bot: User
    files: list[int]
    environ: dict[str, str]
    folder: Path
    chance: random.Random
    ports: list[int]
    edits: int = 0

    def start(self, number: int = 0) -> Program:
        """Start a daemon on one of the ports."""
        environ = self.environ | {"PORT": str(self.ports[number])}
        return Program(["serve"], environ, self.folder, self.folder / "serve.out", self.log)

    def await_daemons(self) -> None:
        """Wait until each listens: one that is still starting cannot be stopped cleanly."""
        assert eventually(lambda: all(map(is_open, self.ports)))

    @property
    def log(self) -> Path:
        """The daemons' log."""
        return self.folder / "serve.log"

    def act(self) -> None:
        """Save a file, or approve one that carries the comment."""
        file = self.chance.choice(self.files)
        if self.chance.random() < 0.2 and self.portal.file(file).comment == TARGET:
            self.portal.comment(file, f"Approved {self.edits}", by=self.people[1])
        else:
            self.portal.save(file, by=self.people[0])
            self.edits += 1

    def blow(self, edits: int, calm: threading.Event, rest: float = 0.04) -> None:
        """Make ``edits`` edits with pauses, then set ``calm``."""
        while self.edits < edits:
            self.act()
            pause(rest)
        calm.set()

    def is_settled(self) -> bool:
        """Return whether every file carries the comment or a person's on it."""
        return all(self._is_right(self.portal.file(file).comment or "") for file in self.files)

    def settle(self, look: Callable[[], None] = lambda: None) -> None:
        """Wait until every file is as promised, all deliveries have ended and nothing is due.

        ``look`` is called now and then, to check the daemons.
        """
        for _ in range(1000):
            look()
            if self.is_settled() and self.server.drain(0) and self.totals().pending == 0:
                return
            pause(0.1)
        raise AssertionError(self.log.read_text("utf-8")[-4000:])

    def totals(self) -> Totals:
        """Return the ledger's counts."""
        portal = self.environ["DOCSPACE_API_HOST"]
        with closing(Ledger(self.environ["RECONCILER_STATE__URL"], portal)) as ledger:
            return totals(ledger)

    def _is_right(self, comment: str) -> bool:
        return comment == TARGET or comment.startswith("Approved")


@contextmanager
def storm(folder: Path, seed: int, daemons: int = 1, **more: str) -> Iterator[Storm]:
    """A portal with forty files whose deliveries are lost, duplicated and reordered.

    Each daemon has its own webhook; ``more`` are variables for all of them.
    """
    portal = Portal(retry_seconds=(0.2, 0.4, 0.8, 1.6, 3.2))
    ann = portal.add_user("Ann Lee", kind="room_admin")
    bob = portal.add_user("Bob Roe")
    bot = portal.add_user("Review Bot")
    room = portal.add_room("Legal", owner=ann)
    portal.invite(room, bot, access=9)
    portal.invite(room, bob, access=9)
    files = [int(portal.create(room, f"{n}.docx", by=ann)) for n in range(FILES)]
    ports = [free_port() for _ in range(daemons)]
    with Server(portal) as server:
        portal.network = Network(drop=0.2, duplicate=0.1, reorder=True, seed=seed)
        variables = {
            "RECONCILER_SWEEP__EVERY": "2s",
            "RECONCILER_LIMITS__REQUESTS_PER_MINUTE": "100000",  # that is another test's
        }
        key = portal.add_key(bot)
        environ = environment(server.url, key, folder, ports[0], **(variables | more))
        for port in ports:
            webhook = f"http://127.0.0.1:{port}/docspace/review-comment"
            portal.add_webhook(by=ann, url=webhook, secret=SECRET)
        chance = random.Random(seed)
        yield Storm(portal, server, (ann, bob), bot, files, environ, folder, chance, ports)


def check_comments(here: Storm) -> None:
    """Check that no person's comment was overwritten, and no version was written to twice."""
    for file in here.files:
        writes = [w for w in here.portal.comment_writes(file) if w.by.id == here.bot.id]
        over_a_person = [w for w in writes if (w.before or "").startswith("Approved")]
        assert over_a_person == []
        times = Counter(w.version for w in writes)
        assert set(times.values()) <= {1}, (file, times)


def check_ledger(here: Storm) -> None:
    """Check that every event and listing ended in one counted outcome, and none is pending."""
    totals = here.totals()
    assert totals.accepted == sum(totals.ended.values()) + totals.pending
    assert totals.pending == 0
