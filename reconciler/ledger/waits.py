"""Makes unfinished files due early: at the end of an outage or a wait, or on demand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, update

from reconciler.ledger.store.schema import UNFINISHED, files
from reconciler.ledger.store.store import Store
from reconciler.model import OutageKind, Outcome

_SHARED_FAULT = 5  # failures in a row that an outage may explain
_IS_FREE = files.c.claim.is_(None)
_UNCLAIMED = and_(UNFINISHED, _IS_FREE)


class Waits:
    """The waits of unfinished files. Each call is one short transaction; all raise LedgerError."""

    def __init__(self, store: Store) -> None:
        """Share the ledger's store."""
        self._store = store

    def release(self, kind: OutageKind, now: datetime) -> int:
        """Make files due that waited for this kind of request to work; return how many.

        A file that failed more often than an outage explains has a fault of its own.
        """
        waits = (_UNCLAIMED, files.c.waits_for == kind.value, files.c.due_at > now)
        return self._make_due(now, *waits, files.c.attempts <= _SHARED_FAULT)

    def reset_future(self, now: datetime) -> int:
        """Make files due whose wait began in the future, since the clock was set back.

        The true length of the wait is unknown, and one attempt costs little.
        """
        ahead = or_(files.c.looked_at > now, files.c.pending_since > now)
        return self._make_due(now, _IS_FREE, files.c.due_at > now, ahead)

    def retry_passing(self, now: datetime) -> int:
        """Make files due whose kind of request may work by now; return how many."""
        return self._make_due(now, _UNCLAIMED, files.c.waits_for.is_not(None), files.c.due_at > now)

    def retry(self, ids: Sequence[int], now: datetime) -> frozenset[int]:
        """Make unfinished files due as if never tried (no ids: all of them); return which."""
        values: dict[str, Any] = {"due_at": now, "attempts": 0, "early_looks": 0}
        values |= {"undone_since": None, "undone_times": 0}
        chosen = and_(_UNCLAIMED, files.c.id.in_(ids)) if ids else _UNCLAIMED
        due = update(files).where(chosen).values(values).returning(files.c.id)
        return self._store.write(lambda c: frozenset(c.execute(due).scalars()))

    def count_for_portal(self, now: datetime) -> int:
        """Return how many files that are not due wait for a kind of request to work again."""
        is_waiting = (UNFINISHED, files.c.outcome == Outcome.WAITING.value)
        for_portal = (files.c.waits_for.is_not(None), files.c.due_at > now)
        number = select(func.count()).select_from(files).where(*is_waiting, *for_portal)
        return int(self._store.read(lambda c: c.execute(number).scalar_one()))

    def _make_due(self, now: datetime, *conditions: Any) -> int:
        due = update(files).where(*conditions).values(due_at=now)
        return self._store.write(lambda c: c.execute(due).rowcount)


def release_refused(c: Connection) -> int:
    """Make refused files due: it was another account that was refused."""
    refused = (_UNCLAIMED, files.c.outcome == Outcome.REFUSED.value)
    return c.execute(update(files).where(*refused).values(due_at=files.c.looked_at)).rowcount
