"""`reconciler backfill`: which comments it overwrites, how far it reads, how it resumes."""

import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.config import load
from reconciler.model import Outcome, Rule
from reconciler.sandbox import Fault, Network
from reconciler.service import Summary, backfill, reconcile
from reconciler.sweep import Backfill, BackfillJob
from tests.daemon import daemon
from tests.program import exits
from tests.support_sweep import (
    DAY,
    LISTING,
    OUTCOMES,
    Stage,
    add_files,
    added_up,
    due,
    held,
    json_of,
    killed,
    rows,
    run,
    save,
    silent,
    stage,
    work,
)
from tests.world import TARGET, World, scan_settings

FILE = "files/file/{id}"
TEXTS = ["Edited", "", "Approved", TARGET]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    """A room with four files of thirty days ago: the portal's text, none, a person's, ours."""
    with stage(tmp_path) as built:
        built.files = built.add_files("portals.docx empty.docx persons.docx ours.docx", days=30)
        for file, text in zip(built.files[1:], TEXTS[1:], strict=True):
            built.portal.comment(file, text, by=built.ann)
        yield built


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """A world without deliveries, before its first sweep."""
    with silent(tmp_path / "ledger.db") as built:
        yield built


def through(scene: Stage, job: BackfillJob, **more: str) -> Summary:
    """Run a backfill to its end in this process."""
    with backfill(load(None, scene.environ | more), job) as opened:
        for _ in opened.steps():
            pass
        return opened.summary(dry_run=False)


def job(scene: Stage, days: float = 60) -> BackfillJob:
    """Ask for everything of the last sixty days."""
    return BackfillJob("test", scene.clock() - timedelta(days=days))


def test_another_option_makes_another_job() -> None:
    """Each field but the dates is part of the name, so no two jobs share a checkpoint."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    plain = BackfillJob("30d", now)
    assert plain.name == BackfillJob("30d", now + timedelta(days=1), now).name
    others = [
        BackfillJob("31d", now),
        BackfillJob("30d", now, rooms=frozenset({1})),
        BackfillJob("30d", now, rooms=frozenset({1, 2})),
        BackfillJob("30d", now, overwrite=True),
        BackfillJob("30d", now, observe=True),
    ]
    assert len({one.name for one in (plain, *others)}) == 6


# What it overwrites.


def test_by_default_only_empty_comments_and_the_portals_own_are_written_over(
    scene: Stage,
) -> None:
    """By default only empty comments and the portal's texts are overwritten. A person's comment
    stays, and every file is counted.
    """
    done = exits(0, run(scene, "backfill", "--since", "60d", "--json", "--yes"))
    assert scene.comments() == [TARGET, TARGET, "Approved", TARGET]
    summary = json_of(done)
    assert {outcome: summary[outcome] for outcome in OUTCOMES} == {
        "marked": 5,
        "already": 1,
        "kept": 1,
        "skipped": 0,
        "refused": 0,
        "waiting": 0,
        "failed": 0,
    }
    assert added_up(summary) == summary["scanned"] == 7
    assert summary.keys() >= {"requests", "seconds", "dry_run", "since", "until"}
    assert summary["requests"]["put"] == scene.portal.count("PUT") == 5


def test_comments_are_overwritten_when_that_is_asked_for(scene: Stage) -> None:
    """Comments are overwritten with the option, or with `review.overwrite_comments`."""
    words = ("backfill", "--since", "60d", "--overwrite-comments", "--yes")
    assert run(scene, *words).returncode == 0
    assert scene.comments() == [TARGET] * 4


def test_since_is_where_it_begins(scene: Stage) -> None:
    """Files updated before --since stay as they are; later ones are marked."""
    summary = through(scene, job(scene, days=20))
    assert (summary.report.scanned, summary.number(Outcome.MARKED)) == (3, 3)
    assert scene.comments() == TEXTS


def test_until_is_where_it_ends(scene: Stage) -> None:
    """Files updated after --until stay as they are."""
    until = scene.clock() - timedelta(days=1)
    summary = through(scene, replace(job(scene), until=until))
    assert (summary.report.scanned, summary.number(Outcome.MARKED)) == (4, 2)
    assert scene.comments() == [TARGET, TARGET, "Approved", TARGET]


def test_files_that_nobody_updated_and_those_in_the_trash_are_left_alone(scene: Stage) -> None:
    """Files that were never updated, and files in the trash, are not marked."""
    (trashed,) = scene.add_files("trashed.docx", days=10)
    new = int(scene.portal.create(scene.room, "new.docx", by=scene.ann))
    scene.portal.trash(trashed, by=scene.ann)
    summary = through(scene, job(scene))
    assert summary.number(Outcome.SKIPPED) == 1
    assert scene.comments([trashed, new]) == ["Edited", "Created"]


def test_only_the_rooms_that_are_named_are_read(scene: Stage) -> None:
    """With --room, which can be repeated, only those rooms are requested."""
    wanted, other = scene.add_room("Wanted"), scene.add_room("Other")
    (inside,), (outside,) = scene.add_files("in.docx", wanted), scene.add_files("out.docx", other)
    words = (
        "backfill",
        "--since",
        "60d",
        "--yes",
        "--room",
        f"{wanted}",
        "--room",
        f"{scene.room}",
    )
    assert run(scene, *words).returncode == 0
    assert scene.comments([inside, outside]) == [TARGET, "Edited"]
    assert scene.portal.count("GET", LISTING) == 2


def test_a_room_that_is_not_there_is_exit_2(scene: Stage) -> None:
    """An unknown room is exit 2 and is named; nothing is read or written."""
    words = ("backfill", "--since", "60d", "--yes", "--room", "4711", "--room", f"{scene.room}")
    done = run(scene, *words)
    assert (done.returncode, scene.portal.count("PUT")) == (2, 0)
    assert "--room 4711" in done.stderr


@pytest.mark.parametrize(
    "words",
    [("--since", "soon"), ("--since", "9d", "--until", "later"), ("--since", "2999-01-01")],
)
def test_a_date_that_is_none_is_exit_2(scene: Stage, words: tuple[str, ...]) -> None:
    """An invalid date is exit 2, with a valid example."""
    assert "2026-01-01" in exits(2, run(scene, "backfill", *words)).stderr


# --observe.


def renamed(here: World, *, over: bool) -> int:
    """Make a reviewed file of ten days ago, perhaps observe it, and rename it."""
    (file,) = add_files(here, 1)
    save(here, file)
    here.portal.comment(file, "Approved", by=here.bob)
    here.sweep(after=10 * DAY)
    if over:
        observing = BackfillJob("o", here.clock() - timedelta(days=20), observe=True)
        settings = scan_settings(here.policy)
        list(Backfill(here.ledger, here.docspace, settings, here.clock).run(observing, _ignore))
    here.clock.advance(DAY)
    here.portal.network = Network()
    here.portal.rename(file, "Other.docx", by=here.ann)
    here.settle()
    return file


def _ignore(_: object) -> None:
    """Ignore a report."""


@pytest.mark.parametrize("over", [True, False])
def test_an_old_reviewed_file_survives_its_rename(here: World, over: bool) -> None:
    """A reviewed file's comment stays after a rename, whether it was observed before or not."""
    file = renamed(here, over=over)
    assert here.attempts[-1].rule is Rule.UNMARKED
    assert here.comment(file) == "Approved"


