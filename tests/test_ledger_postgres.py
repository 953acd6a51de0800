"""What only a server can do to a ledger: stop, hang, lose a connection, or have another clock."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from reconciler.errors import LedgerError, RoleHeldError
from reconciler.ledger import Ledger, Role
from reconciler.model import UNLIMITED, Quota, WriteGrant
from tests import postgres
from tests.postgres import PostgresServer
from tests.support_ledger import (
    HOUR,
    LEASE,
    MINUTE,
    NOW,
    PORTAL,
    SECOND,
    begin_write,
    claimed,
    event,
    next_due,
    writes_in_a_day,
)
from tests.support_process import helper, hold
from tests.waiting import together

DUE = NOW + SECOND
DEADLINE = 2.5  # seconds in which a delivery must be answered


@contextmanager
def two(address: str, quota: Quota = UNLIMITED) -> Iterator[tuple[Ledger, Ledger]]:
    """A ledger opened twice, as by two processes."""
    with (
        closing(Ledger(address, PORTAL, quota=quota)) as one,
        closing(Ledger(address, PORTAL, quota=quota)) as other,
    ):
        yield one, other


def test_its_indexes_hold_only_the_rows_that_are_asked_for(address: str) -> None:
    """The partial indexes hold only the rows that are asked for, not a million settled ones."""
    with (
        closing(Ledger(address, PORTAL)),
        closing(psycopg.connect(postgres.plain(address))) as asking,
    ):
        found = asking.execute("SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '% WHERE %'")
        names = {words[0].split()[2] for words in found}
    of_reviews = {"files_waiting", "files_places", "files_decided", "files_unmarked"}
    assert names == {"files_due", "files_unfinished", "files_marked", *of_reviews}


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """Stop the whole server within the block: connections stay, nothing is answered."""
    first = int((server.folder / "data" / "postmaster.pid").read_text("utf-8").split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text("utf-8").split()
    everything = [first, *map(int, children)]
    for number in everything:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in everything:
            os.kill(number, signal.SIGCONT)


def seconds(act: Callable[[], object]) -> float:
    """Return how many seconds the ledger took to refuse."""
    began = monotonic()
    with pytest.raises(LedgerError):
        act()
    return monotonic() - began


def cut(address: str) -> None:
    """End every other connection to the database."""
    plain = address.replace("+psycopg", "")
    with closing(psycopg.connect(plain, autocommit=True)) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


# The server is down, and back.


def test_a_server_that_crashes_and_returns_needs_no_restart(
    server: PostgresServer, address: str
) -> None:
    """While the server is down events are refused at once; later no restart is needed."""
    with closing(Ledger(address, PORTAL)) as ledger:
        assert ledger.record(event(1), NOW)
        server.stop("immediate")
        try:
            assert seconds(lambda: ledger.record(event(2), NOW)) < DEADLINE
            assert seconds(lambda: ledger.count_due(NOW)) < DEADLINE
        finally:
            server.start()
        assert ledger.record(event(3), NOW)
        assert [claim.entry.id for claim in ledger.claims.take(DUE, 10, LEASE)] == [1, 3]


def test_a_connection_that_broke_while_idle_is_not_noticed(address: str) -> None:
    """After an idle connection broke, the next delivery is accepted on a new one."""
    with closing(Ledger(address, PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        ledger.count_due(NOW)
        cut(address)
        assert ledger.record(event(2), NOW)
        assert next_due(ledger) == NOW


def test_a_server_that_hangs_is_not_waited_for(server: PostgresServer, address: str) -> None:
    """While a server hangs, eight parallel deliveries and later ones are refused in time."""
    with closing(Ledger(address, PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        took: list[float] = []

        def deliver() -> None:
            for _ in range(2):
                took.append(seconds(lambda: ledger.record(event(2), NOW)))

        with stopped(server):
            together(*[deliver] * 8)
        assert len(took) == 16
        assert max(took) < DEADLINE
        assert ledger.record(event(1), NOW)


def test_a_process_that_stops_amid_a_writing_is_not_waited_for(address: str) -> None:
    """If a process stops within a write, with the lock, deliveries are answered in time."""
    with closing(Ledger(address, PORTAL)) as ledger:
        plain = address.replace("+psycopg", "")
        with closing(psycopg.connect(plain)) as other:
            other.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema()))")
            assert seconds(lambda: ledger.record(event(1), NOW)) < DEADLINE
        assert ledger.record(event(1), NOW)


def test_a_server_that_is_not_there_is_told_without_the_password(server: PostgresServer) -> None:
    """A server that is down is reported without the password, in the error and in its cause."""
    address = f"postgresql+psycopg://ann:hush@127.0.0.1:{server.port}/none?connect_timeout=2"
    with pytest.raises(LedgerError, match="ann") as caught:
        Ledger(address, PORTAL)
    assert "hush" not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__cause__}"


def test_a_database_in_another_encoding_is_refused(server: PostgresServer) -> None:
    """A database in another encoding than UTF-8 is refused, since titles are in any language."""
    wrong = postgres.database(server.url, "SQL_ASCII")
    refused = pytest.raises(LedgerError, match="SQL_ASCII: create it with UTF8")
    with wrong as address, refused:
        Ledger(address, PORTAL)


# Roles.


def test_a_role_is_lost_with_its_connection_and_that_is_noticed(address: str) -> None:
    """A role is lost with its connection: another takes it, and the old holder notices."""
    with two(address) as (one, other), ExitStack() as held:
        is_held = held.enter_context(one.role(Role.SWEEP))
        with pytest.raises(RoleHeldError), other.role(Role.SWEEP):
            pass
        cut(address)
        with pytest.raises(LedgerError), one.role(Role.BACKFILL):
            pass
        assert not is_held()
        with pytest.raises(LedgerError), other.role(Role.BACKFILL):
            pass
        with other.role(Role.SWEEP) as is_others:
            assert is_others()
            held.close()
            with pytest.raises(RoleHeldError), one.role(Role.SWEEP):
                pass


def test_a_lost_connection_is_found_without_being_used(address: str) -> None:
    """An idle session checks its connection every few seconds, and takes its locks again."""
    with closing(Ledger(address, PORTAL)) as ledger, ledger.role(Role.SWEEP) as is_held:
        cut(address)
        until, pause = monotonic() + 10, threading.Event()
        while is_held() and monotonic() < until:
            pause.wait(0.1)
        assert not is_held()


@pytest.mark.long
def test_a_stopped_process_loses_its_role(address: str) -> None:
    """A process that is silent for ten seconds loses its role, since its machine may be gone."""
    with closing(Ledger(address, PORTAL)) as ledger, helper(hold, address, Role.SWEEP) as child:
        assert child.on_file() == "held"
        child.signal(signal.SIGSTOP)
        until, pause = monotonic() + 15, threading.Event()
        while ledger.holder(Role.SWEEP) is not None and monotonic() < until:
            pause.wait(0.1)
        with ledger.role(Role.SWEEP) as is_held:
            assert is_held()
        child.signal(signal.SIGCONT)


# Claims.


def test_the_claims_of_the_living_are_left_alone(address: str) -> None:
    """A process that starts releases no claims of running ones, so any number can work at once."""
    with two(address) as (one, other):
        one.record(event(1), NOW)
        claim = claimed(one, DUE)
        assert other.claims.release_orphaned(DUE) == 0
        assert begin_write(one, claim, DUE) is WriteGrant.GRANTED


def test_what_a_dead_process_was_looking_at_is_due_again(address: str) -> None:
    """A claim of a dead process is due soon after its connection ended, before its lease."""
    with closing(Ledger(address, PORTAL)) as ledger:
        with closing(Ledger(address, PORTAL)) as dead:
            dead.record(event(1), NOW)
            claimed(dead, DUE)
        assert ledger.claims.release_orphaned(DUE) == 1
        assert claimed(ledger, DUE).entry.id == 1


def test_a_write_of_a_dead_process_may_still_arrive(address: str) -> None:
    """A file to which a dead process was writing is due after the portal's longest answer time."""
    with closing(Ledger(address, PORTAL)) as ledger:
        with closing(Ledger(address, PORTAL)) as dead:
            dead.record(event(1), NOW)
            assert begin_write(dead, claimed(dead, DUE), DUE) is WriteGrant.GRANTED
        assert ledger.claims.release_orphaned(DUE) == 0
        assert next_due(ledger) == DUE + LEASE


