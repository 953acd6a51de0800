"""The worker on a real portal: the comment in the end, and the requests that it cost."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.decision import Policy, Scope
from reconciler.errors import LedgerError, TransientError, UnauthorizedError
from reconciler.model import Event, OutageKind, Outcome, Quota, Rule
from reconciler.sandbox import Fault, Network
from reconciler.worker import FileProcessor, Processed
from tests.support_ledger import next_due, totals
from tests.world import TARGET, World, world

# For tests of the ledger, not of the portal: PostgreSQL could differ from SQLite.
ON_EACH_DATABASE = pytest.mark.usefixtures("each_database")
LOOK = "GET files/file/{id}"


def review(here: World) -> None:
    """Let a file be saved and marked, and a reviewer replace the comment."""
    here.edit()
    here.portal.comment(here.file, "Approved", by=here.bob)


def saved_files(here: World, number: int) -> list[int]:
    """Return files that were created ten seconds ago, and saved just now."""
    files = [int(here.portal.create(here.room, f"{n}.docx", by=here.ann)) for n in range(number)]
    here.clock.advance(10)
    for file in files:
        here.portal.save(file, by=here.ann)
    return files


def reuse_id(here: World) -> None:
    """Let the file be marked and deleted, and ten seconds ago another get its id."""
    here.edit()
    here.portal.delete(here.file, by=here.ann)
    here.portal.next_id = here.file
    assert here.portal.create(here.room, "Other.docx", by=here.ann) == here.file
    here.clock.advance(10)


@ON_EACH_DATABASE
def test_an_edit_costs_one_get_and_one_put(here: World) -> None:
    """An edit costs one GET and one PUT, and the echo of the PUT costs nothing."""
    cost = here.calls(lambda: here.portal.save(here.file, by=here.ann))
    assert (here.comment(), cost) == (TARGET, (1, 1))
    assert totals(here.ledger).echoes == 1


def test_an_event_is_worked_off_at_once(here: World) -> None:
    """An event is processed at once, without waiting for the end of the save's second."""
    here.portal.save(here.file, by=here.ann)
    assert [a.result.outcome for a in here.settle(0)] == [Outcome.MARKED]
    assert here.comment() == TARGET


def test_a_second_save_in_the_second_of_the_first_is_marked_too(here: World) -> None:
    """A second save in the second of the first, with equal version, date and size, is recognised by
    the portal's text over our comment.
    """
    here.portal.forcesave(here.file, by=here.ann)
    here.settle(0)
    here.portal.forcesave(here.file, by=here.ann)
    here.settle(1)
    assert here.comment() == TARGET
    assert here.portal.count("PUT") == 2


@ON_EACH_DATABASE
def test_fifty_events_within_a_second_cost_one_get_and_one_put(here: World) -> None:
    """Fifty events for one file within a second cost one look and one write."""

    def burst() -> None:
        for _ in range(50):
            here.portal.forcesave(here.file, by=here.ann)
            here.server.drain()
            here.clock.advance(0.02)

    assert here.calls(burst) == (1, 1)
    assert here.comment() == TARGET
    assert totals(here.ledger).ended == {("marked", "updated"): 50}


def test_approved_is_never_written_over_by_its_own_event(here: World) -> None:
    """The event of a reviewer's comment costs a look and changes nothing."""
    here.edit()
    assert here.calls(lambda: here.portal.comment(here.file, "Approved", by=here.bob)) == (1, 0)
    assert here.comment() == "Approved"


def test_approved_survives_a_rename(here: World) -> None:
    """A rename, which raises the date, does not overwrite a reviewer's comment."""
    review(here)
    here.settle()
    here.portal.rename(here.file, "Signed.docx", by=here.ann)
    assert [a.rule for a in here.settle()] == [Rule.ANSWERED]
    assert here.comment() == "Approved"


def test_approved_survives_a_rename_that_is_seen_together_with_it(here: World) -> None:
    """A comment and a rename that are seen in one look are no update."""
    review(here)
    here.portal.rename(here.file, "Signed.docx", by=here.ann)
    here.settle()
    assert here.comment() == "Approved"


def test_approved_survives_locking_by_someone_else(here: World) -> None:
    """A lock by another user does not overwrite a reviewer's comment."""
    review(here)
    here.portal.lock(here.file, by=here.ann)
    here.settle()
    assert here.comment() == "Approved"


