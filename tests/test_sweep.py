"""The sweep on a real portal without deliveries: it finds every update, whatever might hide it.

Each test is a row of docspace.md 1.1 to 1.5, a moment at which people act, or a failure.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reconciler.client import DocSpace, RoomPage
from reconciler.client.listing import PAGE, Room
from reconciler.decision import Policy, Scope
from reconciler.errors import RateLimitedError, TransientError, UnauthorizedError
from reconciler.ledger import BACKFILL, UNDATED_UPDATES, EnqueueOptions
from reconciler.model import LAST_FILE_ID, Outcome, Rule, Section
from reconciler.sandbox import Fault
from reconciler.sweep import Sweep
from reconciler.sweep.lister import Lister
from tests.support_ledger import list_updates
from tests.support_sweep import (
    DAY,
    HOUR,
    LISTING,
    add_files,
    add_room,
    asked,
    at_listing,
    due,
    rows,
    run_sweep,
    save,
    silent,
    sweep_and_work,
    unmarked,
    work,
)
from tests.world import START, TARGET, Clock, World, scan_settings

# For tests of the ledger, not of paging: PostgreSQL could differ from SQLite.
ON_EACH_DATABASE = pytest.mark.usefixtures("each_database")
IDLE = {"GET files/rooms": 1, "GET files/@my": 1}
MINE = "GET files/@my"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """A world without deliveries before its first sweep."""
    with silent(tmp_path / "ledger.db") as built:
        yield built


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """A world without deliveries an hour after its first sweep."""
    with run_sweep(tmp_path / "ledger.db") as built:
        yield built


# Where files hide: docspace.md 1.1 to 1.5.


@ON_EACH_DATABASE
def test_a_lost_delivery_is_made_good(here: World) -> None:
    """A save whose event was lost is marked after one sweep."""
    save(here, here.file)
    sweep_and_work(here)
    assert here.comment() == TARGET


def test_a_file_in_a_folder_of_a_folder_is_found(here: World) -> None:
    """A file in a subfolder is found, since a filterType is sent (docspace.md 1.1)."""
    outer = here.portal.add_folder(here.room, "Outer", by=here.ann)
    inner = here.portal.add_folder(outer, "Inner", by=here.ann)
    (deep,) = add_files(here, 1, inner)
    save(here, deep)
    sweep_and_work(here)
    assert unmarked(here, deep) == []


def test_rooms_are_read_one_by_one_and_their_root_never(here: World) -> None:
    """Each room is read by itself, since their root with FilesOnly is empty (docspace.md 1.2)."""
    other = add_room(here)
    (file,) = add_files(here, 1, other)
    save(here, here.file, file)
    routes = asked(here, here.sweep)
    assert routes == {"GET files/rooms": 2, "GET files/@my": 1, "GET files/{id}": 2}
    assert due(here) == {here.file, file}


def test_the_newest_files_come_first_though_that_is_not_the_default(here: World) -> None:
    """The newest files are requested first, which is not the default (docspace.md 1.1)."""
    files = add_files(here, 250)
    here.sweep()
    here.clock.advance(HOUR)
    save(here, files[7])
    routes = asked(here, here.sweep)
    assert routes["GET files/{id}"] == 1
    assert due(here) == {files[7]}


def test_the_sort_order_that_people_see_stays_as_it_is(here: World) -> None:
    """No sortBy is sent, since it would become the user's own sort order (docspace.md 1.1)."""
    save(here, here.file)
    here.sweep()
    assert here.portal.default_sort == {here.bot.id: ("DateAndTime", True)}


@pytest.mark.parametrize(("pinned", "pages"), [(3, 2), (101, 3)])
def test_pinned_rooms_that_did_not_change_hide_no_changed_one(
    fresh: World, pinned: int, pages: int
) -> None:
    """Pinned rooms come first whatever their date, even on more than the first page, and hide no
    changed room (docspace.md 1.3).
    """
    here = fresh
    for number in range(pinned):
        here.portal.pin(add_room(here, f"Pinned {number}"), here.bot)
    here.sweep(after=2 * DAY)
    here.clock.advance(HOUR)
    save(here, here.file)
    routes = asked(here, here.sweep)
    assert routes == {"GET files/rooms": pages, "GET files/@my": 1, "GET files/{id}": 1}
    assert due(here) == {here.file}


def test_more_than_a_page_of_changed_rooms_are_all_read(here: World) -> None:
    """One hundred and five rooms with a save in each, more than a page, are all read."""
    rooms = [add_room(here, f"Room {number}") for number in range(105)]
    files = [int(here.portal.create(room, "One.docx", by=here.ann)) for room in rooms]
    here.clock.advance(HOUR)
    save(here, *files)
    assert here.sweep().folders == 105
    assert due(here) == set(files)


def test_paging_of_rooms_ends_with_the_first_that_did_not_change(here: World) -> None:
    """Paging of rooms ends with the first unchanged one: one page of two (docspace.md 1.5)."""
    for number in range(150):
        add_room(here, f"Room {number}")
    here.sweep(after=HOUR)
    here.clock.advance(HOUR)
    save(here, here.file)
    assert asked(here, here.sweep)["GET files/rooms"] == 2


def test_a_room_with_an_order_of_its_own_is_read_whole(here: World) -> None:
    """A room with automatic indexing is read completely (docspace.md 1.1)."""
    room = add_room(here, "Data room", indexing=True)
    files = add_files(here, 250, room)
    here.sweep()
    here.clock.advance(HOUR)
    save(here, files[-1])
    routes = asked(here, here.sweep)
    assert routes["GET files/{id}"] == 3
    assert due(here) == {files[-1]}


