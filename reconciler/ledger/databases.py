"""Which database an address means."""

from pathlib import Path

from sqlalchemy import URL, exc, make_url

from reconciler.errors import LedgerError
from reconciler.ledger.sqlite import SqliteStore
from reconciler.ledger.store import Store


def is_there(url: str) -> bool:
    """Return whether there is a database: a file that is not there would be created."""
    path = url.removeprefix("sqlite:///")
    return path == url or Path(path).is_file()


def store_at(url: str) -> Store:
    """Open the database at an address. Raises LedgerError, which never tells the address."""
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise LedgerError("state.url is not a database address") from error
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return SqliteStore(parsed)
        case "postgresql" | "postgresql+psycopg":
            return _postgres(parsed.set(drivername="postgresql+psycopg"))
        case _:
            raise LedgerError("state.url must be sqlite:///PATH or postgresql+psycopg://HOST/NAME")


def _postgres(url: URL) -> Store:
    try:
        from reconciler.ledger.postgres import PostgresStore  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise LedgerError(
            "PostgreSQL needs a driver: pip install 'reconciler[postgres]'"
        ) from error
    if not url.database:
        raise LedgerError("state.url names no database")
    if "@" in (url.host or ""):
        raise LedgerError("the password in state.url must be percent-encoded")
    return PostgresStore(url)
