"""The pages by their paths: the two views, health, readiness and metrics."""

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
    """What the pages read. ``alive`` returns which parts of the daemon run.

    ``requests`` returns the numbers of requests to the portal; ``portal`` is its address.
    """

    ledger: Ledger
    clock: Callable[[], datetime]
    alive: Callable[[], Mapping[str, bool]]
    requests: Callable[[], Requests]
    writes_per_day: int
    portal: str


def pages_of(context: AdminContext) -> Pages:
    """Return the function that makes the page of each path."""
    return {
        "/": lambda _: operation(context),
        "/review": lambda query: review(context, query),
        "/healthz": lambda _: healthz(context),
        "/readyz": lambda _: readyz(context),
        "/metrics": lambda _: metrics(context),
    }


def operation(context: AdminContext) -> Page:
    """Return the operator's view, also when the ledger cannot be read."""
    ledger, now = context.ledger, context.clock()
    problems = _ended(context)
    try:
        refusal = ledger.refusal()
        seen = ledger.health.overview(now)
        webhook = ledger.settings.get(WEBHOOK)
    except LedgerError as error:
        problems.append(Problem(ProblemKind.LEDGER, f"the ledger cannot be read: {error}"))
        return unreadable_page(View(now, context.portal, problems))
    # The record of the webhook has more than the problem found in the overview.
    found = find_problems(seen, refusal)
    problems += [one for one in found if one.kind is not ProblemKind.WEBHOOK]
    if webhook is not None and webhook.has_problem:
        problems.append(Problem(ProblemKind.WEBHOOK, webhook.reason, webhook.hint))
    view = View(now, context.portal, problems)
    return operation_page(view, seen, webhook, context.writes_per_day)


def review(context: AdminContext, query: Query) -> Page:
    """Return the reviewer's view, or the operator's where the ledger cannot be read."""
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
    ended = ended_parts(context)
    return [Problem(ProblemKind.IDLE, one, "see the log, and restart") for one in ended]


def ended_parts(context: AdminContext) -> list[str]:
    """Return the parts of the daemon that have ended, a sentence each."""
    return [f"{name} has ended" for name, runs in context.alive().items() if not runs]


def healthz(context: AdminContext) -> Page:
    """Answer whether all parts of the daemon run."""
    ended = ended_parts(context)
    return _unavailable(ended) if ended else Page("ok\n")


def readyz(context: AdminContext) -> Page:
    """Answer whether updates are marked now; if not, with every reason, one per line."""
    ledger, now = context.ledger, context.clock()
    refusal = ledger.refusal()
    # Where the ledger cannot be read either, the application answers with that error.
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
    # Errors may contain texts of the portal, and a terminal may show them.
    lines = (shown(" ".join(reason.split())) for reason in reasons)
    return Page("".join(f"{line}\n" for line in lines), HTTPStatus.SERVICE_UNAVAILABLE)
