"""Which database an address means, and how it is opened: to work, or only to look."""

from pathlib import Path

from sqlalchemy import URL, exc, make_url

from reconciler.errors import LedgerError
from reconciler.ledger.store.read_only import MemoryStore, SqliteView
from reconciler.ledger.store.sqlite import SqliteStore, path_of
from reconciler.ledger.store.store import Store, translated

MEMORY = "memory:"
"""The address of an empty ledger that nobody else sees."""


def is_there(url: str) -> bool:
    """Return whether there is a database; a file would be created. Raises LedgerError."""
    path = url.removeprefix("sqlite:///")
    with translated():
        return path == url or Path(path).is_file()


def store_at(url: str, *, read_only: bool = False) -> Store:
    """Open the database at an address. Raises LedgerError, which never tells the address.

    With ``read_only`` nothing is created, and a database that is not there is an empty one.
    """
    if url == MEMORY:
        return MemoryStore()
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise LedgerError("state.url is not a database address") from error
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return _view(parsed) if read_only else SqliteStore(parsed)
        case "postgresql" | "postgresql+psycopg":
            return _postgres(parsed.set(drivername="postgresql+psycopg"), read_only)
        case _:
            raise LedgerError("state.url must be sqlite:///PATH or postgresql+psycopg://HOST/NAME")


def _view(url: URL) -> Store:
    path = path_of(url)
    with translated():
        return SqliteView(url) if path.exists() else MemoryStore(path)


def _postgres(url: URL, read_only: bool) -> Store:
    try:
        from reconciler.ledger.store.postgres import PostgresStore  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise LedgerError(
            "PostgreSQL needs a driver: pip install 'reconciler[postgres]'"
        ) from error
    if not url.database:
        raise LedgerError("state.url names no database")
    if "@" in (url.host or ""):
        raise LedgerError("the password in state.url must be percent-encoded")
    return PostgresStore(url, read_only=read_only)
