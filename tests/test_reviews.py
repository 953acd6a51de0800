"""What people have to review: which files, in which order, since when, in which room."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.decision import Policy
from reconciler.ledger import Baseline, EnqueueOptions, Ledger, ReviewFilter, ReviewState
from reconciler.ledger.records import FileInReview
from reconciler.model import Outcome, Revision, Rule
from reconciler.sweep.planning import PageContext, plan_changes
from tests import support_ledger as kit
from tests.support_ledger import HOUR, MINUTE, NOW, SAVED, SECOND, a_file
from tests.support_sweep import rows, silent
from tests.world import TARGET, world

pytestmark = pytest.mark.usefixtures("each_database")
WAITING, DECIDED, UNMARKED = ReviewState
DAY = 24 * HOUR


def attempt(ledger: Ledger, outcome: Outcome, now: datetime, **changes: Any) -> None:
    """Let the worker end an event about a file so."""
    seen = changes.pop("seen", None) or a_file()
    ended = kit.result(outcome, seen=seen, settled=True, **changes)
    kit.attempt(ledger, ended, int(seen.id), now, title=seen.title)


def mark(ledger: Ledger, file: int = 1, now: datetime = NOW, **changes: Any) -> None:
    """Let the worker mark a file."""
    attempt(ledger, Outcome.MARKED, now, seen=a_file(file, **changes), marked_by_us=True)


def keep(ledger: Ledger, rule: Rule, now: datetime, **changes: Any) -> None:
    """Let the worker find a person's comment on a file."""
    seen = a_file(changes.pop("id", 1), **{"comment": "Approved"} | changes)
    attempt(ledger, Outcome.KEPT, now, seen=seen, reason=rule.value)


def listed(ledger: Ledger, now: datetime = NOW, **changes: Any) -> None:
    """Let a sweep read a page with one file."""
    file = a_file(**{"comment": TARGET} | changes)
    page = PageContext(Policy(target=TARGET), EnqueueOptions(), now, now)
    rows = ledger.listings.rows([file.id], Baseline(NOW - DAY, NOW, portal_known=True))
    ledger.listings.apply(plan_changes([file], rows, page), EnqueueOptions(), now)


def ask(ledger: Ledger, state: ReviewState = WAITING, **wanted: Any) -> tuple[FileInReview, ...]:
    """Return the files of a state."""
    return ledger.reviews.page(state, ReviewFilter(**wanted)).files


def ids(ledger: Ledger, state: ReviewState = WAITING, **wanted: Any) -> list[int]:
    """Return the ids of the files of a state, in their order."""
    return [one.file_id for one in ask(ledger, state, **wanted)]


# What waits.


def test_what_carries_our_comment_waits_with_all_that_is_known_of_it(ledger: Ledger) -> None:
    """Title, version, author, save, mark, and the room that a listing told."""
    ledger.watermarks.set_titles({7: "Legal"})
    listed(ledger, room=7, updated_by_name="Ann Lee", title="Contract.docx")
    assert ask(ledger) == (
        FileInReview(1, "Contract.docx", 2, SAVED, None, "Ann Lee", 7, "Legal", since=SAVED),
    )


def test_the_file_that_waits_longest_comes_first(ledger: Ledger) -> None:
    """And a page has so many of them, with the number of all."""
    for file in (3, 1, 2):
        mark(ledger, file, NOW + file * MINUTE)
    page = ledger.reviews.page(WAITING, limit=2, offset=1)
    assert ([one.file_id for one in page.files], page.total) == ([2, 3], 3)


def test_a_file_waits_on_over_new_versions(ledger: Ledger) -> None:
    """Nobody has reviewed it, however often it was saved and marked since."""
    mark(ledger)
    newer = Revision(3, NOW + HOUR, 100)
    mark(ledger, 1, NOW + HOUR, revision=newer)
    (waiting,) = ask(ledger)
    assert (waiting.version, waiting.updated) == (3, NOW + HOUR)
    assert (waiting.since, waiting.marked_at) == (NOW + SECOND, NOW + HOUR + SECOND)
    listed(ledger, NOW + DAY, revision=replace(newer, version=4))
    assert ask(ledger)[0].since == NOW + SECOND


