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


def pages_of(context: AdminContext) -> Pages:
    """Return what makes the page of each path."""
    return {
        "/": lambda: status(context),
        "/healthz": lambda: healthz(context),
        "/readyz": lambda: readyz(context),
        "/metrics": lambda: metrics(context),
    }


def status(context: AdminContext) -> Page:
    """Tell everything to a person, also when the ledger cannot be read."""
    ledger, now = context.ledger, context.clock()
    problems = [
        Problem(ProblemKind.IDLE, name, "see the log, and restart") for name in dead(context)
    ]
    try:
        refusal = ledger.refusal()
        seen = ledger.health.overview(now)
        webhook = ledger.settings.get(WEBHOOK)
    except LedgerError as error:
        problems.append(Problem(ProblemKind.LEDGER, f"the ledger cannot be read: {error}"))
        return rendered(StatusPageData(now, context.portal, tuple(problems)))
    problems += [] if refusal is None else [unwritable_problem(refusal)]
    # The page tells of the webhook by itself, with all that is known of it.
    problems += [one for one in find_problems(seen) if one.kind is not ProblemKind.WEBHOOK]
    limit = context.writes_per_day
    return rendered(StatusPageData(now, context.portal, tuple(problems), seen, webhook, limit))


def dead(context: AdminContext) -> list[str]:
    """Return which parts of the process have ended."""
    return [f"{name} has ended" for name, runs in context.alive().items() if not runs]


def healthz(context: AdminContext) -> Page:
    """Say whether all parts of the process run."""
    ended = dead(context)
    return _unavailable(ended) if ended else Page("ok\n")


def readyz(context: AdminContext) -> Page:
    """Say whether updates are marked now, else every reason why not, one a line."""
    now = context.clock()
    refusal = context.ledger.refusal()
    problems = [] if refusal is None else [unwritable_problem(refusal)]
    # Where it cannot be read either, the application says so.
    problems += find_problems(context.ledger.health.overview(now, shown=1))
    reasons = [f"{one.kind}: {one}" for one in problems if one.is_grave]
    return _unavailable(reasons) if reasons else Page("ready\n")


def metrics(context: AdminContext) -> Page:
    """Return the numbers as Prometheus reads them."""
    now, health = context.clock(), context.ledger.health
    text = exposition(
        lambda: health.overview(now, shown=1),
        context.requests(),
        context.writes_per_day,
        context.ledger.refusal(),
    )
    return Page(text, kind=METRICS)


def _unavailable(reasons: list[str]) -> Page:
    # Some words are the portal's, and a terminal may show them.
    lines = (shown(" ".join(reason.split())) for reason in reasons)
    return Page("".join(f"{line}\n" for line in lines), HTTPStatus.SERVICE_UNAVAILABLE)
