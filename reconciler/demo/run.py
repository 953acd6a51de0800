"""Plays the story on a sandbox portal with the real daemon, and judges the end of it."""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.config import load
from reconciler.demo.story import EXPECTED, FILES, STORY, Cast, Step
from reconciler.demo.tutorial import tutorial_script
from reconciler.sandbox import Portal, Server
from reconciler.service import Service
from reconciler.worker import Attempt

_SECRET = "Demo-Secret-1!"  # noqa: S105 - both ends of it live in this process
_STEP = 6.0  # seconds that a step may take at most
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
class Verdict:
    """How it ended. ``wrong`` lists every file that is not as promised; empty is success.

    ``edits`` is the number of the people's acts, ``tutorial`` the number of writes that the
    tutorial's script made for one single edit in ``tutorial_seconds``.
    """

    wrong: tuple[str, ...]
    comments: dict[str, str]
    edits: int
    gets: int
    puts: int
    tutorial: int
    tutorial_seconds: float


Tell = Callable[[Did | Decided], None]


class _Watch:
    """Hears of every attempt, passes it on, and lets the story wait for the next one."""

    def __init__(self, cast: Cast, tell: Tell) -> None:
        self._names = {number: name for name, number in cast.files.items()}
        self._portal, self._tell = cast.portal, tell
        self._seen: Counter[str] = Counter()
        self._heard = threading.Condition()

    def attempt(self, attempt: Attempt) -> None:
        """Take note of one attempt."""
        name, ending = self._names[attempt.file], attempt.ending
        calls = self._portal.count("GET") + self._portal.count("PUT")
        found = attempt.seen.comment if attempt.seen else ""
        why = attempt.rule.words if attempt.rule else ending.error
        self._tell(Decided(name, found, ending.outcome.value, why, calls))
        with self._heard:
            if ending.reason != "too_soon":
                self._seen[name] += 1
            self._heard.notify_all()

    def play(self, cast: Cast, step: Step) -> None:
        """Do the step and wait until the daemon has looked at its file."""
        with self._heard:
            before = self._seen[step.file]
        self._tell(Did(step))
        step.act(cast, cast.files[step.file])
        with self._heard:
            self._heard.wait_for(lambda: self._seen[step.file] > before, _STEP)


def run(tell: Tell) -> Verdict:
    """Play the story; it takes less than 20 seconds."""
    with _portal() as (cast, server, key), tempfile.TemporaryDirectory() as folder:
        watch = _Watch(cast, tell)
        environ = {
            "DOCSPACE_API_HOST": server.url,
            "DOCSPACE_API_KEY": key,
            "DOCSPACE_WEBHOOK_SECRET": _SECRET,
            "RECONCILER_WEBHOOK__PORT": "0",
            "RECONCILER_STATE__URL": f"sqlite:///{Path(folder) / 'demo.db'}",
        }
        service = Service(load(None, environ), on_attempt=watch.attempt, on_reply=lambda _: None)
        cast.portal.add_webhook(by=cast.ann, url=service.address, secret=_SECRET)
        service.start()
        wrong: list[str] = []
        for step in STORY:
            watch.play(cast, step)
            wrong += _differences(cast, {step.file: step.then}, f"after {step.who} {step.what}")
        server.drain(2.0)
        service.stop()
        wrong += _differences(cast, EXPECTED, "in the end")
        comments = {
            name: cast.portal.file(number).comment or "" for name, number in cast.files.items()
        }
        gets, puts = cast.portal.count("GET"), cast.portal.count("PUT")
    writes, seconds = _tutorial()
    return Verdict(tuple(wrong), comments, len(STORY), gets, puts, writes, seconds)


@contextmanager
def _portal() -> Iterator[tuple[Cast, Server, str]]:
    portal = Portal()
    ann = portal.add_user("Ann Lee", kind="room_admin")
    bob = portal.add_user("Bob Roe", kind="user")
    bot = portal.add_user("Review Bot", kind="user")
    room = portal.add_room("Legal", owner=ann)
    portal.invite(room, bob, access=11)
    portal.invite(room, bot, access=9)
    files = {name: int(portal.create(room, name, by=ann)) for name in FILES}
    with Server(portal) as server:
        yield Cast(portal, ann, bob, files), server, portal.add_key(bot)


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
