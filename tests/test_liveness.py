"""Every wait ends with its cause: random disruptions; a minute after their end everything is
marked.

The sandbox portal over HTTP, the receiver, the ledger on disk, the worker and the sweep are run as
by the daemon, on two clocks: the portal's and ours. Disruptions of every kind begin and end at
random while users save; then, within one sweep interval and five seconds of our clock, every update
in scope is marked and `status` finds no problem. Nothing sleeps.

`RECONCILER_TEST_EXAMPLES` asks for more histories than the few of a normal run.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model import Quota
from reconciler.sandbox import Fault
from tests.support_disruptions import DAY, DISRUPTIONS, LOOKS, Disruption, another_key, once
from tests.support_liveness import EVERY, MOMENT, PROBE, Life, life

EXAMPLES = int(os.environ.get("RECONCILER_TEST_EXAMPLES", "10"))
MOMENTS = st.sampled_from((0, 1, 3, 7, 20, 45, 59, 61, 130, 400))
LASTING = st.sampled_from((1, 5, 20, 32, 61, 150, 300, 900, 3600, 4 * 3600))
HAPPENING = st.tuples(st.sampled_from(sorted(DISRUPTIONS)), MOMENTS, LASTING)
ACT = st.tuples(MOMENTS, st.integers(0, 3), st.sampled_from(("save", "save", "say")), st.booleans())


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
)
@given(
    disruptions=st.lists(HAPPENING, min_size=1, max_size=3, unique_by=lambda one: one[0]),
    acts=st.lists(ACT, min_size=1, max_size=8),
    later=st.lists(ACT, max_size=4),
    ahead=st.sampled_from((0, 0, 0, 31 * DAY)),
)
def test_every_wait_ends_with_its_cause(
    disruptions: list[tuple[str, int, int]],
    acts: list[tuple[int, int, str, bool]],
    later: list[tuple[int, int, str, bool]],
    ahead: int,
) -> None:
    """Whatever was disrupted, and for however long: a minute later every update is marked."""
    happenings: list[tuple[float, Callable[[Life], object]]] = []
    for name, begins, lasts in disruptions:
        happenings.append((begins, DISRUPTIONS[name].begin))
        happenings.append((begins + lasts, DISRUPTIONS[name].end))
    over = max(moment for moment, _ in happenings)
    for moment, number, what, arrives in acts:
        happenings.append((moment, acting(number, what, arrives=arrives)))
    for moment, number, what, arrives in later:
        happenings.append((max(over - moment, 0), acting(number, what, arrives=arrives)))
    with tempfile.TemporaryDirectory() as folder, life(Path(folder) / "ledger.db") as a:
        begin_ahead(a, ahead)
        play(a, happenings)
        a.rest()


def acting(number: int, what: str, *, arrives: bool) -> Callable[[Life], object]:
    def act(a: Life) -> None:
        getattr(a, what)(a.files[number], arrives=arrives)

    return act


def begin_ahead(a: Life, seconds: int) -> None:
    """Make the first sweep with a portal whose clock is ahead; then set it right."""
    a.here.clock.advance(seconds)
    a.here.skew -= timedelta(seconds=seconds)
    a.run(0)
    a.here.clock.advance(-seconds)
    a.here.skew += timedelta(seconds=seconds)
    a.next_probe = a.here.clock()


def play(a: Life, happenings: list[tuple[float, Callable[[Life], object]]]) -> None:
    """Let everything happen at its time, and let time pass in between."""
    passed = 0.0
    for moment, act in sorted(happenings, key=lambda one: one[0]):
        a.pass_time(moment - passed)
        passed = moment
        act(a)
        a.here.clock.advance(1)  # no two things happen in one second


# The disruptions whose waits once outlived them, one by one.


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Life]:
    """A world with one file, half a minute after the first sweep."""
    with life(tmp_path / "ledger.db", files=1) as a:
        a.run(30)
        yield a


def marked_within(a: Life, seconds: float) -> bool:
    a.run(seconds)
    return a.unmarked() == {}


def during(a: Life, disruption: Disruption, seconds: float) -> None:
    """Save during a disruption that lasts so long."""
    disruption.begin(a)
    a.save(a.files[0])
    a.pass_time(seconds)
    assert a.unmarked(), "the disruption had no effect"
    disruption.end(a)


@pytest.mark.parametrize("kind", ["looks 500", "looks 502", "writes 500", "writes reset"])
@pytest.mark.parametrize("seconds", [20, 32, 60, 300, 3600])
def test_an_outage_is_noticed_to_be_over(alone: Life, kind: str, seconds: float) -> None:
    """The end of an outage is noticed within a twelfth of its duration, at most thirty seconds."""
    during(alone, DISRUPTIONS[kind], seconds)
    assert marked_within(alone, max(MOMENT, min(seconds / 12, 30) + 1))
    assert alone.problems() == []


@pytest.mark.parametrize("status", [400, 408, 421, 425])
@pytest.mark.parametrize("times", [1, 3])
def test_a_refusal_from_in_between_costs_seconds(alone: Life, status: int, times: int) -> None:
    """After a refusal that may not be the portal's, the first three retries are quick."""
    once(*[status] * times).begin(alone)
    alone.save(alone.files[0])
    assert marked_within(alone, 2**times + 1)