@ON_EACH_DATABASE
def test_approved_survives_a_restart(here: World) -> None:
    """After a restart a reviewer's comment is still known as settled."""
    review(here)
    here.settle()
    here.restart()
    here.portal.rename(here.file, "Signed.docx", by=here.ann)
    here.settle()
    assert here.comment() == "Approved"


def test_a_new_version_is_marked_again(here: World) -> None:
    """A new version is marked again after a review."""
    review(here)
    here.settle()
    here.edit()
    assert here.comment() == TARGET


def test_other_content_in_the_same_version_is_marked_again(here: World) -> None:
    """Other content in the same version, as by a forcesave, is marked again."""
    here.portal.forcesave(here.file, by=here.ann)
    here.settle()
    here.portal.comment(here.file, "Approved", by=here.bob)
    here.settle()
    here.portal.forcesave(here.file, by=here.ann, size=5)
    here.settle()
    assert here.comment() == TARGET


def test_unlocking_that_wiped_our_comment_is_repaired(here: World) -> None:
    """A mark that the portal overwrites when a file is unlocked is set again."""
    here.edit()
    here.portal.lock(here.file, by=here.ann)
    here.portal.unlock(here.file, by=here.ann)
    assert here.comment() == "The file is unlocked"
    assert [a.rule for a in here.settle()] == [Rule.RESTORED]
    assert here.comment() == TARGET


def test_a_locked_file_waits_and_is_marked_when_it_is_unlocked(here: World) -> None:
    """A file locked by another user gets no PUT; the unlocking makes it due."""
    here.portal.lock(here.file, by=here.ann)
    here.portal.save(here.file, by=here.ann)
    first = here.settle()
    assert [(a.rule, a.result.outcome) for a in first] == [(Rule.LOCKED, Outcome.WAITING)]
    assert here.portal.count("PUT") == 0
    here.portal.unlock(here.file, by=here.ann)
    here.settle()
    assert here.comment() == TARGET


def test_a_lock_is_looked_at_again_without_any_event(here: World) -> None:
    """A lock whose unlocking was not announced is looked at after five minutes."""
    here.portal.lock(here.file, by=here.ann)
    here.edit()
    here.portal.network = Network(drop=1.0)
    here.portal.unlock(here.file, by=here.ann)
    assert here.settle(200) == []
    assert [a.result.outcome for a in here.settle(100)] == [Outcome.MARKED]


def announce(here: World) -> None:
    """Let an event arrive that gives the file a date which the portal does not show yet."""
    event = Event(1, "file.updated", here.file, "Contract.docx", here.ann.id, here.clock())
    assert here.ledger.record(event, here.now())


@ON_EACH_DATABASE
def test_failures_do_not_use_up_the_looks_that_wait_for_an_update(here: World) -> None:
    """After three failures the portal still has three looks to show the update that it announced;
    after those its date is accepted.
    """
    announce(here)
    here.portal.faults.add(Fault(route=LOOK, kind="status", times=3))
    found = [attempt.rule for _ in range(7) for attempt in here.settle(2)]
    assert found == [None] * 3 + [Rule.EARLY] * 3 + [Rule.NEW]


@ON_EACH_DATABASE
def test_each_event_has_its_own_looks_that_wait_for_its_update(here: World) -> None:
    """After a look whose date was accepted, the next event has three such looks again."""
    for _ in range(2):
        announce(here)
        found = [attempt.rule for _ in range(4) for attempt in here.settle(1)]
        assert found == [Rule.EARLY] * 3 + [Rule.NEW]


def test_a_retry_by_hand_begins_anew_to_wait_for_an_update(here: World) -> None:
    """A file that is retried by hand has three such looks again, as if it was never tried."""
    announce(here)
    for _ in range(2):
        here.settle(1)
    here.ledger.waits.retry([here.file], here.now())
    found = [attempt.rule for _ in range(4) for attempt in here.settle(1)]
    assert found == [Rule.EARLY] * 3 + [Rule.NEW]


def test_failures_before_a_lock_is_found_do_not_lengthen_its_wait(here: World) -> None:
    """A lock that is found after two failures is looked at again after five minutes."""
    here.portal.lock(here.file, by=here.ann)
    here.portal.save(here.file, by=here.ann)
    here.portal.network = Network(drop=1.0)
    here.portal.faults.add(Fault(route=LOOK, kind="status", status=400, times=2))
    found = [attempt.rule for _ in range(3) for attempt in here.settle(60)]
    assert found == [None, None, Rule.LOCKED]
    here.portal.unlock(here.file, by=here.ann)
    assert [a.result.outcome for a in here.settle(301)] == [Outcome.MARKED]


