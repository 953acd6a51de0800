"""`review list`: every file that waits for a review, as a table, text, JSON and CSV."""

import csv
import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reconciler.cli.review_report import Reviews, print_reviews, write_csv
from reconciler.ledger import Ledger
from reconciler.ledger.records import FileInReview
from reconciler.model import AttemptResult, Outcome, Rule
from tests import program
from tests.program import exits
from tests.support_ledger import PORTAL, a_file, event, url

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
SAVED = NOW - 10 * DAY
CONTRACT = FileInReview(7, "Contract.docx", 4, SAVED, SAVED, "Ann Lee", 3, "Legal", since=SAVED)
KEPT = FileInReview(9, "Plan.docx", 2, SAVED, None, "Bob", None, "", SAVED, comment="Final")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with rows; the portal is never contacted."""
    with closing(Ledger(url(tmp_path), PORTAL)) as opened:
        opened.watermarks.set_titles({3: "Legal"})
        yield opened


def review(ledger: Ledger, file: int, days: float, outcome: Outcome, **seen: Any) -> None:
    """Let the worker end an event about a file so, that many days ago."""
    now = datetime.now(UTC) - days * DAY
    ledger.record(event(file), now - SECOND)
    (claim,) = ledger.claims.take(now, 1, DAY)
    ours = outcome is Outcome.MARKED
    reason = Rule.UPDATED.value if ours else Rule.UNMARKED.value
    file_seen = a_file(file, folder=3, **seen)
    ended = AttemptResult(outcome, reason, seen=file_seen, settled=True, marked_by_us=ours)
    ledger.claims.finish(claim, ended, now)


def run(tmp_path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the command on the ledger in a folder, without a terminal."""
    environ = {
        "DOCSPACE_API_HOST": PORTAL,
        "RECONCILER_STATE__URL": url(tmp_path),
        "LANG": "C.UTF-8",
    }
    return program.run(["review", "list", *options], environ, tmp_path)


def test_the_list_is_complete_and_the_longest_waiting_comes_first(
    ledger: Ledger, tmp_path: Path
) -> None:
    """The list has every file, the longest waiting first; files kept without a mark follow."""
    review(ledger, 1, 1, Outcome.MARKED, updated_by_name="Ann Lee")
    review(ledger, 2, 9, Outcome.MARKED, updated_by_name="Bob Roe")
    review(ledger, 3, 2, Outcome.KEPT, comment="Final")
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    saved = f"{a_file().revision.updated.astimezone():%Y-%m-%d %H:%M}"
    first, *lines = done.stdout.splitlines()
    assert first == "2 files need review"
    assert lines[0].split("  ")[1:] == [
        *("9 d", "2.docx", "Legal", "2", "Bob Roe", saved),
        f"{PORTAL}/doceditor?fileid=2",
    ]
    assert lines[1].split("  ")[1:3] == ["1 d", "1.docx"]
    assert "1 file was kept for a person's comment" in lines[3]
    assert "3.docx: Final" in lines[4]


def test_the_list_can_be_narrowed_and_read_by_a_program(ledger: Ledger, tmp_path: Path) -> None:
    """The list is filtered by room, age and name; the fields of its JSON object are stable."""
    review(ledger, 1, 1, Outcome.MARKED, updated_by_name="Ann Lee")
    review(ledger, 2, 9, Outcome.MARKED, updated_by_name="Ann Lee")
    review(ledger, 3, 9, Outcome.MARKED, updated_by_name="Bob Roe")
    narrowed = ("--room", "3", "--room", "4", "--older-than", "7d", "--by", "ann")
    done = run(tmp_path, *narrowed, "--json")
    fields = json.loads(done.stdout)
    (one,) = fields["waiting"]
    assert set(fields) == {"now", "portal", "waiting", "kept_unmarked"}
    assert {name: one[name] for name in ("file_id", "room_id", "room", "version")} == {
        "file_id": 2,
        "room_id": 3,
        "room": "Legal",
        "version": 2,
    }
    assert one["saved_at"] == "2025-11-24T09:05:42+00:00"
    assert one["link"] == f"{PORTAL}/doceditor?fileid=2"
    assert run(tmp_path, "--room", "4").stdout == "0 files need review\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--json", "--csv"), "--json and --csv exclude each other: give one of them."),
        (("--older-than", "week"), "--older-than week: give a number and a unit (7d, 12h)"),
        (("--older-than", "999999d"), "--older-than 999999d: give a number and a unit"),
    ],
)
def test_a_mistake_is_told_with_what_to_write_instead(
    ledger: Ledger, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    """A wrong option is exit 2, with a right one."""
    done = run(tmp_path, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(words)


def test_without_a_ledger_there_is_no_list_and_none_is_made(tmp_path: Path) -> None:
    """Without a ledger it is exit 5 with the path, and none is created."""
    done = exits(5, run(tmp_path))
    assert done.stderr.startswith("There is no ledger at ")
    assert not (tmp_path / "ledger.db").exists()


def test_on_a_terminal_the_list_is_a_table_with_links(ledger: Ledger) -> None:
    """On a terminal of any width the list is a table with links, and titles are escaped."""
    evil = FileInReview(8, "\x1b[2J[red]x", 1, SAVED, None, "", None, "", since=SAVED)
    terminal = Console(force_terminal=True, width=80, file=StringIO(), highlight=False)
    with terminal.capture() as captured:
        print_reviews(Reviews(NOW, PORTAL, [CONTRACT, evil], [KEPT]), terminal)
    printed = captured.get()
    for words in ("2 files need review", "waiting", "Contract.docx", "10 d", "[red]x", "Final"):
        assert words in printed
    assert f"{PORTAL}/doceditor?fileid=7" in printed
    assert "\x1b[2J" not in printed


@pytest.mark.parametrize("title", ["=1+2.docx", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_the_csv_is_a_formula(capsys: pytest.CaptureFixture[str], title: str) -> None:
    """No cell of the CSV is computed as a formula: titles are other people's."""
    evil = FileInReview(8, title, 1, SAVED, None, title, 3, title, since=SAVED)
    write_csv(Reviews(NOW, PORTAL, [evil, CONTRACT], [KEPT]))
    first, second, third = csv.DictReader(StringIO(capsys.readouterr().out))
    for name in ("title", "room", "saved_by"):
        assert first[name].startswith("'")
    assert (second["title"], second["since"]) == ("Contract.docx", "2026-02-27T12:00:00+00:00")
    assert (third["state"], third["comment"], third["marked_at"]) == ("kept_unmarked", "Final", "")