def test_a_third_party_room_is_not_read(here: World) -> None:
    """Third-party rooms, whose files take no comment, are not requested (docspace.md 8)."""
    room = here.portal.add_room("Drive", owner=here.ann, third_party=True)
    here.portal.invite(room, here.bot, access=9)
    file = here.portal.create(room, "Far.docx", by=here.ann)
    here.clock.advance(10)
    here.portal.save(file, by=here.ann)
    save(here, here.file)
    assert asked(here, here.sweep)["GET files/{id}"] == 1
    assert due(here) == {here.file}


@pytest.mark.parametrize(
    ("room", "reason"),
    [
        (Room("drive-4", "Drive", START, pinned=False), "third_party"),
        (
            Room(9, "Archived, or a template", START, pinned=False, section=Section.ARCHIVE),
            "section",
        ),
        (Room(7, "Excluded", START, pinned=False), "scope"),
    ],
)
def test_a_room_that_is_passed_over_is_counted(here: World, room: Room, reason: str) -> None:
    """A third-party room that the portal lists all the same is skipped and counted."""
    policy = Policy(scope=Scope(exclude_rooms=frozenset({7})))
    lister = Lister(
        here.ledger, here.docspace, scan_settings(policy), here.clock, options=EnqueueOptions()
    )
    assert not lister.is_wanted(room)
    assert lister.report.skipped == {reason: 1}


def archived(here: World) -> None:
    """Archive the room."""
    here.portal.archive_room(here.room)


def out_of_the_room(here: World) -> None:
    """Take our account out of the room."""
    here.portal.invite(here.room, here.bot, access=0)


def back(here: World) -> None:
    """Undo it: restore the room and invite our account."""
    here.portal.unarchive_room(here.room)
    here.portal.invite(here.room, here.bot, access=9)


@pytest.mark.parametrize("hide", [archived, out_of_the_room])
@pytest.mark.parametrize("locked", [False, True])
def test_an_update_that_was_listed_and_then_hidden_is_found_when_its_room_is_back(
    here: World, hide: Callable[[World], None], locked: bool
) -> None:
    """A room that was closed after its update had been listed is read anew when it is back,
    although its watermark and full scans are past that update.
    """
    save(here, here.file)
    if locked:
        here.portal.lock(here.file, by=here.ann)
    here.sweep(after=HOUR)
    if locked:
        work(here)
    hide(here)
    here.clock.advance(8 * HOUR)
    work(here)
    for _ in range(2):
        sweep_and_work(here, after=DAY)
    back(here)
    if locked:
        here.portal.unlock(here.file, by=here.ann)
    sweep_and_work(here, after=DAY)
    assert here.comment() == TARGET


def test_a_room_that_is_archived_while_it_is_behind_keeps_its_watermark(here: World) -> None:
    """A room that is archived while incomplete keeps its watermark, and decides nothing."""
    save(here, here.file)
    here.clock.advance(600)
    here.portal.faults.add(Fault(f"GET {LISTING}", "status"))
    assert here.sweep().incomplete == [here.room]
    here.portal.archive_room(here.room)
    for _ in range(3):
        assert sweep_and_work(here, after=DAY).incomplete == []
    here.portal.unarchive_room(here.room)
    sweep_and_work(here, after=DAY)
    assert here.comment() == TARGET


@ON_EACH_DATABASE
def test_updates_that_no_date_told_of_are_counted_and_remembered(here: World) -> None:
    """Updates that only a full scan finds are counted and stored."""
    quiet = add_room(here, "Quiet")
    (old,) = add_files(here, 1, quiet)
    save(here, old)
    for _ in range(2):
        assert sweep_and_work(here).undated_updates == 0
        here.clock.advance(HOUR)
    save(here, here.file)
    here.portal.move(here.file, quiet, by=here.ann)
    assert sweep_and_work(here, after=DAY).undated_updates == 1
    found = here.ledger.settings.get(UNDATED_UPDATES)
    assert found is not None
    assert found.updates == 1


def add_personal_file(here: World) -> int:
    """Add a file to "My documents" of the key's owner, and save it an hour later."""
    file = int(here.portal.create(here.portal.personal(here.bot), "Plan.docx", by=here.bot))
    here.clock.advance(HOUR)
    here.portal.save(file, by=here.bot)
    here.clock.advance(HOUR)
    return file


@pytest.fixture
def moved(here: World) -> World:
    """A world in which a full scan found an update that no date had shown."""
    quiet = add_room(here, "Quiet")
    sweep_and_work(here, after=HOUR)
    here.clock.advance(HOUR)
    save(here, here.file)
    here.portal.move(here.file, quiet, by=here.ann)
    assert sweep_and_work(here, after=DAY).undated_updates == 1
    return here


def test_a_full_scan_that_finds_no_undated_update_ends_their_report(moved: World) -> None:
    """The report of undated updates ends with the first full scan that finds none."""
    sweep_and_work(moved, after=HOUR)
    assert moved.ledger.settings.get(UNDATED_UPDATES) is not None
    sweep_and_work(moved, after=DAY)
    assert moved.ledger.settings.get(UNDATED_UPDATES) is None


def test_an_incomplete_full_scan_does_not_end_the_report_of_undated_updates(moved: World) -> None:
    """A full scan that could not read every room does not end the report of undated updates."""
    moved.portal.faults.add(Fault(f"GET {LISTING}", "status"))
    assert moved.sweep(after=DAY).incomplete
    assert moved.ledger.settings.get(UNDATED_UPDATES) is not None


@pytest.mark.parametrize("after", [HOUR, DAY])
def test_updates_that_a_wider_scope_adds_are_not_undated(tmp_path: Path, after: float) -> None:
    """Updates that a wider scope adds are no undated ones, even if a full scan is due then."""
    policy = Policy(scope=Scope(extensions=frozenset({"xlsx"})))
    with run_sweep(tmp_path / "ledger.db", policy) as here:
        save(here, here.file)
        for _ in range(2):
            here.sweep(after=HOUR)
        here.policy = Policy()
        assert here.sweep(after=after).undated_updates == 0
        assert due(here) == {here.file}
        assert here.ledger.settings.get(UNDATED_UPDATES) is None


