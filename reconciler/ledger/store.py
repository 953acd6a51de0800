"""Transactions on the database: one writer, shared commits, and roles held one at a time.

SQLite before 3.51.3 can damage a write-ahead log when two connections write and checkpoint
at once, so every writing transaction of every process runs under one file lock, and so does
the closing, which checkpoints too.
"""

import fcntl
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import QueuePool

from reconciler.errors import Busy, LedgerError
from reconciler.ledger.commits import Commits, Job, by_what_they_do
from reconciler.ledger.slots import Slots

A = TypeVar("A")
T = TypeVar("T")
_PATIENCE = 2.5  # seconds to wait for another process's transaction
_OWNER_ONLY = 0o600


class Role(Enum):
    """What only one process may do at a time on one ledger."""

    WORKER = "worker"
    SWEEP = "sweep"
    BACKFILL = "backfill"


class Store:
    """One database. Safe to share between threads; close it when done."""

    def __init__(self, url: str) -> None:
        """Open the database, creating it for its owner alone. Raises LedgerError."""
        self._path = _sqlite_path(url)
        self._commits, self._closed = Commits(self._commit), False
        with translated():
            self._lock = _FileLock(Path(f"{self._path}.lock"))
            self._path.touch(mode=_OWNER_ONLY, exist_ok=True)
            self._writer = _engine(url, "BEGIN IMMEDIATE", connections=1)
            self._reader = _engine(url, "BEGIN", connections=4)

    def write(self, job: Callable[[Connection], T]) -> T:
        """Run ``job`` in a transaction and return its result once that is on disk.

        Jobs that wait together share one commit. ``job`` may run twice, so it must only touch
        the database. Raises LedgerError when nothing could be written.
        """
        return self.write_each(lambda c, _: [job(c)], None)

    def write_each(self, job: Callable[[Connection, Sequence[A]], Sequence[T]], item: A) -> T:
        """Run ``job`` as `write` does, on ``item`` and on those that wait for the same job."""
        mine: Job[A, T] = Job(job, item)
        self._commits.carry_out(mine)
        if mine.error is not None:
            raise mine.error
        return cast(T, mine.result)

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run ``job`` on a consistent view of the database. Raises LedgerError."""
        with translated(), self._reader.begin() as connection:
            return job(connection)

    def close(self) -> None:
        """Close every connection; nothing can be read or written after that."""
        with self._commits.none():
            if self._closed:
                return
            self._closed = True
            with self._lock.held():
                self._reader.dispose()
                self._writer.dispose()
            self._lock.close()

    @contextmanager
    def role(self, role: Role) -> Iterator[None]:
        """Hold ``role`` within the block. Raises Busy with who holds it.

        The lock is the operating system's: it goes with a killed process.
        """
        path = Path(f"{self._path}.{role.value}.lock")
        with translated():
            lock = _FileLock(path)
        try:
            with translated():
                if not lock.attempt() and not lock.attempt_again():
                    raise Busy(role.value, path.read_text(encoding="utf-8").strip())
                path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", "utf-8")
            yield
        finally:
            lock.close()

    def slots(self, name: str, number: int) -> Slots:
        """Return slots that all processes on this database share. Raises LedgerError."""
        with translated():
            return Slots(Path(f"{self._path}.{name}.slots"), number)

    def holder(self, role: Role) -> str | None:
        """Return who holds ``role`` now, None when nobody does. Who looks takes nothing away."""
        path = Path(f"{self._path}.{role.value}.lock")
        if not path.exists():
            return None
        with translated():
            lock = _FileLock(path)
            try:
                return None if lock.attempt(fcntl.LOCK_SH) else path.read_text("utf-8").strip()
            finally:
                lock.close()

    def _commit(self, batch: list[Job[Any, Any]]) -> None:
        try:
            if self._closed:
                raise LedgerError("the ledger is closed")
            with translated(), self._lock.held(), self._writer.begin() as connection:
                for run, jobs in by_what_they_do(batch).items():
                    results = run(connection, [job.item for job in jobs])
                    for job, result in zip(jobs, results, strict=True):
                        job.result = result
        except LedgerError as error:
            for job in batch:
                job.error = error
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asked
            self._blame(batch, error)
        for job in batch:
            job.done = True

    def _blame(self, batch: list[Job[Any, Any]], error: BaseException) -> None:
        """One bad job must not fail its neighbours: run each on its own."""
        if len(batch) == 1:
            batch[0].error = error
            return
        for job in batch:
            self._commit([job])


class _FileLock:
    """An exclusive lock between processes; within one, `Store` lets one thread in at a time."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        self._path = path

    def attempt(self, how: int = fcntl.LOCK_EX) -> bool:
        """Take the lock if it is free."""
        try:
            fcntl.flock(self._file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def attempt_again(self) -> bool:
        """Take it a moment later: somebody may only have looked who holds it."""
        time.sleep(0.05)
        return self.attempt()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock, but not for a process that is stopped in the middle."""
        until = time.monotonic() + _PATIENCE
        pause = 0.0005
        while not self.attempt():
            if time.monotonic() > until:
                raise LedgerError(f"another process keeps {self._path.name} locked")
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let the lock go."""
        os.close(self._file)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into LedgerError, with the driver's words."""
    try:
        yield
    except exc.DBAPIError as error:
        raise LedgerError(str(error.orig)) from error
    except (exc.TimeoutError, OSError, sqlite3.Error) as error:
        raise LedgerError(str(error)) from error


def _sqlite_path(url: str) -> Path:
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise LedgerError(f"state.url is not a database address: {error}") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise LedgerError("state.url must be sqlite:///PATH")
    return Path(parsed.database)


def _engine(url: str, begin: str, connections: int) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0 if begin == "BEGIN IMMEDIATE" else 16,
        connect_args={"check_same_thread": False, "timeout": _PATIENCE},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin on its own
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "mmap_size=0"):
            connection.execute(f"PRAGMA {pragma}")
        if begin == "BEGIN":
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
