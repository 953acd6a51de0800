"""The notification messages as people read them, computed from values."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.formats import local_time
from reconciler.ledger import FileInReview, ReviewPage
from reconciler.notify.messages import Alert, Tone, began, digest, ended, reminder
from tests.support_ledger import NOW

PORTAL = "https://portal.example.com"
FILE = FileInReview(7, "Offer.docx", 4, NOW, NOW, "Ann Lee", 12, "Sales", NOW)
DEAD = Alert("dead_key", "the portal refuses the API key", "make a new one")


def reviews(*files: FileInReview, number: int | None = None) -> ReviewPage:
    """Return so many files in review."""
    return ReviewPage(files, len(files) if number is None else number)


def test_a_digest_names_room_title_author_and_link() -> None:
    """A digest is one message, grouped by room, with title, author and link of each file."""
    other = replace(FILE, file_id=8, title="Plan.xlsx", room=9, room_title="Legal", author="")
    found = digest(reviews(FILE, other), PORTAL)
    assert found.title == "2 files newly need review on portal.example.com"
    assert found.body == (
        "Legal:\n"
        f"- Plan.xlsx (version 4, waits since {local_time(NOW)})\n"
        "  https://portal.example.com/doceditor?fileid=8\n"
        "\n"
        "Sales:\n"
        f"- Offer.docx (version 4, saved by Ann Lee, waits since {local_time(NOW)})\n"
        "  https://portal.example.com/doceditor?fileid=7"
    )


def test_a_room_without_a_known_title_has_its_id() -> None:
    """A room without a known title has its id; files without a known room are separate."""
    files = (replace(FILE, room_title=""), replace(FILE, room=None, room_title=""))
    body = digest(reviews(*files), PORTAL).body
    assert [line for line in body.splitlines() if line.endswith(":")] == [
        "Other files:",
        "Room 12:",
    ]


def test_a_long_list_of_a_room_is_cut() -> None:
    """The list of a room is cut and says how many more files there are."""
    body = digest(reviews(*[FILE] * 13), PORTAL).body
    assert body.count("Offer.docx") == 10
    assert body.endswith("\n  and 3 more")


def test_a_long_list_of_rooms_is_cut() -> None:
    """The list of rooms is cut and counts the files that are not listed."""
    files = [replace(FILE, room=number, room_title=f"Room {number:02}") for number in range(25)]
    body = digest(reviews(*files, number=900), PORTAL).body
    assert body.count("Offer.docx") == 20
    assert body.endswith("\n\nand 880 more")


def test_a_title_cannot_add_lines() -> None:
    """A title cannot add lines to a message."""
    body = digest(reviews(replace(FILE, title="a\nSales:\n- b")), PORTAL).body
    assert len(body.splitlines()) == 3


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(hours=24), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=1), "1 second"),
    ],
)
def test_a_reminder_says_how_long_files_wait(length: timedelta, words: str) -> None:
    """A reminder says how long each file has waited, in the largest unit that fits."""
    title = reminder(reviews(FILE), PORTAL, length).title
    assert title == f"1 file waits for review for more than {words} on portal.example.com"


def test_a_problem_is_told_with_what_to_do() -> None:
    """An alert has the message and the hint of `status`; without a hint it has none."""
    found = began([DEAD, replace(DEAD, message="it is late", hint="")], PORTAL)
    assert (found.title, found.tone) == ("Needs attention on portal.example.com", Tone.ALERT)
    assert found.body == (
        "The portal refuses the API key.\nWhat to do: make a new one.\n\nIt is late."
    )


def test_the_end_of_a_problem_has_its_words() -> None:
    """The message of a problem's end repeats its name, so that both are recognised as a pair."""
    found = ended([DEAD.message], PORTAL)
    assert (found.title, found.tone) == ("Resolved on portal.example.com", Tone.RESOLVED)
    assert found.body == "Over: the portal refuses the API key"