def test_updates_that_are_due_already_are_not_undated(here: World) -> None:
    """Updates that a sweep found, and that are still due, are no undated ones."""
    save(here, here.file)
    for _ in range(2):
        here.sweep(after=HOUR)
    assert due(here) == {here.file}
    assert here.sweep(after=DAY).undated_updates == 0


def test_my_documents_of_the_keys_owner_are_swept(here: World) -> None:
    """The personal documents of the key's owner are swept, in subfolders too."""
    folder = here.portal.add_folder(here.portal.personal(here.bot), "Notes", by=here.bot)
    file = int(here.portal.create(folder, "Plan.docx", by=here.bot))
    here.clock.advance(HOUR)
    here.portal.save(file, by=here.bot)
    sweep_and_work(here, after=10)
    assert here.comment(file) == TARGET


@pytest.mark.parametrize("scope", [Scope(personal=False), Scope(rooms=frozenset({LAST_FILE_ID}))])
def test_my_documents_out_of_scope_are_not_even_asked_for(tmp_path: Path, scope: Scope) -> None:
    """With `review.personal_documents` off, or with `review.rooms`, "My documents" are not
    requested: an idle sweep is one GET.
    """
    with run_sweep(tmp_path / "ledger.db", Policy(scope=scope)) as here:
        assert asked(here, here.sweep) == {"GET files/rooms": 1}


def test_an_account_without_my_documents_is_swept_all_the_same(here: World) -> None:
    """If the portal refuses "My documents", that is counted, and the rooms are read."""
    here.portal.faults.add(Fault("GET files/@my", "status", status=403))
    save(here, here.file)
    assert here.sweep().skipped == {"personal": 1}
    assert due(here) == {here.file}


@pytest.mark.parametrize("status", [403, 500])
def test_my_documents_that_fail_once_are_read_again_by_their_own_list(
    here: World, status: int
) -> None:
    """If a page of "My documents" fails, the next sweep reads them again by their own list."""
    file = add_personal_file(here)
    here.portal.faults.add(Fault(MINE, "status", status=status, skip=1))
    here.sweep()
    here.clock.advance(HOUR)
    assert asked(here, here.sweep) == {"GET files/rooms": 1, "GET files/@my": 2}
    assert due(here) == {file}
    here.clock.advance(HOUR)
    assert asked(here, here.sweep) == IDLE


@pytest.mark.parametrize("status", [403, 500])
def test_a_personal_file_lies_in_no_room_however_it_is_listed(here: World, status: int) -> None:
    """A file of "My documents" lies in no room, also if their own list fails once more and they are
    read by their id.
    """
    file = add_personal_file(here)
    here.portal.faults.add(Fault(MINE, "status", status=status, skip=1, times=2))
    here.sweep()
    here.sweep()
    assert due(here) == {file}
    row = here.ledger.file_row(file)
    assert row is not None
    assert row["room"] is None


@pytest.mark.parametrize("excluded", [True, False])
def test_only_the_configured_rooms_are_read(tmp_path: Path, excluded: bool) -> None:
    """Only the configured rooms are read; the others are counted, and only listed."""
    with run_sweep(tmp_path / "ledger.db") as here:
        other = add_room(here)
        (file,) = add_files(here, 1, other)
        out = frozenset({other})
        scope = Scope(exclude_rooms=out) if excluded else Scope(rooms=frozenset({here.room}))
        here.policy = Policy(scope=scope)
        here.sweep()
        save(here, here.file, file)
        report = here.sweep()
        assert (report.folders, report.skipped) == (1, {"scope": 1})
        assert due(here) == {here.file}


# Files that are being converted drop out of their page (docspace.md 1.1).


def test_a_short_page_is_not_the_last_one(here: World) -> None:
    """A page from which files being converted are missing is not the last."""
    files = add_files(here, 250)
    here.portal.start_converting(files[3])
    here.portal.start_converting(files[200])
    save(here, *files)
    here.sweep()
    assert due(here) == set(files) - {files[3], files[200]}


def test_a_file_that_was_being_converted_is_found_when_that_has_ended(here: World) -> None:
    """A file that was being converted is found later: the room keeps its watermark and is read
    again, although nothing changes.
    """
    files = add_files(here, 250)
    save(here, *files)
    here.portal.start_converting(files[100])
    assert here.sweep().incomplete == [here.room]
    here.portal.stop_converting(files[100])
    assert here.sweep(after=HOUR).incomplete == []
    assert due(here) == set(files)
    here.clock.advance(HOUR)
    assert asked(here, here.sweep) == IDLE


def test_a_conversion_on_the_last_of_several_pages_is_noticed(here: World) -> None:
    """A conversion on the last of several pages shows in an earlier page's total."""
    files = add_files(here, 150)
    save(here, *files)
    here.portal.start_converting(files[0])
    assert here.sweep().incomplete == [here.room]
    here.portal.stop_converting(files[0])
    here.sweep(after=HOUR)
    assert due(here) == set(files)


def test_a_conversion_on_the_only_page_is_covered_by_the_overlap(here: World) -> None:
    """A conversion on the only page is not noticed, but listed again within the overlap."""
    save(here, here.file)
    here.portal.start_converting(here.file)
    here.sweep()
    assert due(here) == set()
    here.portal.stop_converting(here.file)
    here.sweep(after=240)
    assert due(here) == {here.file}


# Many files saved in one second have no order (docspace.md 1.1).


