"""Transactions on a database: one writing transaction at a time, shared by who waits for it.

`sqlite` and `postgres` have what differs: how a transaction begins so that no other process
writes meanwhile, and how a role is held that only one process may have.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import Connection, exc

from reconciler.errors import LedgerError, RoleHeldError
from reconciler.ledger.store.writer import Job, Writer

A = TypeVar("A")
T = TypeVar("T")
PATIENCE = 2.2  # seconds to wait for a writing: a delivery is answered, and soon tried again
_LONG = 120.0  # seconds for what may take long
IsOurs = Callable[[], bool]


class Role(Enum):
    """What only one process may do at a time on one ledger."""

    WORKER = "worker"
    SWEEP = "sweep"
    BACKFILL = "backfill"


class Store(ABC):
    """One database. Safe to share between threads; close it when done.

    ``shared`` tells whether any number of daemons may work on it at once, ``read_only`` whether it
    was opened to look: then nothing can be written, and nothing is left behind.
    """

    shared: bool

    def __init__(self, *, read_only: bool = False) -> None:
        """Open nothing; what inherits does."""
        self.read_only = read_only
        self._jobs = Writer(self._begun)

    def write(self, job: Callable[[Connection], T]) -> T:
        """Run ``job`` in a transaction and return its result once that is on disk.

        Jobs that are queued together share one commit. ``job`` may run twice, so it must only
        touch the database. Raises LedgerError when nothing could be written, or when the answer
        does not come in time.
        """
        return self.write_each(lambda c, _: [job(c)], None)

    def write_each(self, job: Callable[[Connection, Sequence[A]], Sequence[T]], item: A) -> T:
        """Run ``job`` as `write` does, on ``item`` and on those that wait for the same job."""
        return self._run(Job(job, item, time.monotonic() + PATIENCE))

    def write_long(self, job: Callable[[Connection], T], most: float = _LONG) -> T:
        """Run ``job``, which may take long, in a transaction of its own. Raises LedgerError."""
        return self._run(Job(lambda c, _: [job(c)], None, time.monotonic() + most, alone=True))

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run ``job`` on a consistent view of the database. Raises LedgerError."""
        if self._jobs.closed:  # else the engine would open a connection that nobody closes
            raise LedgerError("the ledger is closed")
        with translated(), self._reading() as connection:
            return job(connection)

    def close(self) -> None:
        """Close every connection; nothing can be read or written after that."""
        if self._jobs.close():
            self._close()

    @abstractmethod
    def role(self, role: Role) -> AbstractContextManager[IsOurs]:
        """Hold ``role`` within the block. Raises RoleHeldError with who holds it.

        It goes with a killed process. What is yielded tells whether it is still ours.
        """

    @contextmanager
    def _respected(self, role: Role) -> Iterator[IsOurs]:
        """Take nothing, as a reader must not; raise RoleHeldError while somebody has ``role``."""
        holder = self.holder(role)
        if holder is not None:
            raise RoleHeldError(role.value, holder)
        yield lambda: True

    def refusal(self) -> LedgerError | None:
        """Return why a process could not write, as far as can be told without writing."""
        return None

    @abstractmethod
    def alone(self) -> AbstractContextManager[None]:
        """Keep every other process from working within the block.

        Raises RoleHeldError with who does.
        """

    @abstractmethod
    def holder(self, role: Role) -> str | None:
        """Return who holds ``role`` now, None when nobody does. Who looks takes nothing away."""

    def processes(self) -> frozenset[str]:
        """Return the processes that hold any role now."""
        return frozenset(who for role in Role if (who := self.holder(role)) is not None)

    @abstractmethod
    def clock(self, local: Callable[[], datetime]) -> Callable[[], datetime]:
        """Return the clock that all processes on this database go by."""

    @abstractmethod
    def token(self) -> str:
        """Return a new token for claims of this process."""

    @abstractmethod
    def abandoned(self, c: Connection) -> Any:
        """Return the condition under which a claimed row may be given back to others."""

    @abstractmethod
    def _writing(self, until: float) -> AbstractContextManager[Connection]:
        """Begin a transaction beside which nobody else writes, and commit it.

        Raises LedgerError or the driver's error when it takes longer than ``until``.
        """

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that sees one state of the database and cannot write."""

    @abstractmethod
    def _close(self) -> None:
        """Close every connection."""

    def _run(self, job: Job[A, T]) -> T:
        if self.read_only:
            raise LedgerError("the ledger is open for reading only")
        return self._jobs.run(job)

    @contextmanager
    def _begun(self, until: float) -> Iterator[Connection]:
        with translated(), self._writing(until) as connection:
            yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into LedgerError, with the driver's first words."""
    try:
        yield
    except exc.DBAPIError as error:
        raise LedgerError(_first_line(error.orig)) from error
    except (exc.TimeoutError, OSError) as error:
        raise LedgerError(str(error)) from error


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
