"""Whose comments are ours, and where our responsibility begins."""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, type_coerce, update

from reconciler.ledger.settings import (
    CLOCK_WAS_AHEAD,
    FIRST_SWEEP,
    OWNER,
    PORTAL,
    SINCE,
    baseline,
)
from reconciler.ledger.store.schema import files
from reconciler.ledger.waits import release_refused
from reconciler.model import EPOCH


def set_owner(c: Connection, portal: str, owner: str) -> None:
    """Store the key's owner; what another account was refused is due at once."""
    if OWNER.get(c) not in {None, owner}:
        release_refused(c)
    PORTAL.set(c, portal)
    OWNER.set(c, owner)


def set_origin(c: Connection, portal: str, date: datetime, lookback: timedelta) -> None:
    """Fix the origin at the first sweep; a later sweep with an earlier date corrects it."""
    PORTAL.set(c, portal)
    known = baseline(c)
    if known.first_sweep > date:
        # The portal's clock was ahead then: our responsibility begins no later than now.
        SINCE.set(c, min(known.since, date - lookback))
        CLOCK_WAS_AHEAD.set(c, known.first_sweep)
    elif known.first_sweep == EPOCH:
        SINCE.set(c, date - lookback)
        earlier = type_coerce(files.c.since, BigInteger) - lookback // timedelta(microseconds=1)
        c.execute(update(files).where(files.c.since.is_not(None)).values(since=earlier))
    else:
        return
    FIRST_SWEEP.set(c, date)
