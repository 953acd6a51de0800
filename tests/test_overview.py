"""The overview: what is due, waits, failed and needs review, how updates were detected, and what is
wrong.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.diagnostics import ProblemKind, find_alerts, find_problems
from reconciler.ledger import (
    BACKFILL,
    NEXT_SWEEP,
    SWEEP_BEGAN,
    WEBHOOK,
    EnqueueOptions,
    Ledger,
    LedgerSetting,
    Overview,
    Role,
    SweepRecord,
    WebhookRecord,
    WebhookState,
)
from reconciler.model import EPOCH, OutageKind, Outcome, Rule, Source
from tests import support_ledger as kit
from tests.support_ledger import HOUR, LEASE, MINUTE, NOW, SAVED, SECOND, a_file, claimed

pytestmark = pytest.mark.usefixtures("each_database")
DUE = NOW + SECOND
DAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


def see(ledger: Ledger, after: timedelta = SECOND) -> Overview:
    """Return the overview some time after the beginning."""
    return ledger.health.overview(NOW + after)


def sweep_finds(ledger: Ledger, file: int = 1, options: EnqueueOptions | None = None) -> None:
    """Let a listing find that a file must be marked."""
    found = a_file(file, room=7, updated_by_name="Ann Lee")
    kit.list_updates(ledger, [found], options or EnqueueOptions(), NOW)


def mark(ledger: Ledger, file: int = 1, **changes: Any) -> None:
    """Let the worker mark the only due file."""
    result = kit.marked(file)
    ledger.claims.finish(claimed(ledger, DUE), replace(result, **changes), DUE)


def kinds(seen: Overview) -> list[ProblemKind]:
    """Return the kinds of problems, except for the daemon that does not run in these tests."""
    return [
        problem.kind for problem in find_problems(seen) if problem.kind is not ProblemKind.NO_SERVE
    ]


# The queue and the files.


def test_an_empty_ledger_has_nothing_to_tell(ledger: Ledger) -> None:
    """An empty ledger has no queue, file or sweep, and only the problem that no daemon runs."""
    seen = see(ledger)
    assert (seen.queue.depth, seen.files, seen.reviews, seen.sweeps) == (0, (), (), ())
    assert [problem.kind for problem in find_problems(seen)] == [ProblemKind.NO_SERVE]


def test_the_queue_tells_what_is_due_and_since_when(ledger: Ledger) -> None:
    """The queue has the number of files, how many are due, since when, and the time of the next."""
    ledger.record(kit.event(1), NOW)
    ledger.record(kit.event(2), NOW + MINUTE)
    sweep_finds(ledger, 3, EnqueueOptions(BACKFILL))
    queue = see(ledger, 2 * SECOND).queue
    assert (queue.depth, queue.backfill, queue.due) == (3, 1, 2)
    assert (queue.oldest, queue.next) == (NOW, NOW + MINUTE)


def test_failed_files_come_before_waiting_ones_with_the_reason(ledger: Ledger) -> None:
    """Failed files come before waiting ones, each with the error and the next try."""
    for file in (1, 2):
        ledger.record(kit.event(file), NOW)
    waits, fails = ledger.claims.take(DUE, 2, LEASE)
    again = DUE + HOUR
    ledger.claims.finish(waits, kit.result(Outcome.WAITING, reason="locked", retry_at=again), DUE)
    failed = kit.result(Outcome.FAILED, reason="transient", error="no answer", retry_at=again)
    ledger.claims.finish(fails, replace(failed, attempts=2), DUE)
    seen = see(ledger)
    listed = [(one.file_id, one.outcome, one.reason, one.error, one.retry_at) for one in seen.files]
    assert listed == [
        (fails.entry.id, Outcome.FAILED, "transient", "no answer", again),
        (waits.entry.id, Outcome.WAITING, "locked", "", again),
    ]
    assert seen.unfinished == {Outcome.FAILED: 1, Outcome.WAITING: 1}
    assert kinds(seen) == [ProblemKind.FAILED]


def test_what_carries_our_comment_needs_review(ledger: Ledger) -> None:
    """A file that carries our comment needs review, with its room and who saved it, if known."""
    ledger.watermarks.set_room(7, NOW, "Legal")
    sweep_finds(ledger)
    look = a_file(folder=10, updated_by_name="Ann Lee")  # a look does not tell the room
    mark(ledger, seen=look)
    (review,) = see(ledger).reviews
    assert (review.file_id, review.title, review.author) == (1, "1.docx", "Ann Lee")
    assert (review.room, review.room_title) == (7, "Legal")
    assert (review.marked_at, review.updated) == (DUE, SAVED)


def test_a_file_that_moved_is_not_shown_in_its_old_room(ledger: Ledger) -> None:
    """A file that moved is not shown in its old room, since its new folder may be in any room."""
    sweep_finds(ledger)
    mark(ledger, seen=a_file(folder=11))
    assert see(ledger).reviews[0].room is None


def test_a_file_at_the_top_of_a_room_is_known_to_lie_there(ledger: Ledger) -> None:
    """A file whose folder is itself a listed room is known to be in that room."""
    ledger.watermarks.set_room(10, NOW, "Legal")
    ledger.record(kit.event(), NOW)
    mark(ledger)
    assert (see(ledger).reviews[0].room, see(ledger).reviews[0].room_title) == (10, "Legal")


def test_what_a_person_answered_needs_no_review(ledger: Ledger) -> None:
    """A file with a person's comment needs no review."""
    kit.attempt(ledger, kit.result(Outcome.KEPT, seen=a_file(comment="Approved"), settled=True))
    assert (see(ledger).in_review, see(ledger).reviews) == (0, ())


