"""Short words for ledgers in tests: events, files and endings with plain defaults."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, func, inspect, select, text
from sqlalchemy import event as listener

from reconciler.ledger import EnqueueOptions, Ledger, ListedFile, RowChange
from reconciler.ledger.store.schema import files
from reconciler.model import (
    UNLIMITED,
    AttemptResult,
    Claim,
    Decision,
    Event,
    File,
    Outcome,
    Quota,
    Revision,
    Rule,
    Section,
    WriteGrant,
)

NOW = datetime(2025, 11, 24, 9, 15, 42, tzinfo=UTC)
SAVED = NOW - timedelta(minutes=10)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LEASE = 2 * MINUTE
PORTAL = "https://p.example"
SQLITE_ONLY = pytest.mark.parametrize("each_database", ["sqlite"], indirect=True)
POSTGRES_ONLY = pytest.mark.parametrize("each_database", ["postgres"], indirect=True)
ADDRESS = "ledger.url"  # the file in a folder that names a ledger which lies elsewhere
REVISION = Revision(version=2, updated=SAVED, size=100)


def url(folder: Path) -> str:
    """Return the address of the ledger in a folder, or of the one that the folder names."""
    named = folder / ADDRESS
    return named.read_text("utf-8") if named.exists() else f"sqlite:///{folder / 'ledger.db'}"


def sql(folder: Path, *statements: str, **values: object) -> list[Any]:
    """Do something to the database behind the ledger's back; return the last answer's rows."""
    engine = create_engine(url(folder), poolclass=NullPool)
    rows: list[Any] = []
    with engine.begin() as connection:
        for statement in statements:
            result = connection.execute(text(statement), values)
            rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def tables(folder: Path) -> list[str]:
    """Return the tables that are there."""
    engine = create_engine(url(folder), poolclass=NullPool)
    with engine.connect() as connection:
        names = inspect(connection).get_table_names()
    engine.dispose()
    return names


@contextmanager
def opened(folder: Path, quota: Quota = UNLIMITED) -> Iterator[Ledger]:
    """Open the ledger in a folder, and close it."""
    with closing(Ledger(url(folder), PORTAL, quota=quota)) as ledger:
        yield ledger


def event(file: int = 1, **changes: Any) -> Event:
    """Return a delivery about a file."""
    plain = Event(90211, "file.updated", file, f"{file}.docx", "ann", SAVED)
    return replace(plain, **changes)


def a_file(file: int = 1, **changes: Any) -> File:
    """Return a file as a look shows it."""
    plain = File(
        id=file,
        title=f"{file}.docx",
        created=SAVED - HOUR,
        revision=REVISION,
        comment="Edited",
        section=Section.ROOMS,
        folder=10,
        updated_by="ann",
    )
    return replace(plain, **changes)


def result(outcome: Outcome = Outcome.SKIPPED, **changes: Any) -> AttemptResult:
    """Return how an attempt ended; the reason is the outcome's name."""
    return replace(AttemptResult(outcome, outcome.value), **changes)


def marked(file: int = 1, **changes: Any) -> AttemptResult:
    """Return the ending of a confirmed write."""
    return result(Outcome.MARKED, seen=a_file(file), settled=True, marked_by_us=True, **changes)


def claimed(ledger: Ledger, now: datetime) -> Claim:
    """Return the only claim that is to be had."""
    (claim,) = ledger.claims.take(now, 10, LEASE)
    return claim


def in_work(ledger: Ledger, file: int = 1) -> Claim:
    """Let an event about a file come, and the worker claim it a second later."""
    ledger.record(event(file), NOW)
    return claimed(ledger, NOW + SECOND)


def attempt(
    ledger: Ledger, ended: AttemptResult, file: int = 1, now: datetime = NOW, **told: Any
) -> None:
    """Let an event about a file come, and the worker end its work on it a second later."""
    ledger.record(event(file, **told), now)
    ledger.claims.finish(claimed(ledger, now + SECOND), ended, now + SECOND)


def list_updates(
    ledger: Ledger, files: Iterable[File], options: EnqueueOptions, now: datetime
) -> None:
    """Let a listing find that files must be marked."""
    listed = [ListedFile(file, Decision(Rule.UPDATED), None) for file in files]
    ledger.listings.apply([RowChange(one, makes_due=True) for one in listed], options, now)


def permit(ledger: Ledger, claim: Claim, now: datetime, **changes: Any) -> WriteGrant:
    """Ask for a write to the claimed file, with room for it."""
    file = changes.pop("file", None) or a_file(claim.entry.id)
    return ledger.claims.begin_write(claim, file, now, until=now + LEASE, **changes)


def query_plans(folder: Path, ask: Callable[[Ledger], object]) -> list[tuple[str, str]]:
    """Return each question that ``ask`` leads to, with the steps by which SQLite answers it."""
    asked: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        asked.append((call[2], call[3]))

    with opened(folder) as ledger:
        listener.listen(Engine, "before_cursor_execute", note)
        try:
            ask(ledger)
        finally:
            listener.remove(Engine, "before_cursor_execute", note)
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        return [
            (statement, row[3])
            for statement, values in asked
            if statement.startswith("SELECT")
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


@dataclass(frozen=True)
class Totals:
    """The events and listings so far: each has ended in one way, or is pending."""

    accepted: int
    ended: Mapping[tuple[str, str], int]
    pending: int
    due: int
    echoes: int


def totals(ledger: Ledger) -> Totals:
    """Return the counts of the overview, and what is pending in the rows."""
    seen, pending = ledger.health.overview(NOW), select(func.sum(files.c.pending))
    open_events = ledger._store.read(lambda c: c.execute(pending).scalar()) or 0
    return Totals(seen.accepted, seen.ended, open_events, seen.queue.depth, seen.echoes)


def next_due(ledger: Ledger) -> datetime | None:
    """Return when the next file is due, None when none is."""
    queue = ledger.health.overview(NOW).queue
    return min((at for at in (queue.oldest, queue.next) if at is not None), default=None)


def writes_in_a_day(ledger: Ledger, now: datetime) -> int:
    """Return how many writes count against the day's."""
    return ledger.health.overview(now).written


def is_root() -> bool:
    """Return whether file modes do not bind us."""
    return os.geteuid() == 0


def mark(ledger: Ledger, file: int, at: datetime) -> None:
    """Let the worker mark a file at a time."""
    ledger.record(event(file), at)
    ledger.claims.finish(claimed(ledger, at), marked(file), at)
