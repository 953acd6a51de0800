"""The ledger in a file: one writer at a time over all processes, and roles as file locks.

SQLite before 3.51.3 can damage a write-ahead log when two connections write and checkpoint
at once, so every writing transaction of every process runs under one file lock, and so does
the closing, which checkpoints too.
"""

import fcntl
import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, true
from sqlalchemy.pool import QueuePool

from reconciler.errors import Busy, LedgerError
from reconciler.ledger.slots import FileSlots
from reconciler.ledger.store import IsOurs, Role, Store, translated

_PATIENCE = 2.5  # seconds to wait for another process's transaction
_OWNER_ONLY = 0o600


class SqliteStore(Store):
    """One SQLite file, and beside it a lock for writing and one for each role."""

    shared = False

    def __init__(self, url: URL) -> None:
        """Open the database, creating it for its owner alone. Raises LedgerError."""
        super().__init__()
        if not url.database:
            raise LedgerError("state.url must be sqlite:///PATH")
        self._path = Path(url.database)
        with _translated():
            self._lock = _FileLock(Path(f"{self._path}.lock"))
            self._path.touch(mode=_OWNER_ONLY, exist_ok=True)
            self._writer = _engine(url, "BEGIN IMMEDIATE", connections=1)
            self._reader = _engine(url, "BEGIN", connections=4)

    @contextmanager
    def role(self, role: Role) -> Iterator[IsOurs]:
        """Hold ``role`` within the block; the lock is the operating system's."""
        path = Path(f"{self._path}.{role.value}.lock")
        with translated():
            lock = _FileLock(path)
        try:
            with translated():
                if not lock.attempt() and not lock.attempt_again():
                    raise Busy(role.value, path.read_text(encoding="utf-8").strip())
                path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", "utf-8")
            yield lambda: True
        finally:
            lock.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold every role within the block."""
        with ExitStack() as held:
            for role in Role:
                held.enter_context(self.role(role))
            yield

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

    def slots(self, name: str, number: int) -> FileSlots:
        """Return slots that all processes on this file share. Raises LedgerError."""
        with translated():
            return FileSlots(Path(f"{self._path}.{name}.slots"), number)

    def clock(self, local: Callable[[], datetime]) -> Callable[[], datetime]:
        """One machine has one clock."""
        return local

    def token(self) -> str:
        """Return a new token for claims."""
        return uuid.uuid4().hex

    def abandoned(self, c: Connection) -> Any:
        """Who holds the worker's role is alone: every claim is of a process that is gone."""
        del c
        return true()

    @contextmanager
    def _writing(self, until: float) -> Iterator[Connection]:
        del until  # a file answers; the wait for others is bounded
        with _translated(), self._lock.held(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _translated(), self._reader.begin() as connection:
            yield connection

    def _close(self) -> None:
        with self._lock.held():
            self._reader.dispose()
            self._writer.dispose()
        self._lock.close()


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
def _translated() -> Iterator[None]:
    """Turn what the driver raises outside of statements into LedgerError."""
    try:
        with translated():
            yield
    except sqlite3.Error as error:
        raise LedgerError(str(error)) from error


def _engine(url: URL, begin: str, connections: int) -> Engine:
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
