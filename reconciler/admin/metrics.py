"""The metrics for Prometheus, read at each scrape.

The ledger's numbers survive restarts and are common to its processes; the requests to the portal
are those of this process.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from reconciler import version
from reconciler.diagnostics import ProblemKind, find_problems
from reconciler.errors import LedgerError
from reconciler.ledger import Overview
from reconciler.ledger.records import BOUNDS
from reconciler.model import UNFINISHED_OUTCOMES, Source

Requests = Mapping[tuple[str, str, str], int]
METRICS = "text/plain; version=0.0.4; charset=utf-8"


def exposition(
    look: Callable[[], Overview],
    requests: Requests,
    writes_per_day: int,
    refusal: LedgerError | None = None,
) -> str:
    """Return all metrics in Prometheus' text format, without the ledger's where it is not readable.

    ``refusal`` is why the ledger cannot be written.
    """
    registry = CollectorRegistry()
    registry.register(_Numbers(look, requests, writes_per_day, refusal))
    ProcessCollector(registry=registry)
    return generate_latest(registry).decode()


@dataclass(eq=False)
class _Numbers(Collector):
    look: Callable[[], Overview]
    requests: Requests
    writes_per_day: int
    refusal: LedgerError | None

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering does not read the ledger."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every number."""
        build = {"version": version(), "python": platform.python_version()}
        yield InfoMetricFamily("reconciler_build", "The version that runs.", build)
        asked = CounterMetricFamily(
            "reconciler_api_requests",
            "Requests of this process to the portal.",
            labels=("method", "route", "status"),
        )
        for labels, number in self.requests.items():
            asked.add_metric(labels, number)
        yield asked
        try:
            seen = self.look()
        except LedgerError:
            yield _gauge("ledger_up", "Whether the ledger can be read.", 0)
            return
        yield _gauge("ledger_up", "Whether the ledger can be read.", 1)
        yield from _queue(seen)
        yield from _ended(seen)
        yield from _latencies(seen)
        yield from _limits(seen, self.writes_per_day)
        yield from _sweeps(seen)
        problems = {problem.kind for problem in find_problems(seen, self.refusal)}
        yield _gauges(
            "problem",
            "1 while there is a problem of that kind.",
            "kind",
            {kind.value: kind in problems for kind in ProblemKind},
        )


def _queue(seen: Overview) -> Iterator[Metric]:
    queue = seen.queue
    oldest = queue.oldest_live
    age = 0.0 if oldest is None else (seen.now - oldest).total_seconds()
    yield _gauge("queue_files", "Files to be looked at, now or later.", queue.depth)
    yield _gauge("queue_due_files", "Files to be looked at now.", queue.due)
    documentation = "For how long the oldest file has been due, those of a backfill left out."
    yield _gauge("queue_oldest_due_seconds", documentation, age)
    unfinished = {o.value: seen.unfinished.get(o, 0) for o in UNFINISHED_OUTCOMES}
    documentation = "Files that failed, were refused or wait, and will be looked at again."
    yield _gauges("unfinished_files", documentation, "outcome", unfinished)
    documentation = "Files that carried the comment when they were last seen."
    yield _gauge("in_review_files", documentation, seen.in_review)


def _ended(seen: Overview) -> Iterator[Metric]:
    yield _counter("events_accepted", "Events and listed files to be looked at.", seen.accepted)
    yield _counter("events_echoes", "Events about our own comments.", seen.echoes)
    documentation = "Outcomes of events and listed files."
    ended = CounterMetricFamily("reconciler_outcomes", documentation, labels=("outcome", "reason"))
    for labels, number in sorted(seen.ended.items()):
        ended.add_metric(labels, number)
    yield ended


def _latencies(seen: Overview) -> Iterator[Metric]:
    documentation = "Marked updates by what detected them first."
    updates = CounterMetricFamily("reconciler_updates", documentation, labels=("source",))
    for source in Source:
        updates.add_metric((source.value,), seen.number_from(source))
    yield updates
    documentation = "Updates that no delivery announced: found by a sweep only."
    yield _counter("missed_updates", documentation, seen.number_from(Source.SWEEP))
    documentation = "Latency from the save of a file to our comment."
    latencies = HistogramMetricFamily(
        "reconciler_update_latency_seconds", documentation, labels=("source",)
    )
    for source, latency in seen.latencies.items():
        buckets, total = [], 0
        for bound in BOUNDS:
            total += latency.buckets.get(bound, 0)
            buckets.append((f"{bound}.0", total))
        latencies.add_metric((source.value,), [*buckets, ("+Inf", latency.number)], latency.seconds)
    yield latencies


def _limits(seen: Overview, writes_per_day: int) -> Iterator[Metric]:
    until = seen.paused_until
    seconds = 0.0 if until is None else (until - seen.now).total_seconds()
    yield _gauge("pause_seconds", "Seconds until the end of a pause.", seconds)
    documentation = "Comments that may still be set within 24 hours."
    yield _gauge("writes_remaining", documentation, max(writes_per_day - seen.written, 0))


def _sweeps(seen: Overview) -> Iterator[Metric]:
    yield _gauge(
        "incomplete_folders", "Rooms that could not be read to the end.", seen.incomplete_folders
    )
    if not seen.sweeps:
        return
    last = seen.sweeps[0]
    yield _gauge("sweep_timestamp_seconds", "When the last sweep began.", last.began.timestamp())
    yield _gauge("sweep_duration_seconds", "The duration of the last sweep.", last.seconds)
    yield _gauge("sweep_requests", "Requests of the last sweep.", last.requests)
    yield _gauge("sweep_scanned_files", "Files that the last sweep read.", last.scanned)
    yield _gauge("sweep_enqueued_files", "Files that the last sweep enqueued.", last.enqueued)
    yield _gauge("sweep_success", "Whether the last sweep was completed.", not last.error)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"reconciler_{name}", documentation, value=value)


def _gauges(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    gauge = GaugeMetricFamily(f"reconciler_{name}", documentation, labels=(label,))
    for value, number in values.items():
        gauge.add_metric((value,), number)
    return gauge


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(f"reconciler_{name}", documentation, value=value)
