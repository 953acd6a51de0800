"""Queries how the service is doing, for `status`, the metrics and the status page.

Each query uses an index or a small table and never reads all files: the queries run every few
seconds, beside the worker's.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, case, func, select

from reconciler.ledger.counters import next_write_at, written
from reconciler.ledger.records import (
    LatencyHistogram,
    OutageRecord,
    Overview,
    Queue,
    SweepRecord,
    UnfinishedFile,
)
from reconciler.ledger.reviews import newest_reviews
from reconciler.ledger.rows import BACKFILL, LIVE
from reconciler.ledger.settings import NEXT_SWEEP, NOTIFIED, SWEEP_BEGAN, WEBHOOK, paused
from reconciler.ledger.store.schema import (
    UNFINISHED,
    WAITING,
    counts,
    files,
    latencies,
    outages,
    rooms,
    sweeps,
    texts,
)
from reconciler.ledger.store.store import Role, Store
from reconciler.model import UNFINISHED_OUTCOMES, OutageKind, Outcome, Quota, Source

SHOWN = 20  # entries of each list, by default
_MIN_WITHIN_SECONDS = 3  # times that a text was seen within seconds of a save
_ENTERED = (("accepted", "event"), ("accepted", "listed"))
_ECHO = ("ignored", "echo")


def overview(store: Store, now: datetime, shown: int, quota: Quota) -> Overview:
    """Return how the service is doing at ``now``. Raises LedgerError."""
    holders = {role: holder for role in Role if (holder := store.holder(role)) is not None}
    return store.read(lambda c: _overview(c, now, shown, quota, holders))


def _overview(
    c: Connection, now: datetime, shown: int, quota: Quota, holders: Mapping[Role, str]
) -> Overview:
    ended = {(row.outcome, row.reason): row.number for row in c.execute(select(counts))}
    accepted = sum(ended.pop(entered, 0) for entered in _ENTERED)
    echoes = ended.pop(_ECHO, 0)
    done = _sweeps(c, shown)
    until, reason = _paused(c, now, quota)
    backfill = next_write_at(c, now, quota, BACKFILL)
    days, by_source = _latencies(c)
    return Overview(
        now=now,
        queue=_queue(c, now),
        accepted=accepted,
        echoes=echoes,
        ended=ended,
        unfinished=_unfinished(c),
        files=unfinished(c, shown),
        in_review=_count(c, files, WAITING),
        reviews=newest_reviews(c, shown),
        last_marked_at=_last_marked_at(c, now),
        outages=known_outages(c),
        paused_until=until,
        paused_why=reason,
        backfill_until=backfill if backfill > now else None,
        written=written(c, now),
        sweeps=done,
        sweeping=_sweeping(c, done) if Role.SWEEP in holders else None,
        next_sweep=NEXT_SWEEP.get(c),
        incomplete_folders=_count(c, rooms, rooms.c.incomplete),
        texts=_texts(c, shown),
        unknown_texts=_unknown_texts(c),
        days=days,
        latencies=by_source,
        holders=holders,
        webhook=_webhook(c, now),
        unreachable=tuple(one for one in (NOTIFIED.get(c) or {}).values() if one.is_failing(now)),
    )


def unfinished(c: Connection, limit: int | None) -> tuple[UnfinishedFile, ...]:
    """Return the unfinished files: failed ones first, then newest first."""
    columns = (files.c.id, files.c.name, files.c.outcome, files.c.reason, files.c.error)
    more = (files.c.due_at, files.c.attempts, files.c.looked_at)
    found: list[Row[Any]] = []
    # One query each: a query for all of them would sort them all, however few are wanted.
    for outcome in UNFINISHED_OUTCOMES:
        each = select(*columns, *more).where(UNFINISHED, files.c.outcome == outcome.value)
        remaining = None if limit is None else limit - len(found)
        found += c.execute(each.order_by(files.c.looked_at.desc()).limit(remaining))
    return tuple(
        UnfinishedFile(
            file_id=row.id,
            title=row.name,
            outcome=Outcome(row.outcome),
            reason=row.reason,
            error=row.error,
            retry_at=row.due_at,
            attempts=row.attempts,
            looked_at=row.looked_at,
        )
        for row in found
    )


def known_outages(c: Connection) -> tuple[OutageRecord, ...]:
    """Return the open outages, the oldest first."""
    found = c.execute(select(outages).order_by(outages.c.since))
    return tuple(OutageRecord(OutageKind(row.kind), row.since, row.reason) for row in found)


def _paused(c: Connection, now: datetime, quota: Quota) -> tuple[datetime | None, str]:
    """Return until when nothing is written, and the reason that lasts longest."""
    pause, free = paused(c, now), next_write_at(c, now, quota, LIVE)
    if pause is not None and pause.until >= free:
        return pause.until, pause.reason
    if free > now:
        return free, f"the {quota.per_day} writes of a day are used up (limits.writes_per_day)"
    return None, ""


def _queue(c: Connection, now: datetime) -> Queue:
    is_due = files.c.due_at <= now
    each = select(
        files.c.priority,
        func.count(),
        func.sum(case((is_due, 1), else_=0)),
        func.min(case((is_due, files.c.due_at))),
        func.min(case((~is_due, files.c.due_at))),
    ).where(files.c.due_at.is_not(None))
    rows = c.execute(each.group_by(files.c.priority)).all()
    live = [row for row in rows if row[0] != BACKFILL]
    return Queue(
        depth=sum(row[1] for row in rows),
        backfill=sum(row[1] for row in rows if row[0] == BACKFILL),
        due=sum(row[2] for row in rows),
        oldest=min((row[3] for row in rows if row[3] is not None), default=None),
        next=min((row[4] for row in rows if row[4] is not None), default=None),
        due_live=sum(row[2] for row in live),
        oldest_live=min((row[3] for row in live if row[3] is not None), default=None),
    )


def _unfinished(c: Connection) -> Mapping[Outcome, int]:
    each = select(files.c.outcome, func.count()).where(UNFINISHED).group_by(files.c.outcome)
    return {Outcome(outcome): number for outcome, number in c.execute(each)}


def _count(c: Connection, table: Table, condition: Any) -> int:
    number = select(func.count()).select_from(table).where(condition)
    return int(c.execute(number).scalar_one())


def _last_marked_at(c: Connection, now: datetime) -> datetime | None:
    """Return when a file was marked last. One in the future precedes a change of the clock."""
    last = select(func.max(files.c.marked_at)).where(files.c.marked_at <= now)
    return c.execute(last).scalar()


def _sweeps(c: Connection, limit: int) -> tuple[SweepRecord, ...]:
    newest = select(sweeps).order_by(sweeps.c.began.desc()).limit(limit)
    return tuple(SweepRecord(**row._mapping) for row in c.execute(newest))


def _sweeping(c: Connection, done: tuple[SweepRecord, ...]) -> datetime | None:
    began = SWEEP_BEGAN.get(c)
    return None if began is None or (done and done[0].began >= began) else began


def _webhook(c: Connection, now: datetime) -> str:
    """Return our webhook's problem and hint, empty for none and for an outdated record."""
    record = WEBHOOK.get(c)
    if record is None or not record.has_problem or not record.is_recent(now):
        return ""
    return f"{record.reason}; {record.hint}"


