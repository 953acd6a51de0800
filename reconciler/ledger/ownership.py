"""The ledger's portal, the owner of the key, and the origin."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import BigInteger, Connection, select, type_coerce, update

from reconciler.errors import LedgerCause, LedgerError
from reconciler.ledger.settings import (
    FIRST_SWEEP,
    OWNER,
    PORTAL,
    SINCE,
    baseline,
)
from reconciler.ledger.store.schema import files
from reconciler.ledger.store.store import Store
from reconciler.ledger.waits import release_refused
from reconciler.model import EPOCH

_PORTS = {"http": 80, "https": 443}
_MICROSECOND = timedelta(microseconds=1)


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
        """Return the portal's last known address, None before its first answer."""
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


def is_same_portal_url(one: str, other: str) -> bool:
    """Return whether two addresses of portals differ only in case, default port or last slash."""
    return _plain(one) == _plain(other)


def _plain(address: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(address)
    host = (parts.hostname or "").removesuffix(".")
    return parts.scheme, host, parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/")


def set_owner(c: Connection, portal: str, owner: str) -> None:
    """Store the key's owner. Files that another account was refused are due at once."""
    if OWNER.get(c) not in {None, owner}:
        release_refused(c)
    PORTAL.set(c, portal)
    OWNER.set(c, owner)


def set_origin(c: Connection, portal: str, date: datetime, lookback: timedelta) -> None:
    """Fix the origin at the first sweep; a later sweep with an earlier date corrects it."""
    PORTAL.set(c, portal)
    known = baseline(c)
    if known.first_sweep > date:
        # The portal's clock was ahead then: the origin is no later than the portal's present.
        SINCE.set(c, min(known.since, date - lookback))
    elif known.first_sweep == EPOCH:
        SINCE.set(c, date - lookback)
        earlier = type_coerce(files.c.since, BigInteger) - lookback // _MICROSECOND
        c.execute(update(files).where(files.c.since.is_not(None)).values(since=earlier))
    else:
        return
    FIRST_SWEEP.set(c, date)
