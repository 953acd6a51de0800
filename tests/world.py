"""A whole small world for tests: sandbox portal, receiver on a real address, ledger, worker.

Time stands still unless a test moves it; nothing sleeps. The worker is stepped by hand.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reconciler.client import DocSpace, Transport
from reconciler.config import Config, load
from reconciler.decision import Policy
from reconciler.errors import PortalError
from reconciler.ledger import Ledger
from reconciler.model import UNLIMITED, Event, OutageKind, Quota
from reconciler.receiver import Receiver, ReceiverSettings
from reconciler.sandbox import Portal, Server, User
from reconciler.service import build
from reconciler.sweep import Report, ScanSettings, Sweep
from reconciler.worker import FileProcessor, PortalHealth, Processed, Worker, WorkerSettings
from tests.support_ledger import ADDRESS, url
from tests.support_webhooks import serving

SECRET = "World-Secret-1!"
TARGET = "Need Review"
START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class World:
    """The portal with Ann, Bob and the bot, one room with one file, and the machinery.

    ``clock`` is the portal's; our own is ``skew`` ahead of it.
    """

    portal: Portal
    server: Server
    clock: Clock
    path: Path
    ann: User
    bob: User
    bot: User
    key: str
    room: int
    file: int
    policy: Policy
    stack: ExitStack
    attempts: list[Processed] = field(default_factory=list)
    outages: list[OutageKind] = field(default_factory=list)
    quota: Quota = UNLIMITED
    skew: timedelta = timedelta()

    def now(self) -> datetime:
        """Return the time by our own clock."""
        return self.clock() + self.skew

    def open(self) -> None:
        """Open the ledger and the client as a starting process does, and release claims."""
        self.ledger = Ledger(url(self.path.parent), self.server.url, quota=self.quota)
        self.ledger.claims.release_orphaned(self.now())
        self.docspace = DocSpace(Transport(self.server.url, self.key, timeout=5))
        self.ledger.set_owner(self.bot.id)
        self.work_with(self.docspace)

    def work_with(self, docspace: DocSpace) -> None:
        """Let the worker ask the portal through ``docspace``."""
        self.health = PortalHealth(
            self.ledger, lambda: 0.0, timedelta(seconds=15), self._on_outage, self._on_recovery
        )
        self.making = FileProcessor(
            self.ledger, docspace, worker_settings(self.policy), self.now, self.health
        )
        self.worker = Worker(self.ledger, self.making, self.now, self.attempts.append, _raise)

    def _on_outage(self, kind: OutageKind, error: PortalError) -> None:
        self.outages.append(kind)

    def _on_recovery(self, kind: OutageKind) -> None:
        self.outages.remove(kind)

    def close(self) -> None:
        """Close what `open` opened."""
        self.docspace.close()
        self.ledger.close()

    def restart(self) -> None:
        """Close everything and open it again on the same database."""
        self.close()
        self.open()

    def record(self, event: Event, now: datetime) -> bool:
        """Let the receiver record in the ledger that is open now."""
        return self.ledger.record(event, now)

    def step(self) -> Processed | None:
        """Let the worker process one due file; None when there is none, or its claim was lost."""
        before = len(self.attempts)
        self.worker.step()
        return self.attempts[-1] if len(self.attempts) > before else None

    def settle(self, seconds: float = 2.0) -> list[Processed]:
        """Let deliveries arrive, time pass, and the worker work off what is due."""
        before = len(self.attempts)
        assert self.server.drain()
        self.clock.advance(seconds)
        while self.step() is not None:
            assert self.server.drain()
            assert len(self.attempts) < before + 50, "the worker does not come to rest"
        return self.attempts[before:]

    def edit(self) -> list[Processed]:
        """Let Ann save the file, and settle."""
        self.portal.save(self.file, by=self.ann)
        return self.settle()

    def sweep(self, *, dry: bool = False, after: float = 0, **terms: timedelta) -> Report:
        """Sweep once, ``after`` so many seconds.

        ``terms`` are overlap, lookback, full_every where they are not the usual.
        """
        self.clock.advance(after)
        settings = scan_settings(self.policy, **terms)
        report = Sweep(self.ledger, self.docspace, settings, self.now).run(dry=dry)
        assert report.scanned == sum(report.ended.values()) + report.enqueued
        return report

    def before_put(self, act: Callable[[], object]) -> None:
        """Let ``act`` happen between the look and the next write."""

        def hook(method: str, *_: object) -> None:
            if method == "PUT":
                self.portal.on_request = None
                act()

        self.portal.on_request = hook

    def comment(self, file: int | None = None) -> str:
        """Return the comment that stands on the file now."""
        return self.portal.file(file or self.file).comment or ""

    def calls(self, act: Callable[[], object]) -> tuple[int, int]:
        """Return the GETs and PUTs that ``act`` and its settling took."""
        gets, puts = self.portal.count("GET"), self.portal.count("PUT")
        act()
        self.settle()
        return self.portal.count("GET") - gets, self.portal.count("PUT") - puts


def _raise(error: Exception) -> None:
    raise error


@cache
def _empty_ledger() -> bytes:
    """Return the file of a ledger that was just made; to make one is half the time of a world."""
    with TemporaryDirectory() as folder:
        with closing(Ledger(url(Path(folder)), "")):
            pass
        return Path(folder, "ledger.db").read_bytes()


def worker_settings(policy: Policy) -> WorkerSettings:
    """Return the default settings of a worker, which processes one file at a time here."""
    return replace(build.worker_settings(_defaults(), policy), threads=1)


def scan_settings(policy: Policy, **changes: Any) -> ScanSettings:
    """Return the settings of a sweep where only ``changes`` are configured."""
    return replace(build.scan_settings(_defaults(), policy), **changes)


@cache
def _defaults() -> Config:
    return load(None, {})


@contextmanager
def world(
    path: Path, policy: Policy | None = None, make: Callable[..., Portal] = Portal
) -> Iterator[World]:
    """Build the world within the block on a portal of ``make``; the database lies at ``path``."""
    clock = Clock()
    portal = make(clock=clock)
    ann = portal.add_user("Ann Lee", kind="room_admin")
    bob = portal.add_user("Bob Roe", kind="user")
    bot = portal.add_user("Review Bot", kind="user")
    room = int(portal.add_room("Legal", owner=ann))
    portal.invite(room, bob, access=11)
    portal.invite(room, bot, access=9)
    file = int(portal.create(room, "Contract.docx", by=ann))
    clock.advance(3600)
    with ExitStack() as stack:
        server = stack.enter_context(Server(portal))
        here = World(
            portal=portal,
            server=server,
            clock=clock,
            path=path,
            ann=ann,
            bob=bob,
            bot=bot,
            key=portal.add_key(bot),
            room=room,
            file=file,
            policy=policy or Policy(),
            stack=stack,
        )
        if not (path.parent / ADDRESS).exists():
            (path.parent / "ledger.db").write_bytes(_empty_ledger())
        here.open()
        stack.callback(here.close)
        settings = ReceiverSettings("/hook", lambda: [SECRET], frozenset({"file.updated"}), 2**20)
        receiver = Receiver(settings, here.record, here.now, lambda _: None)
        web = stack.enter_context(serving(receiver, threads=4))
        portal.add_webhook(by=ann, url=f"http://127.0.0.1:{web.port}/hook", secret=SECRET)
        yield here
