"""What the ledger knows of files and what is due: one row per file, whatever happens to the
process.
"""

import stat
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from reconciler.errors import LedgerError
from reconciler.ledger import BACKFILL, LAST_DELIVERY, EnqueueOptions, Ledger
from reconciler.model import (
    EPOCH,
    SECOND,
    AttemptResult,
    Claim,
    Entry,
    File,
    Intent,
    OutageKind,
    Outcome,
    Quota,
    Revision,
    Rule,
    Source,
    WriteGrant,
)
from tests import postgres
from tests.support_ledger import (
    HOUR,
    LEASE,
    MINUTE,
    NOW,
    PORTAL,
    REVISION,
    SAVED,
    SQLITE_ONLY,
    a_file,
    attempt,
    begin_write,
    claimed,
    event,
    in_work,
    is_root,
    marked,
    next_due,
    opened,
    result,
    sql,
    tables,
    totals,
    url,
    writes_in_a_day,
)

DUE = NOW + SECOND
pytestmark = pytest.mark.usefixtures("each_database")
NEWER = replace(REVISION, version=3)


def balance(ledger: Ledger) -> tuple[int, int, int]:
    """Return how many events were accepted, have ended and are pending."""
    counts = totals(ledger)
    return counts.accepted, sum(counts.ended.values()), counts.pending


# Events in.


def test_an_event_makes_its_file_due_at_once(ledger: Ledger) -> None:
    """An event makes its file due at once: a save in the same second is recognised by its text."""
    assert next_due(ledger) is None
    assert ledger.record(event(), NOW) is True
    assert next_due(ledger) == NOW
    assert ledger.claims.take(NOW - timedelta(microseconds=1), 10, LEASE) == []
    assert [claim.entry.id for claim in ledger.claims.take(NOW, 10, LEASE)] == [1]


@pytest.mark.parametrize(("later", "due"), [(0.2, 1), (0.999, 1), (1, 1), (5, 5)])
def test_a_file_is_looked_at_no_more_often_than_once_a_second(
    ledger: Ledger, later: float, due: float
) -> None:
    """A file is looked at once a second at most: a later event waits until then."""
    ledger.record(event(), NOW)
    ledger.claims.finish(claimed(ledger, NOW), result(), NOW)
    ledger.record(event(), NOW + later * SECOND)
    assert next_due(ledger) == NOW + due * SECOND


def test_a_look_that_lies_ahead_holds_nothing_up(ledger: Ledger) -> None:
    """A last look in the future, after the clock was set back, does not delay an event."""
    ledger.record(event(), NOW + HOUR)
    ledger.claims.finish(claimed(ledger, NOW + HOUR), result(), NOW + HOUR)
    ledger.record(event(), NOW)
    assert next_due(ledger) == NOW


@pytest.mark.parametrize(
    "dates", [(None, SAVED), (SAVED, None), (SAVED, SAVED - SECOND), (SAVED - SECOND, SAVED)]
)
def test_the_newest_date_that_was_announced_is_kept(
    ledger: Ledger, dates: tuple[datetime | None, ...]
) -> None:
    """The newest announced date is kept, since deliveries come in any order, some without a date; a
    look older than it is early.
    """
    for date in dates:
        ledger.record(event(modified=date), NOW)
    claim = claimed(ledger, NOW)
    assert claim.entry.announced_date == SAVED
    assert claim.entry.announced
    ledger.claims.finish(claim, result(), NOW)
    assert ledger.entry(1).announced_date is None
    assert not ledger.entry(1).announced


def test_many_events_of_one_file_are_one_look(ledger: Ledger) -> None:
    """Many events of one file are one look, and all end with it."""
    for _ in range(50):
        ledger.record(event(), NOW)
    ledger.claims.finish(claimed(ledger, DUE), result(), DUE)
    assert balance(ledger) == (50, 50, 0)
    assert next_due(ledger) is None
    facts = ledger.file_row(1)
    assert facts is not None
    assert (facts["events"], facts["looks"]) == (50, 1)


def test_a_burst_does_not_put_the_look_off(ledger: Ledger) -> None:
    """In a burst of events the file stays due from the first of them."""
    for second in range(20):
        ledger.record(event(), NOW + second * SECOND)
    assert [claim.entry.id for claim in ledger.claims.take(NOW, 10, LEASE)] == [1]


def test_the_newest_title_is_shown(ledger: Ledger) -> None:
    """The row has the title of the newest event."""
    ledger.record(event(title="a.docx"), NOW)
    ledger.record(event(title="b.docx"), NOW)
    facts = ledger.file_row(1)
    assert facts is not None
    assert facts["name"] == "b.docx"


def test_an_event_brings_a_waiting_file_back_at_once(ledger: Ledger) -> None:
    """An event makes a waiting file due at once: its lock may have been released."""
    later = DUE + 6 * HOUR
    attempt(ledger, result(Outcome.WAITING, retry_at=later, attempts=7))
    assert next_due(ledger) == later
    ledger.record(event(), NOW + MINUTE)
    assert next_due(ledger) == NOW + MINUTE
    assert ledger.entry(1).attempts == 0


def test_a_file_never_heard_of_is_a_blank_entry(ledger: Ledger) -> None:
    """An unknown file is an entry with an id alone, and reading it creates no row."""
    assert ledger.entry(9) == Entry(9)
    assert ledger.file_row(9) is None


def test_the_last_delivery_is_known_whatever_becomes_of_its_file(ledger: Ledger) -> None:
    """The time of the last delivery is kept when a sweep finds its file again, and when the file's
    row is pruned.
    """
    ledger.record(event(), NOW)
    ledger.claims.finish(claimed(ledger, NOW), result(), NOW)
    ledger.listings.enqueue([1], EnqueueOptions(), NOW + HOUR)
    assert ledger.settings.get(LAST_DELIVERY) == NOW
    ledger.claims.finish(claimed(ledger, NOW + HOUR), result(), NOW + HOUR)
    assert ledger.prune(NOW + 2 * HOUR) == 1
    assert ledger.settings.get(LAST_DELIVERY) == NOW


