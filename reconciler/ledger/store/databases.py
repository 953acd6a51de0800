"""Opens the database at an address, for writing or only for reading."""

from sqlalchemy import URL, exc, make_url

from reconciler import DISTRIBUTION
from reconciler.errors import LedgerCause, LedgerError
from reconciler.formats import DATABASE_ADDRESS, POSTGRESQL_SCHEMES
from reconciler.ledger.store.failures import database_errors
from reconciler.ledger.store.read_only import MemoryStore, SqliteView
from reconciler.ledger.store.sqlite import SqliteStore, path_of
from reconciler.ledger.store.store import Store

MEMORY = "memory:"
"""The address of an empty ledger in memory, which no other process sees."""


def is_there(url: str) -> bool:
    """Return whether there is a database; a file would be created. Raises LedgerError."""
    parsed = _parsed(url)
    with database_errors():
        return not _is_sqlite(parsed) or path_of(parsed).is_file()


def store_at(url: str, *, read_only: bool = False) -> Store:
    """Open the database at an address. Raises LedgerError, which never contains the address.

    With ``read_only`` nothing is created, and a database that is not there is an empty one.
    """
    if url == MEMORY:
        return MemoryStore()
    parsed = _parsed(url)
    if _is_sqlite(parsed):
        return _view(parsed) if read_only else SqliteStore(parsed)
    if parsed.drivername in POSTGRESQL_SCHEMES:
        return _postgres(parsed.set(drivername="postgresql+psycopg"), read_only)
    raise LedgerError(f"state.url must be {DATABASE_ADDRESS}", LedgerCause.STATED)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise LedgerError("state.url is not a database address") from error


def _is_sqlite(url: URL) -> bool:
    return url.drivername in {"sqlite", "sqlite+pysqlite"}


def _view(url: URL) -> Store:
    path = path_of(url)
    with database_errors():
        return SqliteView(url) if path.exists() else MemoryStore(path)


def _postgres(url: URL, read_only: bool) -> Store:
    try:
        from reconciler.ledger.store.postgres import PostgresStore  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise LedgerError(
            f"PostgreSQL needs a driver: pip install '{DISTRIBUTION}[postgres]'",
            LedgerCause.STATED,
        ) from error
    if not url.database:
        raise LedgerError("state.url names no database", LedgerCause.STATED)
    if "@" in (url.host or ""):
        raise LedgerError("the password in state.url must be percent-encoded", LedgerCause.STATED)
    return PostgresStore(url, read_only=read_only)