def test_looks_at_a_lock_do_not_lengthen_the_wait_after_a_failure(here: World) -> None:
    """A failure after looks that found a lock is the first one: the next attempt follows soon."""
    here.portal.lock(here.file, by=here.ann)
    here.edit()
    here.portal.network = Network(drop=1.0)
    for _ in range(12):
        here.settle(6 * 3600)
    here.portal.unlock(here.file, by=here.ann)
    here.portal.faults.add(Fault(route=LOOK, kind="status"))
    assert [a.result.outcome for a in here.settle(6 * 3600)] == [Outcome.FAILED]
    assert [a.result.outcome for a in here.settle(2)] == [Outcome.MARKED]


def test_a_sweep_that_settles_a_locked_file_ends_the_count_of_its_looks(here: World) -> None:
    """The looks that found a lock do not count as failures once a sweep has settled the file."""
    here.portal.lock(here.file, by=here.ann)
    here.edit()
    here.settle(3600)
    assert here.ledger.entry(here.file).locked_looks > 1
    here.portal.network = Network(drop=1.0)
    here.portal.comment(here.file, "Approved", by=here.ann)
    here.sweep()
    entry = here.ledger.entry(here.file)
    assert entry.settled is not None
    assert (entry.locked_looks, entry.attempts) == (0, 0)


def test_a_file_that_may_not_be_commented_is_refused_for_a_day(here: World) -> None:
    """A file that the account may only read costs one GET a day and no PUT."""
    here.portal.invite(here.room, here.bot, access=2)
    assert here.calls(lambda: here.portal.save(here.file, by=here.ann)) == (1, 0)
    assert here.attempts[-1].rule is Rule.FORBIDDEN
    here.portal.invite(here.room, here.bot, access=9)
    assert [a.result.outcome for a in here.settle(86400)] == [Outcome.MARKED]


def test_a_trashed_file_is_skipped_and_marked_when_it_comes_back(here: World) -> None:
    """A file in the trash is skipped, and marked when it is restored and saved."""
    here.portal.save(here.file, by=here.ann)
    here.portal.trash(here.file, by=here.ann)
    here.settle()
    assert here.attempts[-1].rule in {Rule.SECTION, Rule.UNREADABLE}
    here.portal.restore(here.file, by=here.ann)
    here.edit()
    assert here.comment() == TARGET


def test_a_deleted_file_is_skipped(here: World) -> None:
    """A deleted file is skipped and is no failure."""
    here.portal.save(here.file, by=here.ann)
    here.portal.delete(here.file, by=here.ann)
    assert [a.rule for a in here.settle()] == [Rule.GONE]


@ON_EACH_DATABASE
def test_a_reused_id_is_another_file(here: World) -> None:
    """What the ledger knows of a deleted file does not apply to a new one with its id."""
    reuse_id(here)
    here.edit()
    assert here.comment() == TARGET


def test_a_reused_id_is_another_file_also_where_the_write_has_to_wait(here: World) -> None:
    """A reused id's row is reset even when the day's writes are used up."""
    reuse_id(here)
    here.portal.save(here.file, by=here.ann)
    assert here.server.drain()
    here.quota = Quota(2, 2)
    here.restart()
    here.portal.on_request = lambda *_: here.ledger.count_write(here.now())
    attempt = here.step()
    assert attempt is not None
    assert attempt.result.reason == "quota_exhausted"
    assert here.ledger.entry(here.file).settled is None


def test_a_refused_write_to_a_reused_id_keeps_what_stood_there_before_it(here: World) -> None:
    """After a refused write to a reused id the comment before it is still known; otherwise a later
    comment of a person would be taken for the portal's.
    """
    reuse_id(here)
    here.before_put(lambda: here.portal.invite(here.room, here.bot, access=2))
    assert [a.rule for a in here.edit()] == [Rule.FORBIDDEN]
    assert here.ledger.entry(here.file).intent is not None


