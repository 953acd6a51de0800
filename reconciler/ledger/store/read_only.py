"""Read-only ledgers: a view of an existing file, and an empty database in memory."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, true

from reconciler.errors import LedgerCause, LedgerError
from reconciler.ledger.store.database_file import ByteLock, DatabaseFile, folder_refusal
from reconciler.ledger.store.file_locks import holder_named_in, holding
from reconciler.ledger.store.sqlite import (
    BYTES,
    LOCK_TIMEOUT,
    WRITING,
    engine_of,
    holder_of,
    lock_path,
    path_of,
    sqlite_errors,
)
from reconciler.ledger.store.store import IsHeld, Role, Store


class View(Store):
    """The base of views, which take no role."""

    shared = False

    def role(self, role: Role) -> AbstractContextManager[IsHeld]:
        """Raise RoleHeldError while a process holds ``role``; take nothing."""
        return self._require_free(role)

    def clock(self, local: Callable[[], datetime]) -> Callable[[], datetime]:
        """Return the local clock."""
        return local

    def token(self) -> str:
        """Return a token that no other process uses."""
        return "view"

    def orphaned(self, c: Connection) -> Any:
        """Return a condition that is never used: nothing is claimed in a view."""
        del c
        return true()


class SqliteView(View):
    """A SQLite file opened for reading: nothing is created, changed or left beside it.

    A log beside it belongs to a running or killed process and is left as it is. Without one,
    SQLite creates a log while it reads, for the file's owner, and removes it at the end. Removing
    it is a write and takes the lock for writing.
    """

    def __init__(self, url: URL) -> None:
        """Open the database, which must exist. Raises LedgerError."""
        super().__init__(read_only=True)
        self._path = path_of(url)
        may_write = os.access(self._path, os.W_OK)
        self._checkpoints = may_write and not Path(f"{self._path}-wal").exists()
        with sqlite_errors():
            self._file = DatabaseFile(self._path, writable=may_write)
        self._reader = engine_of(self._connected, "BEGIN", 4, "query_only=ON")

    def holder(self, role: Role) -> str | None:
        """Return the process that holds ``role``, None when it is free."""
        return holder_of(self._file, role)

    def refusal(self) -> LedgerError | None:
        """Return why a process could not write, as far as is known without writing."""
        for role in Role:
            named = holder_named_in(lock_path(self._path, role))
            if named and self._file.is_locked(BYTES[role]) is False:
                return _stale_holder(self._path, role, named)
        if not os.access(self._path, os.W_OK):
            return LedgerError(f"there is no right to write to {self._path}")
        return folder_refusal(self._path)

    @contextmanager
    def _writing(self, until: float) -> Iterator[Connection]:
        del until
        raise LedgerError("the ledger is open for reading only")
        yield

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._file.check()
        with sqlite_errors(), self._reader.begin() as connection:
            yield connection

    def _connected(self) -> sqlite3.Connection:
        address = f"{self._path.as_uri()}?mode={'rw' if self._checkpoints else 'ro'}"
        return sqlite3.connect(address, uri=True, check_same_thread=False, timeout=LOCK_TIMEOUT)

    def _close(self) -> None:
        lock = ByteLock(self._file, WRITING)
        with holding(lock, self._path.name) if self._checkpoints else nullcontext():
            self._reader.dispose()
        lock.close()
        self._file.close()


class MemoryStore(View):
    """An empty database in memory. ``path`` is where a real one would be."""

    def __init__(self, path: Path | None = None) -> None:
        """Create it."""
        super().__init__()
        self._path = path
        self._engine = engine_of(self._connected, "BEGIN", 1)

    def holder(self, role: Role) -> str | None:
        """Return None: no other process can open it."""
        del role
        return None

    def refusal(self) -> LedgerError | None:
        """Return why no ledger could be created at the path."""
        if self._path is None:
            return None
        for role in Role:
            named = holder_named_in(lock_path(self._path, role))
            if named:
                return _stale_holder(self._path, role, named)
        return folder_refusal(self._path)

    @contextmanager
    def _writing(self, until: float) -> Iterator[Connection]:
        del until
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(":memory:", check_same_thread=False)

    def _close(self) -> None:
        self._engine.dispose()


def _stale_holder(path: Path, role: Role, named: str) -> LedgerError | None:
    """Return the error for a process that still works on a file gone from its path."""
    if holder_named_in(lock_path(path, role)) != named:
        return None
    return LedgerError(
        f"{named} works on a file that is not at {path} any more: restart it", LedgerCause.STATED
    )