@pytest.mark.parametrize(("after", "known"), [(0.9, 0), (1, 1), (-3600, -3600)])
def test_the_last_delivery_is_stored_once_a_second(
    ledger: Ledger, after: float, known: float
) -> None:
    """The time of the last delivery is right to the second, also after the clock was set back."""
    ledger.record(event(), NOW)
    ledger.record(event(), NOW + timedelta(seconds=after))
    assert ledger.settings.get(LAST_DELIVERY) == NOW + timedelta(seconds=known)


def test_an_event_from_the_delivery_log_is_no_delivery(ledger: Ledger) -> None:
    """An event from the portal's delivery log is no delivery, even while a delivery about the same
    file is pending.
    """
    ledger.record(event(), NOW, Source.LOG)
    assert ledger.settings.get(LAST_DELIVERY) is None
    ledger.record(event(), NOW + MINUTE)
    ledger.record(event(), NOW + HOUR, Source.LOG)
    assert ledger.settings.get(LAST_DELIVERY) == NOW + MINUTE


# Echoes.


def test_our_own_settled_write_is_an_echo(ledger: Ledger) -> None:
    """An event by the key's owner with the settled revision's date is an echo: no row is due."""
    ledger.set_owner("bot")
    attempt(ledger, marked())
    assert ledger.record(event(author="bot"), DUE + SECOND) is False
    assert next_due(ledger) is None
    assert (totals(ledger).echoes, balance(ledger)) == (1, (1, 1, 0))


def test_the_write_under_way_is_an_echo_already(ledger: Ledger) -> None:
    """The event of a write under way is an echo too: it may arrive before the PUT's answer."""
    ledger.set_owner("bot")
    begin_write(ledger, in_work(ledger), DUE)
    assert ledger.record(event(author="bot"), DUE) is False


@pytest.mark.parametrize(
    "changes", [{"author": "ann"}, {"modified": SAVED + SECOND}, {"modified": None}]
)
def test_anything_else_is_no_echo(ledger: Ledger, changes: dict[str, Any]) -> None:
    """An event by another author, or of a save between look and write, is no echo."""
    ledger.set_owner("bot")
    attempt(ledger, marked())
    assert ledger.record(event(**{"author": "bot"} | changes), DUE) is True


def test_before_the_owner_is_known_nothing_is_an_echo(ledger: Ledger) -> None:
    """Before the owner is known no event is an echo; an additional look is harmless."""
    attempt(ledger, marked())
    assert ledger.owner() is None
    assert ledger.record(event(author=""), DUE) is True


# Claims.


def test_a_claimed_file_is_nobody_elses(ledger: Ledger) -> None:
    """A claimed file is not claimed again until its lease ends."""
    in_work(ledger)
    assert ledger.claims.take(DUE + LEASE - SECOND, 10, LEASE) == []


def test_no_more_is_claimed_than_asked_for(ledger: Ledger) -> None:
    """No more files are claimed than requested; the rest stays due."""
    for file in range(1, 6):
        ledger.record(event(file), NOW)
    assert len(ledger.claims.take(DUE, 2, LEASE)) == 2
    assert len(ledger.claims.take(DUE, 10, LEASE)) == 3


def test_an_expired_lease_returns_the_row(ledger: Ledger) -> None:
    """After the lease of a killed worker has expired its file is due again, with all its events."""
    old = in_work(ledger)
    new = claimed(ledger, DUE + LEASE)
    assert new.token != old.token
    assert new.entry == old.entry
    assert ledger.claims.finish(new, result(), DUE + LEASE) is True
    assert balance(ledger) == (1, 1, 0)


def test_a_lost_claim_may_neither_write_nor_finish(ledger: Ledger) -> None:
    """A worker that slept through its lease can neither write nor finish, and is told so."""
    old = in_work(ledger)
    new = claimed(ledger, DUE + LEASE)
    before = ledger.file_row(1)
    assert begin_write(ledger, old, DUE + LEASE) is WriteGrant.CLAIM_LOST
    assert ledger.claims.finish(old, marked(), DUE + LEASE) is False
    assert ledger.claims.release(old, DUE + LEASE) is False
    assert ledger.file_row(1) == before
    assert begin_write(ledger, new, DUE + LEASE) is WriteGrant.GRANTED


def test_an_ended_claim_may_do_nothing_more(ledger: Ledger) -> None:
    """A claim can be finished once."""
    claim = in_work(ledger)
    assert ledger.claims.finish(claim, result(), DUE) is True
    assert ledger.claims.finish(claim, result(), DUE) is False
    assert begin_write(ledger, claim, DUE) is WriteGrant.CLAIM_LOST
    assert balance(ledger) == (1, 1, 0)


def test_an_event_during_the_work_makes_the_file_due_again(ledger: Ledger) -> None:
    """An event during the work makes the file due again: the look may have been before the save."""
    claim = in_work(ledger)
    ledger.record(event(), DUE + SECOND / 2)
    assert next_due(ledger) == DUE + LEASE
    ledger.claims.finish(claim, result(), DUE + SECOND / 2)
    assert balance(ledger) == (2, 1, 1)
    assert next_due(ledger) == DUE + SECOND
    ledger.claims.finish(claimed(ledger, DUE + 2 * SECOND), result(), DUE + 3 * SECOND)
    assert balance(ledger) == (2, 2, 0)


def test_an_event_during_the_work_comes_before_a_later_try(ledger: Ledger) -> None:
    """If an event and a later try make a file due, the earlier time counts."""
    claim = in_work(ledger)
    ledger.record(event(), DUE)
    ledger.claims.finish(claim, result(Outcome.FAILED, retry_at=DUE + HOUR), DUE)
    assert next_due(ledger) == DUE + SECOND


def test_live_events_go_before_a_backfill(ledger: Ledger, tmp_path: Path) -> None:
    """A file with a live event is claimed before a backfill's file that has been due for longer."""
    ledger.record(event(1), NOW)
    ledger.record(event(2), NOW + MINUTE)
    sql(tmp_path, "UPDATE files SET priority = 1 WHERE id = 1")
    late = NOW + HOUR
    assert [ledger.claims.take(late, 1, LEASE)[0].entry.id for _ in range(2)] == [2, 1]


