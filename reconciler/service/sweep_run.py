"""One sweep, and its record in the ledger."""

from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic

from reconciler.errors import LedgerError, ReconcilerError, ShutdownRequested
from reconciler.ledger import SWEEP_BEGAN, SweepRecord
from reconciler.service.build import Components
from reconciler.sweep import Report, Sweep


def run_sweep(components: Components, sweep: Sweep) -> Report:
    """Sweep once and remember how it went. Raises what the sweep raises."""
    began, clock, before = components.clock(), monotonic(), components.docspace.thread_requests()
    components.ledger.settings.set(SWEEP_BEGAN, began)

    def remember(report: Report, error: str = "") -> None:
        requests = components.docspace.thread_requests() - before
        components.ledger.health.record_sweep(
            _record(began, monotonic() - clock, requests, report, error)
        )

    try:
        report = sweep.run()
    except ShutdownRequested:
        raise
    except ReconcilerError as error:
        with suppress(LedgerError):  # what stopped the sweep is what matters
            remember(Report(), str(error))
        raise
    remember(report)
    return report


def prune(components: Components, keep: timedelta) -> int:
    """Delete what holds nothing to remember since ``keep``; return how many rows that were.

    Called after a full scan: once a day, in whichever process sweeps.
    """
    now = components.clock()
    rows = components.ledger.prune(now - keep)
    components.ledger.health.fold(now)
    return rows


def _record(
    began: datetime, seconds: float, requests: int, report: Report, error: str
) -> SweepRecord:
    return SweepRecord(
        began=began,
        seconds=seconds,
        requests=requests,
        scanned=report.scanned,
        found=report.handed,
        incomplete_folders=len(report.incomplete),
        full_scan=report.full_scan,
        error=error,
    )
