"""Every fault of the portal, during a look and during a write: nothing is lost.

Each fault happens once, or for ten minutes of a clock that the tests advance; then the portal
works.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.client import DocSpace, Transport
from reconciler.model import Outcome, Rule
from reconciler.sandbox import Fault
from tests.support_ledger import totals
from tests.world import TARGET, World, world

LOOK, WRITE = "GET files/file/{id}", "PUT files/file/{id}/comment"
DAY, OUTAGE, PROBE = 86_400, 600, 15
FAULTS = {
    "500": Fault("", "status", status=500),
    "502 with a page": Fault("", "status", status=502),
    "503": Fault("", "status", status=503),
    "402, unpaid": Fault("", "status", status=402),
    "429 of the minute": Fault("", "throttle"),
    "429 of the day": Fault("", "throttle_day", retry_after=DAY),
    "a page instead of JSON": Fault("", "html"),
    "no JSON": Fault("", "not_json"),
    "half an answer": Fault("", "truncated"),
    "an empty answer": Fault("", "empty"),
    "a redirect": Fault("", "redirect"),
    "a reset before": Fault("", "reset_before"),
    "a reset after": Fault("", "reset_after"),
    "a stall": Fault("", "stall", seconds=30.0),
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """The small world, with a client that has a short timeout."""
    with world(tmp_path / "ledger.db") as built:
        hasty = DocSpace(Transport(built.server.url, built.key, timeout=0.4))
        built.work_with(hasty)
        built.stack.callback(hasty.close)
        yield built


def effective(here: World, file: int) -> int:
    """Return how many writes took effect."""
    return sum(one.after == TARGET != one.before for one in here.portal.comment_writes(file))


def added_up(here: World) -> bool:
    """Return whether every accepted event has ended in one counted outcome or is pending."""
    counts = totals(here.ledger)
    return counts.accepted == counts.pending + sum(counts.ended.values())


EMPTY = "an empty answer"  # to a write it is no fault: a look confirms that it was done


@pytest.mark.parametrize(
    ("name", "route"),
    [
        (name, route)
        for name in FAULTS
        for route in (LOOK, WRITE)
        if (name, route) != (EMPTY, WRITE)
    ],
)
def test_a_fault_is_made_good_with_one_write(here: World, name: str, route: str) -> None:
    """After a single fault of any kind the comment is set within two days, and written once."""
    fault = FAULTS[name]
    here.portal.save(here.file, by=here.ann)
    here.portal.faults.add(
        Fault(route, fault.kind, 1, fault.status, fault.retry_after, fault.seconds)
    )
    (first,) = here.settle()
    assert first.result.outcome in {Outcome.FAILED, Outcome.WAITING}
    assert first.result.error
    here.settle(2 * DAY)
    assert (here.comment(), effective(here, here.file)) == (TARGET, 1)
    assert added_up(here)


def test_a_write_that_is_answered_with_nothing_is_confirmed_by_a_look(here: World) -> None:
    """A write whose answer has no text is confirmed by a look, at once and for one request."""
    here.portal.save(here.file, by=here.ann)
    here.portal.faults.add(Fault(WRITE, "empty", 1))
    before = here.portal.count("GET")
    (first,) = here.settle()
    assert first.result.outcome is Outcome.MARKED
    assert here.portal.count("GET") - before == 2
    assert (here.comment(), effective(here, here.file)) == (TARGET, 1)


@pytest.mark.parametrize("name", FAULTS)
def test_a_persons_word_after_a_fault_of_the_write_is_kept(here: World, name: str) -> None:
    """A person's comment typed after a faulty write is kept, whether it took effect or not."""
    fault = FAULTS[name]
    here.portal.save(here.file, by=here.ann)
    here.portal.faults.add(
        Fault(WRITE, fault.kind, 1, fault.status, fault.retry_after, fault.seconds)
    )
    here.settle()
    here.portal.comment(here.file, "Approved", by=here.bob)
    here.settle(2 * DAY)
    assert here.comment() == "Approved"