def test_an_event_about_a_backfills_file_is_due_since_the_event(ledger: Ledger) -> None:
    """An event about a file of a backfill is due since the event: the time for which the backfill
    had waited is no delay of the update.
    """
    ledger.listings.enqueue([1], EnqueueOptions(BACKFILL), NOW)
    ledger.record(event(), NOW + HOUR)
    assert ledger.health.overview(NOW + HOUR).queue.oldest_live == NOW + HOUR


def test_an_event_makes_a_backfills_file_a_live_one(ledger: Ledger, tmp_path: Path) -> None:
    """An event for a backfill's file makes it a live one."""
    ledger.record(event(1), NOW)
    ledger.record(event(2), NOW)
    sql(tmp_path, "UPDATE files SET priority = 1")
    ledger.record(event(2), NOW)
    assert ledger.claims.take(NOW + HOUR, 1, LEASE)[0].entry.id == 2


def test_a_claim_given_back_is_due_at_once(ledger: Ledger) -> None:
    """A claim that is given back is due at once, with all its events, as when a worker stops."""
    assert ledger.claims.release(in_work(ledger), DUE) is True
    assert next_due(ledger) == DUE
    ledger.claims.finish(claimed(ledger, DUE), result(), DUE)
    assert balance(ledger) == (1, 1, 0)


def test_the_claims_of_a_dead_process_are_released(tmp_path: Path) -> None:
    """The claims of a dead process are due at once, and can no longer be finished by it."""
    with opened(tmp_path) as dead:
        for file in (1, 2, 3):
            dead.record(event(file), NOW)
        old = dead.claims.take(DUE, 2, LEASE)
    with opened(tmp_path) as ledger:
        assert ledger.claims.release_orphaned(DUE) == 2
        assert ledger.claims.release_orphaned(DUE) == 0
        assert len(ledger.claims.take(DUE, 10, LEASE)) == 3
        assert ledger.claims.finish(old[0], result(), DUE) is False


# Writing.


def test_a_permit_is_an_intent_on_disk(tmp_path: Path) -> None:
    """A begun write is an intent on disk, by which the next look sees whether it happened."""
    with opened(tmp_path) as ledger:
        claim = in_work(ledger)
        until = DUE + HOUR
        assert ledger.claims.begin_write(claim, a_file(), DUE, until=until) is WriteGrant.GRANTED
    with opened(tmp_path) as ledger:
        entry = ledger.entry(1)
        assert entry.intent == Intent(REVISION, "Edited")
        assert (entry.marked_version, entry.touched_at) == (REVISION.version, DUE)
        assert entry.created == a_file().created
        assert next_due(ledger) == until
        assert ledger.claims.finish(claim, marked(), DUE) is True


def test_settling_closes_the_intent(ledger: Ledger) -> None:
    """A confirmed write settles its revision as marked and closes the intent."""
    claim = in_work(ledger)
    begin_write(ledger, claim, DUE)
    ledger.claims.finish(claim, marked(), DUE + SECOND)
    entry = ledger.entry(1)
    assert (entry.settled, entry.marked_by_us, entry.intent) == (REVISION, True, None)
    assert (entry.marked_version, entry.created) == (REVISION.version, a_file().created)
    assert entry.touched_at == DUE + SECOND
    facts = ledger.file_row(1)
    assert facts is not None
    assert (facts["marks"], facts["marked_at"], facts["outcome"]) == (1, DUE + SECOND, "marked")


def test_a_look_that_tells_no_creation_date_forgets_none(ledger: Ledger) -> None:
    """A look without a creation date keeps the known one."""
    attempt(ledger, marked())
    untold = result(Outcome.KEPT, seen=a_file(created=None), settled=True)
    attempt(ledger, untold, now=DUE)
    assert ledger.entry(1).created == a_file().created


def test_a_persons_word_settles_as_theirs(ledger: Ledger) -> None:
    """A person's comment settles the revision without `marked_by_us`."""
    attempt(ledger, result(Outcome.KEPT, seen=a_file(), settled=True))
    assert (ledger.entry(1).settled, ledger.entry(1).marked_by_us) == (REVISION, False)


def test_a_look_that_settles_nothing_leaves_what_was_settled(ledger: Ledger) -> None:
    """A look that settles nothing, as of a trashed file, keeps the settled revision."""
    attempt(ledger, marked())
    attempt(ledger, result(seen=a_file(revision=NEWER, title="new.docx")), now=DUE)
    entry = ledger.entry(1)
    assert (entry.settled, entry.marked_by_us) == (REVISION, True)


@pytest.mark.parametrize(("closes", "intent"), [(True, None), (False, Intent(REVISION, "Edited"))])
def test_only_a_definite_refusal_closes_the_intent(
    ledger: Ledger, closes: bool, intent: Intent | None
) -> None:
    """A lost answer leaves the intent open, a definite refusal closes it."""
    claim = in_work(ledger)
    begin_write(ledger, claim, DUE)
    failed = result(
        Outcome.FAILED, retry_at=DUE + MINUTE, clears_intent=closes, attempts=1, error="cut"
    )
    ledger.claims.finish(claim, failed, DUE)
    assert ledger.entry(1).intent == intent
    assert ledger.entry(1).attempts == 1
    facts = ledger.file_row(1)
    assert facts is not None
    assert (facts["error"], facts["outcome"]) == ("cut", "failed")


def test_a_reused_id_forgets_the_other_file(ledger: Ledger) -> None:
    """A file with another creation date resets what was settled for its id."""
    attempt(ledger, marked())
    attempt(ledger, result(is_new_identity=True), now=DUE)
    entry = ledger.entry(1)
    assert (entry.settled, entry.marked_by_us, entry.created) == (None, False, None)
    assert entry.marked_version is None


def test_forgetting_and_settling_go_together(ledger: Ledger) -> None:
    """Resetting the row and settling the new file's revision are one step."""
    attempt(ledger, marked())
    other = a_file(revision=Revision(1, SAVED, 5), created=SAVED, title="other.docx")
    kept = result(Outcome.KEPT, seen=other, settled=True, is_new_identity=True)
    attempt(ledger, kept, now=DUE)
    entry = ledger.entry(1)
    assert (entry.settled, entry.created) == (other.revision, SAVED)
    assert (entry.marked_version, entry.marked_by_us) == (None, False)


