"""What is written down to tell how the service is doing, and what a person may set right."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, func, select, update

from reconciler.ledger.counters import DAY, add
from reconciler.ledger.overview import (
    SHOWN,
    is_listed,
    known_outages,
    overview,
    unfinished,
    unknown_texts,
)
from reconciler.ledger.records import BOUNDS, OutageRecord, Overview, SweepRecord, UnfinishedFile
from reconciler.ledger.store.schema import (
    UNFINISHED,
    files,
    insert,
    latencies,
    outages,
    sweeps,
    texts,
)
from reconciler.ledger.store.store import Store
from reconciler.model import EPOCH, AttemptResult, OutageKind, Outcome, Quota, Rule, Source

_KEPT_SWEEPS = 100
_KEPT_DAYS = timedelta(days=90)


class Health:
    """How the service is doing. Each call is one short transaction; all raise LedgerError."""

    def __init__(self, store: Store, quota: Callable[[], Quota]) -> None:
        """Share the ledger's store; ``quota`` tells when the day's writes are used up."""
        self._store, self._quota = store, quota

    def overview(self, now: datetime, shown: int = SHOWN) -> Overview:
        """Return how everything is at ``now``; of each list no more than ``shown``."""
        return overview(self._store, now, shown, self._quota())

    def open_outage(self, kind: OutageKind, reason: str, now: datetime) -> None:
        """Remember what the portal as a whole does not do, since when, and reason."""

        def job(c: Connection) -> None:
            put = insert(c.dialect.name, outages).values(kind=kind.value, since=now, reason=reason)
            newest = {"reason": put.excluded.reason}
            c.execute(put.on_conflict_do_update(index_elements=["kind"], set_=newest))

        self._store.write(job)

    def close_outages(self, kinds: Iterable[OutageKind]) -> None:
        """Forget outages: the portal does what it is asked."""
        ended = delete(outages).where(outages.c.kind.in_([kind.value for kind in kinds]))
        self._store.write(lambda c: c.execute(ended))

    def outages(self) -> tuple[OutageRecord, ...]:
        """Return what the portal as a whole does not do, as far as is known."""
        return self._store.read(known_outages)

    def record_sweep(self, record: SweepRecord) -> None:
        """Remember a sweep; forget the oldest, and those that a clock ahead of now has dated."""

        def job(c: Connection) -> None:
            c.execute(delete(sweeps).where(sweeps.c.began > record.began))
            c.execute(insert(c.dialect.name, sweeps).values(vars(record)).on_conflict_do_nothing())
            kept = select(sweeps.c.began).order_by(sweeps.c.began.desc()).limit(_KEPT_SWEEPS)
            c.execute(delete(sweeps).where(sweeps.c.began.not_in(kept)))

        self._store.write(job)

    def unfinished(self, limit: int | None = None) -> tuple[UnfinishedFile, ...]:
        """Return what waits, failed or was refused: failed first, then newest first."""
        return self._store.read(lambda c: unfinished(c, limit))

    def retry(self, ids: Sequence[int], now: datetime) -> frozenset[int]:
        """Make unfinished files due now (no ids: all of them), as if never tried; return which."""
        values = {"due_at": now, "attempts": 0, "undone_since": None, "undone_times": 0}
        retry_now = update(files).where(is_listed(ids)).values(values).returning(files.c.id)
        return self._store.write(lambda c: frozenset(c.execute(retry_now).scalars()))

    def retry_passing(self, now: datetime) -> int:
        """Make due what failed because of a request that may work by now; return how many."""
        waits = (is_listed(()), files.c.waits_for.is_not(None), files.c.due_at > now)
        retry_now = update(files).where(*waits).values(due_at=now)
        return self._store.write(lambda c: c.execute(retry_now).rowcount)

    def waiting_for_portal(self, now: datetime) -> int:
        """Return how many files wait for a kind of request to work again, and are not due."""
        waits = (
            UNFINISHED,
            files.c.outcome == Outcome.WAITING.value,
            files.c.waits_for.is_not(None),
        )
        number = select(func.count()).select_from(files).where(*waits, files.c.due_at > now)
        return int(self._store.read(lambda c: c.execute(number).scalar_one()))

    def failed(self) -> frozenset[int]:
        """Return the files that failed and will be retried."""
        found = select(files.c.id).where(UNFINISHED, files.c.outcome == Outcome.FAILED.value)
        return self._store.read(lambda c: frozenset(c.execute(found).scalars()))

    def fold(self, now: datetime) -> None:
        """Add the days that are long past to one that stands for all of them (the epoch)."""

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

    def unknown_texts(self) -> tuple[str, ...]:
        """Return the kept texts that may be the portal's own."""
        return self._store.read(unknown_texts)

    def forget_texts(self, known: Callable[[str], bool]) -> None:
        """Forget the counts of kept texts that are known to be the portal's own by now."""

        def job(c: Connection) -> None:
            found = [text for text in c.execute(select(texts.c.text)).scalars() if known(text)]
            c.execute(delete(texts).where(texts.c.text.in_(found)))

        self._store.write(job)

    def delivered(self) -> datetime | None:
        """Return when the newest event was accepted that a webhook brought; no echo counts."""
        newest = select(func.max(files.c.event_at)).where(files.c.source == Source.WEBHOOK.value)
        return self._store.read(lambda c: c.execute(newest).scalar())

    def texts(self, limit: int) -> list[tuple[str, int]]:
        """Return the texts that were kept as unknown, those kept most often first."""
        ordered = select(texts).order_by(texts.c.number.desc(), texts.c.text).limit(limit)
        return self._store.read(lambda c: [(row.text, row.number) for row in c.execute(ordered)])


def record_latency(c: Connection, row: Row[object], result: AttemptResult, now: datetime) -> None:
    """Count an update that was marked, by what detected it first and by how long it waited.

    A comment that an unlocking wiped is set again, but nothing was updated.
    """
    marked = result.outcome is Outcome.MARKED and result.reason != Rule.RESTORED.value
    if not marked or result.seen is None or row.source is None:
        return
    lag = max((now - result.seen.revision.updated).total_seconds(), 0.0)
    bound = next((bound for bound in BOUNDS if lag <= bound), 0)
    day = EPOCH + (now - EPOCH) // DAY * DAY
    key = {"day": day, "source": row.source, "bound": bound}
    add(c, latencies, key, number=1, seconds=round(lag))
