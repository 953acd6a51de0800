"""Group commit: jobs that wait together share one transaction, led by the thread of one of them."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection

from reconciler.errors import LedgerError

A = TypeVar("A")
T = TypeVar("T")
_PATIENCE = 0.005  # seconds that a commit waits for others to join, at most
_LATE = "the database does not answer in time"


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Job(Generic[A, T]):
    """What one thread wants done. ``turn`` is let go when it is done, or when it is to lead.

    Its thread waits for it until ``until``, by the monotonic clock.
    """

    run: Callable[[Connection, Sequence[A]], Sequence[T]]
    item: A
    until: float
    leads: bool = False
    done: bool = False
    result: T | None = None
    error: BaseException | None = None
    turn: threading.Lock = field(default_factory=_taken)

    def outcome(self) -> T:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast(T, self.result)


def _left(job: Job[Any, Any]) -> float:
    return max(job.until - time.monotonic(), 0)


class Commits:
    """Hands jobs to ``commit``, as many at once as there are, one commit at a time.

    It is told until when the leader waits for it.
    ``commit`` never raises: it leaves in each job its result or its error, and ``done``.
    Who was answered together comes back together: a commit waits a moment for as many as the last
    one had, or the quickest of them would have it alone, and the others another.
    """

    def __init__(
        self, commit: Callable[[list[Job[Any, Any]], float], None], patience: float = _PATIENCE
    ) -> None:
        """Nobody waits, nobody leads. Let no commit wait for others longer than ``patience``."""
        self._commit, self._patience = commit, patience
        self._lock, self._committing = threading.Lock(), threading.Lock()
        self._jobs: list[Job[Any, Any]] = []
        self._led, self._crowd = False, 0
        self._all_here = threading.Event()

    def carry_out(self, job: Job[Any, Any]) -> None:
        """Return when the job is done: by the leader of a commit, or as one.

        Raises LedgerError when its time is over before: it may be done later all the same.
        """
        with self._lock:
            self._jobs.append(job)
            job.leads, self._led = not self._led, True
            if len(self._jobs) >= self._crowd:
                self._all_here.set()
        if not job.leads and not job.turn.acquire(timeout=_left(job)):
            self._give_up(job)
        if not job.done:
            self._lead(job)

    @contextmanager
    def none(self) -> Iterator[None]:
        """Let nothing be committed within the block."""
        with self._committing:
            yield

    def _give_up(self, job: Job[Any, Any]) -> None:
        """Do not wait any longer, unless it is our turn to lead just now."""
        with self._lock:
            if job.leads:
                return
            if job in self._jobs:
                self._jobs.remove(job)
        raise LedgerError(_LATE)

    def _lead(self, mine: Job[Any, Any]) -> None:
        """Commit for all that wait; then let them go, and the next lead."""
        if self._crowd > 1:
            self._all_here.wait(self._patience)
        with self._lock:
            batch, self._jobs = self._jobs, []
            self._crowd = len(batch)
            self._all_here.clear()
        if self._committing.acquire(timeout=_left(mine)):
            try:
                self._commit(batch, mine.until)
            finally:
                self._committing.release()
        else:
            for job in batch:
                job.error, job.done = LedgerError(_LATE), True
        with self._lock:
            following = self._jobs[:1]
            self._led = bool(following)
            for job in following:
                job.leads = True
        for job in (*batch, *following):
            if job is not mine:
                job.turn.release()


def by_what_they_do(jobs: Iterable[Job[Any, Any]]) -> dict[Any, list[Job[Any, Any]]]:
    """Return jobs of the same ``run`` together: one call does them all."""
    found: dict[Any, list[Job[Any, Any]]] = {}
    for job in jobs:
        found.setdefault(job.run, []).append(job)
    return found
