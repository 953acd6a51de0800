"""Figures beside their goals, printed as one table with the machine's name on it."""

import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    ``beside`` is a goal not to be exceeded, or a reference to compare with. ``most`` and ``least``
    bound the ratio of the two where there is a goal.
    """

    what: str
    measured: float
    beside: float | None = None
    meaning: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def ratio(self) -> float | None:
        """The ratio to the goal or reference; 0 for 0 counts as 1."""
        if self.beside is None:
            return None
        if self.beside == 0:
            return 1.0 if self.measured == 0 else float("inf")
        return self.measured / self.beside

    @property
    def missed(self) -> bool:
        """Whether there is a goal and it was missed."""
        if self.ratio is None:
            return False
        too_much = self.most is not None and self.ratio > self.most
        return too_much or (self.least is not None and self.ratio < self.least)

    def cells(self) -> tuple[str, ...]:
        """Return the line's texts."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        beside = "" if self.beside is None else f"{_number(self.beside)} {self.meaning}".strip()
        beside += "" if self.least is None else f", goal {self.least:g}"
        return self.what, _number(self.measured), beside, ratio + " MISSED" * self.missed


def machine() -> str:
    """Return a description of this machine."""
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores ({_processor()}), Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {platform.system()}"
    )


def load() -> str:
    """Return the machine's load in the last minute: 1 is one busy core."""
    return f"{os.getloadavg()[0]:.1f}"


def show(title: str, notes: Sequence[str], figures: Sequence[Figure]) -> None:
    """Print the table to stdout, as Markdown."""
    lines: list[tuple[str, ...]] = [("figure", "measured", "goal or reference", "ratio")]
    lines += [figure.cells() for figure in figures]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "|".join(["", *("-" * (width + 2) for width in widths), ""])
    rows = [f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines]
    text = "\n".join([f"## {title}", "", *notes, "", rows[0], rule, *rows[1:], ""])
    sys.stdout.write(text)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        for line in cpus.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()
