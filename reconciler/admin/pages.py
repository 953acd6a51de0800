"""What each path answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from reconciler.admin.app import Page, Pages
from reconciler.admin.metrics import METRICS, Requests, exposition
from reconciler.admin.status import StatusPageData, rendered
from reconciler.diagnostics import Problem, ProblemKind, find_problems, unwritable_problem
from reconciler.errors import LedgerError
from reconciler.ledger import WEBHOOK, Ledger
from reconciler.model import shown


@dataclass(frozen=True)
class AdminContext:
    """What is watched. ``alive`` tells which parts run, ``requests`` what the portal was asked.

    ``portal`` is its address, to link to.
    """

    ledger: Ledger
    clock: Callable[[], datetime]
    alive: Callable[[], Mapping[str, bool]]
    requests: Callable[[], Requests]
    writes_per_day: int
    portal: str


def pages_of(subject: AdminContext) -> Pages:
    """Return what makes the page of each path."""
    return {
        "/": lambda: status(subject),
        "/healthz": lambda: healthz(subject),
        "/readyz": lambda: readyz(subject),
        "/metrics": lambda: metrics(subject),
    }


def status(subject: AdminContext) -> Page:
    """Tell everything to a person, also when the ledger cannot be read."""
    ledger, now = subject.ledger, subject.clock()
    problems = [
        Problem(ProblemKind.IDLE, name, "see the log, and restart") for name in dead(subject)
    ]
    try:
        refusal = ledger.refusal()
        seen = ledger.health.overview(now)
        webhook = ledger.settings.get(WEBHOOK)
    except LedgerError as error:
        problems.append(Problem(ProblemKind.LEDGER, f"the ledger cannot be read: {error}"))
        return rendered(StatusPageData(now, subject.portal, tuple(problems)))
    problems += [] if refusal is None else [unwritable_problem(refusal)]
    # The page tells of the webhook by itself, with all that is known of it.
    problems += [one for one in find_problems(seen) if one.kind is not ProblemKind.WEBHOOK]
    limit = subject.writes_per_day
    return rendered(StatusPageData(now, subject.portal, tuple(problems), seen, webhook, limit))


def dead(subject: AdminContext) -> list[str]:
    """Return which parts of the process have ended."""
    return [f"{name} has ended" for name, runs in subject.alive().items() if not runs]


def healthz(subject: AdminContext) -> Page:
    """Say whether all parts of the process run."""
    ended = dead(subject)
    return _unavailable(ended) if ended else Page("ok\n")


def readyz(subject: AdminContext) -> Page:
    """Say whether updates are marked now, else every reason why not, one a line."""
    now = subject.clock()
    refusal = subject.ledger.refusal()
    problems = [] if refusal is None else [unwritable_problem(refusal)]
    # Where it cannot be read either, the application says so.
    problems += find_problems(subject.ledger.health.overview(now, shown=1))
    reasons = [f"{one.kind}: {one}" for one in problems if one.is_grave]
    return _unavailable(reasons) if reasons else Page("ready\n")


def metrics(subject: AdminContext) -> Page:
    """Return the numbers as Prometheus reads them."""
    now, health = subject.clock(), subject.ledger.health
    text = exposition(
        lambda: health.overview(now, shown=1),
        subject.requests(),
        subject.writes_per_day,
        subject.ledger.refusal(),
    )
    return Page(text, kind=METRICS)


def _unavailable(reasons: list[str]) -> Page:
    # Some words are the portal's, and a terminal may show them.
    lines = (shown(" ".join(reason.split())) for reason in reasons)
    return Page("".join(f"{line}\n" for line in lines), HTTPStatus.SERVICE_UNAVAILABLE)
