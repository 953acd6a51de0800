"""Plays the story on a sandbox portal with the real daemon, and judges the end of it."""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.config import load
from reconciler.demo.story import (
    DECIDED,
    EXPECTED,
    LOST,
    ROUNDS,
    STORM,
    TARGET,
    UPLOADED,
    Cast,
    Step,
)
from reconciler.demo.tutorial import tutorial_script
from reconciler.sandbox import Network, Portal, Server
from reconciler.service import Daemon
from reconciler.worker import Processed

_SECRET = "Demo-Secret-1!"  # noqa: S105 - both ends of it live in this process
_PATIENCE = 6.0  # seconds that the daemon has to look at what a round was about
_SWEEP = "3s"
_DROP = 0.4
_TUTORIAL = 2.0  # seconds that the tutorial's script is let run


@dataclass(frozen=True)
class Did:
    """A person did something."""

    step: Step


@dataclass(frozen=True)
class Decided:
    """The daemon looked at a file: what it found, what it decided, the calls so far."""

    file: str
    found: str
    outcome: str
    why: str
    calls: int


@dataclass(frozen=True)
class Storm:
    """Part two: files updated, announced by a delivery that arrived, missed, repaired."""

    updated: int
    received: int
    missed: int
    repaired: int


@dataclass(frozen=True)
class Verdict:
    """How it ended. ``wrong`` lists every file that is not as promised; empty is success.

    ``acts`` is the number of the people's acts, ``tutorial`` the number of writes that the
    tutorial's script made for one single edit in ``tutorial_seconds``.
    """

    wrong: tuple[str, ...]
    comments: dict[str, str]
    acts: int
    gets: int
    puts: int
    storm: Storm
    tutorial: int
    tutorial_seconds: float


Tell = Callable[[Did | Decided], None]


