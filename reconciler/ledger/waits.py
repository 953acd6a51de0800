"""Makes waiting files due once what they waited for is over.

Each function is the work of one transaction, and returns how many files it made due.
"""

from datetime import datetime

from sqlalchemy import Connection, or_, update

from reconciler.ledger.store.schema import UNFINISHED, files
from reconciler.model import OutageKind, Outcome

_SHARED_FAULT = 5  # failures in a row that an outage may explain
_IS_FREE = files.c.claim.is_(None)


def release_waiting(c: Connection, kind: OutageKind, now: datetime) -> int:
    """Make files due that waited for a kind of request.

    A file that failed more often than an outage explains has a fault of its own.
    """
    waits = (UNFINISHED, files.c.waits_for == kind.value, _IS_FREE)
    ready = (files.c.due_at > now, files.c.attempts <= _SHARED_FAULT)
    return c.execute(update(files).where(*waits, *ready).values(due_at=now)).rowcount


def release_refused(c: Connection) -> int:
    """Make refused files due: it was another account that was refused."""
    refused = (UNFINISHED, files.c.outcome == Outcome.REFUSED.value, _IS_FREE)
    return c.execute(update(files).where(*refused).values(due_at=files.c.looked_at)).rowcount


def reset_future_waits(c: Connection, now: datetime) -> int:
    """Make files due whose wait began in the future: the clock was set back.

    The true length of the wait is unknown, and one attempt costs little.
    """
    ahead = or_(files.c.looked_at > now, files.c.pending_since > now)
    return c.execute(
        update(files).where(_IS_FREE, files.c.due_at > now, ahead).values(due_at=now)
    ).rowcount
