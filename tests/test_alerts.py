"""Which problems are sent as alerts: computed from an overview, without side effects."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.diagnostics import ProblemKind, find_alerts, find_problems
from reconciler.ledger import Notified, OutageRecord, Overview
from reconciler.ledger.records import Queue
from reconciler.model import OutageKind, Outcome
from tests.support_ledger import MINUTE, NOW, opened

WAITS = {Outcome.WAITING: 1}
DUE = Queue(depth=1, due=1, due_live=1, oldest_live=NOW - 11 * MINUTE)


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Overview]:
    """The overview of an empty ledger."""
    with opened(tmp_path) as ledger:
        yield ledger.health.overview(NOW)


def kinds(seen: Overview) -> list[ProblemKind]:
    """Return the kinds of the alerts that are sent."""
    return [problem.kind for problem in find_alerts(seen, find_problems(seen))]


def outage(kind: OutageKind, minutes: int) -> tuple[OutageRecord, ...]:
    """Return an outage that began so many minutes ago."""
    return (OutageRecord(kind, NOW - minutes * MINUTE, "it says so"),)


def test_nothing_is_sent_where_nothing_runs(seen: Overview) -> None:
    """Without a running daemon no alert is due: no process would send it."""
    assert [problem.kind for problem in find_problems(seen)] == [ProblemKind.NO_SERVE]
    assert kinds(seen) == []


def test_what_only_a_person_ends_is_sent_at_once(seen: Overview) -> None:
    """What only a person can end is sent at once: a dead key, a disabled or deleted webhook, texts
    that look like the portal's.
    """
    wrong = replace(
        seen,
        outages=outage(OutageKind.DEAD_KEY, 0),
        webhook="the webhook is disabled; enable it",
        unknown_texts=("Opgeslagen",),
    )
    assert kinds(wrong) == [ProblemKind.DEAD_KEY, ProblemKind.WEBHOOK, ProblemKind.TEXTS]


@pytest.mark.parametrize(("minutes", "sent"), [(9, []), (10, [ProblemKind.UNAVAILABLE])])
def test_a_portal_that_is_away_is_sent_after_ten_minutes(
    minutes: int, sent: list[ProblemKind], seen: Overview
) -> None:
    """An unavailable portal is sent after ten minutes; shorter outages end by themselves."""
    away = replace(seen, outages=outage(OutageKind.LOOKS, minutes), unfinished=WAITS)
    assert kinds(away) == sent


def test_a_portal_that_is_away_while_nothing_waits_is_not_sent(seen: Overview) -> None:
    """An unavailable portal is not sent while no update waits."""
    assert kinds(replace(seen, outages=outage(OutageKind.LOOKS, 60))) == []


def test_a_queue_of_which_nothing_is_marked_is_sent(seen: Overview) -> None:
    """A queue of which nothing is marked is sent as the problem that explains it."""
    assert kinds(replace(seen, queue=DUE)) == [ProblemKind.BACKLOG]


def test_a_queue_that_is_worked_off_slowly_is_not_sent(seen: Overview) -> None:
    """A queue is not sent as long as something was marked within ten minutes."""
    busy = replace(seen, queue=DUE, last_marked_at=NOW - 5 * MINUTE)
    assert kinds(busy) == []
    assert kinds(replace(busy, last_marked_at=NOW - 11 * MINUTE)) == [ProblemKind.BACKLOG]


def test_an_address_that_fails_is_a_harmless_problem(seen: Overview) -> None:
    """An address that fails is a non-blocking problem with a hint, and causes no alert."""
    failing = Notified("address 2 (mailto)", NOW, failing_since=NOW, failed_at=NOW, error="refused")
    overview = replace(seen, unreachable=(failing,))
    (problem,) = [one for one in find_problems(overview) if one.kind is ProblemKind.NOTIFY]
    assert problem.is_harmless
    assert str(problem) == (
        "address 2 (mailto) of notify.urls_file cannot be notified since "
        "2025-11-24 09:15:42 UTC: refused -> run: reconciler notify test"
    )
    assert kinds(overview) == []
