"""The identity of a database file, and locks on its bytes.

A lock file guards a name. The same database has other names behind a symlink, a hard link or
another mount, and a deleted lock file guards nothing. So each exclusive task is a lock on a byte of
the database itself, far behind its content and the bytes that SQLite locks (at 1 GiB): it belongs
to device and inode, whatever the name, and ends with the process. These are locks of an open file
description (fcntl(2), F_OFD_SETLK), not of the process: two ledgers in one process exclude each
other, and closing one releases nothing of the other.

SQLite's own locks belong to the process: closing any descriptor of the file would release them
all, and another process could then delete the write-ahead log in use. So the descriptors stay open
until the last ledger of this process on that file is closed, as SQLite keeps its own.
"""

import fcntl
import os
import struct
import sys
import tempfile
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import LedgerCause, LedgerError, RoleHeldError
from reconciler.ledger.store.failures import cause_of

_TEST_SIZE = 64 * 1024  # bytes to write, to find a full disk
GONE = (
    "the ledger's file is gone, or another one is at its path: put it back, or restart serve to "
    "continue with the file at that path"
)
Identity = tuple[int, int]  # device and inode
_FLOCK = struct.Struct("hhqqi4x")  # type, whence, start, length, process: as Linux has it
_OFFSET = 2**62
_NAMES = 2**32  # behind that: a byte for each name under which the file may be in use


@dataclass
class _Descriptors:
    """The descriptors of one file in this process: the number of users, and the spare ones."""

    users: int = 0
    spare: list[int] = field(default_factory=list)


_lock_of_all = threading.Lock()
_open: dict[Identity, _Descriptors] = {}  # for the process, as SQLite's locks are


class DatabaseFile:
    """One database file that must stay at its path while it is open. Close it when done.

    Only one name of a file may be in use: SQLite keeps its log beside the name, so a hard link
    would have a second log, and the two would damage the file.
    """

    def __init__(self, path: Path, *, writable: bool = True) -> None:
        """Open the file, which must exist.

        Raises OSError, and RoleHeldError for another name in use.
        """
        self.path, self._name = path, str(path)
        self._mode = os.O_RDWR if writable else os.O_RDONLY
        with _lock_of_all:
            self._descriptor = os.open(path, self._mode | os.O_CLOEXEC)
            self.identity = identity_of(os.fstat(self._descriptor))
            _open.setdefault(self.identity, _Descriptors()).users += 1
        if not _is_only_name(self._descriptor, path):
            self.close()
            raise RoleHeldError(
                "ledger", "a process that has the file open under another name (a hard link)"
            )

    def check(self) -> None:
        """Raise LedgerError unless this very file is at its path."""
        if not self.is_in_place():
            raise LedgerError(GONE, LedgerCause.STATED)

    def is_in_place(self) -> bool:
        """Return whether this very file is at its path."""
        return identity_at(self._name) == self.identity

    def is_locked(self, byte: int) -> bool | None:
        """Return whether the byte is locked, without locking it; None where that is unknown."""
        kind = _fcntl("F_OFD_GETLK", self._descriptor, byte, fcntl.F_WRLCK)
        return None if kind is None else kind != fcntl.F_UNLCK

    def borrow(self) -> int:
        """Return a descriptor with an open file description of its own. Raises LedgerError."""
        with _lock_of_all:
            spare = _open[self.identity].spare
            if spare:
                return spare.pop()
            try:
                number = os.open(self.path, self._mode | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise LedgerError(GONE, LedgerCause.STATED) from error
            if identity_of(os.fstat(number)) == self.identity:
                return number
        # It is left open: it may be the file of another ledger of this process.
        raise LedgerError(GONE, LedgerCause.STATED)

    def return_descriptor(self, number: int) -> None:
        """Return a borrowed descriptor; it is closed with the last user of the file."""
        with _lock_of_all:
            _open[self.identity].spare.append(number)

    def close(self) -> None:
        """Close the file, after SQLite has. Borrowed descriptors must have been returned."""
        _fcntl("F_OFD_SETLK", self._descriptor, 0, fcntl.F_UNLCK, _NAMES + 2**32)
        with _lock_of_all:
            mine = _open[self.identity]
            mine.users -= 1
            mine.spare.append(self._descriptor)
            if mine.users:
                return
            del _open[self.identity]
            for number in mine.spare:
                os.close(number)


class ByteLock:
    """An exclusive lock on one byte of the database. Close it before the file."""

    def __init__(self, file: DatabaseFile, byte: int) -> None:
        """Lock nothing yet. Raises OSError."""
        self._file, self._byte, self._number = file, byte, file.borrow()

    def try_lock(self) -> bool:
        """Take the lock if it is free; return whether it was."""
        try:
            _fcntl("F_OFD_SETLK", self._number, self._byte, fcntl.F_WRLCK)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Release the lock."""
        _fcntl("F_OFD_SETLK", self._number, self._byte, fcntl.F_UNLCK)

    def close(self) -> None:
        """Release the lock and return the descriptor."""
        self.release()
        self._file.return_descriptor(self._number)


def _is_only_name(number: int, path: Path) -> bool:
    """Lock the byte of our name; return whether no other name is in use."""
    folder = path.parent.stat()  # it may be mounted at several paths
    own = zlib.crc32(f"{folder.st_dev} {folder.st_ino} {path.name}".encode())
    _fcntl("F_OFD_SETLK", number, _NAMES + own, fcntl.F_RDLCK)
    others = ((_NAMES, own), (_NAMES + own + 1, 2**32 - own - 1))
    return all(
        _fcntl("F_OFD_GETLK", number, first, fcntl.F_WRLCK, length) in {None, fcntl.F_UNLCK}
        for first, length in others
        if length
    )


def _fcntl(command: str, number: int, byte: int, kind: int, length: int = 1) -> int | None:
    """Return the kind of the conflicting lock; None where the system has no such locks."""
    if sys.platform != "linux":
        return None
    asked = _FLOCK.pack(kind, os.SEEK_SET, _OFFSET + byte, length, 0)
    return int(_FLOCK.unpack(fcntl.fcntl(number, getattr(fcntl, command), asked))[0])


def identity_at(name: str) -> Identity | None:
    """Return the file at a path, None where there is none. Fast: called for each write."""
    try:
        return identity_of(os.stat(name))  # noqa: PTH116
    except OSError:
        return None


def identity_of(found: os.stat_result) -> Identity:
    """Return the identity of a file, whatever its name."""
    return found.st_dev, found.st_ino


def create(path: Path, owner: Path) -> None:
    """Create the file if it is missing, for its owner alone. Raises OSError.

    Where root creates it, the file gets the owner of ``owner``, so that the service, which does not
    run as root, can open it. SQLite does so with its own files.
    """
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        if os.geteuid() == 0:
            wanted = owner.stat()
            with suppress(OSError):  # root may lack the right: then the file stays its own
                os.fchown(number, wanted.st_uid, wanted.st_gid)
    finally:
        os.close(number)


def folder_refusal(path: Path) -> LedgerError | None:
    """Return why nothing can be written beside a file, as an unnamed temporary file shows."""
    try:
        with tempfile.TemporaryFile(dir=path.parent) as test:
            test.write(bytes(_TEST_SIZE))
            test.flush()
            os.fsync(test.fileno())
    except OSError as error:
        return LedgerError(f"{path} cannot be written: {error.strerror}", cause_of(error))
    return None