@pytest.mark.parametrize("step", [0, 1, 7, 37, 99, 101, 1000])
def test_files_of_one_second_are_all_found_however_they_change_places(
    here: World, step: int
) -> None:
    """Two hundred and fifty files of one second, in an order that changes, are all found by one
    sweep, or the room stays incomplete until they are.
    """
    here.portal.tie_step = step
    files = add_files(here, 250)
    save(here, *files, every=0)
    here.clock.advance(HOUR)
    for _ in range(3):
        if not here.sweep().incomplete:
            break
        here.clock.advance(HOUR)
    assert due(here) == set(files)
    assert asked(here, here.sweep)["GET files/{id}"] == 0


@pytest.mark.parametrize("step", [1, 7, 37])
def test_ties_across_a_page_boundary_are_all_found(here: World, step: int) -> None:
    """Groups of twenty files of one second, with one across each page boundary, are all found."""
    here.portal.tie_step = step
    files = add_files(here, 240)
    for number in range(0, 240, 20):
        save(here, *files[number : number + 20], every=0)
        here.clock.advance(1)
    assert here.sweep(after=HOUR).incomplete == []
    assert due(here) == set(files)


# What people do while pages are read.


def test_a_file_that_is_saved_while_pages_are_read_is_found(here: World) -> None:
    """A file that is saved while pages are read, and moves from the third page to the top, is found
    at the latest by the next sweep.
    """
    files = add_files(here, 250)
    save(here, *files)
    at_listing(here, 2, lambda: here.portal.save(files[0], by=here.ann))
    here.sweep()
    here.sweep(after=300)
    assert due(here) == set(files)


@pytest.mark.parametrize(
    ("total", "gone", "way"),
    [
        (250, 1, "trashed"),
        (250, 5, "trashed"),
        (250, 50, "trashed"),
        (250, 50, "moved"),
        (150, 60, "trashed"),
    ],
)
def test_files_that_leave_while_pages_are_read_hide_no_other(
    here: World, total: int, gone: int, way: str
) -> None:
    """Files that leave while pages are read hide no other, although later rows move up."""
    other = add_room(here)
    files = add_files(here, total)
    save(here, *files)
    newest = files[::-1][:gone]

    def leave() -> None:
        for file in newest:
            if way == "trashed":
                here.portal.trash(file, by=here.ann)
            else:
                here.portal.move(file, other, by=here.ann)

    at_listing(here, 2, leave)
    assert here.sweep().incomplete == []
    assert set(files) - set(newest) <= due(here)


def test_a_room_that_is_saved_into_while_rooms_are_paged_loses_nothing(here: World) -> None:
    """A room that is saved into while rooms are paged, and moves to the first page, is read by the
    next sweep from its own watermark.
    """
    rooms = [add_room(here, f"Room {number}") for number in range(101)]
    files = [int(here.portal.create(room, "One.docx", by=here.ann)) for room in rooms]
    second = int(here.portal.create(rooms[0], "Two.docx", by=here.ann))
    here.sweep(after=HOUR)
    here.clock.advance(HOUR)
    save(here, *files)
    here.clock.advance(HOUR)
    at_listing(here, 3, lambda: here.portal.save(second, by=here.ann), "files/rooms")
    here.sweep()
    assert due(here) == set(files[1:])
    here.sweep(after=HOUR)
    assert due(here) == {*files, second}


# Failures.


def three_rooms(here: World) -> tuple[int, int, int]:
    """Return a file in each of three rooms, saved one after the other."""
    files = [add_files(here, 1, add_room(here, title))[0] for title in ("A", "B", "C")]
    save(here, *files)
    here.clock.advance(600)
    first, second, third = files
    return first, second, third


@ON_EACH_DATABASE
def test_a_room_that_fails_once_holds_up_no_other_and_is_read_again(here: World) -> None:
    """A room that fails once (500) delays no other and is read by the next sweep."""
    files = three_rooms(here)
    here.portal.faults.add(Fault(f"GET {LISTING}", "status", skip=1))
    assert len(here.sweep().incomplete) == 1
    assert due(here) == {files[0], files[2]}
    here.clock.advance(HOUR)
    assert asked(here, here.sweep) == {**IDLE, "GET files/{id}": 1}
    assert due(here) == set(files)
    here.clock.advance(HOUR)
    assert asked(here, here.sweep) == IDLE


@ON_EACH_DATABASE
def test_a_file_that_moves_out_of_a_room_that_fails_is_found(here: World) -> None:
    """A file that moves out of a failing room into one that was already read is found by the full
    scan, which goes back to the last complete reading of all rooms.
    """
    old, new = add_room(here, "Old"), add_room(here, "New")
    (moved,), (other,) = add_files(here, 1, old), add_files(here, 1, new)
    here.sweep()
    here.clock.advance(HOUR)
    save(here, moved, every=400)
    save(here, other)
    here.portal.faults.add(Fault(f"GET {LISTING}", "status", skip=1))
    assert here.sweep().incomplete == [old]
    here.portal.move(moved, new, by=here.ann)
    here.sweep(after=HOUR)
    assert due(here) == {other}
    here.sweep(after=DAY)
    assert due(here) == {other, moved}


@pytest.mark.parametrize("failing", ["the full scan", "the one before"])
def test_a_full_scan_that_lacked_a_room_is_made_up_for_by_the_next(
    here: World, failing: str
) -> None:
    """After a full scan without a room, the next goes back to the last complete one."""
    old, new = add_room(here, "Old"), add_room(here, "New")
    (moved,), (other,) = add_files(here, 1, old), add_files(here, 1, new)
    here.sweep(after=DAY)
    here.clock.advance(HOUR)
    if failing == "the full scan":
        here.clock.advance(DAY - HOUR)
    save(here, moved, every=400)
    save(here, other)
    here.portal.faults.add(Fault(f"GET {LISTING}", "status", skip=1))
    report = here.sweep()
    assert (report.incomplete, report.full_scan) == ([old], failing == "the full scan")
    here.portal.move(moved, new, by=here.ann)
    here.sweep(after=DAY)
    assert moved in due(here)


