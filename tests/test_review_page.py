"""The view for reviewers: waiting files, filtered and by page, and what was decided or never
marked.
"""

from pathlib import Path

import pytest

from reconciler.admin.review import PER_PAGE, Query, parse_query
from reconciler.model import OutageKind, Rule
from tests import support_ledger as kit
from tests.support_ledger import HOUR, MINUTE, NOW, opened
from tests.test_admin import Watched, watched
from tests.test_page import Seen, keep, mark

__all__ = ["watched"]


def view(watched: Watched, **query: str) -> Seen:
    """Return the present content of the view."""
    answer = watched.get("/review", **query)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return Seen(answer.body)


def files(seen: Seen) -> list[int]:
    """Return the files that are linked to, in order."""
    start = f"{kit.PORTAL}/doceditor?fileid="
    return [int(link.removeprefix(start)) for link in seen.links if link.startswith(start)]


def test_what_waits_is_told_with_all_that_a_reviewer_needs(watched: Watched) -> None:
    """A waiting file has title, link, room, version, author, date, and how long it waited."""
    watched.ledger.watermarks.set_titles({10: "Legal"})
    mark(watched.ledger, "Contract.docx", 1245)
    watched.now = NOW + 4 * HOUR + MINUTE
    seen = view(watched)
    assert seen.headings == ["1 file needs review", "Recently decided"]
    assert files(seen) == [1245]
    for word in ("Contract.docx", "Legal", "2025-11-24 09:05", "4 h", "since 2025-11-24 09:15"):
        assert word in " ".join(seen.words.split())


def test_with_nothing_to_review_it_says_so(watched: Watched) -> None:
    """Without waiting files the view says so, without pages and rooms."""
    seen = view(watched)
    assert seen.headings[0] == "0 files need review"
    assert "Nothing waits for a review." in seen.words
    assert "Next" not in seen.words


def test_the_longest_waiting_comes_first_a_page_at_a_time(watched: Watched) -> None:
    """The longest waiting files come first; a page number beyond the last is the last."""
    for file in range(1, PER_PAGE + 3):
        mark(watched.ledger, f"{file}.docx", file, NOW + file * MINUTE)
    watched.now = NOW + 2 * HOUR
    first, second = view(watched), view(watched, page="2")
    assert files(first) == list(range(1, PER_PAGE + 1))
    assert files(second) == files(view(watched, page="99")) == [PER_PAGE + 1, PER_PAGE + 2]
    assert "?page=2" in first.links
    assert "1 to 50 of 52" in first.words
    assert "51 to 52 of 52" in second.words


def test_the_list_is_narrowed_by_a_search_and_by_room(watched: Watched) -> None:
    """A search and a room filter the list and stay in the links; the heading counts all."""
    watched.ledger.watermarks.set_titles({10: "Legal", 11: "Finance"})
    mark(watched.ledger, "Contract.docx", 1)
    mark(watched.ledger, "Budget.xlsx", 2)
    found = view(watched, q=" contract ", room="10")
    assert (files(found), found.headings[0]) == ([1], "2 files need review")
    assert "1 file with contract in the title or the name in Legal" in " ".join(found.words.split())
    assert "?q=contract&room=10" in found.links
    assert files(view(watched, room="11")) == []
    assert "Nothing that was searched for waits for a review." in view(watched, q="zzz").words


@pytest.mark.parametrize(
    "given", [{"room": "x"}, {"room": "-1"}, {"page": "0"}, {"room": "9" * 30, "page": "²"}, {}]
)
def test_an_address_that_makes_no_sense_narrows_nothing(given: dict[str, str]) -> None:
    """An invalid parameter filters nothing and is no error."""
    assert parse_query(given) == Query()


def test_a_flood_of_parameters_is_passed_over(watched: Watched) -> None:
    """Too many parameters are ignored."""
    mark(watched.ledger, "Contract.docx", 1)
    assert files(view(watched, **{f"q{number}": "x" for number in range(99)}, q="y")) == [1]


def test_what_people_decided_and_what_was_never_marked_stand_apart(watched: Watched) -> None:
    """People's decisions, in their words and with the time when they were seen, and files never
    marked are separate lists, linked from the top.
    """
    mark(watched.ledger, "Contract.docx", 1)
    keep(watched.ledger, "Approved by Ann", Rule.ANSWERED, 1, NOW + HOUR)
    keep(watched.ledger, "Final", Rule.UNMARKED, 2, NOW + HOUR)
    watched.now = NOW + 3 * HOUR
    seen = view(watched)
    assert seen.headings == ["0 files need review", "Recently decided", "Kept, but never marked"]
    assert files(seen) == [1, 2]
    for word in ("Approved by Ann", "Final", "1 h ago", "1 decided", "1 kept, but never marked"):
        assert word in seen.words
    assert {"#decided", "#unmarked"} <= set(seen.links)


def test_a_problem_is_told_to_reviewers_too(watched: Watched) -> None:
    """A problem of the service is one line with a link to the view Operation."""
    assert "problem" not in view(watched).words
    watched.ledger.health.open_outage(OutageKind.DEAD_KEY, "answered 401", NOW)
    seen = view(watched)
    assert "1 problem: updates are not marked now" in seen.words
    assert "./" in seen.links


def test_a_ledger_that_cannot_be_read_leads_to_the_other_view(tmp_path: Path) -> None:
    """A ledger that cannot be read is 503 with the reason and a link to the view Operation."""
    with opened(tmp_path) as ledger:
        watched = Watched(ledger)
    (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
    answer = watched.get("/review")
    assert answer.status == 503
    assert "the ledger cannot be read" in answer.body
