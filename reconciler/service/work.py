"""What `serve`, `reconcile` and the backfill share: a recorded sweep, pruning, and work until idle.

`Tally` counts the attempts of a run while it works, `Summary` is its result.
"""

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from reconciler.errors import (
    LedgerError,
    ReconcilerError,
    RoleHeldError,
    ShutdownRequested,
    TransientError,
    UnauthorizedError,
)
from reconciler.ledger import BACKFILL, SWEEP_BEGAN, Role, SweepRecord
from reconciler.model import AttemptReason, Outcome
from reconciler.service.build import Components
from reconciler.service.logging import log_processed
from reconciler.sweep import Report, Sweep
from reconciler.worker import Processed

_OUTAGES = {UnauthorizedError.kind, TransientError.kind, AttemptReason.WRITES_FAIL.value}


@dataclass
class Tally:
    """The outcomes of the files of a run: each counts once, by its last attempt.

    ``enqueued`` are listed files that this process has not attempted yet. ``outage`` is the reason
    why the portal as a whole fails, None after a request that it answered.
    """

    last: dict[int, Outcome] = field(default_factory=dict)
    ended: Counter[Outcome] = field(default_factory=Counter)
    enqueued: set[int] = field(default_factory=set)
    outage: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, processed: Processed) -> None:
        """Count an attempt in place of the file's one before."""
        outcome, reason = processed.result.outcome, processed.result.reason
        if outcome is Outcome.FAILED:
            log_processed(processed)
        with self.lock:
            self.outage = reason if outcome is Outcome.WAITING and reason in _OUTAGES else None
            self.enqueued.discard(processed.file)
            before = self.last.pop(processed.file, None)
            if before is not None:
                self.ended[before] -= 1
            self.ended[outcome] += 1
            if outcome in {Outcome.WAITING, Outcome.FAILED}:
                self.last[processed.file] = outcome

    def settle(self, components: Components) -> None:
        """Count the rest by the ledger: another process has processed them, or they wait."""
        self.ended.update(
            components.ledger.listings.outcomes(sorted(self.enqueued), components.clock())
        )
        self.enqueued.clear()

    def add_failed(self, components: Components) -> None:
        """Count files that failed in an earlier run and were not attempted in this one."""
        counted = self.last.keys() | self.enqueued
        self.ended[Outcome.FAILED] += len(components.ledger.health.failed() - counted)


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Where it had to stop, ``resume_at`` is when to run it again, and ``reason`` says why it stopped.
    ``is_portal_down`` is whether it stopped because the portal is unavailable or refuses the key.
    """

    report: Report
    ended: Counter[Outcome]
    requests: dict[str, int]
    seconds: float
    dry_run: bool
    remaining: int = 0
    resume_at: datetime | None = None
    reason: str = ""
    is_portal_down: bool = False

    @property
    def failed(self) -> int:
        """How many files failed and will be retried, and folders not read to the end."""
        return self.number(Outcome.FAILED) + len(self.report.incomplete)

    def number(self, outcome: Outcome) -> int:
        """Return how many files ended so, in the listing or by an attempt."""
        return self.report.number(outcome) + self.ended[outcome]


def run_sweep(components: Components, sweep: Sweep) -> Report:
    """Sweep once and record the sweep in the ledger. Raises what the sweep raises."""
    began, clock, before = components.clock(), monotonic(), components.docspace.thread_requests()
    components.ledger.settings.set(SWEEP_BEGAN, began)

    def record(report: Report, error: str = "") -> None:
        components.ledger.health.record_sweep(
            SweepRecord(
                began=began,
                seconds=monotonic() - clock,
                requests=components.docspace.thread_requests() - before,
                scanned=report.scanned,
                enqueued=report.enqueued,
                incomplete_folders=len(report.incomplete),
                full_scan=report.full_scan,
                error=error,
            )
        )

    try:
        report = sweep.run()
    except ShutdownRequested:
        raise
    except ReconcilerError as error:
        with suppress(LedgerError):  # the error of the sweep is raised
            record(Report(), str(error))
        raise
    record(report)
    return report


def prune(components: Components, keep: timedelta) -> int:
    """Delete the rows that nothing has needed since ``keep``; return their number.

    Called after a full scan: once a day, in whichever process sweeps.
    """
    now = components.clock()
    rows = components.ledger.prune(now - keep)
    components.ledger.health.merge_old_days(now)
    return rows


def stopped_until(components: Components, *, backfill: bool) -> tuple[datetime | None, str]:
    """Return until when no file can be processed, and why; None when one can be now."""
    now, ledger = components.clock(), components.ledger
    pause, free = ledger.paused(now), ledger.next_write_at(now, backfill=backfill)
    if pause is not None and pause.until > free:
        return pause.until, pause.reason
    if free > now:
        kind = "writes for backfills" if backfill else "writes"
        return free, f"the day's {kind} are used up"
    probe = max(components.health.next_look(now), components.health.next_write(now))
    return (probe, "the portal cannot be asked now") if probe > now else (None, "")


def work_until_idle(components: Components, tally: Tally) -> bool:
    """Process what is due; return False where another process holds the role and does so."""
    failures: list[Exception] = []
    try:
        with components.ledger.role(Role.WORKER):
            components.ledger.claims.release_orphaned(components.clock())
            components.worker(tally.count, failures.append).run_until_idle()
    except RoleHeldError:
        return False
    if failures:
        raise failures[0]
    return True


def count_remaining(components: Components) -> int:
    """Return how many files are due, or wait for the portal to work again.

    Files of a backfill whose share of the day's writes is used up do not count.
    """
    now, ledger = components.clock(), components.ledger
    is_put_off = ledger.next_write_at(now, backfill=True) > now
    due = ledger.count_due(now) - (ledger.count_due(now, BACKFILL) if is_put_off else 0)
    return due + ledger.waits.count_for_portal(now)
