"""Records outages and sweeps, and answers how the service is doing."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from reconciler.ledger.counters import add
from reconciler.ledger.overview import (
    SHOWN,
    known_outages,
    overview,
    unfinished,
)
from reconciler.ledger.records import OutageRecord, Overview, SweepRecord, UnfinishedFile
from reconciler.ledger.store.schema import (
    UNFINISHED,
    files,
    insert,
    latencies,
    outages,
    sweeps,
    texts,
    upsert,
)
from reconciler.ledger.store.store import Store
from reconciler.model import EPOCH, OutageKind, Outcome, Quota

_KEPT_SWEEPS = 100
_KEPT_DAYS = timedelta(days=90)


class Health:
    """How the service is doing. Each call is one short transaction; all raise LedgerError."""

    def __init__(self, store: Store, quota: Quota) -> None:
        """Share the ledger's store; ``quota`` limits the writes of a day."""
        self._store, self._quota = store, quota

    def overview(self, now: datetime, shown: int = SHOWN) -> Overview:
        """Return the overview at ``now``, with at most ``shown`` entries of each list."""
        return overview(self._store, now, shown, self._quota)

    def open_outage(self, kind: OutageKind, reason: str, now: datetime) -> None:
        """Store an outage, or the newest ``reason`` of one that is open."""
        first = {"kind": kind.value, "since": now}
        self._store.write(lambda c: upsert(c, outages, first, {"reason": reason}))

    def close_outages(self, kinds: Iterable[OutageKind]) -> None:
        """Delete the outages of these kinds."""
        ended = delete(outages).where(outages.c.kind.in_([kind.value for kind in kinds]))
        self._store.write(lambda c: c.execute(ended))

    def outages(self) -> tuple[OutageRecord, ...]:
        """Return the open outages."""
        return self._store.read(known_outages)

    def record_sweep(self, record: SweepRecord) -> None:
        """Store a sweep; delete the oldest ones, and those with a date in the future."""

        def job(c: Connection) -> None:
            c.execute(delete(sweeps).where(sweeps.c.began > record.began))
            c.execute(insert(c.dialect.name, sweeps).values(vars(record)).on_conflict_do_nothing())
            kept = select(sweeps.c.began).order_by(sweeps.c.began.desc()).limit(_KEPT_SWEEPS)
            c.execute(delete(sweeps).where(sweeps.c.began.not_in(kept)))

        self._store.write(job)

    def unfinished(self, limit: int | None = None) -> tuple[UnfinishedFile, ...]:
        """Return the unfinished files: failed ones first, then newest first."""
        return self._store.read(lambda c: unfinished(c, limit))

    def failed(self) -> frozenset[int]:
        """Return the files whose last attempt failed."""
        found = select(files.c.id).where(UNFINISHED, files.c.outcome == Outcome.FAILED.value)
        return self._store.read(lambda c: frozenset(c.execute(found).scalars()))

    def merge_old_days(self, now: datetime) -> None:
        """Add the latencies of days long past to those of one day, the epoch."""

        def job(c: Connection) -> None:
            past = (latencies.c.day < now - _KEPT_DAYS, latencies.c.day > EPOCH)
            for row in c.execute(select(latencies).where(*past)).all():
                key = {"day": EPOCH, "source": row.source, "bound": row.bound}
                add(c, latencies, key, number=row.number, seconds=row.seconds)
            c.execute(delete(latencies).where(*past))

        self._store.write(job)

    def engine(self) -> tuple[str, tuple[int, ...]]:
        """Return the name and the version of the database."""
        dialect = self._store.read(lambda c: c.dialect)
        return dialect.name, tuple(getattr(dialect, "server_version_info", None) or ())

    def delete_texts(self, known: Callable[[str], bool]) -> None:
        """Delete the counts of kept texts that are now known to be the portal's own."""

        def job(c: Connection) -> None:
            found = [text for text in c.execute(select(texts.c.text)).scalars() if known(text)]
            c.execute(delete(texts).where(texts.c.text.in_(found)))

        self._store.write(job)
