"""How the demonstration looks: five scenes, their checks, and a verdict."""

import time
from collections.abc import Iterable
from contextlib import nullcontext

from rich.console import Console
from rich.text import Text

from reconciler.demo import Check, Scene

_STYLES = {True: "bold green", False: "bold red", None: "yellow"}
_MARKS = {True: "✓", False: "✗", None: "-"}
_ASCII = {True: "ok", False: "NO", None: "-"}


class Demonstration:
    """Prints the demonstration line by line; on a terminal in colour, with a spinner."""

    def __init__(self, console: Console) -> None:
        """Say what is about to happen."""
        self._console, self._scenes = console, 0
        self._marks = _ASCII if console.options.ascii_only else _MARKS
        console.print(
            "A DocSpace portal in memory, the real daemon in a process of its own, HTTP\n"
            'between them. Promise: an updated file carries "Need Review", once.'
        )

    def show(self, lines: Iterable[Scene | Check]) -> bool:
        """Print what comes, and the verdict; return whether everything held."""
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
        self._print_verdict(held.count(True), held.count(False), time.monotonic() - began)
        return False not in held

    def _print_scene(self, scene: Scene) -> None:
        self._scenes += 1
        self._console.print(Text(f"\n{self._scenes}. {scene.title}", "bold"))
        self._console.print(f"   {scene.happens}\n   [dim]Expected: {scene.expected}.[/]")

    def _print_verdict(self, held: int, failed: int, seconds: float) -> None:
        total = (
            f"{failed} of {held + failed} checks failed" if failed else f"All {held} checks held"
        )
        again = "Run it again; if it fails twice, please report it."
        verdict = (f"\n{total}", _STYLES[not failed])
        self._console.print(Text.assemble(verdict, f", in {seconds:.0f} s."))
        self._console.print(again if failed else "Next: reconciler init")