def test_a_permit_for_a_reused_id_forgets_too(ledger: Ledger) -> None:
    """Beginning a write for a reused id resets the row, so that a crash keeps no old settling."""
    attempt(ledger, marked())
    ledger.record(event(), DUE)
    claim = claimed(ledger, DUE + SECOND)
    other = a_file(created=SAVED, revision=Revision(1, SAVED, 5))
    begin_write(ledger, claim, DUE + SECOND, file=other, is_new_identity=True)
    entry = ledger.entry(1)
    assert (entry.settled, entry.marked_by_us, entry.marked_version) == (None, False, 1)
    assert (entry.created, entry.intent) == (SAVED, Intent(other.revision, "Edited"))


# The day's writes, and loops.


@pytest.mark.parametrize("ledger", [Quota(2, 2)], indirect=True)
def test_the_days_writes_are_limited(ledger: Ledger) -> None:
    """The day's writes are limited; a write counts when it begins, since failed ones count."""
    for file in (1, 2, 3):
        ledger.record(event(file), NOW)
    claims = ledger.claims.take(DUE, 3, 48 * HOUR)
    grants = [begin_write(ledger, claim, DUE) for claim in claims]
    assert grants == [WriteGrant.GRANTED, WriteGrant.GRANTED, WriteGrant.QUOTA_EXHAUSTED]
    assert writes_in_a_day(ledger, DUE) == 2
    assert ledger.entry(claims[2].entry.id).intent is None


def test_a_day_later_there_is_room_again(tmp_path: Path) -> None:
    """Writes are counted by the hour: never more than the limit in 24, and room after 25."""
    with opened(tmp_path, Quota(1, 1)) as ledger:
        for file in (1, 2):
            ledger.record(event(file), NOW)
        claim, other = ledger.claims.take(DUE, 2, 48 * HOUR)
        assert begin_write(ledger, claim, NOW) is WriteGrant.GRANTED
    with opened(tmp_path, Quota(1, 1)) as ledger:
        for hours in (1, 12, 24):
            assert begin_write(ledger, other, NOW + hours * HOUR) is WriteGrant.QUOTA_EXHAUSTED
        assert writes_in_a_day(ledger, NOW + 25 * HOUR) == 0
        assert begin_write(ledger, other, NOW + 25 * HOUR) is WriteGrant.GRANTED


@pytest.mark.parametrize("ledger", [Quota(1, 1)], indirect=True)
def test_exhausted_writes_hold_until_there_is_room(ledger: Ledger) -> None:
    """When the writes are used up nothing is claimed until the hour in which one is free."""
    for file in (1, 2):
        ledger.record(event(file), NOW)
    first, second = ledger.claims.take(DUE, 2, LEASE)
    begin_write(ledger, first, DUE)
    assert begin_write(ledger, second, DUE) is WriteGrant.QUOTA_EXHAUSTED
    ledger.claims.release(second, DUE)
    until = NOW.replace(minute=0, second=0) + 25 * HOUR
    assert ledger.claims.next_at(DUE) == ledger.next_write_at(DUE, backfill=False) == until
    assert ledger.claims.take(until - SECOND, 10, LEASE) == []
    claims = ledger.claims.take(until, 10, LEASE)
    assert begin_write(ledger, claims[-1], until) is WriteGrant.GRANTED


@pytest.mark.parametrize("raised", [2, 100])
def test_a_limit_that_is_raised_counts_at_once(tmp_path: Path, raised: int) -> None:
    """A raised limit counts at once, since the rest is computed from the current setting."""
    with opened(tmp_path, Quota(1, 1)) as ledger:
        for file in (1, 2):
            ledger.record(event(file), NOW)
        first, second = ledger.claims.take(DUE, 2, LEASE)
        begin_write(ledger, first, DUE)
        ledger.claims.release(second, DUE)
        assert ledger.claims.take(DUE, 1, LEASE) == []
    with opened(tmp_path, Quota(raised, raised)) as ledger:
        assert ledger.claims.next_at(DUE) == DUE
        assert len(ledger.claims.take(DUE, 1, LEASE)) == 1


@pytest.mark.parametrize("back", [2 * HOUR, 30 * HOUR, 4000 * 24 * HOUR])
@pytest.mark.parametrize("ledger", [Quota(1, 1)], indirect=True)
def test_writes_of_the_future_count_for_no_day(ledger: Ledger, back: timedelta) -> None:
    """Writes recorded for the future, before the clock was set back, are never counted."""
    for file in (1, 2, 3):
        ledger.record(event(file), DUE - back - SECOND)
    ahead, then, later = ledger.claims.take(DUE, 3, LEASE)
    assert begin_write(ledger, ahead, DUE) is WriteGrant.GRANTED
    assert writes_in_a_day(ledger, DUE - back) == 0
    assert begin_write(ledger, then, DUE - back) is WriteGrant.GRANTED
    assert begin_write(ledger, later, DUE - back) is WriteGrant.QUOTA_EXHAUSTED
    assert writes_in_a_day(ledger, DUE) == (1 if back < 24 * HOUR else 0)


def test_a_write_of_a_clock_that_is_a_little_ahead_counts(ledger: Ledger) -> None:
    """A write of a process whose clock is a little ahead is counted."""
    hour = DUE.replace(minute=0, second=0, microsecond=0)
    ledger.count_write(hour + SECOND)
    assert writes_in_a_day(ledger, hour - SECOND) == 1


@pytest.mark.parametrize("ledger", [Quota(per_day=10, backfill=1)], indirect=True)
def test_a_backfill_takes_no_more_than_its_share(ledger: Ledger) -> None:
    """A backfill uses no more than its share of writes; live events are claimed meanwhile."""
    ledger.record(event(1), NOW)
    claim = claimed(ledger, NOW)
    begin_write(ledger, claim, NOW)
    ledger.claims.finish(claim, marked(), NOW)
    ledger.listings.enqueue([2], EnqueueOptions(BACKFILL), NOW)
    assert ledger.claims.take(NOW, 10, LEASE) == []
    assert ledger.claims.next_at(NOW) == ledger.next_write_at(NOW, backfill=True) > NOW
    ledger.record(event(3), NOW)
    assert [claim.entry.id for claim in ledger.claims.take(NOW, 10, LEASE)] == [3]


