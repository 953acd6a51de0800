"""What is written down to tell how the service is doing, and what a person may set right."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, select, update

from reconciler.errors import LedgerError
from reconciler.ledger.counting import DAY
from reconciler.ledger.facts import pause, set_fact
from reconciler.ledger.overview import (
    BOUNDS,
    SHOWN,
    Overview,
    Swept,
    Trouble,
    Unfinished,
    is_listed,
    overview,
    trouble,
    unfinished,
)
from reconciler.ledger.schema import arrivals, files, sweeps
from reconciler.ledger.store import Store
from reconciler.ledger.upsert import insert
from reconciler.model import EPOCH, Ailment, Ending, Outcome, Rule

_KEPT_SWEEPS = 100
_KEPT_DAYS = timedelta(days=90)


class Health:
    """How the service is doing. Each call is one short transaction; all raise LedgerError."""

    def __init__(self, store: Store) -> None:
        """Share the ledger's store."""
        self._store = store

    def overview(self, now: datetime, shown: int = SHOWN) -> Overview:
        """Return how everything is at ``now``; of each list no more than ``shown``."""
        return overview(self._store, now, shown)

    def fell_ill(self, ailment: Ailment, why: str, now: datetime, until: datetime) -> None:
        """The portal as a whole is not usable: remember since when, and pause ``until``."""

        def job(c: Connection) -> None:
            known = trouble(c)
            since = known.since if known is not None and known.ailment is ailment else now
            said = {"ailment": ailment.value, "since": since.isoformat(), "why": why}
            set_fact(c, "trouble", json.dumps(said))
            pause(c, until, why)

        self._store.write(job)

    def recovered(self) -> None:
        """The portal does what it is asked."""
        self._store.write(lambda c: set_fact(c, "trouble", None))

    def trouble(self) -> Trouble | None:
        """Return what is wrong with the portal as a whole, None when nothing is known to be."""
        return self._store.read(trouble)

    def refusal(self, now: datetime) -> LedgerError | None:
        """Write something; return why that cannot be done, None when it is on disk."""
        try:
            self._store.write(lambda c: set_fact(c, "told writable", now.isoformat()))
        except LedgerError as error:
            return error
        return None

    def swept(self, swept: Swept) -> None:
        """Remember a sweep, and forget the oldest; after one that ended well the portal is, too."""

        def job(c: Connection) -> None:
            if not swept.error:
                set_fact(c, "trouble", None)
            c.execute(insert(c.dialect.name, sweeps).values(vars(swept)).on_conflict_do_nothing())
            kept = select(sweeps.c.began).order_by(sweeps.c.began.desc()).limit(_KEPT_SWEEPS)
            c.execute(delete(sweeps).where(sweeps.c.began.not_in(kept)))

        self._store.write(job)

    def unfinished(self, limit: int | None = None) -> tuple[Unfinished, ...]:
        """Return what waits, failed or was refused: failed first, then newest first."""
        return self._store.read(lambda c: unfinished(c, limit))

    def retry(self, ids: Sequence[int], now: datetime) -> frozenset[int]:
        """Make unfinished files due now (no ids: all of them), as if never tried; return which."""
        values = {"due_at": now, "attempts": 0}
        hurry = update(files).where(is_listed(ids)).values(values).returning(files.c.id)
        return self._store.write(lambda c: frozenset(c.execute(hurry).scalars()))

    def fold(self, now: datetime) -> None:
        """Add the days that are long past to one that stands for all of them (the epoch)."""

        def job(c: Connection) -> None:
            past = (arrivals.c.day < now - _KEPT_DAYS, arrivals.c.day > EPOCH)
            for row in c.execute(select(arrivals).where(*past)).all():
                _add(c, EPOCH, row.source, row.bound, row.number, row.seconds)
            c.execute(delete(arrivals).where(*past))

        self._store.write(job)


def arrived(c: Connection, row: Row[object], ending: Ending, now: datetime) -> None:
    """Count an update that was marked, by what told of it first and by how long it waited.

    A comment that an unlocking wiped is set again, but nothing was updated.
    """
    marked = ending.outcome is Outcome.MARKED and ending.reason != Rule.RESTORED.value
    if not marked or ending.seen is None or row.source is None:
        return
    lag = max(int((now - ending.seen.revision.updated).total_seconds()), 0)
    bound = next((bound for bound in BOUNDS if lag <= bound), 0)
    day = EPOCH + (now - EPOCH) // DAY * DAY
    _add(c, day, row.source, bound, 1, lag)


def _add(c: Connection, day: datetime, source: str, bound: int, number: int, seconds: int) -> None:
    key = {"day": day, "source": source, "bound": bound}
    statement = insert(c.dialect.name, arrivals).values(**key, number=number, seconds=seconds)
    more = {"number": arrivals.c.number + number, "seconds": arrivals.c.seconds + seconds}
    c.execute(statement.on_conflict_do_update(index_elements=list(key), set_=more))
