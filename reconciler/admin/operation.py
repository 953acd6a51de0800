"""The operator's view: problems, unfinished files, and the figures of the service."""

from http import HTTPStatus

from reconciler.admin import charts
from reconciler.admin.app import Page
from reconciler.admin.rendering import View, rendered
from reconciler.diagnostics import file_hint
from reconciler.formats import length_of_time
from reconciler.ledger import Overview, WebhookRecord, WebhookState
from reconciler.ledger.records import BOUNDS, LatencyHistogram, UnfinishedFile
from reconciler.model import AttemptReason, Rule, Source

_SWEEPS = 6
_WEBHOOK_TEXTS = {WebhookState.OK: "works", WebhookState.UNSEEN: "not visible to this key"}


def unreadable_page(view: View) -> Page:
    """Return the view of a ledger that cannot be read."""
    return rendered("operation", view, {"seen": None}, HTTPStatus.SERVICE_UNAVAILABLE)


def operation_page(
    view: View, seen: Overview, webhook: WebhookRecord | None, writes_per_day: int
) -> Page:
    """Return the view."""
    days = charts.last_days(seen.days, view.now)
    values = {
        "seen": seen,
        "webhook": webhook,
        "webhook_text": _WEBHOOK_TEXTS,
        "writes_per_day": writes_per_day,
        "rows": [*days, charts.older(seen.days, days)],
        "detected": charts.days_chart(days),
        "latencies": _latencies(seen),
        "within": _within,
        "reason": _reason,
        "hint": file_hint,
        "sources": charts.DETECTED_BY,
        "last_sweeps": _SWEEPS,
        "meter": charts.meter(seen.written, writes_per_day),
    }
    return rendered("operation", view, values)


def _latencies(seen: Overview) -> list[tuple[Source, LatencyHistogram, charts.Chart]]:
    latencies = [(source, seen.latencies[source]) for source in Source if source in seen.latencies]
    return [
        (source, latency, charts.latency_chart(source, latency)) for source, latency in latencies
    ]


def _reason(file: UnfinishedFile) -> str:
    """Return why a file waits, failed or was refused, as a description where there is one."""
    if file.error:
        return file.error
    reasons: tuple[Rule | AttemptReason, ...] = (*Rule, *AttemptReason)
    descriptions = {str(one.value): one.description for one in reasons}
    return descriptions.get(file.reason, file.reason.replace("_", " "))


def _within(latency: LatencyHistogram, share: float) -> str:
    seconds = latency.quantile(share)
    if seconds is None:
        return f"over {length_of_time(BOUNDS[-1])}"
    return f"within {length_of_time(seconds)}"
