"""Why a ledger is unusable is known by the codes of SQLite, PostgreSQL and the system."""

import errno
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from reconciler.errors import LedgerCause, LedgerError
from reconciler.ledger import Ledger
from reconciler.ledger.store.failures import cause_of, database_errors
from tests.daemon import free_port
from tests.support_ledger import PORTAL, opened, url


def full_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")


def another_file(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM sqlite_master")


def missing_folder(path: Path) -> None:
    sqlite3.connect(path / "missing" / "ledger.db")


@pytest.mark.parametrize(
    ("fail", "cause"),
    [
        (full_database, LedgerCause.DISK_FULL),
        (another_file, LedgerCause.DAMAGED),
        (missing_folder, LedgerCause.OTHER),
    ],
)
def test_sqlite_says_why_by_its_code(
    tmp_path: Path, fail: Callable[[Path], None], cause: LedgerCause
) -> None:
    """A cause in SQLite is recognised by its code, since its messages may change."""
    with pytest.raises(sqlite3.Error) as raised:
        fail(tmp_path / "x.db")
    assert cause_of(raised.value) is cause


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, LedgerCause.DISK_FULL),
        (errno.EDQUOT, LedgerCause.DISK_FULL),
        (errno.EACCES, LedgerCause.OTHER),
    ],
)
def test_the_system_says_why_by_its_number(number: int, cause: LedgerCause) -> None:
    """A cause in the system is recognised by its errno, in whatever language its message is."""
    with pytest.raises(LedgerError) as raised, database_errors():
        raise OSError(number, "...")
    assert raised.value.cause is cause


class ServerError(Exception):
    """An error as the driver raises it, with a server's code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.sqlstate = code


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("53100", LedgerCause.DISK_FULL),
        ("XX001", LedgerCause.DAMAGED),
        ("XX000", LedgerCause.OTHER),  # any internal error: nothing is to be moved away for it
        ("57P01", LedgerCause.UNREACHABLE),
        ("25P03", LedgerCause.UNREACHABLE),
        ("57014", LedgerCause.OTHER),
        ("40001", LedgerCause.OTHER),
    ],
)
def test_postgresql_says_why_by_its_code(code: str, cause: LedgerCause) -> None:
    """A cause in PostgreSQL is recognised by its code, in whatever language its message is."""
    assert cause_of(ServerError(code)) is cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (psycopg.OperationalError("connection failed"), LedgerCause.UNREACHABLE),
        (psycopg.errors.ConnectionTimeout("connection timeout expired"), LedgerCause.UNREACHABLE),
        (psycopg.ProgrammingError("cannot adapt type"), LedgerCause.OTHER),
        (psycopg.DataError("no such value"), LedgerCause.OTHER),
        (sqlite3.OperationalError("could not decode a column"), LedgerCause.OTHER),
    ],
    ids=lambda value: type(value).__name__,
)
def test_without_a_code_the_kind_of_the_error_decides(error: Exception, cause: LedgerCause) -> None:
    """Without a code the class of the error decides: a wrong statement is no unavailable server."""
    base = psycopg.Error if isinstance(error, psycopg.Error) else sqlite3.Error
    wrapped = DBAPIError.instance(None, None, error, base)
    with pytest.raises(LedgerError) as raised, database_errors():
        raise wrapped
    assert raised.value.cause is cause


def test_a_server_that_nobody_answers_for_cannot_be_reached() -> None:
    """A server that does not answer is unreachable; the driver has no code for it."""
    with pytest.raises(LedgerError) as raised:
        Ledger(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none", PORTAL)
    assert raised.value.cause is LedgerCause.UNREACHABLE


@pytest.mark.parametrize("user", ["postgres", "stranger"])
def test_a_server_that_lets_nobody_in_is_not_reached_either(
    postgres_server: str, user: str
) -> None:
    """A server that refuses the database or the user counts as unreachable."""
    place = make_url(postgres_server).set(database="missing", username=user)
    with pytest.raises(LedgerError) as raised:
        Ledger(place.render_as_string(hide_password=False), PORTAL)
    assert raised.value.cause is LedgerCause.UNREACHABLE


def test_another_portals_ledger_is_not_a_fault_of_the_database(tmp_path: Path) -> None:
    """A ledger of another portal is no fault of the database; its hint names the command to use."""
    with opened(tmp_path) as ledger:
        ledger.ownership.bind("https://other.example")
    with pytest.raises(LedgerError) as raised:
        Ledger(url(tmp_path), PORTAL)
    assert raised.value.cause is LedgerCause.ANOTHER_PORTAL