def marked_again(ledger: Ledger, now: datetime, file: File | None = None) -> WriteGrant:
    """Let the comment be found undone: record, claim, begin the write, confirm it if granted."""
    ledger.record(event(), now)
    claim = claimed(ledger, now)
    seen = file or a_file()
    grant = begin_write(ledger, claim, now, file=seen)
    granted = grant is WriteGrant.GRANTED
    done = marked() if granted else result(Outcome.FAILED, retry_at=now + HOUR)
    ledger.claims.finish(claim, replace(done, seen=seen), now)
    return grant


def test_a_sixth_time_undone_is_a_loop(ledger: Ledger) -> None:
    """A comment undone for the sixth time is a loop: the file stops, no write is counted."""
    grants = [marked_again(ledger, NOW + minute * MINUTE) for minute in range(8)]
    assert grants == [WriteGrant.GRANTED] * 6 + [WriteGrant.LOOP] * 2
    assert writes_in_a_day(ledger, DUE) == 6


def test_writes_that_failed_are_no_loop(ledger: Ledger) -> None:
    """Failed writes are no loop: only a confirmed comment can be undone."""
    ledger.record(event(), NOW)
    claim = claimed(ledger, NOW)
    grants = {begin_write(ledger, claim, NOW + minute * MINUTE) for minute in range(20)}
    assert grants == {WriteGrant.GRANTED}


def test_a_loop_is_remembered_across_restarts(tmp_path: Path) -> None:
    """A loop is detected across restarts, since each write may be of another process."""
    grants = []
    for minute in range(7):
        with opened(tmp_path) as ledger:
            grants.append(marked_again(ledger, NOW + minute * MINUTE))
    assert grants == [WriteGrant.GRANTED] * 6 + [WriteGrant.LOOP]


