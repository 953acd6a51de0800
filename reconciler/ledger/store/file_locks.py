"""Exclusive locks on a database file, each with a lock file that names its holder.

The lock that counts is on the database itself (`database_file`). The lock file beside it names the
holder. It also reserves the path for a process whose database file was moved away from it.
"""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import LedgerError
from reconciler.ledger.store.database_file import (
    ByteLock,
    DatabaseFile,
    create,
    identity_at,
    identity_of,
)

_LOCK_TIMEOUT = 2.0  # seconds to wait for another process: shorter than a writer waits itself


class FileLock:
    """A lock between processes; within one, only the writer thread takes it."""

    def __init__(self, file: DatabaseFile, path: Path, byte: int) -> None:
        """Open the lock file, and lock nothing yet. Raises OSError."""
        self.path, self._name, self._owner = path, str(path), file.path
        self._number = _open_file(path, file.path)
        try:
            self._byte = ByteLock(file, byte)
        except BaseException:
            os.close(self._number)
            raise

    def try_lock(self) -> bool:
        """Take the lock if it is free."""
        if not self._byte.try_lock():
            return False
        if not _flock(self._number):
            self._byte.release()
            return False
        return True

    def release(self) -> None:
        """Release the lock."""
        fcntl.flock(self._number, fcntl.LOCK_UN)
        self._byte.release()

    def write_holder(self) -> None:
        """Write this process into the lock file. Raises OSError."""
        os.ftruncate(self._number, 0)
        text = f"process {os.getpid()} on {socket.gethostname()}\n"
        os.pwrite(self._number, text.encode(), 0)

    def restore(self) -> None:
        """Create the lock file again if it was deleted while we hold the lock. Raises OSError."""
        if identity_at(self._name) == identity_of(os.fstat(self._number)):
            return
        number = _open_file(self.path, self._owner)
        if _flock(number):
            self._number, number = number, self._number
            self.write_holder()
        os.close(number)

    def close(self) -> None:
        """Release the lock and close the lock file."""
        os.close(self._number)
        self._byte.close()


@contextmanager
def holding(lock: FileLock | ByteLock, name: str) -> Iterator[None]:
    """Hold the lock within the block; raise LedgerError when another process keeps it too long."""
    until = time.monotonic() + _LOCK_TIMEOUT
    pause = 0.0005
    while not lock.try_lock():
        if time.monotonic() > until:
            raise LedgerError(f"another process keeps {name} locked")
        time.sleep(pause)
        pause = min(pause * 2, 0.02)
    try:
        yield
    finally:
        lock.release()


def holder_named_in(path: Path) -> str | None:
    """Return the holder named in a lock file, None when it is free or unreadable."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _flock(number, fcntl.LOCK_SH):
            return None
        return os.pread(number, 1000, 0).decode("utf-8", "replace").strip()
    finally:
        os.close(number)


def _open_file(path: Path, owner: Path) -> int:
    create(path, owner)
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _flock(number: int, how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(number, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