def test_lists_are_cut_and_have_the_newest_first(ledger: Ledger) -> None:
    """Lists have the newest entries first, as many as requested, and the number of all."""
    for file in range(1, 5):
        kit.attempt(ledger, kit.marked(file), file, NOW + file * MINUTE)
    seen = ledger.health.overview(NOW + HOUR, shown=2)
    assert [review.file_id for review in seen.reviews] == [4, 3]
    assert seen.in_review == 4


def test_the_last_mark_counts_whatever_became_of_its_file(ledger: Ledger) -> None:
    """The last mark is known although its file waited for review before, or a person has decided
    on it since.
    """
    assert see(ledger).last_marked_at is None
    for file, minutes in ((1, 0), (2, 1), (1, 30)):
        kit.mark(ledger, file, NOW + minutes * MINUTE)
    assert see(ledger, HOUR).last_marked_at == NOW + 30 * MINUTE
    kit.mark(ledger, 3, NOW + 40 * MINUTE)
    decided = kit.result(Outcome.KEPT, seen=a_file(3, comment="Approved"), settled=True)
    kit.attempt(ledger, decided, 3, NOW + 41 * MINUTE)
    assert see(ledger, HOUR).last_marked_at == NOW + 40 * MINUTE


def test_a_mark_in_the_future_is_not_the_last_one(ledger: Ledger) -> None:
    """A mark dated in the future, before the clock was set back, hides no standstill."""
    kit.mark(ledger, 1, NOW)
    kit.mark(ledger, 2, NOW + 24 * HOUR)
    assert see(ledger, HOUR).last_marked_at == NOW


def test_files_that_are_marked_again_are_no_alert(ledger: Ledger) -> None:
    """While files that wait for review are marked again, the queue is being processed, so its other
    files cause no alert.
    """
    for file in (1, 2):
        kit.mark(ledger, file, NOW + file * SECOND)
    kit.mark(ledger, 1, NOW + 55 * MINUTE)
    ledger.record(kit.event(2), NOW + 40 * MINUTE)
    busy = see(ledger, HOUR)
    assert kinds(busy) == [ProblemKind.BACKLOG]
    assert find_alerts(busy, find_problems(busy)) == ()


def test_unfinished_files_can_be_hurried(ledger: Ledger) -> None:
    """An unfinished file can be made due at once as if never tried; any other stays as it is."""
    kit.attempt(ledger, kit.result(Outcome.FAILED, retry_at=DUE + HOUR, attempts=7))
    assert ledger.waits.retry([2], DUE) == frozenset()
    assert ledger.waits.retry([1, 2], DUE) == {1}
    claim = claimed(ledger, DUE)
    assert (claim.entry.id, claim.entry.attempts) == (1, 0)


