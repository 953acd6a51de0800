"""Whether a ledger of a million files is as quick as an empty one, and how quickly we start."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from reconciler.admin.pages import AdminContext, pages_of
from reconciler.ledger import Ledger
from reconciler.ledger.store.schema import files
from reconciler.model import Event
from tests.benchmarks.receive import Terms
from tests.benchmarks.table import Figure
from tests.daemon import environment

_FILES = 1_000_000
_TIMES, _ROUNDS = 200, 5
_PORTAL = "http://127.0.0.1:9"
_LEASE = timedelta(minutes=3)
_LATE = 0.15  # seconds over `import typer`
_PAGE = 0.1  # seconds: it is asked for every ten


def figures(terms: Terms) -> Iterator[Figure]:
    """Measure both."""
    number = max(round(_FILES * terms.scale), 1)
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Path(folder) / "empty.db", Path(folder) / "full.db"
        _filled(full, number)
        _filled(empty, 0)
        begin = [_opening(path) for path in (empty, full)]
        ledgers = [Ledger(f"sqlite:///{path}", _PORTAL) for path in (empty, full)]
        what, rounds = f"with {number:,} files in the ledger", max(round(terms.seconds), 1)
        for name, act in (("accepts", _accepts), ("claims", _claims)):
            small, large = _best(ledgers, act, rounds)
            yield Figure(f"{name} {what}, ms", large * 1000, small * 1000, "empty", 1.1)
        for name, path in (("Operation", "/"), ("Review", "/review")):
            took = _page(ledgers[1], path) * 1000
            yield Figure(f"page {name} {what}, ms", took, _PAGE * 1000, "goal", 1)
        for ledger in ledgers:
            ledger.close()
        yield Figure(f"opening {what}, s more", begin[1] - begin[0], 1, "goal", 1)
        yield from _starts(Path(folder), max(round(2 * terms.seconds), 1))


def _page(ledger: Ledger, path: str) -> float:
    """Return the best time of a page of a ledger; the first has to load the template."""
    subject = AdminContext(ledger, lambda: datetime.now(UTC), dict, dict, 9000, _PORTAL)
    took = []
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        pages_of(subject)[path]({})
        took.append(time.perf_counter() - begin)
    return min(took)


def _starts(folder: Path, times: int) -> Iterator[Figure]:
    environ = environment(_PORTAL, "key", folder, 3000)
    Ledger(f"sqlite:///{folder / 'ledger.db'}", _PORTAL).close()
    typer, libraries, *others = _run_in_turn(
        ["-c", "import typer"],
        ["-c", "import typer, sqlalchemy, pydantic_settings"],
        ["-m", "reconciler", "--help"],
        ["-m", "reconciler", "status"],
        environ=environ,
        folder=folder,
        times=times,
    )
    for name, took in zip(("--help", "status"), others, strict=True):
        more = (took - typer) * 1000
        yield Figure(f"reconciler {name}, ms over `import typer`", more, _LATE * 1000, "goal", 1)
    more = (others[-1] - libraries) * 1000
    yield Figure("  status, ms over `import` of its libraries", more, _LATE * 1000, "goal", 1)


def _run_in_turn(
    *commands: list[str], environ: dict[str, str], folder: Path, times: int
) -> list[float]:
    """Return the best time of each: what disturbs one disturbs the others as often."""
    taken: list[list[float]] = [[] for _ in commands]
    for _ in range(times):
        for command, took in zip(commands, taken, strict=True):
            begin = time.perf_counter()
            words = [sys.executable, *command]
            subprocess.run(words, env=environ, cwd=folder, capture_output=True, check=False)
            took.append(time.perf_counter() - begin)
    return [min(took) for took in taken]


def _filled(path: Path, number: int) -> None:
    """Make a ledger with so many settled files: one in a hundred waits, the others are decided."""
    ledger = Ledger(f"sqlite:///{path}", _PORTAL)
    now = datetime.now(UTC)
    ledger.set_origin(now, timedelta(days=1))
    for first in range(0, number, 10_000):
        rows = [
            {
                "id": 10_000_000 + n,
                "name": f"Report {n}.docx",
                "created": now,
                "settled_version": 2,
                "settled_updated": now - timedelta(seconds=n),
                "settled_size": 1000 + n,
                "marked_by_us": n % 100 == 0,
                "looked_at": now,
                "marked_at": now - timedelta(seconds=n),
                "comment_since": now - timedelta(seconds=n),
                "folder": n % 300,
                "outcome": "marked" if n % 100 == 0 else "kept",
                "reason": "updated" if n % 100 == 0 else "answered",
            }
            for n in range(first, min(first + 10_000, number))
        ]
        ledger._store.write(_adding(rows))
    ledger.close()


def _adding(rows: list[dict[str, Any]]) -> Callable[[Connection], Any]:
    return lambda c: c.execute(files.insert(), rows)


def _opening(path: Path) -> float:
    begin = time.perf_counter()
    Ledger(f"sqlite:///{path}", _PORTAL).close()
    return time.perf_counter() - begin


def _best(ledgers: list[Ledger], act: Callable[[Ledger, int], None], rounds: int) -> list[float]:
    """Return the best time of one act on each ledger, in turns."""
    times: list[list[float]] = [[] for _ in ledgers]
    for turn in range(rounds):
        for ledger, took in zip(ledgers, times, strict=True):
            begin = time.perf_counter()
            act(ledger, turn)
            took.append((time.perf_counter() - begin) / _TIMES)
    return [min(took) for took in times]


def _accepts(ledger: Ledger, turn: int) -> None:
    now = datetime.now(UTC)
    for number in range(_TIMES):
        file = 1 + turn * _TIMES + number
        ledger.record(Event(file, "file.updated", file, "A.docx", "ann", now), now)


def _claims(ledger: Ledger, turn: int) -> None:
    later = datetime.now(UTC) + timedelta(hours=1 + turn)
    for _ in range(_TIMES):
        ledger.claims.next_at(later)
        assert len(ledger.claims.take(later, 1, _LEASE)) == 1
