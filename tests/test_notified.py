"""What the ledger stores for notifications: what each address was sent, and which files are new."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.ledger import NOTIFIED, Ledger, Notified, ReviewFilter, ReviewState
from tests import support_ledger as kit
from tests.support_ledger import HOUR, MINUTE, NOW, SECOND, mark

FAILING = Notified("address 1", NOW, failures=1, failing_since=NOW, failed_at=NOW, error="refused")
LONG = 365 * 24 * HOUR


def test_what_an_address_was_told_is_read_back_as_it_was_written(ledger: Ledger) -> None:
    """The record of an address is read back as written, with its dates and alerts."""
    stored = {"a": replace(FAILING, alerts={"dead_key": "no"}), "b": Notified("address 2", NOW)}
    ledger.settings.set(NOTIFIED, stored)
    assert ledger.settings.get(NOTIFIED) == stored


def test_what_another_version_wrote_counts_as_never_told(tmp_path: Path, ledger: Ledger) -> None:
    """A record in another version's format counts as missing: the address starts anew."""
    ledger.settings.set(NOTIFIED, {"a": FAILING})
    kit.sql(tmp_path, """UPDATE settings SET value = '{"a": "{}"}' WHERE name = 'notified'""")
    assert ledger.settings.get(NOTIFIED) == {}


def test_the_newly_marked_are_those_of_the_span(ledger: Ledger) -> None:
    """The newly marked files are those after the span's beginning, up to and including its end."""
    for number in range(4):
        mark(ledger, number, NOW + number * MINUTE)
    wanted = ReviewFilter(marked=(NOW, NOW + 2 * MINUTE))
    found = ledger.reviews.page(ReviewState.WAITING, wanted)
    assert ([one.file_id for one in found.files], found.total) == ([1, 2], 2)


def test_a_failing_address_is_told_in_the_overview(ledger: Ledger) -> None:
    """A failing address is in the overview as long as it is configured and retried."""
    ledger.settings.set(NOTIFIED, {"a": FAILING, "b": Notified("address 2", NOW)})
    assert ledger.health.overview(NOW + MINUTE).unreachable == (FAILING,)
    assert ledger.health.overview(NOW + 3 * HOUR).unreachable == ()


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(1, MINUTE), (2, 2 * MINUTE), (6, 32 * MINUTE), (7, HOUR), (1000, HOUR)],
)
def test_a_failing_address_is_tried_more_and_more_rarely(failures: int, wait: timedelta) -> None:
    """A failing address is retried after a minute, doubling to an hour."""
    failing = replace(FAILING, failures=failures)
    assert not failing.is_due(NOW + wait - SECOND)
    assert failing.is_due(NOW + wait)


def test_a_failure_in_the_future_holds_nothing_up() -> None:
    """A failure in the future, before the clock was set back, delays no message."""
    assert FAILING.is_due(NOW - LONG)
