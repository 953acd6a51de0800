"""What a page of a listing asks the ledger to write, and what of it the ledger applies."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.decision import Policy
from reconciler.ledger import Baseline, EnqueueOptions, Ledger, ListedFile, RowChange
from reconciler.model import Outcome
from reconciler.sweep.planning import PageContext, plan_changes
from tests.support_ledger import (
    HOUR,
    NOW,
    SECOND,
    a_file,
    claimed,
    event,
    permit,
    result,
    totals,
)
from tests.world import TARGET

pytestmark = pytest.mark.usefixtures("each_database")
OPTIONS = EnqueueOptions()
BASELINE = Baseline(NOW - 24 * HOUR, NOW, portal_known=True)
CARRIES_OURS = a_file(comment=TARGET)


def plan(ledger: Ledger, after: timedelta = SECOND, **changes: Any) -> list[RowChange]:
    """Plan for a page with one file, read ``after`` the beginning."""
    now = NOW + after
    page = PageContext(Policy(target=TARGET), OPTIONS, now, now)
    rows = ledger.listings.rows([1], BASELINE)
    return plan_changes([replace(CARRIES_OURS, **changes)], rows, page)


def apply(ledger: Ledger, changes: list[RowChange]) -> list[ListedFile]:
    """Apply the changes a moment later."""
    return ledger.listings.apply(changes, OPTIONS, NOW + 2 * SECOND)


def is_due(ledger: Ledger) -> bool:
    """Return whether the file is due."""
    return ledger.count_due(NOW + HOUR) == 1


def test_a_settling_is_applied_to_the_row_that_was_read(ledger: Ledger) -> None:
    """The file is settled as ours, and nothing is due."""
    (listed,) = apply(ledger, plan(ledger))
    assert listed.outcome is Outcome.ALREADY
    assert (ledger.entry(1).marked_by_us, is_due(ledger)) == (True, False)


def test_nothing_is_settled_in_a_row_that_changed_since_it_was_read(ledger: Ledger) -> None:
    """An event came between: the file is due, so that the worker looks, and it is counted."""
    changes = plan(ledger)
    ledger.record(event(), NOW + SECOND)
    (listed,) = apply(ledger, changes)
    assert listed.outcome is None
    assert (ledger.entry(1).settled, is_due(ledger)) == (None, True)
    assert totals(ledger).pending == 2


def test_nothing_is_settled_in_a_row_that_was_claimed_since_it_was_read(ledger: Ledger) -> None:
    """The worker keeps its claim, and the file is due again when it ends."""
    ledger.record(event(), NOW)
    changes = plan(ledger)
    claim = claimed(ledger, NOW + SECOND)
    permit(ledger, claim, NOW + SECOND)
    assert apply(ledger, changes)[0].outcome is None
    assert ledger.entry(1).settled is None
    assert ledger.claims.finish(claim, result(), NOW + 3 * SECOND)
    assert is_due(ledger)


def test_a_plan_for_what_is_settled_already_asks_for_nothing(ledger: Ledger) -> None:
    """A page that brings nothing new costs no transaction."""
    apply(ledger, plan(ledger))
    (change,) = plan(ledger, after=HOUR)
    assert (change.writes, change.listed.outcome) == (False, Outcome.ALREADY)


def test_a_listing_hurries_no_file_that_waits_for_its_lock(ledger: Ledger) -> None:
    """It counts as waiting, and keeps its time."""
    ledger.record(event(), NOW)
    waiting = result(Outcome.WAITING, retry_at=NOW + 5 * HOUR, seen=a_file(locked=True))
    ledger.claims.finish(claimed(ledger, NOW + SECOND), waiting, NOW + SECOND)
    (change,) = plan(ledger, after=HOUR, comment="Edited", locked=True)
    assert (change.writes, change.listed.outcome) == (False, Outcome.WAITING)


def test_an_item_whose_file_is_in_work_asks_for_a_look(ledger: Ledger) -> None:
    """Even where it carries our comment."""
    ledger.record(event(), NOW)
    claimed(ledger, NOW + SECOND)
    (change,) = plan(ledger, after=2 * SECOND)
    assert (change.makes_due, change.listed.outcome) == (True, None)