def test_a_reviewed_file_that_was_unreadable_for_a_while_is_not_forgotten(here: World) -> None:
    """A reviewed file that the account could not read for some time keeps its row: pruning deletes
    files that are gone, not hidden ones.
    """
    review(here)
    here.settle()
    here.portal.invite(here.room, here.bot, access=0)
    here.portal.lock(here.file, by=here.ann)
    assert [a.rule for a in here.settle()] == [Rule.UNREADABLE]
    here.clock.advance(timedelta(days=40).total_seconds())
    assert here.ledger.prune(here.clock()) == 0
    here.portal.store.files[here.file].locked_by = None
    here.portal.invite(here.room, here.bot, access=9)
    here.portal.rename(here.file, "Contract, signed.docx", by=here.ann)
    here.settle()
    assert here.comment() == "Approved"


@ON_EACH_DATABASE
def test_a_portal_that_was_set_back_is_marked_anew(here: World) -> None:
    """A version lower than the settled one, of a restored portal, is marked anew."""
    saved = here.portal.backup()
    for _ in range(3):
        here.edit()
    here.portal.restore_backup(saved)
    here.edit()
    assert (here.portal.file(here.file).version, here.comment()) == (2, TARGET)


def test_a_save_between_look_and_write_is_marked_too(here: World) -> None:
    """A save between look and write is marked too: its event makes the file due again."""
    here.portal.save(here.file, by=here.ann)
    here.before_put(lambda: here.portal.save(here.file, by=here.ann))
    here.settle()
    here.settle()
    assert (here.portal.file(here.file).version, here.comment()) == (3, TARGET)


def test_an_answer_that_was_lost_after_the_write_is_not_written_again(here: World) -> None:
    """A write whose answer was lost is found by the next look, and not repeated."""
    here.portal.save(here.file, by=here.ann)
    here.portal.faults.add(Fault(route="PUT", kind="reset_after"))
    assert [a.result.outcome for a in here.settle()] == [Outcome.FAILED]
    assert [a.rule for a in here.settle(60)] == [Rule.ALREADY]
    assert here.portal.count("PUT") == 1


@ON_EACH_DATABASE
def test_a_persons_comment_after_a_lost_answer_is_kept(here: World) -> None:
    """After a lost answer, a comment neither ours nor the one before is a person's."""
    here.portal.save(here.file, by=here.ann)
    here.portal.faults.add(Fault(route="PUT", kind="reset_after"))
    here.settle()
    here.portal.comment(here.file, "Approved", by=here.bob)
    assert [a.rule for a in here.settle(60)] == [Rule.ANSWERED]
    assert here.comment() == "Approved"


def test_a_write_that_never_arrived_is_tried_again(here: World) -> None:
    """A write that was reset before its effect is repeated, since the comment is unchanged."""
    here.portal.save(here.file, by=here.ann)
    here.portal.faults.add(Fault(route="PUT", kind="reset_before"))
    here.settle()
    here.settle(60)
    assert here.comment() == TARGET


def test_a_refused_write_is_told_apart_by_a_second_look(here: World) -> None:
    """After a refused write a look shows a lock: the file waits and has not failed."""
    here.portal.save(here.file, by=here.ann)
    here.before_put(lambda: here.portal.lock(here.file, by=here.ann))
    here.settle()
    assert here.attempts[-1].rule is Rule.LOCKED
    assert here.ledger.entry(here.file).intent is None


@ON_EACH_DATABASE
def test_a_throttled_portal_pauses_everything_and_costs_no_attempts(here: World) -> None:
    """After a 429 with Retry-After nothing is sent before its end, even after a restart."""
    here.portal.save(here.file, by=here.ann)
    here.portal.faults.add(Fault(route="PUT", kind="throttle_day", retry_after=7200))
    here.settle()
    here.restart()
    assert here.settle(7000) == []
    assert here.ledger.entry(here.file).attempts == 0
    assert [a.result.outcome for a in here.settle(300)] == [Outcome.MARKED]


def test_a_dead_key_stops_all_writes_and_recovers_by_itself(here: World) -> None:
    """While the key is dead events are kept, and a probe finds it working again."""
    here.portal.disable_key(here.key)
    here.edit()
    assert here.attempts[-1].result.reason == "unauthorized"
    assert here.settle(1) == []
    here.portal.enable_key(here.key)
    assert [a.result.outcome for a in here.settle(20)] == [Outcome.MARKED]


def outages(here: World) -> list[OutageKind]:
    """Return the outages that are stored in the ledger."""
    return [outage.kind for outage in here.ledger.health.outages()]