def test_a_file_that_was_decided_waits_anew_when_it_is_saved(ledger: Ledger) -> None:
    """Its waiting begins with the new mark."""
    mark(ledger)
    keep(ledger, Rule.ANSWERED, NOW + HOUR)
    mark(ledger, 1, NOW + DAY, revision=Revision(3, NOW + DAY, 100))
    assert [one.since for one in ask(ledger)] == [NOW + DAY + SECOND]
    assert ids(ledger, DECIDED) == []


@pytest.mark.parametrize("rule", [Rule.GONE, Rule.SECTION])
def test_a_file_that_was_found_gone_or_in_the_trash_waits_no_more(
    ledger: Ledger, rule: Rule
) -> None:
    """Nobody can review it."""
    mark(ledger)
    kit.attempt(ledger, kit.result(Outcome.SKIPPED, reason=rule.value), now=NOW + HOUR)
    assert ids(ledger) == []
    assert ledger.health.overview(NOW + DAY).in_review == 0


# Which of them.


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"rooms": frozenset({7})}, [1]),
        ({"rooms": frozenset({7, 8})}, [1, 2]),
        ({"before": NOW + 90 * SECOND}, [1]),
        ({"author": "ann"}, [1]),
        ({"author": "ЖУКОВ"}, [2]),
        ({"text": "договор"}, [2]),
        ({"text": "lee"}, [1]),
        ({"text": "100%_"}, []),
        ({"text": "zh", "author": "ann"}, []),
    ],
)
def test_the_list_can_be_narrowed(ledger: Ledger, wanted: dict[str, Any], found: list[int]) -> None:
    """By room, by age, by who saved it, by words in title or name, in any case."""
    listed(ledger, id=1, room=7, title="Contract.docx", updated_by_name="Ann Lee")
    later = Revision(2, NOW + HOUR, 100)
    names = {"title": "ДОГОВОР.docx", "updated_by_name": "Пётр Жуков"}
    listed(ledger, NOW + DAY, id=2, room=8, revision=later, **names)
    assert ids(ledger, **wanted) == found
    assert ledger.reviews.page(WAITING, ReviewFilter(**wanted), limit=1).total == len(found)


# Rooms.


def test_a_sweep_tells_the_room_of_a_file_that_came_by_webhook(ledger: Ledger) -> None:
    """A look does not know it; the next listing that has the file does, and asks no more."""
    ledger.watermarks.set_titles({7: "Legal", 8: "Finance"})
    mark(ledger)
    assert ask(ledger)[0].room_title == ""
    listed(ledger, NOW + HOUR, room=7)
    assert (ask(ledger)[0].room_title, ask(ledger)[0].marked_at) == ("Legal", NOW + SECOND)
    listed(ledger, NOW + HOUR, room=8)  # it was moved
    assert ask(ledger)[0].room_title == "Finance"


def test_the_rooms_with_most_to_review_come_first(ledger: Ledger) -> None:
    """With their titles and numbers; a folder that is no room is not among them."""
    ledger.watermarks.set_titles({7: "Legal", 8: "Finance", 9: "Empty"})
    for file, room in ((1, 7), (2, 8), (3, 8)):
        listed(ledger, id=file, room=room)
    mark(ledger, 4, folder=11)
    found = [(one.room, one.title, one.number) for one in ledger.reviews.rooms(5)]
    assert found == [(8, "Finance", 2), (7, "Legal", 1)]
    assert len(ledger.reviews.rooms(1)) == 1


def test_a_room_that_is_renamed_has_its_new_title(ledger: Ledger) -> None:
    """A title that is missing leaves the one that is known."""
    ledger.watermarks.set_titles({7: "Legal"})
    ledger.watermarks.set_titles({7: "Law"})
    ledger.watermarks.set_titles({7: ""})
    listed(ledger, room=7)
    assert ask(ledger)[0].room_title == "Law"


