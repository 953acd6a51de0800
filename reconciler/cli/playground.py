"""What `demo` prints, and what `sandbox` runs: a portal with busy users, and faults on request."""

import itertools
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext

import typer
from rich.console import Console
from rich.text import Text

from reconciler.cli.messages import UNAVAILABLE, USAGE, exit_with
from reconciler.demo import Scene, SceneCheck
from reconciler.sandbox import Fault, Network, Portal, Server
from reconciler.sandbox.faults import FaultKind
from reconciler.sandbox.seed import Seeded, populate

_STYLES = {True: "bold green", False: "bold red", None: "yellow"}
_MARKS = {True: "✓", False: "✗", None: "-"}
_ASCII = {True: "ok", False: "NO", None: "-"}


class Demonstration:
    """Prints the demonstration line by line; on a terminal in colour, with a spinner."""

    def __init__(self, console: Console) -> None:
        """Print the introduction."""
        self._console, self._scenes = console, 0
        self._marks = _ASCII if console.options.ascii_only else _MARKS
        console.print(
            "A DocSpace portal in memory, the real daemon in a process of its own, HTTP\n"
            'between them. Promise: an updated file carries "Need Review", once.'
        )

    def show(self, lines: Iterable[Scene | SceneCheck]) -> bool:
        """Print the scenes, their checks and a summary; return whether every check passed."""
        began, held = time.monotonic(), list[bool | None]()
        spinner = self._console.status("", spinner="line")
        with spinner if self._console.is_interactive else nullcontext():
            for line in lines:
                if isinstance(line, Scene):
                    self._print_scene(line)
                else:
                    mark = (f"   {self._marks[line.holds]} ", _STYLES[line.holds])
                    self._console.print(Text.assemble(mark, line.text))
                    held.append(line.holds)
        self._print_summary(held.count(True), held.count(False), time.monotonic() - began)
        return False not in held

    def _print_scene(self, scene: Scene) -> None:
        self._scenes += 1
        self._console.print(Text(f"\n{self._scenes}. {scene.title}", "bold"))
        self._console.print(f"   {scene.happens}\n   [dim]Expected: {scene.expected}.[/]")

    def _print_summary(self, held: int, failed: int, seconds: float) -> None:
        total = (
            f"{failed} of {held + failed} checks failed" if failed else f"All {held} checks held"
        )
        again = "Run it again; if it fails twice, please report it."
        summary = (f"\n{total}", _STYLES[not failed])
        self._console.print(Text.assemble(summary, f", in {seconds:.0f} s."))
        self._console.print(again if failed else "Next: reconciler init")


class Playground:
    """A small portal whose users edit its files."""

    def __init__(self, network: Network, latency: float, faults: Iterable[str]) -> None:
        """Build the portal; a fault that does not exist ends the command."""
        # A tenth of the real portal's times, for quick tests.
        self._portal = Portal(poll_seconds=0.5, retry_seconds=(0.1, 0.2, 0.4, 0.8, 1.6))
        self._seeded = populate(self._portal)
        self._portal.network, self._portal.latency = network, latency
        for text in faults:
            self._portal.faults.add(_fault(text))

    def run(
        self, port: int, webhook: str, secret: str, every: float, stop: threading.Event
    ) -> None:
        """Serve until ``stop``; an edit every so many seconds."""
        with ExitStack() as stack:
            try:
                server = stack.enter_context(Server(self._portal, port=port))
            except OSError as error:
                raise exit_with(
                    UNAVAILABLE, f"Cannot listen on 127.0.0.1:{port}: {error}. Try --port 0."
                ) from error
            if webhook:
                self._portal.add_webhook(by=self._seeded.bot, url=webhook, secret=secret)
            _introduce(server.url, self._seeded, webhook, secret)
            acts = itertools.cycle(_ACTS)
            while not stop.wait(every or 3600):
                if every:
                    typer.echo(next(acts)(self._portal, self._seeded))


def _introduce(url: str, seeded: Seeded, webhook: str, secret: str) -> None:
    typer.echo(
        f"A DocSpace portal at {url}, deliveries to {webhook or 'no address'}. For the daemon:\n"
        f"  export DOCSPACE_API_HOST={url}\n"
        f"  export DOCSPACE_API_KEY={seeded.key}\n"
        f"  export DOCSPACE_WEBHOOK_SECRET='{secret}'\n"
        f"  {sys.argv[0] if sys.argv[0].endswith('reconciler') else 'reconciler'} serve\n"
        "With this key, which has every scope, also webhook commands can be tried:\n"
        f"  export DOCSPACE_API_KEY={seeded.wide_key}"
    )


def _save(portal: Portal, seeded: Seeded) -> str:
    file = random.choice(seeded.files)  # noqa: S311 - play
    portal.save(file, by=seeded.ann)
    return f"{seeded.ann.name} saves {portal.file(file).title} ({file})"


def _forcesave(portal: Portal, seeded: Seeded) -> str:
    file = random.choice(seeded.files)  # noqa: S311 - play
    portal.forcesave(file, by=seeded.bob)
    return f"{seeded.bob.name} saves {portal.file(file).title} ({file}) in between"


def _approve(portal: Portal, seeded: Seeded) -> str:
    for file in seeded.files:
        if portal.file(file).comment == "Need Review":
            portal.comment(file, "Approved", by=seeded.ann)
            return f"{seeded.ann.name} approves {portal.file(file).title} ({file})"
    return "nothing needs review"


def _lock_and_unlock(portal: Portal, seeded: Seeded) -> str:
    file = random.choice(seeded.files)  # noqa: S311 - play
    portal.lock(file, by=seeded.ann)
    portal.unlock(file, by=seeded.ann)
    return f"{seeded.ann.name} locks and unlocks {portal.file(file).title} ({file})"


_ACTS: tuple[Callable[[Portal, Seeded], str], ...] = (
    _save,
    _forcesave,
    _save,
    _approve,
    _lock_and_unlock,
)


def _fault(text: str) -> Fault:
    kind, _, times = text.partition(":")
    if kind not in set(FaultKind) or not (times.isdecimal() or not times):
        raise exit_with(USAGE, f"--fail {text}: use KIND or KIND:TIMES with {', '.join(FaultKind)}")
    return Fault(route="*", kind=kind, times=int(times) if times else None)
