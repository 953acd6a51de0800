"""Group commit: which jobs share one transaction."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, create_engine

from reconciler.errors import LedgerError
from reconciler.ledger.store.store import WriteJob, Writer
from tests.waiting import eventually

PATIENCE = 60.0  # seconds: longer than these tests wait for anything
SHORT = 0.01


class Disk:
    """A database whose commits last until they may end; it counts the jobs of each."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.batches: list[int] = []
        self.begun, self.may_end = threading.Semaphore(0), threading.Semaphore(0)
        self.writer = Writer(self._begin, patience)

    @contextmanager
    def _begin(self, until: float) -> Iterator[Connection]:
        del until
        with create_engine("sqlite://").connect() as connection:
            self.batches.append(0)
            yield connection
        self.begun.release()
        assert self.may_end.acquire(timeout=10)

    def write(self, patience: float = PATIENCE) -> None:
        """Run a job that may wait for so many seconds."""

        def run(_: Connection, items: Sequence[None]) -> Sequence[None]:
            self.batches[-1] += 1
            return items

        self.writer.run(WriteJob(run, None, time.monotonic() + patience))

    def await_begin(self) -> None:
        """Return once a commit has begun."""
        assert self.begun.acquire(timeout=10)

    def await_queue(self, number: int) -> None:
        """Return once so many jobs wait for the next commit."""
        assert eventually(lambda: self.writer._queue.qsize() == number)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that have something to commit."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    """A database whose writer waits long for a batch, or as long as the test says."""
    found = Disk(getattr(request, "param", PATIENCE))
    yield found
    found.may_end.release(10)
    found.writer.close()


def three_beside_one(disk: Disk, pool: ThreadPoolExecutor) -> None:
    """Let a commit of one be followed by one of the three that came meanwhile."""
    pool.submit(disk.write)
    disk.await_begin()
    for _ in range(3):
        pool.submit(disk.write)
    disk.await_queue(3)
    disk.may_end.release(2)
    disk.await_begin()


def test_what_comes_during_a_commit_shares_the_next(disk: Disk, pool: ThreadPoolExecutor) -> None:
    """The slower the disk, the more there are in one commit."""
    three_beside_one(disk, pool)
    assert disk.batches == [1, 3]


def test_a_commit_waits_for_those_who_come_back_together(
    disk: Disk, pool: ThreadPoolExecutor
) -> None:
    """Three were answered at once, so three are waited for: not one commit for the quickest."""
    three_beside_one(disk, pool)
    for _ in range(3):
        pool.submit(disk.write)
    disk.await_begin()
    disk.may_end.release()
    assert disk.batches == [1, 3, 3]


@pytest.mark.parametrize("disk", [SHORT], indirect=True)
def test_who_waits_too_long_is_told_so_and_is_not_in_the_next_commit(
    disk: Disk, pool: ThreadPoolExecutor
) -> None:
    """A delivery is answered in time: the portal tries again, and the disk may recover."""
    first = pool.submit(disk.write)
    disk.await_begin()
    with pytest.raises(LedgerError, match="in time"):
        disk.write(0.05)
    disk.may_end.release(2)
    first.result(timeout=10)
    disk.write()
    assert disk.batches == [1, 1]


@pytest.mark.parametrize("disk", [SHORT], indirect=True)
def test_one_that_comes_alone_waits_for_nobody_long(disk: Disk, pool: ThreadPoolExecutor) -> None:
    """The first after a crowd waits a moment, the next for nobody."""
    three_beside_one(disk, pool)
    disk.may_end.release(3)
    for _ in range(3):
        pool.submit(disk.write).result(timeout=10)
    assert disk.batches == [1, 3, 1, 1, 1]


def test_closing_ends_the_queue_first_and_refuses_what_comes_later(
    disk: Disk, pool: ThreadPoolExecutor
) -> None:
    """Nobody waits for a thread that is gone."""
    first = pool.submit(disk.write)
    disk.await_begin()
    second = pool.submit(disk.write)
    disk.await_queue(1)
    closing = pool.submit(disk.writer.close)
    disk.may_end.release(2)
    assert closing.result(timeout=10)
    assert (first.result(timeout=10), second.result(timeout=10)) == (None, None)
    with pytest.raises(LedgerError, match="closed"):
        disk.write()
    assert not disk.writer.close()