@ON_EACH_DATABASE
def test_a_dead_key_is_told_in_the_ledger_until_it_works(here: World) -> None:
    """A dead key is an outage from the first refusal, across restarts, until a request succeeds."""
    here.portal.disable_key(here.key)
    here.edit()
    began = here.ledger.health.outages()
    here.restart()
    here.settle(20)
    assert outages(here) == here.outages[-1:] == [OutageKind.DEAD_KEY]
    assert here.ledger.health.outages() == began
    here.portal.enable_key(here.key)
    here.settle(20)
    assert outages(here) == []


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(route="PUT", kind="throttle_day", retry_after=60), [OutageKind.RATE_LIMITED]),
        (Fault(route="PUT", kind="reset_before"), []),
    ],
)
def test_what_concerns_one_file_alone_is_no_outage(
    here: World, fault: Fault, expected: list[OutageKind]
) -> None:
    """A single lost answer is no outage; a 429 is one."""
    here.portal.save(here.file, by=here.ann)
    here.portal.faults.add(fault)
    here.settle(0)
    assert outages(here) == expected


@ON_EACH_DATABASE
def test_an_outage_is_told_once_the_breaker_is_open(here: World) -> None:
    """An outage is stored once the breaker is open, and ends with the first answer."""
    files = saved_files(here, 6)
    here.portal.down = True
    here.settle()
    assert outages(here) == here.outages == [OutageKind.LOOKS]
    here.portal.down = False
    here.settle(5)
    assert outages(here) == here.outages == []
    assert {here.comment(file) for file in files} == {TARGET}


def test_a_portal_that_answers_no_sweep_is_told(here: World) -> None:
    """Failing listings are an outage too, which without due files only a sweep shows."""
    here.portal.down = True
    with pytest.raises(TransientError) as met:
        here.docspace.rooms(0)
    here.health.record_listing_failure(met.value, here.clock())
    assert outages(here) == [OutageKind.LOOKS]
    here.portal.down = False
    here.portal.save(here.file, by=here.ann)
    here.settle(0)
    assert (outages(here), here.comment()) == ([], TARGET)


@pytest.mark.parametrize("kind", ["status", "html"])
def test_questions_that_the_tutorial_does_not_ask_hold_nothing_up(here: World, kind: str) -> None:
    """Requests that the tutorial does not make may fail: the portal then counts as unknown."""
    for route in ("GET files/file/{id}/history", "GET files/rooms", "GET files/@my"):
        here.portal.faults.add(Fault(route, kind, times=None))
    here.portal.save(here.file, by=here.ann)
    here.portal.comment(here.file, "Redaktita", by=here.ann)
    for _ in range(10):
        here.settle(1)
    assert here.comment() == TARGET


def test_a_key_that_may_not_list_rooms_stops_no_look(here: World) -> None:
    """A key that may not list rooms stops no look; the sweep reports the missing scope."""
    lacking = UnauthorizedError(
        "GET files/rooms", 403, "the API key lacks rooms:read", "rooms:read"
    )
    here.health.record_listing_failure(lacking, here.clock())
    here.portal.save(here.file, by=here.ann)
    here.settle(0)
    assert (outages(here), here.comment()) == ([], TARGET)


def test_an_outage_opens_the_breaker_and_no_file_loses_its_turn(here: World) -> None:
    """After five failures in a row only probes are sent, and no file's attempts are counted."""
    files = saved_files(here, 20)
    here.portal.down = True
    here.settle()
    assert max(here.ledger.entry(file).attempts for file in files) <= 1
    assert len(here.settle(5)) == 1
    here.portal.down = False
    here.settle(5)
    assert {here.comment(file) for file in files} == {TARGET}


def test_a_portal_that_stores_another_text_is_not_written_to_again(tmp_path: Path) -> None:
    """A file whose comment the portal stores differently is not written again: the PUT's answer
    shows it, and a second write would end the same.
    """
    with world(tmp_path / "ledger.db", Policy(target="x" * 300)) as here:
        here.edit()
        assert here.attempts[-1].result.reason == "altered"
        here.portal.rename(here.file, "Other.docx", by=here.ann)
        here.settle(90)
        assert here.portal.count("PUT") == 1


def test_observing_writes_nothing(tmp_path: Path) -> None:
    """With `review.observe` files are decided on, and nothing is written to the portal."""
    with world(tmp_path / "ledger.db", Policy(observe=True)) as here:
        assert [a.rule for a in here.edit()] == [Rule.OBSERVED]
        assert here.portal.count("PUT") == 0