def settled(scene: Stage) -> set[int]:
    """Return the files with a settled revision."""
    with closing(sqlite3.connect(scene.ledger)) as connection:
        found = connection.execute("SELECT id FROM files WHERE settled_version IS NOT NULL")
        return {int(row[0]) for row in found}


def test_observing_writes_nothing_and_leaves_open_what_is_not_plain(scene: Stage) -> None:
    """Observing writes nothing; it settles our and people's comments, and leaves the rest."""
    done = run(scene, "backfill", "--since", "60d", "--observe", "--json", "--yes")
    assert (done.returncode, scene.portal.count("PUT"), scene.comments()) == (0, 0, TEXTS)
    assert (json_of(done)["already"], json_of(done)["kept"]) == (1, 1)
    assert settled(scene) == set(scene.files[2:])
    through(scene, job(scene))
    assert scene.comments() == [TARGET, TARGET, "Approved", TARGET]


# Resuming.


def test_a_backfill_that_was_killed_goes_on_and_says_so(scene: Stage) -> None:
    """A backfill killed in the second of three rooms resumes there; nothing is lost or doubled."""
    more = [scene.add_room(f"Room {number}") for number in range(2)]
    files = [scene.add_files(f"{room}.docx", room, days=9)[0] for room in more]
    words = ("backfill", "--since", "60d", "--yes")
    killed(scene, "GET", FILE, *words, number=6)
    assert scene.comments(files) == ["Edited", "Edited"]
    before = scene.portal.count("GET", LISTING)
    done = run(scene, *words)
    assert (done.returncode, scene.comments(files)) == (0, [TARGET, TARGET])
    assert "Resuming: 1 folders were done by an earlier run." in done.stderr
    assert scene.portal.count("GET", LISTING) - before == 2
    assert {scene.effective(file) for file in files} == {1}