def test_a_room_that_fails_for_ever_holds_up_no_other(here: World) -> None:
    """A room that always fails delays no other, and is read later from its watermark."""
    files = three_rooms(here)
    for _ in range(4):
        here.portal.faults.add(Fault(f"GET {LISTING}", "status"))
        save(here, files[2])
        assert len(here.sweep().incomplete) == 1
        here.portal.faults.clear()
        here.clock.advance(HOUR)
    assert files[2] not in due(here)
    assert here.sweep().incomplete == []
    assert due(here) == set(files)


def test_three_rooms_in_a_row_that_fail_hold_up_no_other(here: World) -> None:
    """Three failing rooms in a row do not stop the sweep if the key works."""
    oldest = add_files(here, 1, add_room(here, "Oldest"))[0]
    save(here, oldest)
    here.clock.advance(60)
    files = three_rooms(here)
    here.portal.faults.add(Fault(f"GET {LISTING}", "status", times=3))
    assert len(here.sweep().incomplete) == 3
    assert due(here) == {oldest}
    here.sweep(after=HOUR)
    assert due(here) == {oldest, *files}


def test_a_portal_that_fails_altogether_ends_the_sweep(here: World) -> None:
    """If three rooms and the request for the key fail, the sweep ends."""
    files = three_rooms(here)
    before = here.ledger.watermarks.portal()
    here.portal.faults.add(Fault(f"GET {LISTING}", "status", times=3))
    here.portal.faults.add(Fault("GET keys/@self", "status"))
    with pytest.raises(TransientError):
        here.sweep()
    assert here.ledger.watermarks.portal() == before
    here.sweep(after=HOUR)
    assert due(here) == set(files)


def test_a_room_that_may_not_be_read_holds_up_no_other(here: World) -> None:
    """A room that answers 403 with a working key is requested once by each sweep; when it is back,
    it is read from its own watermark.
    """
    files = three_rooms(here)
    here.portal.faults.add(Fault(f"GET {LISTING}", "status", status=403, times=2))
    report = here.sweep()
    assert (report.skipped, report.incomplete) == ({"forbidden": 2}, [])
    (only,) = due(here)
    here.portal.faults.add(Fault(f"GET {LISTING}", "status", status=403, times=2))
    here.clock.advance(HOUR)
    assert asked(here, here.sweep)["GET files/{id}"] == 2
    assert due(here) == {only}
    here.sweep(after=HOUR)
    assert due(here) == set(files)
    assert asked(here, here.sweep) == IDLE


def test_an_update_in_an_archived_room_is_marked_when_the_room_is_back(here: World) -> None:
    """An update in an archived room is marked when it is restored, which raises no date."""
    save(here, here.file)
    here.portal.archive_room(here.room)
    for _ in range(3):
        assert here.sweep(after=HOUR).skipped["section"] in {0, 1}
        assert due(here) == set()
    here.portal.unarchive_room(here.room)
    here.sweep()
    assert due(here) == {here.file}
    work(here)
    assert here.comment() == TARGET


def test_an_update_is_marked_when_our_account_is_back_in_the_room(here: World) -> None:
    """An update is marked when our account is back in the room, which the list of rooms shows."""
    here.portal.invite(here.room, here.bot, access=0)
    save(here, here.file)
    for _ in range(3):
        here.sweep(after=HOUR)
        assert due(here) == set()
    here.portal.invite(here.room, here.bot, access=9)
    here.sweep()
    assert due(here) == {here.file}


def test_a_room_that_is_back_with_a_new_date_is_read_once(here: World) -> None:
    """A hidden room that is back, and was saved into meanwhile, is read once by the next sweep."""
    save(here, here.file)
    here.portal.archive_room(here.room)
    here.sweep(after=HOUR)
    here.portal.unarchive_room(here.room)
    here.clock.advance(HOUR)
    save(here, here.file)
    assert asked(here, here.sweep)["GET files/{id}"] == 1
    assert due(here) == {here.file}


NARROWER: dict[str, Callable[[World], Policy]] = {
    "exclude_rooms": lambda w: Policy(scope=Scope(exclude_rooms=frozenset({w.room}))),
    "rooms": lambda _: Policy(scope=Scope(rooms=frozenset({7}))),
    "extensions": lambda _: Policy(scope=Scope(extensions=frozenset({"xlsx"}))),
    "ignore_users": lambda w: Policy(scope=Scope(ignore_users=frozenset({w.ann.id}))),
    "observe": lambda _: Policy(observe=True),
}


@pytest.mark.parametrize("key", NARROWER)
def test_what_comes_into_reach_is_read_back_to_when_it_left(here: World, key: str) -> None:
    """After a narrower scope or `review.observe` ends, the sweep reads back to when it began."""
    wide = here.policy
    here.policy = NARROWER[key](here)
    here.sweep()
    save(here, here.file)
    for _ in range(3):
        sweep_and_work(here, after=HOUR)
    assert here.comment() == "Edited"
    here.policy = wide
    here.restart()
    sweep_and_work(here)
    assert here.comment() == TARGET
    here.clock.advance(HOUR)
    assert asked(here, here.sweep) == IDLE


def test_files_kept_for_a_text_that_is_the_portals_are_marked_once_it_is_told(
    here: World,
) -> None:
    """Files kept for a text are marked once `review.portal_texts` has it."""
    other, *_ = add_files(here, 1)
    save(here, here.file, other)
    here.portal.comment(here.file, "Redaguota", by=here.bob)
    here.portal.comment(other, "Approved", by=here.bob)
    sweep_and_work(here, after=HOUR)
    assert (here.comment(), here.comment(other)) == ("Redaguota", "Approved")
    here.policy = Policy(portal_texts=("Redaguota",))
    here.restart()
    sweep_and_work(here)
    assert (here.comment(), here.comment(other)) == (TARGET, "Approved")
    assert here.ledger.health.overview(here.now()).texts == (("Approved", 1),)