def test_rooms_out_of_scope_are_skipped(tmp_path: Path) -> None:
    """A file in a room out of scope is skipped; its room is found from its folder, at any depth."""
    with world(tmp_path / "ledger.db") as here:
        folder = here.portal.add_folder(here.room, "Drafts", by=here.ann)
        file = int(here.portal.create(folder, "Deep.docx", by=here.ann))
        here.policy = replace(here.policy, scope=Scope(rooms=frozenset({here.room})))
        here.restart()
        here.clock.advance(10)
        here.portal.save(file, by=here.ann)
        here.settle()
        assert here.comment(file) == TARGET
        here.policy = replace(here.policy, scope=Scope(exclude_rooms=frozenset({here.room})))
        here.restart()
        here.portal.save(file, by=here.ann)
        assert [a.rule for a in here.settle()] == [Rule.SCOPE]


def test_an_old_update_is_not_ours(here: World) -> None:
    """An event for a file that was saved before the origin does not lead to a mark."""
    file = int(here.portal.create(here.room, "Old.docx", by=here.ann))
    here.clock.advance(10)
    here.portal.hold_deliveries()
    here.portal.save(file, by=here.ann)
    here.clock.advance(timedelta(days=3).total_seconds())
    here.ledger.set_origin(here.clock(), timedelta(hours=24))
    here.portal.release_deliveries()
    assert [a.rule for a in here.settle()] == [Rule.OLD]


@ON_EACH_DATABASE
def test_the_days_writes_are_never_exceeded(here: World) -> None:
    """The write after the last of the day waits for the hour in which one becomes free."""
    here.quota = Quota(3, 3)
    here.restart()
    saved_files(here, 5)
    here.settle()
    assert here.portal.count("PUT") == 3
    for _ in range(26):
        here.settle(3600)
    assert here.portal.count("PUT") == 5


@ON_EACH_DATABASE
def test_a_revision_that_loses_its_comment_again_and_again_is_left_alone(here: World) -> None:
    """A comment undone more than five times within an hour is a loop and left alone."""
    here.edit()
    for _ in range(8):
        here.portal.lock(here.file, by=here.ann)
        here.portal.unlock(here.file, by=here.ann)
        here.settle()
    assert here.portal.count("PUT") == 6
    assert here.attempts[-1].result.reason == "loop"


def test_a_file_that_is_really_saved_every_minute_is_no_loop(here: World) -> None:
    """A file that is saved every minute is no loop, since each save is another revision."""
    for _ in range(10):
        here.portal.save(here.file, by=here.ann)
        here.settle(60)
    assert here.portal.count("PUT") == 10


# The ledger is unavailable for a moment.


def process_while_ledger_is_away(here: World, returns_at: int) -> tuple[Processed | None, float]:
    """Process a saved file whose ledger is unavailable from the PUT on, as during a failover.

    The ledger is back at wait number ``returns_at``. Return what was processed and the seconds of
    the waits.
    """
    folder, waits = here.path.parent, list[float]()
    away = folder.with_name(f"{folder.name}-away")

    def hide(method: str, *_: object) -> None:
        if method == "PUT":
            here.portal.on_answer = None
            folder.rename(away)

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == returns_at:
            away.rename(folder)

    here.portal.save(here.file, by=here.ann)
    assert here.server.drain()
    here.portal.on_answer = hide
    known = here.processor
    processor = FileProcessor(
        here.ledger, here.docspace, known.settings, here.now, known.health, wait=wait
    )
    (claim,) = here.ledger.claims.take(here.now(), 1, timedelta(seconds=180))
    try:
        return processor.process(claim), sum(waits)
    except LedgerError:
        away.rename(folder)
        return None, sum(waits)


def test_a_write_is_recorded_once_the_ledger_is_back(here: World) -> None:
    """A write during an outage of the ledger is recorded once the ledger is back."""
    processed, _ = process_while_ledger_is_away(here, returns_at=2)
    assert processed is not None
    assert processed.result.outcome is Outcome.MARKED
    assert (here.ledger.entry(here.file).marked_by_us, next_due(here.ledger)) == (True, None)


def test_a_ledger_that_stays_away_is_given_up_after_some_seconds(here: World) -> None:
    """If the ledger stays away the worker gives up, and the lease makes the file due."""
    processed, seconds = process_while_ledger_is_away(here, returns_at=99)
    assert processed is None
    assert 1 < seconds < 5
    assert next_due(here.ledger) is not None
