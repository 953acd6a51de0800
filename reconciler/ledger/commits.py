"""Group commit: jobs that wait together share one transaction, led by the thread of one of them."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

A = TypeVar("A")
T = TypeVar("T")
_GATHER = 0.0005  # seconds that a commit waits for others to join, when the last ones had some


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Job(Generic[A, T]):
    """What one thread wants done. ``turn`` is let go when it is done, or when it is to lead."""

    run: Callable[[Connection, Sequence[A]], Sequence[T]]
    item: A
    done: bool = False
    result: T | None = None
    error: BaseException | None = None
    turn: threading.Lock = field(default_factory=_taken)


class Commits:
    """Hands jobs to ``commit``, as many at once as there are, one commit at a time.

    ``commit`` never raises: it leaves in each job its result or its error, and ``done``.
    """

    def __init__(self, commit: Callable[[list[Job[Any, Any]]], None]) -> None:
        """Nobody waits, nobody leads."""
        self._commit = commit
        self._lock, self._committing = threading.Lock(), threading.Lock()
        self._jobs: list[Job[Any, Any]] = []
        self._led, self._crowd = False, 0

    def carry_out(self, job: Job[Any, Any]) -> None:
        """Return when the job is done: by the leader of a commit, or as one."""
        with self._lock:
            self._jobs.append(job)
            leads, self._led = not self._led, True
        if not leads:
            job.turn.acquire()
        if not job.done:
            self._lead(job)

    @contextmanager
    def none(self) -> Iterator[None]:
        """Let nothing be committed within the block."""
        with self._committing:
            yield

    def _lead(self, mine: Job[Any, Any]) -> None:
        """Commit for all that wait; then let them go, and the next lead."""
        if self._crowd > 1:
            time.sleep(_GATHER)  # those that were answered together come back together
        with self._lock:
            batch, self._jobs = self._jobs, []
        self._crowd = max(len(batch), self._crowd - 1)
        with self._committing:
            self._commit(batch)
        with self._lock:
            following = self._jobs[:1]
            self._led = bool(following)
        for job in (*batch, *following):
            if job is not mine:
                job.turn.release()


def by_what_they_do(jobs: Iterable[Job[Any, Any]]) -> dict[Any, list[Job[Any, Any]]]:
    """Return jobs of the same ``run`` together: one call does them all."""
    found: dict[Any, list[Job[Any, Any]]] = {}
    for job in jobs:
        found.setdefault(job.run, []).append(job)
    return found