def test_who_lost_its_connection_while_it_looked_may_not_write(address: str) -> None:
    """A process that lost its connection during a look may not write: its claim may be lost."""
    with two(address) as (one, other):
        one.record(event(1), NOW)
        claim = claimed(one, DUE)
        cut(address)
        with pytest.raises(LedgerError), other.role(Role.BACKFILL):
            pass
        assert other.claims.release_orphaned(DUE) == 1
        assert begin_write(other, claimed(other, DUE), DUE) is WriteGrant.GRANTED
        assert begin_write(one, claim, DUE) is WriteGrant.CLAIM_LOST


# Clocks and limits.


def test_all_go_by_the_databases_clock(address: str) -> None:
    """A lease is as long on machines whose clocks differ: the database's clock counts."""

    def late() -> datetime:
        return NOW - HOUR

    def early() -> datetime:
        return NOW + HOUR

    with two(address) as (one, other):
        now, then = one.clock(late), other.clock(early)
        assert abs(now() - then()) < SECOND
        one.record(event(1), now() - MINUTE)
        assert len(one.claims.take(now(), 1, LEASE)) == 1
        assert other.claims.take(then(), 1, LEASE) == []
        assert len(other.claims.take(then() + LEASE, 1, LEASE)) == 1


def test_the_days_writes_are_counted_over_all(address: str) -> None:
    """Two processes that write at once get no more than the day's writes together."""
    with two(address, Quota(10, 10)) as ledgers:
        for file in range(1, 31):
            ledgers[0].record(event(file), NOW)
        granted: list[WriteGrant] = []

        def work(ledger: Ledger) -> None:
            for claim in ledger.claims.take(DUE, 15, LEASE):
                granted.append(begin_write(ledger, claim, DUE))

        together(*(partial(work, ledger) for ledger in ledgers))
        assert granted.count(WriteGrant.GRANTED) == 10
        assert writes_in_a_day(ledgers[1], DUE) == 10


def test_the_minute_is_shared_by_all(address: str) -> None:
    """The minute's requests are shared: what one process takes, the other does not get."""
    with two(address) as (one, other):
        assert one.reserve(NOW, 30, 60) == 0
        assert other.reserve(NOW, 30, 60) == 0
        assert one.reserve(NOW, 1, 60) > 0
        assert other.reserve(NOW + timedelta(seconds=75), 30, 60) == 0