@kit.SQLITE_ONLY
def test_a_file_that_a_webhook_brought_has_its_room_after_the_next_sweep(tmp_path: Path) -> None:
    """However deep it lies, at no request of its own."""
    with world(tmp_path / "ledger.db") as here:
        folder = here.portal.add_folder(here.room, "2025", by=here.ann)
        file = int(here.portal.create(folder, "Plan.docx", by=here.ann))
        here.clock.advance(60)
        here.portal.save(file, by=here.ann)
        here.settle()
        assert ask(here.ledger)[0].room_title == ""
        here.sweep()
        (waiting,) = ask(here.ledger)
        assert (waiting.title, waiting.room, waiting.room_title) == (
            "Plan.docx",
            here.room,
            "Legal",
        )
        assert waiting.marked_at is not None


@kit.SQLITE_ONLY
def test_a_room_that_is_only_listed_has_its_title(tmp_path: Path) -> None:
    """The first sweep sees all rooms, though it reads but those that changed lately."""
    with silent(tmp_path / "ledger.db") as here:
        here.clock.advance(3 * DAY.total_seconds())
        assert here.sweep(dry=True).folders == 0
        assert rows(here.path)["rooms"] == []
        here.sweep()
        assert [row[-1] for row in rows(here.path)["rooms"]] == ["Legal"]


# What people decided, and what was never marked.


def test_what_a_person_decided_is_told_in_his_words(ledger: Ledger) -> None:
    """The latest first, with when it was seen first; a rename does not make it newer."""
    for file in (1, 2):
        mark(ledger, file)
        keep(ledger, Rule.ANSWERED, NOW + file * HOUR, id=file, comment=f"Approved {file}")
    keep(ledger, Rule.ANSWERED, NOW + DAY, id=1, comment="Approved 1", title="New name.docx")
    told = [(one.file_id, one.title, one.comment, one.since) for one in ask(ledger, DECIDED)]
    assert told == [
        (2, "2.docx", "Approved 2", NOW + 2 * HOUR + SECOND),
        (1, "New name.docx", "Approved 1", NOW + HOUR + SECOND),
    ]


def test_a_comment_that_was_emptied_is_decided_too(ledger: Ledger) -> None:
    """Without words."""
    mark(ledger)
    keep(ledger, Rule.CHANGED, NOW + HOUR, comment="")
    assert [one.comment for one in ask(ledger, DECIDED)] == [""]


def test_what_was_kept_without_a_mark_stands_apart(ledger: Ledger) -> None:
    """By a look or by a listing."""
    keep(ledger, Rule.UNMARKED, NOW)
    listed(ledger, NOW + MINUTE, id=2, comment="Final", room=7)
    told = [(one.file_id, one.comment, one.room) for one in ask(ledger, UNMARKED)]
    assert told == [(2, "Final", 7), (1, "Approved", None)]
    assert (ids(ledger), ids(ledger, DECIDED)) == ([], [])


def test_a_new_version_that_was_kept_is_kept_since_then(ledger: Ledger) -> None:
    """It is another decision of a person's."""
    keep(ledger, Rule.UNMARKED, NOW)
    listed(ledger, NOW + HOUR, comment="Final", revision=Revision(3, NOW, 100))
    assert [one.since for one in ask(ledger, UNMARKED)] == [NOW + HOUR]


# The ledger.


@kit.SQLITE_ONLY
def test_no_page_reads_or_sorts_all_files(tmp_path: Path) -> None:
    """Each is read from an index in its order: the ledger of a large portal has a million rows."""

    def ask(ledger: Ledger) -> None:
        for state in ReviewState:
            ledger.reviews.page(state, limit=50)
        ledger.reviews.page(WAITING, ReviewFilter(rooms=frozenset({7})), limit=50)
        ledger.reviews.rooms(10)

    plans = [step for _, step in kit.query_plans(tmp_path, ask)]
    used = [step for step in plans if "files" in step]
    assert len(used) >= 9
    assert all("USING" in step for step in used), used
    # Only what a page shows is sorted with its rooms, and the rooms by their numbers.
    assert sum("TEMP B-TREE" in step for step in plans) == 5