def test_hurrying_without_ids_takes_all_that_nobody_works_on(ledger: Ledger) -> None:
    """Retrying without ids makes all unfinished files due, except claimed ones."""
    for file in (1, 2):
        ledger.record(kit.event(file), NOW)
    for claim in ledger.claims.take(DUE, 2, LEASE):
        ledger.claims.finish(claim, kit.result(Outcome.WAITING, retry_at=DUE), DUE)
    (held,) = ledger.claims.take(DUE, 1, LEASE)
    assert ledger.waits.retry([], DUE) == {1, 2} - {held.entry.id}


# How updates were detected.


def latencies(ledger: Ledger) -> dict[Source, int]:
    """Return how many updates each source announced first."""
    seen = see(ledger)
    return {source: seen.number_from(source) for source in Source if seen.number_from(source)}


def test_an_update_that_a_webhook_brought_is_no_gap(ledger: Ledger) -> None:
    """An update that a webhook announced is counted by its day and source and is not missed."""
    ledger.record(kit.event(), NOW)
    mark(ledger)
    assert see(ledger).days == {DAY: {Source.WEBHOOK: 1}}


@pytest.mark.parametrize("event_first", [True, False])
def test_an_event_counts_before_a_sweep(ledger: Ledger, event_first: bool) -> None:
    """An event takes precedence over a sweep, whichever came first: the delivery was not lost."""
    if not event_first:
        sweep_finds(ledger)
    ledger.record(kit.event(), NOW)
    if event_first:
        sweep_finds(ledger)
    mark(ledger)
    assert latencies(ledger) == {Source.WEBHOOK: 1}


def test_an_event_that_comes_during_the_work_counts(ledger: Ledger) -> None:
    """An event that arrives during the work counts: the delivery was late, not lost."""
    sweep_finds(ledger)
    claim = claimed(ledger, DUE)
    ledger.record(kit.event(), DUE)
    ledger.claims.finish(claim, kit.marked(), DUE)
    assert latencies(ledger) == {Source.WEBHOOK: 1}


def test_what_only_a_sweep_found_is_a_gap(ledger: Ledger) -> None:
    """An update that only a sweep found was missed by the webhook."""
    sweep_finds(ledger)
    mark(ledger)
    assert latencies(ledger) == {Source.SWEEP: 1}


def test_the_delivery_log_counts_before_a_later_sweep_only(ledger: Ledger) -> None:
    """The delivery log takes precedence over a later sweep, and a webhook over both."""
    ledger.record(kit.event(1), NOW, Source.LOG)
    sweep_finds(ledger, 1)
    mark(ledger, 1)
    sweep_finds(ledger, 2)
    ledger.record(kit.event(2), NOW, source=Source.LOG)
    mark(ledger, 2)
    assert latencies(ledger) == {Source.LOG: 1, Source.SWEEP: 1}


def test_a_later_update_is_counted_by_its_own_source(ledger: Ledger) -> None:
    """A later update is counted by its own source, not by that of an earlier one."""
    ledger.record(kit.event(), NOW)
    mark(ledger)
    sweep_finds(ledger)
    mark(ledger)
    assert latencies(ledger) == {Source.WEBHOOK: 1, Source.SWEEP: 1}


def test_a_backfill_is_counted_for_itself(ledger: Ledger) -> None:
    """A backfill has its own count, since it says nothing about deliveries."""
    sweep_finds(ledger, 1, EnqueueOptions(BACKFILL))
    mark(ledger)
    assert latencies(ledger) == {Source.BACKFILL: 1}


def test_a_mark_that_an_unlocking_wiped_is_no_update(ledger: Ledger) -> None:
    """A mark that was set again after an unlocking is no update."""
    ledger.record(kit.event(), NOW)
    mark(ledger, reason="restored")
    assert latencies(ledger) == {}


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [
        (-3, 1),
        (0.25, 1),
        (1, 1),
        (1.01, 2),
        (1.99, 2),
        (2, 2),
        (2.5, 5),
        (3, 5),
        (59.999, 60),
        (60.001, 300),
        (86400, 86400),
        (86400.5, 0),
        (86401, 0),
    ],
)
def test_the_wait_from_save_to_comment_is_counted_in_buckets(
    ledger: Ledger, seconds: float, bound: int
) -> None:
    """Latencies from save to comment are counted in buckets: none is negative for a clock that is
    ahead, and 1.99 s are more than one.
    """
    ledger.record(kit.event(), NOW)
    saved = replace(kit.REVISION, updated=DUE - timedelta(seconds=seconds))
    mark(ledger, seen=a_file(revision=saved))
    lag = see(ledger).latencies[Source.WEBHOOK]
    assert (lag.buckets, lag.number, lag.seconds) == ({bound: 1}, 1, max(round(seconds), 0))
    assert lag.quantile(0.5) == (bound or None)