@pytest.mark.parametrize("ahead", [timedelta(days=31), timedelta(hours=30)])
def test_a_portal_whose_clock_was_ahead_once_hides_nothing(fresh: World, ahead: timedelta) -> None:
    """A portal whose clock was ahead once hides no update: the origin is no later than now."""
    here = fresh
    here.clock.now += ahead
    here.sweep()
    here.clock.now -= ahead
    save(here, here.file)
    sweep_and_work(here)
    assert here.comment() == TARGET
    assert here.ledger.entry(here.file).since < here.now()


def test_a_throttled_sweep_ends_at_once_and_loses_nothing(here: World) -> None:
    """A 429 ends the sweep at once, since it concerns all requests; nothing is lost."""
    files = three_rooms(here)
    here.portal.faults.add(Fault(f"GET {LISTING}", "throttle_day", retry_after=60, skip=1))
    with pytest.raises(RateLimitedError) as caught:
        here.sweep()
    assert caught.value.retry_after == timedelta(seconds=60)
    here.sweep(after=HOUR)
    assert due(here) == set(files)


@pytest.mark.parametrize("route", ["files/rooms", "files/@my", LISTING])
def test_a_dead_key_ends_the_sweep_wherever_it_dies(here: World, route: str) -> None:
    """A dead key ends the sweep at any request: a 403 is not taken for the room's."""
    files = three_rooms(here)
    at_listing(here, 1, lambda: here.portal.disable_key(here.key), route)
    with pytest.raises(UnauthorizedError):
        here.sweep()
    here.portal.enable_key(here.key)
    here.sweep(after=HOUR)
    assert due(here) == set(files)


class Killed(BaseException):
    """Stands for the end of the process."""


@ON_EACH_DATABASE
@pytest.mark.parametrize("moment", range(1, 7))
def test_a_sweep_that_is_killed_anywhere_goes_on_and_loses_nothing(
    here: World, moment: int
) -> None:
    """A sweep that is killed before or after any page loses nothing: the next finds the rest."""
    files = three_rooms(here)
    ticks = iter(range(1, moment))

    def clock() -> datetime:
        if next(ticks, None) is None:
            raise Killed
        return here.clock()

    with pytest.raises(Killed):
        Sweep(here.ledger, here.docspace, scan_settings(here.policy), clock).run()
    here.restart()
    here.sweep(after=HOUR)
    assert due(here) == set(files)


# Clocks.


@pytest.mark.parametrize("hours", [-30, -5, 5, 30])
def test_a_clock_of_ours_that_is_wrong_hides_nothing(fresh: World, hours: int) -> None:
    """A clock of ours that is hours off hides nothing, since watermarks are the portal's times."""
    here, theirs = fresh, Clock(fresh.clock())
    here.portal.clock = theirs
    here.clock.advance(hours * HOUR)

    def wait(seconds: float) -> None:
        theirs.advance(seconds)
        here.clock.advance(seconds)

    here.sweep()
    for _ in range(3):
        wait(HOUR)
        here.portal.save(here.file, by=here.ann)
        wait(10)
        here.sweep()
        wait(2)
        while here.step() is not None:
            pass
        assert here.comment() == TARGET
        assert here.ledger.watermarks.portal() == theirs() - timedelta(seconds=2)
    wait(HOUR)
    here.sweep()
    assert asked(here, here.sweep) == IDLE


class Undated(DocSpace):
    """A portal behind a proxy that removes the Date header."""

    def rooms(self, start: int = 0, count: int = PAGE) -> RoomPage:
        """Return the page without its date."""
        return replace(super().rooms(start, count), date=None)


def test_without_a_date_header_the_newest_save_is_the_watermark(here: World) -> None:
    """Without a Date header the newest save is the watermark, and nothing is missed."""
    here.docspace = Undated(here.docspace._http)
    save(here, here.file)
    sweep_and_work(here)
    assert here.comment() == TARGET
    assert here.ledger.watermarks.portal() == here.portal.folder_updated(here.room)
    here.clock.advance(HOUR)
    save(here, here.file)
    sweep_and_work(here)
    assert here.comment() == TARGET


def test_a_watermark_ahead_of_the_portals_clock_hides_nothing(here: World) -> None:
    """After the portal's clock was set back by a month, watermarks in the future hide nothing."""
    ahead = here.clock() + timedelta(days=30)
    here.ledger.watermarks.set_portal(ahead)
    here.ledger.watermarks.set_room(here.room, ahead)
    save(here, here.file)
    sweep_and_work(here)
    assert here.comment() == TARGET
    assert here.ledger.watermarks.portal() == here.clock() - timedelta(seconds=2)


# What it costs.


@pytest.mark.parametrize("rooms", [0, 101])
def test_an_idle_sweep_is_two_requests_whatever_the_size_of_the_portal(
    here: World, rooms: int
) -> None:
    """An idle sweep is two requests for a portal of any size (docspace.md 1.5)."""
    for number in range(rooms):
        add_room(here, f"Room {number}")
    add_files(here, 300)
    here.sweep()
    here.sweep(after=600)
    here.clock.advance(600)
    assert asked(here, here.sweep) == IDLE


def test_after_a_busy_sweep_the_portal_at_rest_costs_two_requests_again(here: World) -> None:
    """After a busy sweep and the overlap an idle sweep is two requests again: the watermark
    advances, and our comment is no change.
    """
    save(here, here.file)
    sweep_and_work(here)
    here.clock.advance(200)
    assert asked(here, here.sweep)["GET files/{id}"] == 1
    here.sweep(after=200)
    for _ in range(3):
        here.clock.advance(300)
        assert asked(here, here.sweep) == IDLE


