"""Open a ledger: migrate its tables and check its portal, or open it for reading."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Connection, inspect, select

from reconciler.errors import LedgerCause, LedgerError
from reconciler.ledger.settings import PORTAL, SCHEMA
from reconciler.ledger.store.databases import MEMORY, store_at
from reconciler.ledger.store.schema import VERSION, files, migrate, settings
from reconciler.ledger.store.store import Store

_PORTS = {"http": 80, "https": 443}


def opened_store(url: str, portal: str | None, *, read_only: bool) -> Store:
    """Open the ledger with current tables; with a ``portal`` only if it belongs to that one.

    With ``read_only`` it is not changed, and a missing one is empty. Raises LedgerError.
    """
    store = store_at(url, read_only=read_only)
    try:
        if store.read_only and not store.read(_is_current):
            store.close()
            store = store_at(MEMORY)
        if not store.read_only:
            store.write_long(migrate)
        known = store.read(PORTAL.get)
        if portal is not None and known is not None and not is_same_address(known, portal):
            raise another_portal(known, portal)
    except LedgerError:
        store.close()
        raise
    return store


def _is_current(c: Connection) -> bool:
    """Return whether the tables are current, False where there are none. Raises LedgerError."""
    tables = inspect(c).get_table_names()
    if not tables:
        return False
    found = SCHEMA.get(c) if settings.name in tables else None
    if found is None:
        raise LedgerError("this database holds tables of another program")
    if found != str(VERSION):
        raise LedgerError(
            f"the ledger has schema {found}, this reconciler reads {VERSION}: start the serve of "
            "this version, which brings it there, or install the newer reconciler",
            LedgerCause.STATED,
        )
    return True


@dataclass(frozen=True)
class Witness:
    """A file that identifies a portal: ids are reused, but not with the same date."""

    file_id: int
    created: datetime


class Ownership:
    """Which portal the ledger belongs to. Each call is one short transaction."""

    def __init__(self, store: Store) -> None:
        """Share the ledger's store."""
        self._store = store

    def portal(self) -> str | None:
        """Return the address under which the portal was last known, None before its answer."""
        return self._store.read(PORTAL.get)

    def bind(self, portal: str) -> None:
        """Record the portal's address, after proof or a person's confirmation."""
        self._store.write(lambda c: PORTAL.set(c, portal))

    def witnesses(self, limit: int) -> tuple[Witness, ...]:
        """Return the files looked at last whose creation date is known."""
        known = select(files.c.id, files.c.created).where(files.c.created.is_not(None))
        newest = known.order_by(files.c.looked_at.desc().nulls_last()).limit(limit)
        return self._store.read(
            lambda c: tuple(Witness(row.id, row.created) for row in c.execute(newest))
        )


def another_portal(known: str, portal: str) -> LedgerError:
    """Return the error for a ledger that is not known to be this portal's."""
    return LedgerError(
        f"this ledger belongs to {known}: give {portal} a state.url of its own",
        LedgerCause.ANOTHER_PORTAL,
    )


def is_same_address(one: str, other: str) -> bool:
    """Return whether two addresses differ only in case, default port or last slash."""
    return _plain(one) == _plain(other)


def _plain(address: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(address)
    host = (parts.hostname or "").removesuffix(".")
    return parts.scheme, host, parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/")