def test_days_long_past_are_folded_into_one(ledger: Ledger) -> None:
    """Old days are added up into one, so that the sums do not decrease."""
    sweep_finds(ledger)
    mark(ledger)
    ledger.health.merge_old_days(NOW + timedelta(days=89))
    assert list(see(ledger).days) == [DAY]
    ledger.health.merge_old_days(NOW + timedelta(days=92))
    assert see(ledger).days == {EPOCH: {Source.SWEEP: 1}}


# Sweeps and problems.


def test_the_last_sweeps_are_remembered(ledger: Ledger) -> None:
    """The last hundred sweeps are kept, newest first."""
    for number in range(102):
        ledger.health.record_sweep(
            SweepRecord(NOW + number * MINUTE, 0.5, requests=2, scanned=number)
        )
    seen = ledger.health.overview(NOW, shown=1000)
    assert [one.scanned for one in seen.sweeps] == list(range(101, 1, -1))


@pytest.mark.parametrize("ahead", [2 * HOUR, timedelta(days=3650)])
def test_sweeps_that_lie_ahead_are_forgotten(ledger: Ledger, ahead: timedelta) -> None:
    """Sweeps dated in the future, before the clock was set right, are deleted."""
    ledger.health.record_sweep(SweepRecord(NOW + ahead, 0.5, 2, error="the portal is unavailable"))
    ledger.health.record_sweep(SweepRecord(NOW, 0.5, 2))
    assert [one.began for one in see(ledger).sweeps] == [NOW]


def test_a_sweep_under_way_is_told_while_somebody_serves(ledger: Ledger) -> None:
    """A running sweep is shown until it is recorded or its process has ended."""
    ledger.settings.set(SWEEP_BEGAN, NOW)
    assert see(ledger).sweeping is None
    with ledger.role(Role.SWEEP):
        assert see(ledger).sweeping == NOW
        ledger.health.record_sweep(SweepRecord(NOW, 0.5, requests=2))
        assert see(ledger).sweeping is None


def test_a_sweep_that_does_not_come_is_overdue(ledger: Ledger) -> None:
    """A sweep is overdue a minute after its time, but not while one is running."""
    with ledger.role(Role.SWEEP), ledger.role(Role.WORKER):
        ledger.settings.set(NEXT_SWEEP, NOW)
        assert kinds(see(ledger, MINUTE)) == []
        assert kinds(see(ledger, MINUTE + SECOND)) == [ProblemKind.OVERDUE]
        ledger.settings.set(SWEEP_BEGAN, NOW)
        assert kinds(see(ledger, HOUR)) == []


@pytest.mark.parametrize("after", [MINUTE, 59 * MINUTE, 61 * MINUTE])
def test_cron_takes_the_place_of_a_daemon(ledger: Ledger, after: timedelta) -> None:
    """While cron sweeps regularly, a missing daemon is no problem."""
    ledger.settings.set(NEXT_SWEEP, NOW - HOUR)  # a daemon that was there long ago
    ledger.health.record_sweep(SweepRecord(NOW, 0.5, 2))
    found = {problem.kind for problem in find_problems(see(ledger, after))}
    assert (ProblemKind.NO_SERVE in found) == (after > HOUR)


def test_a_daemon_that_ended_is_missed_at_once(ledger: Ledger) -> None:
    """A daemon that ended is reported at once, since it had stored the time of its next sweep."""
    ledger.health.record_sweep(SweepRecord(NOW, 0.5, 2))
    ledger.settings.set(NEXT_SWEEP, NOW + 5 * MINUTE)
    assert [problem.kind for problem in find_problems(see(ledger))] == [ProblemKind.NO_SERVE]


