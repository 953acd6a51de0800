"""What one process may do at a time on a database file: a lock, and a file that names its holder.

The lock that counts is on the database itself (`database_file`). The lock file beside it tells
people who holds it, and keeps this path for whoever works on the file that stood here before.
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

_PATIENCE = 2.0  # seconds to wait for another process: a writing is told before it gives up


class FileLock:
    """Between processes; within one, `Store` lets one thread in at a time."""

    def __init__(self, file: DatabaseFile, path: Path, byte: int) -> None:
        """Open the lock file, and lock nothing yet. Raises OSError."""
        self.path, self._name, self._owner = path, str(path), file.path
        self._number = _opened(path, file.path)
        try:
            self._byte = ByteLock(file, byte)
        except BaseException:
            os.close(self._number)
            raise

    def attempt(self) -> bool:
        """Take the lock if it is free."""
        if not self._byte.attempt():
            return False
        if not _flocked(self._number):
            self._byte.release()
            return False
        return True

    def attempt_again(self) -> bool:
        """Take it a moment later: somebody may only have looked who holds it."""
        time.sleep(0.05)
        return self.attempt()

    def release(self) -> None:
        """Let others have it."""
        fcntl.flock(self._number, fcntl.LOCK_UN)
        self._byte.release()

    def sign(self) -> None:
        """Write down who holds it. Raises OSError."""
        os.ftruncate(self._number, 0)
        text = f"process {os.getpid()} on {socket.gethostname()}\n"
        os.pwrite(self._number, text.encode(), 0)

    def renew(self) -> None:
        """Make the lock file anew if it was deleted while we hold the lock. Raises OSError."""
        if identity_at(self._name) == identity_of(os.fstat(self._number)):
            return
        number = _opened(self.path, self._owner)
        if _flocked(number):
            self._number, number = number, self._number
            self.sign()
        os.close(number)

    def close(self) -> None:
        """Let the lock go."""
        os.close(self._number)
        self._byte.close()


@contextmanager
def held(lock: FileLock | ByteLock, name: str) -> Iterator[None]:
    """Wait for the lock, but not for a process that is stopped in the middle."""
    until = time.monotonic() + _PATIENCE
    pause = 0.0005
    while not lock.attempt():
        if time.monotonic() > until:
            raise LedgerError(f"another process keeps {name} locked")
        time.sleep(pause)
        pause = min(pause * 2, 0.02)
    try:
        yield
    finally:
        lock.release()


def signature(path: Path) -> str | None:
    """Return who holds a lock file, None when nobody does or we may not know. Creates nothing."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _flocked(number, fcntl.LOCK_SH):
            return None
        return os.pread(number, 1000, 0).decode("utf-8", "replace").strip()
    finally:
        os.close(number)


def _opened(path: Path, owner: Path) -> int:
    create(path, owner)
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _flocked(number: int, how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(number, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