def test_new_revisions_are_no_loop(ledger: Ledger) -> None:
    """Ten saves in ten minutes are ten writes and no loop, also over the same version."""
    for number in range(20):
        revision = Revision(2 + number // 2, SAVED + number * SECOND, 100)
        now = NOW + number * MINUTE
        assert marked_again(ledger, now, a_file(revision=revision)) is WriteGrant.GRANTED


def test_an_hour_later_it_is_no_loop_any_more(ledger: Ledger) -> None:
    """Five undone comments in one hour and five in the next are no loop."""
    for minute in range(6):
        marked_again(ledger, NOW + minute * MINUTE)
    assert marked_again(ledger, NOW + 60 * MINUTE) is WriteGrant.LOOP
    assert marked_again(ledger, NOW + 62 * MINUTE) is WriteGrant.GRANTED


def test_a_clock_that_was_set_back_ends_a_loop(ledger: Ledger) -> None:
    """A count of undone comments that began in the future, by a wrong clock, is ended."""
    for minute in range(8):
        marked_again(ledger, NOW + 6 * HOUR + minute * MINUTE)
    assert marked_again(ledger, NOW + 2 * HOUR) is WriteGrant.GRANTED


# Pause, origin.


def test_a_pause_survives_the_process(tmp_path: Path) -> None:
    """A pause that the portal asked for survives a restart."""
    until = NOW + 6 * HOUR
    with opened(tmp_path) as ledger:
        ledger.record(event(), NOW)
        ledger.pause(NOW, 6 * HOUR, "daily limit")
    with opened(tmp_path) as ledger:
        assert held(ledger, NOW) == (until, "daily limit")
        assert ledger.claims.next_at(NOW) == until
        assert ledger.claims.take(until - SECOND, 10, LEASE) == []
        assert len(ledger.claims.take(until, 10, LEASE)) == 1


def held(ledger: Ledger, now: datetime) -> tuple[datetime, str] | None:
    """Return the end of the pause, and its reason."""
    pause = ledger.paused(now)
    return None if pause is None else (pause.until, pause.reason)


def test_a_pause_is_never_shortened(ledger: Ledger) -> None:
    """A short limit met during a pause does not end it; a longer one extends it."""
    ledger.pause(NOW, HOUR, "long")
    ledger.pause(NOW, MINUTE, "short")
    assert held(ledger, NOW) == (NOW + HOUR, "long")
    ledger.pause(NOW, 2 * HOUR, "longer")
    assert held(ledger, NOW) == (NOW + 2 * HOUR, "longer")


@pytest.mark.parametrize("ahead", [SECOND, 2 * HOUR, timedelta(days=3650)])
def test_a_pause_that_began_ahead_of_now_is_none(ledger: Ledger, ahead: timedelta) -> None:
    """A pause that began in the future, by a wrong clock, is over."""
    ledger.pause(NOW + ahead, HOUR, "daily limit")
    assert held(ledger, NOW) is None
    ledger.pause(NOW, MINUTE, "short")
    assert held(ledger, NOW) == (NOW + MINUTE, "short")


def test_a_pause_belongs_to_the_keys_owner(ledger: Ledger) -> None:
    """A pause applies to the key's owner, as at the portal; another account is not paused."""
    ledger.set_owner("bot")
    ledger.pause(NOW, 24 * HOUR, "daily limit")
    assert held(ledger, NOW) is not None
    ledger.set_owner("other")
    assert held(ledger, NOW) is None
    ledger.set_owner("bot")
    assert held(ledger, NOW) is not None


def test_what_was_refused_to_one_account_is_tried_with_another(ledger: Ledger) -> None:
    """A file that was refused to one account is due for another, which may have the rights."""
    ledger.set_owner("bot")
    ledger.record(event(), NOW)
    refused = result(Outcome.REFUSED, retry_at=NOW + 24 * HOUR)
    ledger.claims.finish(claimed(ledger, NOW), refused, NOW)
    ledger.set_owner("bot")
    assert ledger.claims.take(NOW, 1, LEASE) == []
    ledger.set_owner("other")
    assert len(ledger.claims.take(NOW, 1, LEASE)) == 1


def test_what_waits_for_a_kind_of_request_is_released_together(ledger: Ledger) -> None:
    """Files that wait for one kind of request become due together; others do not."""
    waits = {1: OutageKind.LOOKS, 2: OutageKind.WRITES, 3: OutageKind.LOOKS, 4: None}
    for file in waits:
        ledger.record(event(file), NOW)
    for claim in ledger.claims.take(NOW, 9, LEASE):
        file = claim.entry.id
        failed = result(Outcome.FAILED, retry_at=NOW + HOUR, waits_for=waits[file])
        ledger.claims.finish(claim, replace(failed, attempts=9 if file == 3 else 1), NOW)
    assert ledger.claims.take(NOW, 9, LEASE) == []
    ledger.waits.release(OutageKind.LOOKS, NOW)
    assert [claim.entry.id for claim in ledger.claims.take(NOW, 9, LEASE)] == [1]


@pytest.mark.parametrize("again", [MINUTE, 6 * HOUR])
def test_waits_that_began_ahead_of_now_are_over(ledger: Ledger, again: timedelta) -> None:
    """A wait that began in the future, by a wrong clock, is due at once; others are kept."""
    wrong = NOW + 2 * HOUR
    for file in (1, 2, 3):
        ledger.record(event(file), wrong if file < 3 else NOW)
    waiting = result(Outcome.WAITING, retry_at=wrong + again)
    one, *_ = ledger.claims.take(wrong, 1, LEASE)
    ledger.claims.finish(one, waiting, wrong)
    ledger.waits.reset_future(NOW)
    claims = ledger.claims.take(NOW, 9, LEASE)
    assert {claim.entry.id for claim in claims} == {1, 2, 3}
    for claim in claims:
        ledger.claims.finish(claim, replace(waiting, retry_at=NOW + again), NOW)
    ledger.waits.reset_future(NOW)
    assert ledger.claims.take(NOW, 9, LEASE) == []


def test_events_are_recorded_while_paused(ledger: Ledger) -> None:
    """Events are recorded during a pause: only looks and writes stop."""
    ledger.pause(NOW, HOUR, "key")
    assert ledger.record(event(), NOW) is True
    assert balance(ledger) == (1, 0, 1)


def test_the_origin_is_fixed_once(tmp_path: Path) -> None:
    """The origin is fixed at the first sweep; later sweeps and restarts do not move it."""
    with opened(tmp_path) as ledger:
        assert ledger.has_origin() is False
        ledger.set_origin(NOW, 24 * HOUR)
    with opened(tmp_path) as ledger:
        ledger.set_origin(NOW + 48 * HOUR, HOUR)
        assert ledger.has_origin() is True
        assert ledger.entry(1).since == NOW - 24 * HOUR
        assert ledger.baseline().first_sweep == NOW


def test_a_rows_own_since_counts_when_it_is_earlier(ledger: Ledger, tmp_path: Path) -> None:
    """A row's own `since`, set by a backfill, counts if it is earlier than the origin."""
    ledger.set_origin(NOW, HOUR)
    ledger.record(event(), NOW)
    earlier = int((NOW - 9 * HOUR).timestamp()) * 1_000_000
    sql(tmp_path, "UPDATE files SET since = :earlier, overwrite = TRUE", earlier=earlier)
    entry = claimed(ledger, DUE).entry
    assert (entry.since, entry.overwrite) == (NOW - 9 * HOUR, True)


@pytest.mark.parametrize(
    ("outcome", "again", "kept"),
    [(Outcome.KEPT, None, False), (Outcome.FAILED, DUE + HOUR, True)],
)
def test_a_rows_own_since_lasts_as_long_as_it_is_due(
    ledger: Ledger, tmp_path: Path, outcome: Outcome, again: datetime | None, kept: bool
) -> None:
    """A row's own `since` lasts until the work for which the row became due has ended."""
    ledger.set_origin(NOW, HOUR)
    ledger.record(event(), NOW)
    sql(tmp_path, "UPDATE files SET since = 0, overwrite = TRUE")
    ledger.claims.finish(claimed(ledger, DUE), result(outcome, retry_at=again), DUE)
    assert (ledger.entry(1).since == EPOCH) is kept
    assert ledger.entry(1).overwrite is kept


# Counting.


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_ends_its_events_or_leaves_them_open(
    ledger: Ledger, outcome: Outcome
) -> None:
    """Each outcome ends the file's events, except waiting and failed, which are retried."""
    is_open = outcome in {Outcome.WAITING, Outcome.FAILED}
    attempt(ledger, result(outcome, retry_at=DUE + HOUR if is_open else None))
    assert balance(ledger) == ((1, 0, 1) if is_open else (1, 1, 0))
    assert totals(ledger).ended == ({} if is_open else {(outcome.value, outcome.value): 1})
    assert totals(ledger).due == int(is_open)


def test_a_look_without_an_event_is_no_ending(ledger: Ledger) -> None:
    """A look without an event counts no outcome: a daily look at a refused file is none."""
    ledger.record(event(), NOW)
    for day in range(3):
        now = DUE + day * 24 * HOUR
        refused = result(Outcome.REFUSED, retry_at=now + 24 * HOUR)
        ledger.claims.finish(claimed(ledger, now), refused, now)
    assert balance(ledger) == (1, 1, 0)


@pytest.mark.parametrize(("seconds", "counted"), [(0, 2), (10, 2), (11, 0), (None, 0)])
def test_kept_texts_are_counted(
    ledger: Ledger, tmp_path: Path, seconds: int | None, counted: int
) -> None:
    """Kept texts are counted by how soon after a save they stood, to find portal's texts."""
    read_at = None if seconds is None else SAVED + seconds * SECOND
    for file in (1, 2):
        ledger.record(event(file), NOW)
    for claim in ledger.claims.take(DUE, 10, LEASE):
        seen = a_file(comment="Redaguota", read_at=read_at)
        kept = result(Outcome.KEPT, reason=Rule.UNMARKED.value, seen=seen)
        ledger.claims.finish(claim, kept, DUE)
    assert sql(tmp_path, "SELECT text, number, within_seconds FROM texts") == [
        ("Redaguota", 2, counted)
    ]


def test_what_is_learned_of_the_portal_is_remembered(tmp_path: Path) -> None:
    """Whether the portal is known is stored; an unknown portal can become known later."""
    with opened(tmp_path) as ledger:
        assert ledger.baseline().portal_known is None
        ledger.set_portal_known(False)
        assert ledger.entry(1).portal_known is False
        ledger.set_portal_known(True)
    with opened(tmp_path) as ledger:
        ledger.record(event(), NOW)
        assert claimed(ledger, NOW).entry.portal_known is True


def test_every_comment_that_was_written_is_remembered(tmp_path: Path) -> None:
    """Every comment that was ever configured and written is remembered."""
    with opened(tmp_path) as ledger:
        assert ledger.targets() == frozenset()
        for target in ("Need Review", "Bitte prüfen", "Need Review"):
            ledger.add_target(target)
    with opened(tmp_path) as ledger:
        assert ledger.targets() == {"Need Review", "Bitte prüfen"}


def test_times_come_back_exactly(ledger: Ledger) -> None:
    """Times come back to the microsecond in UTC, whatever their zone was."""
    odd = datetime.fromisoformat("2025-11-24T12:15:42.123457+03:00")
    ledger.record(event(), odd)
    due = next_due(ledger)
    assert due == odd
    assert due is not None
    assert due.utcoffset() == timedelta(0)


# The database.


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    """Closing and opening the ledger changes nothing."""
    with opened(tmp_path) as ledger:
        ledger.set_owner("bot")
        for file in (1, 2):
            ledger.record(event(file), NOW)
        ledger.claims.finish(ledger.claims.take(DUE, 1, LEASE)[0], marked(), DUE)
        before = totals(ledger), ledger.entry(1), ledger.entry(2), next_due(ledger)
    with opened(tmp_path) as ledger:
        assert (totals(ledger), ledger.entry(1), ledger.entry(2), next_due(ledger)) == before
        assert ledger.owner() == "bot"


def test_a_closed_ledger_opens_no_connection_again(tmp_path: Path) -> None:
    """A closed ledger opens no connection, which nothing would close (a Python 3.13 warning)."""
    with opened(tmp_path) as ledger:
        ledger.record(event(), NOW)
    for ask in (ledger.baseline, ledger.owner, ledger.known_file):
        with pytest.raises(LedgerError, match="closed"):
            ask()
    with pytest.raises(LedgerError, match="closed"):
        ledger.record(event(), NOW)


def test_another_portal_is_refused(tmp_path: Path) -> None:
    """A ledger of another portal is refused, since its ids mean other files."""
    with opened(tmp_path) as ledger:
        ledger.set_owner("us")
    with pytest.raises(LedgerError, match=r"belongs to https://p\.example: give https://q\.ex"):
        Ledger(url(tmp_path), "https://q.example")
    with opened(tmp_path) as ledger:
        assert totals(ledger).accepted == 0


def test_a_mistyped_address_does_not_bind_the_ledger(tmp_path: Path) -> None:
    """A ledger is bound by the portal's first answer, so a mistyped address does not bind it."""
    Ledger(url(tmp_path), "https://mistyped.example").close()
    with opened(tmp_path) as ledger:
        ledger.set_origin(NOW, HOUR)
    with pytest.raises(LedgerError, match="belongs to"):
        Ledger(url(tmp_path), "https://mistyped.example")


def test_rows_that_hold_nothing_to_remember_are_pruned(tmp_path: Path) -> None:
    """Pruning deletes the rows of files that are gone; settled rows stay."""
    with opened(tmp_path) as ledger:
        for number in (1, 2, 3):
            ledger.record(event(number), NOW)
        gone, ours, due = ledger.claims.take(DUE, 3, LEASE)
        ledger.claims.finish(gone, AttemptResult(Outcome.SKIPPED, Rule.GONE.value), DUE)
        seen = a_file(ours.entry.id)
        ended = AttemptResult(Outcome.KEPT, "same", seen=seen, settled=True)
        ledger.claims.finish(ours, ended, DUE)
        ledger.claims.finish(
            due, AttemptResult(Outcome.WAITING, "locked", retry_at=DUE + HOUR), DUE
        )
        assert ledger.prune(DUE) == 0
        assert ledger.prune(DUE + HOUR) == 1
        assert ledger.file_row(gone.entry.id) is None
        assert ledger.entry(ours.entry.id).settled == seen.revision


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A newer schema is refused, with the way out; nothing is changed."""
    with opened(tmp_path):
        pass
    sql(tmp_path, "UPDATE settings SET value = '99' WHERE name = 'schema'")
    with pytest.raises(LedgerError, match=r"schema 99, this reconciler knows \d+: install"):
        Ledger(url(tmp_path), PORTAL)
    assert sql(tmp_path, "SELECT value FROM settings WHERE name = 'schema'") == [("99",)]


@pytest.mark.parametrize("schema", ["0", "x", ""])
def test_a_schema_that_is_none_is_told(tmp_path: Path, schema: str) -> None:
    """An invalid schema number, as after a manual change, is reported."""
    with opened(tmp_path):
        pass
    sql(tmp_path, "UPDATE settings SET value = :schema WHERE name = 'schema'", schema=schema)
    with pytest.raises(LedgerError, match="damaged"):
        Ledger(url(tmp_path), PORTAL)


@pytest.mark.parametrize("table", ["files", "users"])
def test_another_programs_database_is_refused(table: str, tmp_path: Path) -> None:
    """A database with another program's tables is refused and gets no tables of ours."""
    sql(tmp_path, f"CREATE TABLE {table} (id INTEGER)")
    with pytest.raises(LedgerError, match="another program"):
        Ledger(url(tmp_path), PORTAL)
    assert tables(tmp_path) == [table]


@SQLITE_ONLY
@pytest.mark.parametrize("content", [b"not a database" * 400, b"\0" * 4096, b"SQLite format 3\0x"])
def test_a_file_that_is_no_database_is_refused(content: bytes, tmp_path: Path) -> None:
    """A file that is no database is refused and not changed."""
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(LedgerError):
        Ledger(url(tmp_path), PORTAL)
    assert (tmp_path / "ledger.db").read_bytes() == content


@SQLITE_ONLY
def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    """Garbage in the pages is reported as a damaged ledger, not as a bug."""
    with opened(tmp_path) as ledger:
        ledger.record(event(), NOW)
    path = tmp_path / "ledger.db"
    data = bytearray(path.read_bytes())
    data[100:] = b"\xff" * (len(data) - 100)
    path.write_bytes(bytes(data))
    with pytest.raises(LedgerError):
        Ledger(url(tmp_path), PORTAL)


@SQLITE_ONLY
@pytest.mark.skipif(is_root(), reason="file modes do not bind root")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_folder_that_cannot_be_written_is_told(mode: int, tmp_path: Path) -> None:
    """A folder that cannot be written is reported, since the lock cannot be created."""
    folder = tmp_path / "folder"
    folder.mkdir(mode)
    with pytest.raises(LedgerError):
        Ledger(url(folder), PORTAL)


@SQLITE_ONLY
@pytest.mark.parametrize(
    "address",
    [
        *("", "nonsense", "sqlite://", "sqlite:///", "postgresql://u@127.0.0.1:1/db"),
        *("sqlite:///{}", "sqlite:///{}/none/ledger.db", "sqlite:///{}/file/ledger.db"),
    ],
)
def test_an_address_that_cannot_be_a_ledger_is_told(address: str, tmp_path: Path) -> None:
    """An invalid address, a directory, or a missing or wrong folder is reported."""
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError):
        Ledger(address.format(tmp_path), PORTAL)