def test_a_reconcile_is_not_late_after_a_daemon(ledger: Ledger) -> None:
    """A `reconcile` after a daemon makes no sweep overdue, since it has no schedule."""
    ledger.settings.set(NEXT_SWEEP, NOW)
    ledger.health.record_sweep(SweepRecord(NOW + HOUR, 0.5, 2))
    with ledger.role(Role.SWEEP), ledger.role(Role.WORKER):
        assert kinds(see(ledger, HOUR + MINUTE)) == []


def test_a_queue_that_is_not_worked_off_is_told(ledger: Ledger) -> None:
    """A queue whose oldest file has been due for two minutes is a non-blocking problem."""
    with ledger.role(Role.SWEEP), ledger.role(Role.WORKER):
        ledger.record(kit.event(1), NOW)
        ledger.record(kit.event(2), NOW + MINUTE)
        assert kinds(see(ledger, 2 * MINUTE)) == []
        (problem,) = find_problems(see(ledger, 2 * MINUTE + 2 * SECOND))
    assert (problem.kind, problem.is_blocking, problem.is_harmless) == (
        ProblemKind.BACKLOG,
        False,
        False,
    )
    assert "2 files due, the oldest since 2025-11-24 09:15:4" in problem.message


def test_what_is_due_for_a_backfill_may_wait(ledger: Ledger) -> None:
    """Files due for a backfill may wait: thousands are processed over several days."""
    sweep_finds(ledger, 1, EnqueueOptions(BACKFILL))
    with ledger.role(Role.SWEEP), ledger.role(Role.WORKER):
        assert see(ledger, HOUR).queue.due == 1
        assert kinds(see(ledger, HOUR)) == []


def test_between_two_runs_of_cron_a_file_may_be_due(ledger: Ledger) -> None:
    """Between two runs of cron new files may be due; files that the last run left may not."""
    ledger.health.record_sweep(SweepRecord(NOW, 0.5, 2))
    ledger.record(kit.event(), NOW + SECOND)
    assert kinds(see(ledger, 5 * MINUTE)) == []
    ledger.health.record_sweep(SweepRecord(NOW + MINUTE, 0.5, 2))
    assert kinds(see(ledger, 5 * MINUTE)) == [ProblemKind.BACKLOG]


def test_a_refused_file_is_told_with_where_to_look(ledger: Ledger) -> None:
    """A refused file is a non-blocking problem that says where to look for the missing right."""
    kit.attempt(ledger, kit.result(Outcome.REFUSED, reason="forbidden", retry_at=DUE + HOUR))
    (problem,) = [one for one in find_problems(see(ledger)) if one.kind is ProblemKind.REFUSED]
    assert (problem.is_blocking, problem.is_harmless) == (False, False)
    assert problem.hint.endswith(": reconciler failed list")


def test_a_dead_key_is_told_with_its_beginning_until_it_works(ledger: Ledger) -> None:
    """A dead key is shown with its beginning until it works, also after each pause."""
    for later in (NOW, NOW + 20 * SECOND):
        ledger.health.open_outage(OutageKind.DEAD_KEY, "answered 401", later)
    seen = see(ledger, MINUTE)
    (problem, _) = find_problems(seen)
    assert (problem.kind, problem.is_blocking) == (ProblemKind.DEAD_KEY, True)
    assert "refuses the API key since 2025-11-24 09:15:42 UTC: answered 401" in problem.message
    ledger.health.close_outages([OutageKind.DEAD_KEY])
    assert kinds(see(ledger, MINUTE)) == []


def test_looks_writes_and_sweeps_are_told_apart(ledger: Ledger) -> None:
    """Outages of looks, writes and listings are separate: one does not hide another."""
    ledger.health.open_outage(OutageKind.LOOKS, "no answer", NOW)
    ledger.health.open_outage(OutageKind.WRITES, "answered 500", NOW)
    ledger.health.record_sweep(SweepRecord(NOW, 1, 2, error="no answer"))
    assert kinds(see(ledger)) == [
        ProblemKind.UNAVAILABLE,
        ProblemKind.WRITES,
        ProblemKind.SWEEP_FAILED,
    ]
    ledger.health.record_sweep(SweepRecord(NOW + SECOND, 1, 2))
    ledger.health.close_outages([OutageKind.LOOKS])
    assert kinds(see(ledger)) == [ProblemKind.WRITES]