@pytest.mark.parametrize("spent", [1, 2])
def test_a_limit_that_is_raised_counts_after_the_restart(alone: Life, spent: int) -> None:
    """A raised limit counts after the restart for live updates, whatever was used up."""
    for _ in range(spent):
        alone.save(alone.files[0])
        assert marked_within(alone, MOMENT)
    alone.restart(quota=Quota(spent, 1))
    alone.save(alone.files[0])
    alone.run(600)
    assert alone.unmarked()
    assert "limits.writes_per_day" in alone.problems()[0]
    alone.restart(quota=Quota(spent + 2, 1))
    assert marked_within(alone, 1)
    assert alone.problems() == []


def test_a_pause_of_a_day_is_the_accounts(alone: Life) -> None:
    """A pause of a day survives a restart, and ends with another account's key."""
    alone.save(alone.files[0])
    alone.here.portal.faults.add(Fault("GET", "throttle_day", retry_after=DAY))
    alone.run(5)
    alone.restart(key=alone.here.portal.add_key(alone.here.bot))
    assert not marked_within(alone, 600)
    another_key(alone)
    assert marked_within(alone, 1)


@pytest.mark.parametrize(("route", "pause"), [(*LOOKS, 7), (*LOOKS, 100), ("GET files/rooms", 100)])
def test_a_pause_ends_when_the_portal_said(alone: Life, route: str, pause: int) -> None:
    """At the end of a pause due files are processed, and the sweep finds the others."""
    alone.here.portal.faults.add(Fault(route, "throttle_day", retry_after=pause))
    alone.run(29.5)
    alone.save(alone.files[0], arrives=route != "GET files/rooms")
    alone.run(pause - 2)
    assert alone.unmarked()
    assert marked_within(alone, 3 + MOMENT)


@pytest.mark.parametrize("jump", ["clock two hours ahead", "clock ten years ahead"])
@pytest.mark.parametrize("other", ["away", "throttled", "writes 500", "dead key"])
@pytest.mark.parametrize("restarts", [True, False])
def test_a_clock_that_was_ahead_at_the_start_leaves_no_wait(
    tmp_path: Path, jump: str, other: str, restarts: bool
) -> None:
    """A clock that was ahead at the start leaves no wait once it is right."""
    with life(tmp_path / "ledger.db", files=1) as a:
        DISRUPTIONS[jump].begin(a)
        a.restart()
        during(a, DISRUPTIONS[other], 9)
        a.run(1)
        a.save(a.files[0])
        DISRUPTIONS[jump].end(a)
        if restarts:
            a.restart()
        a.run((a.calm - a.here.clock()).total_seconds())
        assert marked_within(a, PROBE)
        assert a.problems() == []


@pytest.mark.parametrize("hours", [-6, -24 * 400])
def test_a_clock_that_is_set_back_under_load_goes_on(tmp_path: Path, hours: int) -> None:
    """A clock that is set back under load delays no update, announced or not."""
    with life(tmp_path / "ledger.db", files=12) as a:
        a.run(30)
        for number, file in enumerate(a.files):
            a.save(file, arrives=number % 2 == 0)
            if number == 6:
                a.here.skew = timedelta(hours=hours)
            a.run(0.5)
        assert marked_within(a, EVERY + MOMENT)
        assert a.problems() == []


@pytest.mark.parametrize("lasts", [90, 500])
def test_files_that_wait_to_be_written_need_no_other_to_go_first(
    tmp_path: Path, lasts: float
) -> None:
    """If the files kept for probing writes are reviewed meanwhile, others are probes."""
    with life(tmp_path / "ledger.db", files=10) as a:
        a.run(30)
        DISRUPTIONS["writes 500"].begin(a)
        for file in a.files:
            a.save(file)
        a.run(lasts)
        for file in a.files[:6]:
            a.here.portal.comment(file, "Approved", by=a.here.bob)
            a.answered.add(file)
        assert a.here.server.drain()
        a.run(30)
        DISRUPTIONS["writes 500"].end(a)
        assert marked_within(a, EVERY + MOMENT)


def test_one_file_of_which_no_look_works_holds_up_no_other(tmp_path: Path) -> None:
    """A single file whose looks fail delays no other: another file shows the portal works."""
    with life(tmp_path / "ledger.db", files=2) as a:
        first, other = a.files
        a.save(other)
        a.run(30)
        a.here.portal.on_request = lambda _, __, file: broken(file == first)
        a.save(first)
        for _ in range(10):
            a.run(60)
            a.save(other)
            a.run(MOMENT)
            assert set(a.unmarked()) == {first}
        assert not any("unavailable" in words for words in a.problems())


def broken(is_so: bool) -> None:
    if is_so:
        raise ConnectionResetError


@pytest.mark.parametrize("kind", ["looks 500", "writes 500", "away"])
def test_restarts_in_an_outage_are_no_fault_of_the_files(alone: Life, kind: str) -> None:
    """A known outage stays known after a restart, and is not the files' own failure."""
    DISRUPTIONS[kind].begin(alone)
    alone.here.portal.save(alone.files[0], by=alone.here.ann)
    alone.saved.add(alone.files[0])
    for _ in range(6):
        alone.run(60)
        alone.restart()
    alone.run(60)
    DISRUPTIONS[kind].end(alone)
    assert marked_within(alone, 31)
    alone.rest()