def test_a_listed_file_that_needs_nothing_costs_no_request_of_its_own(here: World) -> None:
    """A listed file that is marked, kept or new costs no request of its own."""
    kept, marked = add_files(here, 2)
    save(here, kept, marked)
    sweep_and_work(here)
    here.portal.comment(kept, "Approved", by=here.bob)
    here.portal.create(here.room, "New.docx", by=here.ann)
    here.clock.advance(10)
    routes = asked(here, lambda: sweep_and_work(here))
    assert (routes["GET files/file/{id}"], routes["PUT files/file/{id}/comment"]) == (0, 0)
    assert here.comment(kept) == "Approved"


def test_a_locked_file_is_not_looked_at_anew_by_each_sweep(here: World) -> None:
    """A locked file is not looked at by each sweep: the listing shows that it is still locked."""
    save(here, here.file)
    here.portal.lock(here.file, by=here.ann)
    sweep_and_work(here)
    assert here.attempts[-1].rule is Rule.LOCKED
    here.clock.advance(30)
    routes = asked(here, lambda: sweep_and_work(here))
    assert routes["GET files/{id}"] == 1
    assert routes["GET files/file/{id}"] == 0
    here.portal.unlock(here.file, by=here.ann)
    sweep_and_work(here)
    assert here.comment() == TARGET


def test_a_file_that_may_not_be_commented_is_not_looked_at_anew_by_each_sweep(
    here: World,
) -> None:
    """A file that may not be commented is not looked at by each sweep."""
    here.portal.invite(here.room, here.bot, access=2)
    save(here, here.file)
    sweep_and_work(here)
    assert here.attempts[-1].rule is Rule.FORBIDDEN
    report = here.sweep(after=30)
    assert report.number(Outcome.REFUSED) == 1
    assert due(here) == set()
    here.portal.invite(here.room, here.bot, access=9)
    sweep_and_work(here)
    assert here.comment() == TARGET


# Updates that raise no date.


def test_once_a_day_the_dates_are_not_believed(here: World) -> None:
    """A save that was moved into an unchanged room before any sweep is found by the daily full
    scan, since a move raises no folder's date (docspace.md 1.4).
    """
    quiet = add_room(here, "Quiet")
    (old,) = add_files(here, 1, quiet)
    save(here, old)
    for _ in range(2):
        sweep_and_work(here)
        here.clock.advance(HOUR)
    save(here, here.file)
    here.portal.move(here.file, quiet, by=here.ann)
    here.clock.advance(HOUR)
    assert not here.sweep().full_scan
    assert due(here) == set()
    assert here.sweep(after=DAY).full_scan
    assert due(here) == {here.file}


@ON_EACH_DATABASE
def test_a_full_scan_comes_a_day_after_the_first_and_after_each_other(here: World) -> None:
    """A full scan comes a day after the first sweep, and a day after each other."""
    here.clock.advance(DAY - 2 * HOUR)
    deep = []
    for _ in range(30):
        deep.append(here.sweep().full_scan)
        here.clock.advance(HOUR)
    assert [hour for hour, found in enumerate(deep) if found] == [1, 25]


def test_a_full_scan_reads_each_room_no_further_than_the_one_before(here: World) -> None:
    """A full scan reads each room back to the previous one: two hundred and fifty old files cost
    one page, and the next sweep is idle.
    """
    add_files(here, 250)
    here.sweep()
    here.sweep(after=DAY)
    here.clock.advance(DAY)
    routes = asked(here, here.sweep)
    assert routes == {"GET files/rooms": 2, "GET files/@my": 2, "GET files/{id}": 1}
    here.clock.advance(600)
    assert asked(here, here.sweep) == IDLE


# Saves that publish no file.updated (docspace.md 4.2).

Act = Callable[[World, int], object]
UNTOLD: dict[str, Act] = {
    "a save": lambda w, file: w.portal.save(file, by=w.ann),
    "a forcesave": lambda w, file: w.portal.forcesave(file, by=w.ann),
    "an upload over it": lambda w, file: w.portal.upload(
        w.room, w.portal.file(file).title, by=w.ann
    ),
    "an upload into the same version": lambda w, file: w.portal.replace_content(file, by=w.ann),
    "a copy over it": lambda w, file: w.portal.copy(w.file, w.room, by=w.ann, overwrite=file),
    "a move over it": lambda w, file: w.portal.move(
        int(w.portal.create(w.room, "Source.docx", by=w.ann)), w.room, by=w.ann, overwrite=file
    ),
    "a conversion": lambda w, file: w.portal.convert(file, by=w.ann),
    "a restored version": lambda w, file: w.portal.restore_version(file, 1, by=w.ann),
    "a completed version": lambda w, file: w.portal.complete_version(file, by=w.ann),
    "a save that was lost": lambda w, file: w.portal.save_failed(file, by=w.ann),
    "a change of its owner": lambda w, file: w.portal.change_owner(file, w.bob, by=w.ann),
}


@pytest.mark.parametrize("act", UNTOLD)
def test_every_way_to_save_is_found(here: World, act: str) -> None:
    """Every way to write content raises the dates, with or without an event, and is found."""
    (file,) = add_files(here, 1)
    UNTOLD[act](here, file)
    sweep_and_work(here, after=10)
    assert here.comment(file) == TARGET


# The origin.


def test_the_first_sweep_learns_that_the_portal_is_known(tmp_path: Path) -> None:
    """The first sweep of an idle portal finds out whether the portal is known."""
    with silent(tmp_path / "ledger.db") as here:
        (other,) = add_files(here, 1)
        assert here.sweep(after=9 * DAY).scanned == 0
        assert here.ledger.baseline().portal_known is True
        assert asked(here, here.sweep) == IDLE
        for file in (here.file, other):
            here.portal.save(file, by=here.ann)
            here.portal.comment(file, "Approved", by=here.bob)
        here.portal.faults.add(Fault("GET files/file/{id}/history", "status", status=404))
        sweep_and_work(here)
        assert here.comment() == here.comment(other) == "Approved"


