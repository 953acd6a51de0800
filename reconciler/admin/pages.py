"""What each path answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from reconciler.admin.app import Page, Pages, Query
from reconciler.admin.metrics import METRICS, Requests, exposition
from reconciler.admin.operation import operation_page, unreadable_page
from reconciler.admin.rendering import View
from reconciler.admin.review import parse_query, read_reviews, review_page
from reconciler.diagnostics import Problem, ProblemKind, find_problems
from reconciler.errors import LedgerError
from reconciler.formats import shown
from reconciler.ledger import WEBHOOK, Ledger


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
        "/": lambda _: operation(context),
        "/review": lambda query: review(context, query),
        "/healthz": lambda _: healthz(context),
        "/readyz": lambda _: readyz(context),
        "/metrics": lambda _: metrics(context),
    }


def operation(context: AdminContext) -> Page:
    """Tell how the service is doing, also when the ledger cannot be read."""
    ledger, now = context.ledger, context.clock()
    problems = _ended(context)
    try:
        refusal = ledger.refusal()
        seen = ledger.health.overview(now)
        webhook = ledger.settings.get(WEBHOOK)
    except LedgerError as error:
        problems.append(Problem(ProblemKind.LEDGER, f"the ledger cannot be read: {error}"))
        return unreadable_page(View(now, context.portal, problems))
    # The page shows the webhook by itself, with all that is known of it.
    found = find_problems(seen, refusal)
    problems += [one for one in found if one.kind is not ProblemKind.WEBHOOK]
    if webhook is not None and webhook.has_problem:
        problems.append(Problem(ProblemKind.WEBHOOK, webhook.reason, webhook.hint))
    view = View(now, context.portal, problems)
    return operation_page(view, seen, webhook, context.writes_per_day)


def review(context: AdminContext, query: Query) -> Page:
    """Tell what waits for a review. Where the ledger cannot be read, the other view says so."""
    ledger, now = context.ledger, context.clock()
    problems = _ended(context)
    try:
        refusal = ledger.refusal()
        seen = ledger.health.overview(now, shown=1)
        data = read_reviews(ledger, parse_query(query), seen.in_review)
    except LedgerError:
        return operation(context)
    problems += find_problems(seen, refusal)
    return review_page(View(now, context.portal, problems), data)


def _ended(context: AdminContext) -> list[Problem]:
    ended = dead(context)
    return [Problem(ProblemKind.IDLE, one, "see the log, and restart") for one in ended]


def dead(context: AdminContext) -> list[str]:
    """Return which parts of the process have ended."""
    return [f"{name} has ended" for name, runs in context.alive().items() if not runs]


def healthz(context: AdminContext) -> Page:
    """Say whether all parts of the process run."""
    ended = dead(context)
    return _unavailable(ended) if ended else Page("ok\n")


def readyz(context: AdminContext) -> Page:
    """Say whether updates are marked now, else every reason why not, one per line."""
    ledger, now = context.ledger, context.clock()
    refusal = ledger.refusal()
    # Where the ledger cannot be read either, the application says so.
    problems = find_problems(ledger.health.overview(now, shown=1), refusal)
    reasons = [f"{one.kind}: {one}" for one in problems if one.is_blocking]
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