@SQLITE_ONLY
def test_the_ledgers_files_are_their_owners_alone(tmp_path: Path) -> None:
    """The ledger's files are readable by their owner only, since they contain titles."""
    with opened(tmp_path) as ledger:
        ledger.record(event(), NOW)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert {"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}


@SQLITE_ONLY
def test_the_database_is_safe_against_power_loss(tmp_path: Path) -> None:
    """SQLite uses a write-ahead log with full sync; closing leaves one file."""
    with opened(tmp_path) as ledger:
        ledger.record(event(), NOW)
        assert sql(tmp_path, "PRAGMA journal_mode") == [("wal",)]
    assert not (tmp_path / "ledger.db-wal").exists()


# Any history.


class History(RuleBasedStateMachine):
    """Events, claims, endings, crashes and time in any order: nothing is lost or counted twice."""

    def __init__(self, address: str) -> None:
        """Create the folder of the ledgers."""
        super().__init__()
        self.place = address

    @initialize()
    def start(self) -> None:
        """Start with a new ledger."""
        self.folder = tempfile.TemporaryDirectory()
        self.address = f"sqlite:///{self.folder.name}/ledger.db"
        if not self.place.startswith("sqlite"):
            with postgres.schema(self.place) as self.address:
                pass
        self.now, self.accepted = NOW, 0
        self.claims: list[Claim] = []
        self.open()

    def open(self) -> None:
        """Open the ledger."""
        self.ledger = Ledger(self.address, PORTAL)

    @rule(file=st.integers(1, 3), repeat=st.integers(1, 3))
    def record(self, file: int, repeat: int) -> None:
        """Deliver events."""
        for _ in range(repeat):
            assert self.ledger.record(event(file), self.now)
        self.accepted += repeat

    @rule(seconds=st.sampled_from([0.25, 1, 5, 60, 130]))
    def wait(self, seconds: float) -> None:
        """Let time pass, sometimes more than a lease."""
        self.now += timedelta(seconds=seconds)

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        """Claim files."""
        self.claims += self.ledger.claims.take(self.now, limit, LEASE)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def begin_write(self, data: st.DataObject) -> None:
        """Begin a write."""
        begin_write(self.ledger, data.draw(st.sampled_from(self.claims)), self.now)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome), delay=st.none() | st.integers(0, 99))
    def finish(self, data: st.DataObject, outcome: Outcome, delay: int | None) -> None:
        """Finish a claim, perhaps a lost one."""
        claim = data.draw(st.sampled_from(self.claims))
        if outcome in {Outcome.WAITING, Outcome.FAILED}:
            delay = delay or 0
        again = None if delay is None else self.now + timedelta(seconds=delay)
        settled = outcome in {Outcome.MARKED, Outcome.KEPT}
        end = result(outcome, retry_at=again, seen=a_file(claim.entry.id), settled=settled)
        if self.ledger.claims.finish(claim, end, self.now):
            self.claims.remove(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        """Give a claim back."""
        self.ledger.claims.release(data.draw(st.sampled_from(self.claims)), self.now)

    @rule(release=st.booleans())
    def restart(self, release: bool) -> None:
        """Lose the process; its claims stay in the ledger, or are released."""
        self.ledger.close()
        self.open()
        if release:
            self.ledger.claims.release_orphaned(self.now)

    @invariant()
    def adds_up(self) -> None:
        """Every accepted event has ended once or is pending in a row that is due."""
        accepted, ended, pending = balance(self.ledger)
        assert accepted == self.accepted == ended + pending
        for file in (1, 2, 3):
            facts = self.ledger.file_row(file)
            assert facts is None or 0 <= facts["claimed"] <= facts["pending"]
            assert facts is None or not facts["pending"] or facts["due_at"] is not None

    def teardown(self) -> None:
        """A worker that continues alone ends everything with one look per file."""
        self.now += 10 * HOUR
        for claim in self.ledger.claims.take(self.now, 10, LEASE):
            assert self.ledger.claims.finish(claim, result(), self.now)
        assert balance(self.ledger) == (self.accepted, self.accepted, 0)
        assert next_due(self.ledger) is None
        self.ledger.close()
        self.folder.cleanup()


def test_any_history_adds_up(tmp_path: Path) -> None:
    """Fifteen histories of twenty steps each add up; on a server, which is slower, five."""
    place = url(tmp_path).partition("?")[0]
    number = 15 if place.startswith("sqlite") else 5
    once = settings(max_examples=number, stateful_step_count=20)
    run_state_machine_as_test(partial(History, place), settings=once)  # type: ignore[arg-type]
