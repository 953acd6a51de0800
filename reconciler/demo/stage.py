"""The stage: a portal in memory with its users, and the daemon in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from reconciler.sandbox import Portal, Server, User

TARGET = "Need Review"
SECRET = "Demo-Secret-1!"  # noqa: S105 - both ends of it are ours
_TIMEOUT, _POLL = 20.0, 0.02  # seconds; the machine may be busy
_SECOND_LOOK = 1.1  # seconds: no file is looked at more often than once a second
_SWEEP = 3  # seconds
_QUIET, _NEXT = timedelta(seconds=0.2), timedelta(seconds=_SWEEP / 2)


class DaemonEndedError(Exception):
    """The daemon ended by itself; the text is the end of its log."""


class DaemonProcess:
    """`reconciler serve` with its ledger in ``folder``."""

    _process: subprocess.Popen[bytes] | None = None

    def __init__(self, portal: str, key: str, folder: Path) -> None:
        """Start nothing yet; variables of this process do not configure the daemon."""
        self._folder = folder
        (folder / "config.toml").touch()
        ours = ("DOCSPACE_", "RECONCILER_")
        self._environ = {n: v for n, v in os.environ.items() if not n.startswith(ours)} | {
            "DOCSPACE_API_HOST": portal,
            "DOCSPACE_API_KEY": key,
            "DOCSPACE_WEBHOOK_SECRET": SECRET,
            "PORT": "0",
            "RECONCILER_ADMIN__PORT": "0",
            "RECONCILER_CONFIG": str(folder / "config.toml"),
            "RECONCILER_LOG__LEVEL": "error",
            "RECONCILER_SWEEP__EVERY": f"{_SWEEP}s",
        }

    def start(self) -> None:
        """Begin to start it, again on the same ledger and port."""
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "reconciler", "serve"],
                cwd=self._folder,
                env=self._environ,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def address(self) -> str:
        """Wait until it listens; return the address of its webhook. Raises DaemonEndedError."""
        stream = self._process and self._process.stdout
        line = stream.readline() if stream else b""
        if not line:
            raise DaemonEndedError((self._folder / "log").read_text(errors="replace").strip())
        address = line.decode().removeprefix("listening on ").strip()
        self._environ["PORT"] = str(urlsplit(address).port)
        return address

    def kill(self) -> int:
        """Kill it with SIGKILL, unless it was not started or has ended; return its exit code."""
        if self._process is None:
            return 0
        self._process.kill()
        with self._process as process:
            return process.wait()


@dataclass(frozen=True)
class Version:
    """A file's current version: its comment, and how often the daemon wrote into it.

    ``is_announced`` is whether a delivery about a user's update of the file arrived.
    """

    comment: str
    writes: int
    is_announced: bool = True

    @property
    def is_marked_once(self) -> bool:
        """Whether it carries the comment, by exactly one write."""
        return self.comment == TARGET and self.writes == 1


@dataclass(frozen=True)
class Stage:
    """The portal, two of its users, the bot, and their room."""

    portal: Portal
    ann: User
    greta: User
    bot: User
    room: int
    url: str

    def add_files(self, number: int, title: str) -> list[int]:
        """Add files to the room; ``{}`` in the title stands for their numbers."""
        names = [title.format(one) for one in range(1, number + 1)]
        return [int(self.portal.create(self.room, name, by=self.ann)) for name in names]

    def save(self, *files: int) -> None:
        """Let Ann save the files."""
        for file in files:
            self.portal.save(file, by=self.ann)

    def add_webhook(self, url: str) -> None:
        """Let the portal announce updates at ``url``."""
        self.portal.add_webhook(by=self.ann, url=url, secret=SECRET)

    def methods(self, file: int) -> list[str]:
        """Return the methods of all requests about a file so far."""
        return [one.method for one in tuple(self.portal.requests) if one.file_id == file]

    def comment(self, file: int) -> str:
        """Return the comment of a file's current version."""
        return self.portal.file(file).comment or ""

    def versions(self, *files: int) -> list[Version]:
        """Return what the portal recorded of the files' current versions."""
        logs = self.portal.logs  # an echo of ours announces nothing
        announced = {
            one.file_id
            for one in tuple(self.portal.deliveries)
            if 200 <= one.status < 300 and logs[one.log_id].event["createBy"] != self.bot.id
        }
        return [Version(self.comment(f), self._writes(f), f in announced) for f in files]

    def wait_until_marked(self, *files: int, second_look: bool = True) -> None:
        """Wait until all files carry the comment, and for any look that may come after that."""
        wait_until(lambda: all(self.comment(file) == TARGET for file in files))
        time.sleep(_SECOND_LOOK if second_look else 0)

    def wait_for_sweep(self) -> None:
        """Wait until a sweep has ended a moment ago: the next one is far away."""
        requests, clock = self.portal.requests, self.portal.clock
        wait_until(lambda: bool(requests) and _QUIET < clock() - requests[-1].at < _NEXT)

    def _writes(self, file: int) -> int:
        current, writes = self.portal.file(file).version, self.portal.comment_writes(file)
        return sum(one.version == current and one.by == self.bot for one in writes)


@contextmanager
def staged() -> Iterator[tuple[Stage, str]]:
    """Serve a portal within the block; give the bot's key with it."""
    portal = Portal()
    ann = portal.add_user("Ann Lee", kind="room_admin")
    greta = portal.add_user("Greta Roth", kind="user", culture="de")
    bot = portal.add_user("Review Bot", kind="user")
    room = int(portal.add_room("Legal", owner=ann))
    portal.invite(room, greta, access=11)
    portal.invite(room, bot, access=9)
    with Server(portal) as server:
        yield Stage(portal, ann, greta, bot, room, server.url), portal.add_key(bot)


@contextmanager
def daemon(url: str, key: str) -> Iterator[DaemonProcess]:
    """Give a daemon for a portal, not started yet; kill it at the end of the block."""
    with TemporaryDirectory(prefix="reconciler-demo-") as folder:
        running = DaemonProcess(url, key, Path(folder))
        try:
            yield running
        finally:
            running.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, or until the timeout."""
    until = time.monotonic() + _TIMEOUT
    while not condition() and time.monotonic() < until:
        time.sleep(_POLL)
