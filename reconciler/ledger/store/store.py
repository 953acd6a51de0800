"""Transactions on a database: one thread writes, and the jobs that are queued share a commit.

`sqlite` and `postgres` implement the differences: how a transaction excludes other writers, and
how a process holds a role.
"""

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from reconciler.errors import LedgerError, RoleHeldError
from reconciler.ledger.store.failures import database_errors

A = TypeVar("A")
T = TypeVar("T")
WRITE_TIMEOUT = 2.2  # seconds until a caller gives up: the portal repeats a delivery soon
_LONG_TIMEOUT = 120.0  # seconds for long jobs
_BATCH_DELAY = 0.005  # seconds that a commit waits for other jobs, at most
Begin = Callable[[float], AbstractContextManager[Connection]]
IsHeld = Callable[[], bool]
"""Tells whether a role that was taken is still held."""


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
        self._writes = Writer(self._begun)
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
        return self._run(WriteJob(job, item, time.monotonic() + WRITE_TIMEOUT))

    def write_long(self, job: Callable[[Connection], T], timeout: float = _LONG_TIMEOUT) -> T:
        """Run ``job``, which may take long, in a transaction of its own. Raises LedgerError."""
        return self._run(
            WriteJob(lambda c, _: [job(c)], None, time.monotonic() + timeout, exclusive=True)
        )

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run ``job`` on a consistent view of the database. Raises LedgerError."""
        if self._writes.closed:  # else the engine would open a connection that is never closed
            raise LedgerError("the ledger is closed")
        with database_errors(), self._reading() as connection:
            return job(connection)

    def close(self) -> None:
        """Close every connection; nothing can be read or written after that."""
        if self._writes.close():
            self._close()

    @abstractmethod
    def role(self, role: Role) -> AbstractContextManager[IsHeld]:
        """Hold ``role`` within the block. Raises RoleHeldError with its holder.

        A killed process loses it. The yielded function tells whether it is still held.
        """

    @contextmanager
    def _require_free(self, role: Role) -> Iterator[IsHeld]:
        """Raise RoleHeldError while a process holds ``role``. A reader takes no role itself."""
        holder = self.holder(role)
        if holder is not None:
            raise RoleHeldError(role.value, holder)
        yield lambda: True

    def refusal(self) -> LedgerError | None:
        """Return why a process could not write, as far as that is known without writing.

        A failed write counts until the next one succeeds.
        """
        return LedgerError("the ledger is closed") if self._writes.closed else self._write_error

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold every role within the block, so that no other process works.

        Raises RoleHeldError with the process that works already.
        """
        with ExitStack() as roles:
            for role in Role:
                roles.enter_context(self.role(role))
            yield

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

    def _run(self, job: "WriteJob[A, T]") -> T:
        if self.read_only:
            raise LedgerError("the ledger is open for reading only")
        try:
            result = self._writes.run(job)
        except LedgerError as error:
            self._write_error = error
            raise
        self._write_error = None
        return result

    @contextmanager
    def _begun(self, until: float) -> Iterator[Connection]:
        with database_errors(), self._writing(until) as connection:
            yield connection


@dataclass(eq=False)
class WriteJob(Generic[A, T]):
    """A write that a thread waits for until ``until``, by the monotonic clock.

    With ``exclusive`` the job shares its transaction with no other.
    """

    run: Callable[[Connection, Sequence[A]], Sequence[T]]
    item: A
    until: float
    exclusive: bool = False
    future: Future[T] = field(default_factory=Future)


class Writer:
    """Group commit: one thread runs the queued jobs, each batch in a transaction of ``begin``.

    ``begin`` gets the time until which the first of the batch waits. A commit waits briefly for
    a batch as large as the last one: threads that shared a commit usually write again together.
    """

    def __init__(self, begin: Begin, batch_delay: float = _BATCH_DELAY) -> None:
        """Start no thread before the first job. No commit waits longer than ``batch_delay``."""
        self._begin, self._batch_delay = begin, batch_delay
        self._queue = queue.SimpleQueue[WriteJob[Any, Any] | None]()
        self._thread: threading.Thread | None = None
        self._lock, self.closed = threading.Lock(), False

    def run(self, job: WriteJob[A, T]) -> T:
        """Return the job's result once it is on disk, or raise its error.

        Raises LedgerError when its time is over before it has begun; then it is not run.
        """
        with self._lock:
            if self.closed:
                raise LedgerError("the ledger is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
                self._thread.start()
            self._queue.put(job)
        try:
            return job.future.result(max(job.until - time.monotonic(), 0))
        except TimeoutError:
            if job.future.cancel():
                raise LedgerError("the database does not answer in time") from None
            return job.future.result()  # it has begun: the database limits its time

    def close(self) -> bool:
        """Run the queued jobs, then end the thread; return False if it was closed before."""
        with self._lock:
            if self.closed:
                return False
            self.closed = True
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        return True

    def _work(self) -> None:
        number = 0
        while jobs := self._next(number):
            number = len(jobs)
            begun = [job for job in jobs if job and job.future.set_running_or_notify_cancel()]
            shared = [job for job in begun if not job.exclusive]
            for batch in (shared, *([job] for job in begun if job.exclusive)):
                if batch:
                    self._commit(batch)
            if jobs[-1] is None:
                return

    def _next(self, expected: int) -> list[WriteJob[Any, Any] | None]:
        """Return the queued jobs, ``expected`` of them if they come soon. None ends the thread."""
        jobs = [self._queue.get()]
        until = time.monotonic() + self._batch_delay
        with suppress(queue.Empty):
            while jobs[-1] is not None:
                wait = until - time.monotonic() if len(jobs) < expected else 0
                jobs.append(self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait())
        return jobs

    def _commit(self, batch: list[WriteJob[Any, Any]]) -> None:
        """Run a batch in one transaction; jobs of one that failed run again, each by itself."""
        running, results = False, list[tuple[WriteJob[Any, Any], Any]]()
        try:
            with self._begin(batch[0].until) as connection:
                running = True
                for run, jobs in _by_run(batch).items():
                    found = run(connection, [job.item for job in jobs])
                    results += zip(jobs, found, strict=True)
                running = False
        except BaseException as error:  # noqa: BLE001 - passed to the thread that waits
            if running and len(batch) > 1:
                for job in batch:
                    self._commit([job])
                return
            for job in batch:
                job.future.set_exception(error)
            return
        for job, result in results:
            job.future.set_result(result)


def _by_run(jobs: Iterable[WriteJob[Any, Any]]) -> dict[Any, list[WriteJob[Any, Any]]]:
    """Return jobs of the same ``run`` together: one call does them all."""
    found: dict[Any, list[WriteJob[Any, Any]]] = {}
    for job in jobs:
        found.setdefault(job.run, []).append(job)
    return found