def test_a_backfill_that_is_complete_is_not_gone_on_with(scene: Stage) -> None:
    """A completed backfill is not resumed: the same command a month later starts anew."""
    through(scene, job(scene))
    scene.add_files("later.docx")
    with backfill(load(None, scene.environ), job(scene)) as opened:
        assert opened.done_before() == 0
        assert [step.of for step in opened.steps()] == [2, 2]
        assert opened.summary(dry_run=False).number(Outcome.MARKED) == 1


def test_a_room_that_may_not_be_read_does_not_keep_a_backfill_from_its_end(scene: Stage) -> None:
    """A room that may not be read is counted and skipped, so that the backfill can end."""
    scene.add_files("second.docx", scene.add_room("Second"))
    scene.portal.faults.add(Fault(f"GET {LISTING}", "status", status=403))
    summary = through(scene, job(scene))
    assert summary.report.skipped == {"forbidden": 1}
    assert rows(scene.ledger)["backfills"] == []


def test_a_room_that_failed_is_read_by_the_next_run(scene: Stage) -> None:
    """A room that failed (500) is exit 1, and the same command resumes with this one."""
    (file,) = scene.add_files("second.docx", scene.add_room("Second"))
    scene.portal.faults.add(Fault(f"GET {LISTING}", "status"))
    words = ("backfill", "--since", "60d", "--yes")
    done = run(scene, *words)
    assert (done.returncode, scene.comments([file]), scene.comments()) == (1, [TARGET], TEXTS)
    assert "Resuming: 2 folders" in run(scene, *words).stderr
    assert scene.comments() == [TARGET, TARGET, "Approved", TARGET]


@pytest.mark.parametrize("span", [("--since", "60d"), ("--since", "1h")])
def test_a_file_that_an_earlier_run_left_failed_is_exit_1(
    scene: Stage, span: tuple[str, str]
) -> None:
    """A file that an earlier run left failed is exit 1, listed or not, also for an estimate."""
    comment = f"PUT {FILE}/comment"
    scene.portal.faults.add(Fault(comment, "status", times=None, status=400))
    assert run(scene, "backfill", "--since", "60d", "--yes").returncode == 1
    again = exits(1, run(scene, "backfill", *span, "--yes"))
    assert "Files that failed and will be retried: " in again.stderr
    assert run(scene, "backfill", *span, "--dry-run").returncode == 1


# Its share of the day's writes.

SHARE = {"RECONCILER_LIMITS__WRITES_PER_DAY": "10", "RECONCILER_LIMITS__BACKFILL_SHARE": "0.3"}


def a_day_later(scene: Stage) -> None:
    """Make all records of writes in the ledger a day older."""
    with closing(sqlite3.connect(scene.ledger)) as connection:
        connection.execute("UPDATE writes SET hour = hour - 90000000000")
        connection.commit()


def test_a_share_that_is_spent_is_exit_1_with_the_time_to_go_on(scene: Stage) -> None:
    """A used-up share of writes is exit 1 with the time to resume; live updates have the rest."""
    words = ("backfill", "--since", "60d", "--yes", "--json")
    first = run(scene, *words, **SHARE)
    assert (first.returncode, scene.portal.count("PUT")) == (1, 3)
    assert "the day's writes for backfills are used up" in first.stderr
    assert json_of(first)["resume_at"][:13].replace("T", " ") in first.stderr
    assert (json_of(first)["marked"], json_of(first)["remaining"]) == (3, 2)
    (live,) = scene.add_files("live.docx")
    scene.clock.advance(10)
    quick = reconcile(load(None, scene.environ | SHARE), dry_run=False, on_planned=lambda _: None)
    assert (quick.failed, quick.remaining) == (0, 0)
    assert scene.comments([live]) == [TARGET]
    assert scene.portal.count("PUT") < 10
    a_day_later(scene)
    exits(0, run(scene, *words, **SHARE))
    assert scene.comments() == [TARGET, TARGET, "Approved", TARGET]


def test_a_pause_of_the_portal_is_not_called_a_spent_share(scene: Stage) -> None:
    """A pause that the portal asks for (429) is exit 1, and not called a used-up share."""
    scene.portal.faults.add(
        Fault("PUT files/file/{id}/comment", "throttle_day", retry_after=3600, times=None)
    )
    done = exits(1, run(scene, "backfill", "--since", "60d", "--yes"))
    assert "used up" not in done.stderr
    assert "429" in done.stderr


