"""One ledger, many hands: threads that share commits, processes that share a file, roles."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text

from reconciler.errors import LedgerError, RoleHeldError
from reconciler.ledger import Ledger, Role
from reconciler.ledger.store.databases import store_at
from reconciler.ledger.store.store import Store
from tests.support_ledger import (
    LEASE,
    NOW,
    POSTGRES_ONLY,
    SECOND,
    SQLITE_ONLY,
    opened,
    result,
    totals,
    url,
)
from tests.support_ledger import event as delivery
from tests.support_process import accept, fill, helper, hold, record
from tests.waiting import together

DUE = NOW + SECOND
pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A bare database with one table."""
    with closing(store_at(url(tmp_path))) as fresh:
        fresh.write(lambda c: c.execute(text("CREATE TABLE notes (note INTEGER PRIMARY KEY)")))
        yield fresh


def note(number: int) -> Callable[[Connection], None]:
    """Return a job that writes one row."""

    def job(c: Connection) -> None:
        c.execute(text("INSERT INTO notes VALUES (:n)"), {"n": number})

    return job


def pair(number: int) -> Callable[[Connection], None]:
    """Return a job that writes two rows."""

    def job(c: Connection) -> None:
        note(number)(c)
        note(number + 1)(c)

    return job


def notes(store: Store) -> list[int]:
    """Return the rows."""
    return store.read(
        lambda c: list(c.execute(text("SELECT note FROM notes ORDER BY 1")).scalars())
    )


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the commits within the block."""
    commits: list[int] = []

    def listen(_: Connection) -> None:
        commits.append(1)

    event.listen(Engine, "commit", listen)
    try:
        yield commits
    finally:
        event.remove(Engine, "commit", listen)


def queued(store: Store, *jobs: Callable[[], object]) -> None:
    """Let the jobs wait in one queue behind a transaction that is held up."""
    going, go = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        going.set()
        go.wait(10)

    first = threading.Thread(target=store.write, args=(hold,))
    first.start()
    going.wait(10)
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    pause = threading.Event()
    for _ in range(10_000):
        if store._writes._queue.qsize() == len(jobs):
            break
        pause.wait(0.001)
    go.set()
    for thread in (first, *threads):
        thread.join()


# Threads.


def test_eight_threads_lose_nothing(ledger: Ledger) -> None:
    """Each record is on disk when it returns; commits are shared, never more than records."""

    def work(thread: int) -> None:
        for number in range(50):
            assert ledger.record(delivery(1 + thread * 50 + number), NOW)
            assert ledger.record(delivery(1_000_000), NOW)

    with counted() as commits:
        together(*(lambda thread=thread: work(thread) for thread in range(8)))
    assert 0 < len(commits) <= 800
    counts = totals(ledger)
    assert (counts.accepted, counts.pending, counts.due) == (800, 800, 401)


def test_no_two_threads_claim_one_file(ledger: Ledger) -> None:
    """Forty files, eight workers: each file once."""
    for file in range(1, 41):
        ledger.record(delivery(file), NOW)
    taken: list[int] = []

    def work() -> None:
        while claims := ledger.claims.take(DUE, 3, LEASE):
            taken.extend(claim.entry.id for claim in claims)
            for claim in claims:
                assert ledger.claims.finish(claim, result(), DUE)

    together(*[work] * 8)
    assert sorted(taken) == list(range(1, 41))
    assert totals(ledger).pending == 0


def test_readers_see_whole_transactions(store: Store) -> None:
    """While rows come in pairs, nobody ever sees half a pair."""
    done = threading.Event()
    odd: list[int] = []

    def write() -> None:
        for number in range(60):
            store.write(pair(2 * number))
        done.set()

    def read() -> None:
        while not done.is_set():
            odd.append(len(notes(store)) % 2)

    together(write, read, read, read)
    assert not any(odd)
    assert len(notes(store)) == 120


def test_jobs_that_wait_together_share_one_commit(store: Store) -> None:
    """Seven jobs behind a transaction that takes long: two commits in all."""
    with counted() as commits:
        queued(store, *(lambda n=n: store.write(note(n)) for n in range(7)))
    assert notes(store) == list(range(7))
    assert len(commits) == 2


def test_a_job_that_fails_does_not_fail_its_neighbours(store: Store) -> None:
    """They share a commit; the bad one gets its own error, the others their rows."""
    errors: list[Exception] = []

    def bad(job: Callable[[Connection], object]) -> None:
        try:
            store.write(job)
        except (LedgerError, ZeroDivisionError) as error:
            errors.append(error)

    queued(
        store,
        lambda: store.write(note(1)),
        lambda: bad(lambda _: 1 // 0),
        lambda: store.write(note(2)),
        lambda: bad(lambda c: c.execute(text("INSERT INTO nowhere VALUES (1)"))),
        lambda: store.write(note(3)),
    )
    assert notes(store) == [1, 2, 3]
    assert sorted(type(error).__name__ for error in errors) == ["LedgerError", "ZeroDivisionError"]


def test_a_failed_job_leaves_nothing_behind(store: Store) -> None:
    """Half a job is no job."""

    def half(c: Connection) -> None:
        note(1)(c)
        raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        store.write(half)
    store.write(note(2))
    assert notes(store) == [2]


def test_reading_cannot_write(store: Store) -> None:
    """Only the one writer writes: the lock between processes depends on it."""
    with pytest.raises(LedgerError, match=r"read-?only"):
        store.read(note(1))


# Processes.


def test_two_processes_lose_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """They write at once into one file, some into one row; every record is there."""
    address = url(tmp_path)
    with (
        helper(record, address, 1, 60) as one,
        helper(record, address, 61, 60) as two,
    ):
        for child in (one, two):
            assert child.on_file() == "ready"
        for child in (one, two):
            child.go_on()
        for number in range(20):
            assert ledger.record(delivery(500 + number), NOW)
    assert (one.end(), two.end()) == (0, 0)
    counts = totals(ledger)
    assert (counts.accepted, counts.pending, counts.due) == (260, 260, 141)


def test_two_processes_may_create_one_ledger(tmp_path: Path) -> None:
    """`serve` and `reconcile` started at once on an empty folder."""
    address = url(tmp_path)
    with helper(record, address, 1, 1) as one, helper(record, address, 2, 1) as two:
        assert [child.on_file() for child in (one, two)] == ["ready", "ready"]
    assert (one.end(), two.end()) == (0, 0)
    with opened(tmp_path) as ledger:
        assert totals(ledger).accepted == 4


def test_a_recorded_event_survives_a_kill(tmp_path: Path) -> None:
    """record has returned: the answer to the portal may be 200."""
    with helper(accept, url(tmp_path)) as child:
        assert child.on_file() == "recorded"
        child.signal(signal.SIGKILL)
    with opened(tmp_path) as ledger:
        assert [claim.entry.id for claim in ledger.claims.take(DUE, 10, LEASE)] == [7]


@SQLITE_ONLY
def test_a_full_disk_is_told_and_passes(tmp_path: Path) -> None:
    """LedgerError while it lasts; afterwards the same process goes on, with all it had."""
    with helper(fill, url(tmp_path)) as child:
        words = [child.on_file() for _ in range(3)]
    assert child.end() == 0
    assert words[0].startswith("LedgerError")
    assert words[1] == "recorded"
    with opened(tmp_path) as ledger:
        assert totals(ledger).accepted == int(words[2])


# Roles.


@pytest.mark.parametrize("role", [Role.SWEEP, Role.BACKFILL])
def test_a_role_held_by_another_process_is_busy(ledger: Ledger, tmp_path: Path, role: Role) -> None:
    """And the holder is named, so that a person can find it."""
    with helper(hold, url(tmp_path), role) as child:
        assert child.on_file() == "held"
        with pytest.raises(RoleHeldError) as caught, ledger.role(role):
            pass
        assert caught.value.role == role.value
        assert caught.value.holder.startswith(f"process {child.pid} on ")
        assert ledger.holder(role) == caught.value.holder


@SQLITE_ONLY
def test_one_process_works_on_a_file(ledger: Ledger, tmp_path: Path) -> None:
    """Who starts to work gives all claims back: nobody else may be at it."""
    with helper(hold, url(tmp_path), Role.WORKER) as child:
        assert child.on_file() == "held"
        with pytest.raises(RoleHeldError), ledger.role(Role.WORKER):
            pass


@POSTGRES_ONLY
def test_any_number_of_processes_works_on_a_server(ledger: Ledger, tmp_path: Path) -> None:
    """Their claims are theirs alone, and nobody gives back what is not abandoned."""
    with helper(hold, url(tmp_path), Role.WORKER) as child:
        assert child.on_file() == "held"
        with ledger.role(Role.WORKER):
            pass


def test_other_roles_are_free(ledger: Ledger, tmp_path: Path) -> None:
    """A backfill runs beside a sweep."""
    with helper(hold, url(tmp_path), Role.SWEEP) as child:
        assert child.on_file() == "held"
        with ledger.role(Role.BACKFILL), ledger.role(Role.WORKER):
            pass


def test_a_role_goes_with_a_killed_process(ledger: Ledger, tmp_path: Path) -> None:
    """The lock is the operating system's; nothing has to expire."""
    with helper(hold, url(tmp_path), Role.SWEEP) as child:
        assert child.on_file() == "held"
        child.signal(signal.SIGKILL)
        assert child.end() == -signal.SIGKILL
        # The kernel frees a file at once; a server needs a moment to see that nobody is there.
        pause = threading.Event()
        assert any(ledger.holder(Role.SWEEP) is None or pause.wait(0.01) for _ in range(500))
        with ledger.role(Role.SWEEP):
            pass


def test_a_role_is_free_after_its_block(ledger: Ledger) -> None:
    """Also when the block fails."""
    with pytest.raises(ZeroDivisionError), ledger.role(Role.SWEEP):
        raise ZeroDivisionError
    with ledger.role(Role.SWEEP):
        pass


def test_a_role_is_held_once_within_a_process_too(ledger: Ledger) -> None:
    """By us, as the message says."""
    with ledger.role(Role.SWEEP):
        assert ledger.holder(Role.SWEEP) == f"process {os.getpid()} on {os.uname().nodename}"
        with (
            pytest.raises(RoleHeldError, match="the role sweep is held by process"),
            ledger.role(Role.SWEEP),
        ):
            pass


def test_a_busy_role_leaves_the_ledger_usable(ledger: Ledger) -> None:
    """Recording needs no role."""
    with ledger.role(Role.WORKER):
        assert ledger.record(delivery(), NOW)
