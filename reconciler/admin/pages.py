"""What each path answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from reconciler.admin.app import Page, Pages
from reconciler.admin.metrics import METRICS, Requests, exposition
from reconciler.ledger import Ledger, unwritable, verdict


@dataclass(frozen=True)
class Subject:
    """What is watched. ``alive`` tells which parts run, ``requests`` what the portal was asked."""

    ledger: Ledger
    clock: Callable[[], datetime]
    alive: Callable[[], Mapping[str, bool]]
    requests: Callable[[], Requests]
    writes_per_day: int


def pages_of(subject: Subject) -> Pages:
    """Return what makes the page of each path."""
    return {
        "/": _index,
        "/healthz": lambda: healthz(subject),
        "/readyz": lambda: readyz(subject),
        "/metrics": lambda: metrics(subject),
    }


def healthz(subject: Subject) -> Page:
    """Say whether all parts of the process run."""
    dead = [name for name, runs in subject.alive().items() if not runs]
    if dead:
        return _unavailable([f"{name} has ended" for name in dead])
    return Page("ok\n")


def readyz(subject: Subject) -> Page:
    """Say whether updates are marked now, else every reason why not, one a line."""
    now = subject.clock()
    refusal = subject.ledger.health.refusal(now)
    problems = [] if refusal is None else [unwritable(refusal)]
    # Where it cannot be read either, the application says so.
    problems += verdict(subject.ledger.health.overview(now, shown=1))
    reasons = [f"{one.kind}: {one.words}" for one in problems if one.is_grave]
    return _unavailable(reasons) if reasons else Page("ready\n")


def metrics(subject: Subject) -> Page:
    """Return the numbers as Prometheus reads them."""
    text = exposition(
        lambda: subject.ledger.health.overview(subject.clock(), shown=1),
        subject.requests(),
        subject.writes_per_day,
    )
    return Page(text, kind=METRICS)


def _index() -> Page:
    return Page("/healthz\n/readyz\n/metrics\n")


def _unavailable(reasons: list[str]) -> Page:
    lines = (" ".join(reason.split()) for reason in reasons)
    return Page("".join(f"{line}\n" for line in lines), HTTPStatus.SERVICE_UNAVAILABLE)
