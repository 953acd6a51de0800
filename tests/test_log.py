"""The log: a run of equal failures is one line, then one a minute with a count."""

import pytest
import structlog

from reconciler.service.log import Repeats
from tests.world import Clock


class Seconds(Clock):
    """Seconds since the start, as a monotonic clock tells them."""

    def seconds(self) -> float:
        return self.now.timestamp()


def failure(error: str = "disk full") -> dict[str, object]:
    """Return a line as it comes to the filter."""
    return {"event": "delivery_refused", "reason": "ledger", "error": error}


def test_a_run_of_equal_failures_is_one_line() -> None:
    """The second of a run within a minute is dropped."""
    repeats = Repeats(Seconds().seconds)
    assert repeats(None, "error", failure()) == failure()
    with pytest.raises(structlog.DropEvent):
        repeats(None, "error", failure())


def test_after_a_minute_the_count_is_told() -> None:
    """The run goes on: one line a minute, with how many there were."""
    clock = Seconds()
    repeats = Repeats(clock.seconds)
    repeats(None, "error", failure())
    for _ in range(4):
        with pytest.raises(structlog.DropEvent):
            repeats(None, "error", failure())
    clock.advance(61)
    assert repeats(None, "error", failure())["times"] == 5


def test_another_failure_is_another_run() -> None:
    """What differs in its error is told at once."""
    repeats = Repeats(Seconds().seconds)
    repeats(None, "error", failure())
    assert repeats(None, "error", failure("locked")) == failure("locked")


def test_what_is_no_failure_is_never_dropped() -> None:
    """Every mark is a line."""
    repeats = Repeats(Seconds().seconds)
    line = {"event": "marked", "file": 7}
    assert [repeats(None, "info", line) for _ in range(3)] == [line] * 3