def test_an_event_that_waited_for_the_very_first_answer_is_no_old_update(here: World) -> None:
    """An event accepted while the first key did not work for a week is no old update."""
    here.portal.disable_key(here.key)
    here.portal.save(here.file, by=here.ann)
    here.settle(6 * DAY)
    here.portal.lock(here.file, by=here.bot)
    here.settle(DAY)
    here.portal.enable_key(here.key)
    here.settle(PROBE)
    assert here.comment() == TARGET


# The classes of 403, docspace.md 5: met by the look, or only by the write.

Act = Callable[[World], object]
REFUSALS: dict[str, tuple[Act, Rule]] = {
    "locked by someone else": (lambda w: w.portal.lock(w.file, by=w.ann), Rule.LOCKED),
    "in the trash": (lambda w: w.portal.trash(w.file, by=w.ann), Rule.UNREADABLE),
    "deleted": (lambda w: w.portal.delete(w.file, by=w.ann), Rule.GONE),
    "in an archived room": (lambda w: w.portal.archive_room(w.room), Rule.SECTION),
    "no right to comment": (lambda w: w.portal.invite(w.room, w.bot, access=2), Rule.FORBIDDEN),
    "no member any more": (lambda w: w.portal.invite(w.room, w.bot, access=0), Rule.UNREADABLE),
}


@pytest.mark.parametrize("when", ["before the look", "between look and write"])
@pytest.mark.parametrize("name", REFUSALS)
def test_each_class_of_403_ends_in_its_own_outcome(here: World, name: str, when: str) -> None:
    """Each class of 403 has its own outcome, and the next file is marked at once."""
    act, rule = REFUSALS[name]
    room = int(here.portal.add_room("Sales", owner=here.ann))
    here.portal.invite(room, here.bot, access=9)
    other = int(here.portal.create(room, "Other.docx", by=here.ann))
    here.clock.advance(10)
    here.portal.save(here.file, by=here.ann)
    if when == "before the look":
        act(here)
    else:
        here.before_put(lambda: act(here))
    assert here.settle()[-1].rule is rule
    here.portal.save(other, by=here.ann)
    here.settle()
    assert (effective(here, here.file), effective(here, other)) == (0, 1)
    assert added_up(here)


# Ten minutes without a portal.

OUTAGES: dict[str, Callable[[World], None]] = {
    "nobody listens": lambda w: setattr(w.portal, "down", True),
    "503": lambda w: w.portal.faults.add(Fault("*", "status", times=None, status=503)),
    "a page of the proxy": lambda w: w.portal.faults.add(Fault("*", "html", times=None)),
    "unpaid": lambda w: w.portal.faults.add(Fault("*", "status", times=None, status=402)),
    "a dead key": lambda w: w.portal.disable_key(w.key),
}


@pytest.mark.parametrize("name", OUTAGES)
def test_ten_minutes_of_outage_cost_a_probe_now_and_then_and_no_attempts(
    here: World, name: str
) -> None:
    """During ten minutes of outage with a save every half minute each event is accepted, only
    probes are sent, no attempts are counted, and all is marked within one probe interval after it.
    """
    files = [int(here.portal.create(here.room, f"{n}.docx", by=here.ann)) for n in range(20)]
    here.clock.advance(60)
    asked = len(here.portal.requests)
    OUTAGES[name](here)
    for file in files:
        here.portal.save(file, by=here.ann)
        for _ in range(30):
            here.settle(1)
    probes = len(here.portal.requests) - asked
    assert probes <= 2 * (OUTAGE / PROBE + 5)
    assert totals(here.ledger).pending == len(files)
    assert max(here.ledger.entry(file).attempts for file in files) <= 5
    here.portal.down = False
    here.portal.faults.clear()
    here.portal.enable_key(here.key)
    here.settle(PROBE)
    assert [here.comment(file) for file in files] == [TARGET] * len(files)
    assert Counter(effective(here, file) for file in files) == {1: len(files)}
    assert added_up(here)
