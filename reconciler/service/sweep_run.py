"""One sweep, and what is left in the ledger to tell how it went."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic

from reconciler.errors import LedgerError, ReconcilerError, Stopped
from reconciler.ledger import ListedFile, SweepRecord
from reconciler.service.build import Components
from reconciler.sweep import Report, Sweep


def run_sweep(
    parts: Components, sweep: Sweep, hear: Callable[[ListedFile], None] = lambda _: None
) -> Report:
    """Sweep once and remember how it went. Raises what the sweep raises."""
    began, clock, before = parts.clock(), monotonic(), parts.docspace.requests_here()
    parts.ledger.set_value("sweep_began", began.isoformat())

    def remember(report: Report, error: str = "") -> None:
        requests = parts.docspace.requests_here() - before
        parts.ledger.health.record_sweep(
            _record(began, monotonic() - clock, requests, report, error)
        )

    try:
        report = sweep.run(hear=hear)
    except Stopped:
        raise
    except ReconcilerError as error:
        with suppress(LedgerError):  # what stopped the sweep is what matters
            remember(Report(), str(error))
        raise
    remember(report)
    return report


def prune(parts: Components, keep: timedelta) -> int:
    """Delete what holds nothing to remember since ``keep``; return how many rows that were.

    For after a deep sweep: that is once a day, whoever sweeps, and however short he lives.
    """
    now = parts.clock()
    rows = parts.ledger.prune(now - keep)
    parts.ledger.health.fold(now)
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