def test_live_events_are_worked_off_before_a_backfill(here: World) -> None:
    """An event is processed before ten files of a backfill that have been due for longer."""
    files = add_files(here, 10)
    save(here, *files)
    here.clock.advance(3 * DAY)
    plain = BackfillJob("p", here.clock() - timedelta(days=20))
    list(
        Backfill(here.ledger, here.docspace, scan_settings(here.policy), here.clock).run(
            plain, _ignore
        )
    )
    assert due(here) == set(files)
    here.portal.network = Network()
    here.portal.save(here.file, by=here.ann)
    assert here.server.drain()
    here.clock.advance(2)
    attempt = here.step()
    assert attempt is not None
    assert attempt.file == here.file
    work(here)
    assert here.comment(files[0]) == TARGET


# Beside other processes.


def test_beside_a_daemon_the_daemon_does_the_writing(scene: Stage) -> None:
    """Beside a daemon the backfill waits until the daemon has marked its files."""
    with daemon(scene.environ, scene.folder) as running:
        done = exits(0, run(scene, "backfill", "--since", "60d", "--json", "--yes"))
        assert scene.comments() == [TARGET, TARGET, "Approved", TARGET]
        assert json_of(done)["requests"]["put"] == 0
        assert running.terminate() == 0


def test_a_second_backfill_is_exit_4_and_names_the_first(scene: Stage) -> None:
    """A second backfill is exit 4 and names the first, whatever its options."""
    words = ("backfill", "--since", "60d", "--yes")
    with held(scene, "GET", LISTING, *words) as first:
        done = exits(4, run(scene, "backfill", "--since", "3d", "--yes"))
        assert f"process {first.pid}" in done.stderr
    assert first.wait() == 0


# Output.


def test_ctrl_c_says_that_the_same_command_goes_on(scene: Stage) -> None:
    """After Ctrl-C the backfill exits 130 and says that the same command resumes."""
    words = ("backfill", "--since", "60d", "--yes")
    with held(scene, "PUT", "files/file/{id}/comment", *words) as process:
        process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert "it resumes where it stopped" in (scene.folder / "held.log").read_text("utf-8")


def test_a_dry_run_estimates_and_writes_nothing(scene: Stage) -> None:
    """A dry run shows how many files would be marked, how many days that takes, and how often each
    comment occurs; it writes nothing.
    """
    reconcile(load(None, scene.environ), dry_run=True, on_planned=lambda _: None)
    before = rows(scene.ledger)
    done = run(scene, "backfill", "--since", "60d", "--dry-run", "--json", **SHARE)
    assert (done.returncode, rows(scene.ledger), scene.portal.count("PUT")) == (0, before, 0)
    summary = json_of(done)
    assert (summary["dry_run"], summary["scanned"]) == (True, 7)
    assert (summary["marked"], added_up(summary), summary["remaining"]) == (5, 7, 0)
    assert "7 files in 2 folders" in done.stderr
    assert "about 5 to be marked" in done.stderr
    assert "1.7 days at 3 writes a day" in done.stderr
    counted = {line.strip() for line in done.stderr.splitlines()[1:]}
    assert counted == {"4  'Edited'", "1  ''", "1  'Approved'", f"1  '{TARGET}'"}


def test_without_a_terminal_it_says_plain_lines(scene: Stage) -> None:
    """Without a terminal it prints one plain line per folder, and only results to stdout."""
    done = run(scene, "backfill", "--since", "60d", "--yes")
    lines = done.stderr.splitlines()
    assert lines[0] == f"1/2 Legal ({scene.room}) done"
    assert lines[1].startswith("2/2 My documents (")
    assert "\x1b" not in done.stderr + done.stdout
    assert "\r" not in done.stderr
    assert done.stdout.startswith("7 scanned; 5 marked, 1 already, 1 kept; ")


@pytest.mark.parametrize(("answer", "marked"), [("y", True), ("n", False)])
def test_on_a_terminal_it_asks_and_shows_a_bar_with_rate_and_time_left(
    scene: Stage, answer: str, marked: bool
) -> None:
    """On a terminal it shows the estimate, asks, and shows a progress bar; "no" changes nothing."""
    done, text = on_a_terminal(scene, answer, "backfill", "--since", "9d")
    assert "Begin? [y/N]" in text
    assert ("files/s" in text) is marked
    assert done == 0, text
    assert (scene.portal.count("PUT") > 0) is marked


def on_a_terminal(scene: Stage, answer: str, *arguments: str) -> tuple[int, str]:
    """Run a command on a pseudo-terminal and answer its question; return code and output."""
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "reconciler", *arguments]
    environ = scene.environ | {"TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(
        command, env=environ, cwd=scene.folder, stdin=inner, stdout=inner, stderr=inner
    )
    os.close(inner)
    os.write(outer, f"{answer}\n".encode())
    output = b""
    with suppress(OSError):  # the end of a terminal is an error of reading
        while part := os.read(outer, 65536):
            output += part
    os.close(outer)
    return process.wait(10), output.decode("utf-8", "replace")