def _unknown_texts(c: Connection) -> tuple[str, ...]:
    """Return the kept texts that were often seen within seconds of a save: nobody types so fast, so
    the portal may write them by itself.
    """
    found = select(texts.c.text).where(texts.c.within_seconds >= _MIN_WITHIN_SECONDS)
    return tuple(c.execute(found.order_by(texts.c.within_seconds.desc(), texts.c.text)).scalars())


def _texts(c: Connection, limit: int) -> tuple[tuple[str, int], ...]:
    often = select(texts.c.text, texts.c.number).order_by(texts.c.number.desc()).limit(limit)
    return tuple((text, number) for text, number in c.execute(often))


def _latencies(
    c: Connection,
) -> tuple[Mapping[datetime, Mapping[Source, int]], Mapping[Source, LatencyHistogram]]:
    days: dict[datetime, dict[Source, int]] = {}
    buckets: dict[Source, dict[int, int]] = {}
    seconds: dict[Source, int] = {}
    for row in c.execute(select(latencies).order_by(latencies.c.day.desc())):
        source = Source(row.source)
        day, bucket = days.setdefault(row.day, {}), buckets.setdefault(source, {})
        day[source] = day.get(source, 0) + row.number
        bucket[row.bound] = bucket.get(row.bound, 0) + row.number
        seconds[source] = seconds.get(source, 0) + row.seconds
    return days, {
        source: LatencyHistogram(bucket, seconds[source]) for source, bucket in buckets.items()
    }
