"""The operator's view: what is wrong, unfinished files, and the figures of the service."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from reconciler.admin import charts
from reconciler.admin.app import Page
from reconciler.admin.rendering import View, rendered
from reconciler.diagnostics import file_hint
from reconciler.formats import length_of_time
from reconciler.ledger import Overview, WebhookRecord
from reconciler.ledger.records import BOUNDS, LatencyHistogram, UnfinishedFile
from reconciler.model import AttemptReason, Rule, Source

_SWEEPS = 6
_SOURCES = {
    Source.WEBHOOK: "by webhook",
    Source.LOG: "by its delivery log",
    Source.SWEEP: "by sweep only",
    Source.BACKFILL: "by backfill",
}


@dataclass(frozen=True)
class Operation:
    """What is shown of the service; without ``seen`` the ledger cannot be read."""

    seen: Overview | None = None
    webhook: WebhookRecord | None = None
    writes_per_day: int = 0


def operation_page(view: View, data: Operation) -> Page:
    """Return the view."""
    code = HTTPStatus.OK if data.seen else HTTPStatus.SERVICE_UNAVAILABLE
    numbers = _numbers(data.seen, view, data.writes_per_day) if data.seen else {}
    return rendered("operation", view, {**vars(data), **numbers}, code)


def _numbers(seen: Overview, view: View, writes_per_day: int) -> dict[str, Any]:
    days = charts.last_days(seen.days, view.now)
    return {
        "rows": [*days, charts.older(seen.days, days)],
        "gap": charts.days_chart(days),
        "lags": _lags(seen),
        "within": _within,
        "reason": _reason,
        "hint": file_hint,
        "source_text": _SOURCES,
        "sources": charts.DETECTED_BY,
        "last_sweeps": _SWEEPS,
        "meter": charts.meter(seen.written, writes_per_day),
    }


def _lags(seen: Overview) -> list[tuple[Source, LatencyHistogram, charts.Chart]]:
    lags = [(source, seen.latencies[source]) for source in _SOURCES if source in seen.latencies]
    return [(source, lag, charts.lag_chart(source, lag)) for source, lag in lags]


def _reason(file: UnfinishedFile) -> str:
    """Return why a file waits, failed or was refused, in words where there are some."""
    if file.error:
        return file.error
    reasons: tuple[Rule | AttemptReason, ...] = (*Rule, *AttemptReason)
    descriptions = {str(one.value): one.description for one in reasons}
    return descriptions.get(file.reason, file.reason.replace("_", " "))


def _within(lag: LatencyHistogram, share: float) -> str:
    seconds = lag.within(share)
    if seconds is None:
        return f"over {length_of_time(BOUNDS[-1])}"
    return f"within {length_of_time(seconds)}"
