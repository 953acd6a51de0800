"""Group commit: one thread writes, and the jobs that are queued together share a transaction."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from reconciler.errors import LedgerError

A = TypeVar("A")
T = TypeVar("T")
Begin = Callable[[float], AbstractContextManager[Connection]]
_BATCH_DELAY = 0.005  # seconds that a commit waits for other jobs, at most


@dataclass(eq=False)
class Job(Generic[A, T]):
    """What a thread wants written. It waits until ``until``, by the monotonic clock.

    With ``exclusive`` the job shares its transaction with no other.
    """

    run: Callable[[Connection, Sequence[A]], Sequence[T]]
    item: A
    until: float
    exclusive: bool = False
    future: Future[T] = field(default_factory=Future)


class Writer:
    """The thread that runs jobs, each batch in a transaction of ``begin``.

    ``begin`` gets the time until which the first of the batch waits.
    Threads whose jobs shared a commit come back together: the next commit waits briefly for a
    batch as large, or the quickest thread would have one alone and the others another.
    """

    def __init__(self, begin: Begin, batch_delay: float = _BATCH_DELAY) -> None:
        """Start no thread before the first job. No commit waits longer than ``batch_delay``."""
        self._begin, self._batch_delay = begin, batch_delay
        self._queue = queue.SimpleQueue[Job[Any, Any] | None]()
        self._thread: threading.Thread | None = None
        self._lock, self.closed = threading.Lock(), False

    def run(self, job: Job[A, T]) -> T:
        """Return the job's result once it is on disk, or raise its error.

        Raises LedgerError when its time is over before it has begun; it is not run then.
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
            return job.future.result()  # it has begun: the database itself ends it

    def close(self) -> bool:
        """Run what is queued, then end the thread; return False if it was closed before."""
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

    def _next(self, expected: int) -> list[Job[Any, Any] | None]:
        """Return the queued jobs, ``expected`` of them if they come soon; None ends the thread."""
        jobs = [self._queue.get()]
        until = time.monotonic() + self._batch_delay
        with suppress(queue.Empty):
            while jobs[-1] is not None:
                left = until - time.monotonic() if len(jobs) < expected else 0
                jobs.append(self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait())
        return jobs

    def _commit(self, batch: list[Job[Any, Any]]) -> None:
        """Run a batch in one transaction; jobs of one that failed run again, each by itself."""
        running, results = False, list[tuple[Job[Any, Any], Any]]()
        try:
            with self._begin(batch[0].until) as connection:
                running = True
                for run, jobs in _by_run(batch).items():
                    found = run(connection, [job.item for job in jobs])
                    results += zip(jobs, found, strict=True)
                running = False
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asked
            if running and len(batch) > 1:
                for job in batch:
                    self._commit([job])
                return
            for job in batch:
                job.future.set_exception(error)
            return
        for job, result in results:
            job.future.set_result(result)


def _by_run(jobs: Iterable[Job[Any, Any]]) -> dict[Any, list[Job[Any, Any]]]:
    """Return jobs of the same ``run`` together: one call does them all."""
    found: dict[Any, list[Job[Any, Any]]] = {}
    for job in jobs:
        found.setdefault(job.run, []).append(job)
    return found