def test_the_first_sweep_looks_back_a_day_and_no_further(fresh: World) -> None:
    """The first sweep marks an update of twenty-three hours ago and none of twenty-five."""
    here = fresh
    old, young = add_files(here, 2)
    save(here, old, every=2 * HOUR)
    save(here, young, every=23 * HOUR)
    sweep_and_work(here)
    assert (here.comment(old), here.comment(young)) == ("Edited", TARGET)
    sweep_and_work(here, after=2 * DAY)
    assert here.comment(old) == "Edited"


def test_what_somebody_wrote_before_the_first_sweep_is_kept(fresh: World) -> None:
    """A text that no portal writes, typed before the first sweep, is kept."""
    here = fresh
    save(here, here.file)
    here.portal.comment(here.file, "Approved", by=here.bob)
    sweep_and_work(here, after=HOUR)
    assert here.comment() == "Approved"
    save(here, here.file)
    sweep_and_work(here)
    assert here.comment() == TARGET


@ON_EACH_DATABASE
def test_texts_that_are_kept_from_a_list_are_counted(fresh: World) -> None:
    """Texts that are kept in a listing are counted, to find a portal's unknown texts."""
    here = fresh
    first, second = add_files(here, 2)
    save(here, first, second)
    for file in (first, second):
        here.portal.comment(file, "Redaguota", by=here.bob)
    here.sweep(after=HOUR)
    here.sweep()
    assert rows(here.path)["texts"] == [("Redaguota", 2, 0)]


# Outdated list items.


@ON_EACH_DATABASE
def test_an_item_that_was_listed_before_our_write_decides_nothing(here: World) -> None:
    """An item listed before our write and a review decides nothing: the worker looks again."""
    save(here, here.file)
    here.sweep()

    def meanwhile(method: str, route: str, file: object) -> None:
        if route == LISTING:
            here.portal.on_answer = None
            here.clock.advance(2)
            assert here.step() is not None
            here.portal.comment(here.file, "Approved", by=here.bob)

    here.portal.on_answer = meanwhile
    report = here.sweep()
    assert (report.enqueued, here.ledger.entry(here.file).marked_by_us) == (1, True)
    work(here)
    assert (here.comment(), here.portal.count("PUT")) == ("Approved", 1)


@ON_EACH_DATABASE
def test_an_item_settles_nothing_while_its_file_is_in_work(here: World) -> None:
    """An item settles nothing while a worker has claimed its file, which may write to an older
    revision; the file is due again.
    """
    save(here, here.file)
    here.sweep()
    (claim,) = here.ledger.claims.take(here.clock(), 1, timedelta(seconds=60))
    here.portal.comment(here.file, TARGET, by=here.bob)
    here.clock.advance(10)
    before = here.ledger.entry(here.file)
    report = here.sweep()
    assert (report.enqueued, here.ledger.entry(here.file)) == (1, before)
    assert here.ledger.claims.release(claim, here.clock())
    work(here)
    assert here.ledger.entry(here.file).marked_by_us


# A dry run.


@ON_EACH_DATABASE
def test_a_dry_run_counts_the_same_and_writes_nothing_at_all(fresh: World) -> None:
    """A dry run counts like a sweep and writes no row, no watermark and no comment."""
    here = fresh
    files = add_files(here, 120)
    save(here, *files)
    here.portal.start_converting(files[0])
    for _ in range(2):
        before = rows(here.path)
        supposed = here.sweep(dry=True)
        assert rows(here.path) == before
        real = here.sweep()
        assert (supposed.scanned, supposed.ended, supposed.enqueued, supposed.incomplete) == (
            real.scanned,
            real.ended,
            real.enqueued,
            real.incomplete,
        )
        here.clock.advance(HOUR)
        save(here, *files[:5])
    assert here.portal.count("PUT") == 0


def test_a_dry_run_over_failing_and_forbidden_rooms_writes_nothing(here: World) -> None:
    """A dry run writes nothing about rooms that fail or are forbidden."""
    three_rooms(here)
    here.portal.faults.add(Fault(f"GET {LISTING}", "status"))
    here.portal.faults.add(Fault(f"GET {LISTING}", "status", status=403))
    before = rows(here.path)
    report = here.sweep(dry=True)
    assert (len(report.incomplete), report.skipped) == (1, {"forbidden": 1})
    assert rows(here.path) == before


# Beside a backfill.


def backfilled(here: World, since: timedelta, *, overwrite: bool = False) -> None:
    """Let a backfill list the room and make its files due."""
    options = EnqueueOptions(BACKFILL, here.clock() - since, overwrite)
    list_updates(here.ledger, here.docspace.room_files(here.room).files, options, here.clock())


@ON_EACH_DATABASE
def test_an_update_that_a_backfill_has_put_off_is_taken_over_by_the_sweep(here: World) -> None:
    """An update that waits as part of a backfill is due when the sweep finds it."""
    save(here, here.file)
    backfilled(here, timedelta(days=9))
    assert here.ledger.count_due(here.clock(), BACKFILL) == 1
    here.sweep(after=10)
    assert here.ledger.count_due(here.clock(), BACKFILL) == 0
    assert due(here) == {here.file}


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_backfill_reaches_back_also_for_a_file_that_is_due_already(
    here: World, overwrite: bool
) -> None:
    """A backfill stores its earlier `since` also for a file that is already due."""
    (old,) = add_files(here, 1)
    save(here, old)
    here.clock.advance(3 * DAY)
    backfilled(here, timedelta(days=1))
    backfilled(here, timedelta(days=9), overwrite=overwrite)
    entry = here.ledger.entry(old)
    assert entry.since == here.clock() - timedelta(days=9)
    assert entry.overwrite is overwrite