class _Watch:
    """Hears of every attempt, passes it on, and lets the story wait for what it waits for."""

    def __init__(self, cast: Cast, tell: Tell) -> None:
        self._names = {number: name for name, number in cast.files.items()}
        self._cast, self._tell = cast, tell
        self._seen: Counter[str] = Counter()
        self._heard = threading.Condition()

    def attempt(self, attempt: Processed) -> None:
        """Take note of one attempt."""
        name, result = self._names[attempt.file], attempt.result
        portal = self._cast.portal
        calls = portal.count("GET") + portal.count("PUT")
        found = attempt.seen.comment if attempt.seen else ""
        why = attempt.rule.description if attempt.rule else result.error
        if result.reason != "too_soon":
            self._tell(Decided(name, found, result.outcome.value, why, calls))
        with self._heard:
            self._seen[name] += result.reason != "too_soon"
            self._heard.notify_all()

    def play(self, steps: Sequence[Step]) -> list[str]:
        """Do the steps, wait until each file was looked at, and return what is not as promised."""
        with self._heard:
            before = self._seen.copy()
        self._act(steps)
        names = [step.file for step in steps]
        with self._heard:
            self._heard.wait_for(lambda: all(self._seen[n] > before[n] for n in names), _PATIENCE)
        expected = {step.file: step.then for step in steps}
        return _differences(self._cast, expected, f"after {steps[0].who} {steps[0].what}")

    def storm(self, steps: Sequence[Step]) -> None:
        """Do the steps and wait until every file is marked, by whatever way it was found."""
        self._act(steps)
        files = [self._cast.files[step.file] for step in steps]
        portal = self._cast.portal
        with self._heard:
            self._heard.wait_for(
                lambda: all(portal.file(file).comment == TARGET for file in files), _PATIENCE
            )

    def _act(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self._tell(Did(step))
            step.act(self._cast, self._cast.files[step.file])


def run(tell: Tell) -> Verdict:
    """Play the story; it takes less than 20 seconds."""
    with _portal() as (cast, server, key), tempfile.TemporaryDirectory() as folder:
        watch, portal = _Watch(cast, tell), cast.portal
        service = _service(server.url, key, Path(folder), watch)
        try:
            wrong, storm = _played(service, server, cast, watch)
        finally:  # also when nobody reads the story any more
            service.stop()
        wrong += _differences(cast, EXPECTED, "in the end")
        comments = {name: portal.file(cast.files[name]).comment or "" for name in DECIDED}
        gets, puts = portal.count("GET"), portal.count("PUT")
    writes, seconds = _tutorial()
    acts = sum(map(len, ROUNDS)) + len(STORM)
    return Verdict(tuple(wrong), comments, acts, gets, puts, storm, writes, seconds)


def _played(service: Daemon, server: Server, cast: Cast, watch: _Watch) -> tuple[list[str], Storm]:
    """Play the story with the daemon; return what is not as promised, and what the storm met."""
    portal = cast.portal
    portal.add_webhook(by=cast.ann, url=service.address, secret=_SECRET)
    service.start()
    wrong = [line for steps in ROUNDS for line in watch.play(steps)]
    portal.network = Network(drop=_DROP, seed=3)
    watch.storm(STORM)
    server.drain(2.0)
    return wrong, _storm(service, cast)


def _service(url: str, key: str, folder: Path, watch: _Watch) -> Daemon:
    environ = {
        "DOCSPACE_API_HOST": url,
        "DOCSPACE_API_KEY": key,
        "DOCSPACE_WEBHOOK_SECRET": _SECRET,
        "RECONCILER_WEBHOOK__PORT": "0",
        "RECONCILER_ADMIN__PORT": "0",
        "RECONCILER_SWEEP__EVERY": _SWEEP,
        "RECONCILER_STATE__URL": f"sqlite:///{folder / 'demo.db'}",
    }
    quiet: Callable[[object], None] = lambda _: None  # noqa: E731
    config = load(None, environ)
    return Daemon(config, on_attempt=watch.attempt, on_reply=quiet, on_sweep=quiet)


@contextmanager
def _portal() -> Iterator[tuple[Cast, Server, str]]:
    portal = Portal()
    ann = portal.add_user("Ann Lee", kind="room_admin")
    bob = portal.add_user("Bob Roe", kind="user")
    bot = portal.add_user("Review Bot", kind="user")
    room = int(portal.add_room("Legal", owner=ann))
    portal.invite(room, bob, access=11)
    portal.invite(room, bot, access=9)
    names = DECIDED + LOST + UPLOADED
    files = {name: int(portal.create(room, name, by=ann)) for name in names}
    with Server(portal) as server:
        yield Cast(portal, ann, bob, room, files), server, portal.add_key(bot)


def _storm(service: Daemon, cast: Cast) -> Storm:
    """Tell the files whose delivery arrived from those that the sweep had to find."""
    known = {step.file: service.ledger.file_row(cast.files[step.file]) for step in STORM}
    missed = [name for name, facts in known.items() if facts is None or not facts["event_at"]]
    repaired = [name for name in missed if cast.portal.file(cast.files[name]).comment == TARGET]
    return Storm(len(STORM), len(STORM) - len(missed), len(missed), len(repaired))


def _differences(cast: Cast, expected: dict[str, str], when: str) -> list[str]:
    found = {name: cast.portal.file(cast.files[name]).comment for name in expected}
    return [
        f"{name} {when}: {found[name]!r} instead of {comment!r}"
        for name, comment in expected.items()
        if found[name] != comment
    ]


def _tutorial() -> tuple[int, float]:
    """Let the tutorial's script answer one edit for a while; return its writes."""
    with _portal() as (cast, server, key), tutorial_script(server.url, key) as url:
        cast.portal.add_webhook(by=cast.ann, url=url, secret=_SECRET)
        began = time.monotonic()
        cast.portal.save(cast.files["Contract.docx"], by=cast.ann)
        threading.Event().wait(_TUTORIAL)
        seconds = time.monotonic() - began
        cast.portal.down = True
        return cast.portal.count("PUT"), seconds
