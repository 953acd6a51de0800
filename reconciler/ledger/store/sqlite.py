"""The ledger in a SQLite file: one writer at a time over all processes; roles are locks on it.

SQLite before 3.51.3 can damage a write-ahead log when two connections write and checkpoint
at once, so every writing transaction of every process runs under one lock, and so does the
closing, which checkpoints too.

Each write checks before and after that the file at the path is still the open one: data written
to a deleted or replaced file would be lost with it.
"""

import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, true
from sqlalchemy.pool import QueuePool

from reconciler.errors import LedgerCause, LedgerError, RoleHeldError
from reconciler.ledger.store.database_file import (
    DatabaseFile,
    Identity,
    create,
    folder_refusal,
    identity_at,
)
from reconciler.ledger.store.failures import cause_of, database_errors
from reconciler.ledger.store.file_locks import FileLock, holder_named_in, holding
from reconciler.ledger.store.store import IsHeld, Role, Store

LOCK_TIMEOUT = 2.5  # seconds to wait for another process's transaction
WRITING = 0  # the byte that is locked for it; each role has one of the next
_HOLDER_READ = 0.05  # seconds in which another process that reads the holder keeps the lock
BYTES = {role: number for number, role in enumerate(Role, WRITING + 1)}
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "mmap_size=0")


class SqliteStore(Store):
    """One SQLite file, and beside it a lock file for writing and one for each role."""

    shared = False

    def __init__(self, url: URL) -> None:
        """Open the database, creating it for its owner alone. Raises LedgerError."""
        super().__init__()
        self._path = path_of(url)
        self._names = [f"{self._path}{suffix}" for suffix in ("-wal", "-shm")]
        self._log: tuple[Identity | None, ...] = (None,)
        self._roles, self._naming = set[FileLock](), threading.Lock()
        with sqlite_errors(), ExitStack() as opened:
            create(self._path, self._path.parent)
            self._file = DatabaseFile(self._path)
            opened.callback(self._file.close)
            self._lock = FileLock(self._file, self._beside("lock"), WRITING)
            opened.callback(self._lock.close)
            self._open_file = opened.pop_all()
        self._writer = engine_of(self._connected, "BEGIN IMMEDIATE", 1, *_PRAGMAS)
        self._reader = engine_of(self._connected, "BEGIN", 4, *_PRAGMAS, "query_only=ON")
        event.listen(self._writer, "connect", self._reset_log)

    @contextmanager
    def role(self, role: Role) -> Iterator[IsHeld]:
        """Hold ``role`` within the block, by a lock of the operating system."""
        with database_errors():
            lock = FileLock(self._file, lock_path(self._path, role), BYTES[role])
        try:
            with database_errors():
                if not lock.try_lock():
                    time.sleep(_HOLDER_READ)
                    if not lock.try_lock():
                        raise RoleHeldError(role.value, self.holder(role) or "")
                lock.write_holder()
            self._roles.add(lock)
            yield self._file.is_in_place
        finally:
            with self._naming:
                self._roles.discard(lock)
            lock.close()

    def holder(self, role: Role) -> str | None:
        """Return the process that holds ``role``, None when it is free. Takes no role."""
        return holder_of(self._file, role)

    def clock(self, local: Callable[[], datetime]) -> Callable[[], datetime]:
        """Return the local clock: the processes share one machine."""
        return local

    def token(self) -> str:
        """Return a new token for claims."""
        return uuid.uuid4().hex

    def orphaned(self, c: Connection) -> Any:
        """Return true: only the holder of the worker's role has live claims."""
        del c
        return true()

    def refusal(self) -> LedgerError | None:
        """Return why nothing can be written: the last failure, the file, or a full disk."""
        known = super().refusal()
        if known is not None:
            return known
        try:
            self._check()
        except LedgerError as error:
            return error
        return folder_refusal(self._path)

    @contextmanager
    def _writing(self, until: float) -> Iterator[Connection]:
        del until  # the wait for other processes is bounded by the lock
        with sqlite_errors(), holding(self._lock, self._lock.path.name):
            self._file.check()
            with self._writer.begin() as connection:
                if None in self._log:
                    self._log = self._log_files()
                yield connection
            self._check()
            with self._naming:
                for lock in tuple(self._roles):
                    with suppress(OSError):  # it only names the holder: the database file is locked
                        lock.restore()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._file.check()
        with sqlite_errors(), self._reader.begin() as connection:
            yield connection

    def _check(self) -> None:
        """Raise LedgerError where a restart would lose written data."""
        self._file.check()
        if None not in self._log and self._log != self._log_files():
            raise LedgerError(
                "the ledger's -wal or -shm file is gone: restart serve", LedgerCause.STATED
            )

    def _log_files(self) -> tuple[Identity | None, ...]:
        return tuple(map(identity_at, self._names))

    def _reset_log(self, *_: object) -> None:
        self._log = (None,)  # a new connection opens the present files

    def _beside(self, name: str) -> Path:
        return Path(f"{self._path}.{name}")

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, check_same_thread=False, timeout=LOCK_TIMEOUT)

    def _close(self) -> None:
        with holding(self._lock, self._lock.path.name):
            self._checkpoint()
            self._reader.dispose()
            self._writer.dispose()
        self._open_file.close()

    def _checkpoint(self) -> None:
        """Make the database complete without its log, even while another process reads it.

        SQLite checkpoints with the last connection of all, which may be a reader that cannot.
        """
        with suppress(sqlite3.Error, exc.SQLAlchemyError):  # the next start does it
            if self._file.is_in_place():
                with closing(self._connected()) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def lock_path(path: Path, role: Role) -> Path:
    """Return the lock file of ``role`` on the database at ``path``."""
    return Path(f"{path}.{role.value}.lock")


def holder_of(file: DatabaseFile, role: Role) -> str | None:
    """Return the process that holds ``role`` on a file or its path, None when it is free."""
    named = holder_named_in(lock_path(file.path, role))
    with database_errors():
        return named or ("another process" if file.is_locked(BYTES[role]) else None)


@contextmanager
def sqlite_errors() -> Iterator[None]:
    """Turn the driver's errors outside of statements into LedgerError."""
    try:
        with database_errors():
            yield
    except sqlite3.Error as error:
        raise LedgerError(str(error), cause_of(error)) from error


def path_of(url: URL) -> Path:
    """Return the real path of the file, behind all symbolic links. Raises LedgerError."""
    if not url.database:
        raise LedgerError("state.url must be sqlite:///PATH")
    return Path(os.path.realpath(url.database))


def engine_of(
    connect: Callable[[], sqlite3.Connection], begin: str, connections: int, *pragmas: str
) -> Engine:
    """Return an engine that begins transactions with ``begin`` and prepares with ``pragmas``."""
    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0 if begin == "BEGIN IMMEDIATE" else 16,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin on its own
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