@pytest.mark.parametrize(("times", "warned"), [(2, False), (3, True)])
def test_texts_that_stand_there_right_after_saves_are_told(
    ledger: Ledger, times: int, warned: bool
) -> None:
    """A text seen three times right after saves is reported with the configuration line; people's
    comments come later after a save.
    """
    for file in range(times):
        for text, seconds in (('Saved "anew"', 10), ("Approved", 11)):
            ledger.record(kit.event(file), NOW)
            read_at = kit.REVISION.updated + timedelta(seconds=seconds)
            seen = a_file(file, comment=text, read_at=read_at)
            kept = kit.result(Outcome.KEPT, reason=Rule.UNMARKED.value, seen=seen)
            ledger.claims.finish(kit.claimed(ledger, NOW + MINUTE), kept, NOW + MINUTE)
    words = [
        problem.hint for problem in find_problems(see(ledger)) if problem.kind is ProblemKind.TEXTS
    ]
    assert [line.endswith(r'portal_texts = ["Saved \"anew\""]') for line in words] == [
        True
    ] * warned


def test_a_long_pause_is_told_with_its_reason(ledger: Ledger) -> None:
    """A long pause is reported with its reason; a pause of seconds is not."""
    ledger.pause(NOW, 30 * SECOND, "too many requests")
    assert kinds(see(ledger)) == []
    ledger.pause(NOW, HOUR, "the 9000 writes of a day are used up")
    (problem, _) = find_problems(see(ledger))
    assert problem.message.endswith("10:15:42 UTC: the 9000 writes of a day are used up")


def set_webhook_state(ledger: Ledger, state: str, message: str = "webhook 1 is disabled") -> None:
    """Store this state of the webhook in the ledger, as the watch does."""
    ledger.settings.set(WEBHOOK, WebhookRecord(WebhookState(state), NOW, message, "run: it"))


@pytest.mark.parametrize("state", ["disabled", "missing", "signature"])
def test_what_ails_the_webhook_is_told_with_its_cure(ledger: Ledger, state: str) -> None:
    """A problem of the webhook has its hint and blocks nothing; an old state is ignored."""
    set_webhook_state(ledger, state)
    (problem,) = [one for one in find_problems(see(ledger)) if one.kind is ProblemKind.WEBHOOK]
    assert problem.message == "webhook 1 is disabled; run: it"
    assert problem.hint == "until then the sweep finds updates"
    assert not problem.is_blocking
    assert kinds(see(ledger, 2 * HOUR)) == []


@pytest.mark.parametrize("state", ["ok", "unseen"])
def test_a_webhook_that_is_well_or_not_ours_is_no_problem(ledger: Ledger, state: str) -> None:
    """A working webhook is no problem, nor is one that may belong to another account."""
    set_webhook_state(ledger, state, message="the portal has no webhook")
    assert kinds(see(ledger)) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"state": "disabled"}'])
def test_words_about_the_webhook_that_cannot_be_read_say_nothing(ledger: Ledger, text: str) -> None:
    """An unreadable state of the webhook is ignored, and the rest is shown."""
    ledger.settings.set(LedgerSetting(WEBHOOK.name, str, str), text)
    assert kinds(see(ledger)) == []


def test_who_holds_which_role_is_told(ledger: Ledger) -> None:
    """The holder of each role is shown, and reading takes no role from others."""
    with ledger.role(Role.BACKFILL):
        assert list(see(ledger).holders) == [Role.BACKFILL]
        with ledger.role(Role.SWEEP):
            assert set(see(ledger).holders) == {Role.BACKFILL, Role.SWEEP}
    assert see(ledger).holders == {}


# Queries.


@kit.SQLITE_ONLY
def test_no_question_reads_all_files(tmp_path: Path) -> None:
    """Each query uses an index, since the ledger of a large portal has a million rows."""

    def ask(ledger: Ledger) -> None:
        see(ledger)
        ledger.health.unfinished()

    plans = kit.query_plans(tmp_path, ask)
    by_outcome = [step for statement, step in plans if "files.outcome = ?" in statement]
    assert not any("TEMP B-TREE" in step for step in by_outcome)  # many that wait are not sorted
    used = [step for _, step in plans if "files" in step]
    assert len(used) >= 5
    assert all("USING" in step for step in used), used
