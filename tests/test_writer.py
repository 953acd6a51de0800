"""Group commit: which jobs share one transaction."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reconciler.errors import LedgerError
from reconciler.ledger.store.writer import Commits, Job

PATIENCE = 60.0  # seconds: longer than these tests wait for anything


class Disk:
    """Where jobs are committed to; a commit lasts until it may end."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.begun, self.may_end = threading.Semaphore(0), threading.Semaphore(0)

    def commit(self, batch: list[Job[Any, Any]], until: float) -> None:
        """Do every job of a batch at once."""
        del until
        self.batches.append(len(batch))
        self.begun.release()
        assert self.may_end.acquire(timeout=10)
        for job in batch:
            job.done = True

    def await_begin(self) -> None:
        """Return once a commit has begun."""
        assert self.begun.acquire(timeout=10)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that have something to commit."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


def job(patience: float = 60) -> Job[None, None]:
    """Return something to do that may wait for so many seconds."""
    return Job(lambda _, items: [None for _ in items], None, time.monotonic() + patience)


def wait_for(commits: Commits, number: int) -> None:
    """Return once so many jobs wait for the next commit."""
    turn = threading.Event()
    assert any(len(commits._jobs) == number or turn.wait(0.01) for _ in range(1000))


def three_beside_one(commits: Commits, disk: Disk, pool: ThreadPoolExecutor) -> None:
    """Let a commit of one be followed by one of the three that came meanwhile."""
    pool.submit(commits.carry_out, job())
    disk.await_begin()
    for _ in range(3):
        pool.submit(commits.carry_out, job())
    wait_for(commits, 3)
    disk.may_end.release(2)
    disk.await_begin()


def test_what_comes_during_a_commit_shares_the_next(pool: ThreadPoolExecutor) -> None:
    """The slower the disk, the more there are in one commit."""
    disk = Disk()
    three_beside_one(Commits(disk.commit), disk, pool)
    assert disk.batches == [1, 3]


def test_a_commit_waits_for_those_who_come_back_together(pool: ThreadPoolExecutor) -> None:
    """Three were answered at once, so three are waited for: not one commit for the quickest."""
    disk = Disk()
    commits = Commits(disk.commit, PATIENCE)
    three_beside_one(commits, disk, pool)
    for number in (1, 2, 3):
        pool.submit(commits.carry_out, job())
        wait_for(commits, number % 3)
    disk.await_begin()
    disk.may_end.release()
    assert disk.batches == [1, 3, 3]


def test_who_waits_too_long_is_told_so_and_is_not_in_the_next_commit(
    pool: ThreadPoolExecutor,
) -> None:
    """A delivery is answered in time: the portal tries again, and the disk may recover."""
    disk = Disk()
    commits = Commits(disk.commit, 0.01)
    first = pool.submit(commits.carry_out, job())
    disk.await_begin()
    with pytest.raises(LedgerError, match="in time"):
        commits.carry_out(job(0.05))
    disk.may_end.release(2)
    first.result(timeout=10)
    commits.carry_out(job())
    assert disk.batches == [1, 1]


def test_one_that_comes_alone_waits_for_nobody_long(pool: ThreadPoolExecutor) -> None:
    """The first after a crowd waits a moment, the next for nobody."""
    disk = Disk()
    commits = Commits(disk.commit, 0.01)
    three_beside_one(commits, disk, pool)
    disk.may_end.release(3)
    for _ in range(3):
        pool.submit(commits.carry_out, job()).result(timeout=10)
    assert disk.batches == [1, 3, 1, 1, 1]
