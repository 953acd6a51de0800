"""Transactions on a database: one writing transaction at a time, shared by the waiting threads.

`sqlite` and `postgres` implement the differences: how a transaction excludes other writers, and
how a process holds a role.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import Connection

from reconciler.errors import LedgerError, RoleHeldError
from reconciler.ledger.store.failures import database_errors
from reconciler.ledger.store.writer import Job, Writer

A = TypeVar("A")
T = TypeVar("T")
WRITE_TIMEOUT = 2.2  # seconds until a caller gives up: the portal repeats a delivery soon
_LONG_TIMEOUT = 120.0  # seconds for long jobs
IsOurs = Callable[[], bool]


class Role(Enum):
    """A task that only one process may do at a time on one ledger."""

    WORKER = "worker"
    SWEEP = "sweep"
    BACKFILL = "backfill"


class Store(ABC):
    """One database. Safe to share between threads; close it when done.

    ``shared`` is whether several daemons may work on it at once, ``read_only`` whether it was
    opened for reading: then nothing can be written, and nothing is left behind.
    """

    shared: bool

    def __init__(self, *, read_only: bool = False) -> None:
        """Open nothing; subclasses do."""
        self.read_only = read_only
        self._jobs = Writer(self._begun)
        self._write_error: LedgerError | None = None  # of the last write

    def write(self, job: Callable[[Connection], T]) -> T:
        """Run ``job`` in a transaction and return its result once that is on disk.

        Jobs that are queued together share one commit. ``job`` may run twice, so it must only
        touch the database. Raises LedgerError when nothing could be written, or when the answer
        does not come in time.
        """
        return self.write_each(lambda c, _: [job(c)], None)

    def write_each(self, job: Callable[[Connection, Sequence[A]], Sequence[T]], item: A) -> T:
        """Run ``job`` as `write` does, on ``item`` and on those that wait for the same job."""
        return self._run(Job(job, item, time.monotonic() + WRITE_TIMEOUT))

    def write_long(self, job: Callable[[Connection], T], timeout: float = _LONG_TIMEOUT) -> T:
        """Run ``job``, which may take long, in a transaction of its own. Raises LedgerError."""
        return self._run(
            Job(lambda c, _: [job(c)], None, time.monotonic() + timeout, exclusive=True)
        )

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run ``job`` on a consistent view of the database. Raises LedgerError."""
        if self._jobs.closed:  # else the engine would open a connection that nobody closes
            raise LedgerError("the ledger is closed")
        with database_errors(), self._reading() as connection:
            return job(connection)

    def close(self) -> None:
        """Close every connection; nothing can be read or written after that."""
        if self._jobs.close():
            self._close()

    @abstractmethod
    def role(self, role: Role) -> AbstractContextManager[IsOurs]:
        """Hold ``role`` within the block. Raises RoleHeldError with who holds it.

        A killed process loses it. The yielded function says whether it is still ours.
        """

    @contextmanager
    def _require_free(self, role: Role) -> Iterator[IsOurs]:
        """Raise RoleHeldError while a process holds ``role``; a reader takes no role itself."""
        holder = self.holder(role)
        if holder is not None:
            raise RoleHeldError(role.value, holder)
        yield lambda: True

    def refusal(self) -> LedgerError | None:
        """Return why a process could not write, as far as that is known without writing.

        A failed write counts until the next one succeeds.
        """
        return LedgerError("the ledger is closed") if self._jobs.closed else self._write_error

    @abstractmethod
    def exclusive(self) -> AbstractContextManager[None]:
        """Keep every other process from working within the block.

        Raises RoleHeldError with the process that works already.
        """

    @abstractmethod
    def holder(self, role: Role) -> str | None:
        """Return the process that holds ``role``, None when it is free. Takes no role."""

    def processes(self) -> frozenset[str]:
        """Return the processes that hold any role now."""
        return frozenset(who for role in Role if (who := self.holder(role)) is not None)

    @abstractmethod
    def clock(self, local: Callable[[], datetime]) -> Callable[[], datetime]:
        """Return the clock that all processes on this database share."""

    @abstractmethod
    def token(self) -> str:
        """Return a new token for claims of this process."""

    @abstractmethod
    def orphaned(self, c: Connection) -> Any:
        """Return the condition of the claims whose process is dead."""

    @abstractmethod
    def _writing(self, until: float) -> AbstractContextManager[Connection]:
        """Begin the only writing transaction, and commit it.

        Raises LedgerError or the driver's error when it takes longer than ``until``.
        """

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """Begin a reading transaction on one consistent state."""

    @abstractmethod
    def _close(self) -> None:
        """Close every connection."""

    def _run(self, job: Job[A, T]) -> T:
        if self.read_only:
            raise LedgerError("the ledger is open for reading only")
        try:
            result = self._jobs.run(job)
        except LedgerError as error:
            self._write_error = error
            raise
        self._write_error = None
        return result

    @contextmanager
    def _begun(self, until: float) -> Iterator[Connection]:
        with database_errors(), self._writing(until) as connection:
            yield connection
