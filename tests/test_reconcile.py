"""`reconciler reconcile` as cron runs it: a process, a portal of which no delivery comes, an exit
code."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.config import load
from reconciler.ledger import Ledger
from reconciler.model import AttemptResult, Event, Outcome, Rule
from reconciler.sandbox import Fault
from reconciler.service import Summary, reconcile
from tests.daemon import daemon
from tests.program import exits
from tests.support_sweep import (
    LISTING,
    OUTCOMES,
    Stage,
    added_up,
    held,
    killed,
    rows,
    run,
    told,
)
from tests.waiting import eventually
from tests.world import TARGET

FILE, COMMENT = "files/file/{id}", "files/file/{id}/comment"


def here(scene: Stage) -> Summary:
    """Do the same in this process, which is quicker."""
    return reconcile(load(None, scene.environ), dry_run=False, on_planned=lambda _: None)


def test_one_run_marks_everything_and_the_next_asks_twice(scene: Stage) -> None:
    """Exit 0, nothing on stderr; once the overlap has passed, 2 GET and 0 PUT."""
    scene.clock.advance(10)
    first = run(scene, "reconcile", RECONCILER_SWEEP__OVERLAP="1s")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("3 scanned; 3 marked; ")
    assert scene.comments() == [TARGET] * 3
    scene.clock.advance(60)
    second = run(scene, "reconcile", "--json", RECONCILER_SWEEP__OVERLAP="1s")
    assert (second.returncode, second.stderr) == (0, "")
    assert told(second)["requests"] == {"get": 2, "put": 0}


def test_json_has_everything_that_is_promised_and_adds_up(scene: Stage) -> None:
    """Each scanned file ends in exactly one of the outcomes; waiting and refused are no failure."""
    ann, portal = scene.ann, scene.portal
    locked, reviewed, marked = scene.add_files("locked.docx reviewed.docx marked.docx", days=0.1)
    portal.lock(locked, by=ann)
    portal.comment(reviewed, "Approved", by=ann)
    portal.comment(marked, TARGET, by=ann)
    portal.create(scene.room, "new.docx", by=ann)
    readers = scene.add_room("For readers")
    scene.add_files("foreign.docx", readers)
    portal.invite(readers, scene.bot, access=2)
    done = run(scene, "reconcile", "--json")
    summary = told(done)
    assert {outcome: summary[outcome] for outcome in OUTCOMES} == {
        "marked": 3,
        "already": 1,
        "kept": 1,
        "skipped": 1,
        "refused": 1,
        "waiting": 1,
        "failed": 0,
    }
    assert (done.returncode, added_up(summary), summary["scanned"]) == (0, 8, 8)
    puts = scene.portal.count("PUT")
    assert summary["requests"] == {"get": scene.portal.count("GET"), "put": puts}
    assert summary.keys() >= {"seconds", "dry_run", "since", "until", "folders"}
    assert summary.keys() >= {"incomplete_folders", "remaining", "resume_at"}
    assert summary["since"] < summary["until"]


def test_a_file_that_failed_is_exit_1_and_says_why(scene: Stage) -> None:
    """A run says what failed, and the next one tries it again, whenever it is due."""
    scene.portal.faults.add(Fault(f"PUT {COMMENT}", "status", status=400, times=None))
    done = run(scene, "reconcile", "--json")
    assert (done.returncode, told(done)["failed"], told(done)["marked"]) == (1, 3, 0)
    assert "answered 400" in done.stderr
    scene.portal.faults.clear()
    done = run(scene, "reconcile", "--json")
    assert (done.returncode, told(done)["failed"], told(done)["marked"]) == (0, 0, 3)


def test_a_file_that_fails_again_and_again_counts_once(scene: Stage) -> None:
    """It is listed and waits for its next try: a run tries it now, and says what became of it."""
    scene.portal.faults.add(Fault(f"PUT {COMMENT}", "status", times=None))
    for _ in range(2):
        summary = told(run(scene, "reconcile", "--json"))
        assert summary["failed"] + summary["waiting"] == 3
    scene.portal.faults.clear()
    done = run(scene, "reconcile", "--json")
    assert (done.returncode, told(done)["failed"]) == (0, 0)
    assert scene.comments() == [TARGET] * 3


def test_a_backfill_tries_again_what_failed(scene: Stage) -> None:
    """The same command, once the portal is well."""
    words = ("backfill", "--since", "1d", "--yes")
    scene.portal.faults.add(Fault(f"PUT {COMMENT}", "status", times=None, status=400))
    assert run(scene, *words).returncode == 1
    scene.portal.faults.clear()
    assert run(scene, *words).returncode == 0
    assert scene.comments() == [TARGET] * 3


def test_a_file_that_is_not_tried_again_is_exit_1_too(scene: Stage) -> None:
    """All is not well while a file failed: one that is stopped as a loop waits for a person."""
    assert run(scene, "reconcile").returncode == 0
    with closing(sqlite3.connect(scene.ledger)) as connection:
        later = int((datetime.now(UTC) + timedelta(minutes=30)).timestamp()) * 1_000_000
        words = "UPDATE files SET outcome = 'failed', reason = 'loop', due_at = ? WHERE id = ?"
        connection.execute(words, (later, scene.files[0]))
        connection.commit()
    done = run(scene, "reconcile", "--json")
    assert (done.returncode, told(done)["failed"]) == (1, 1)


def test_a_room_that_could_not_be_read_is_exit_1(scene: Stage) -> None:
    """It is named, and the next run reads it."""
    scene.portal.faults.add(Fault(f"GET {LISTING}", "status"))
    done = run(scene, "reconcile", "--json")
    assert (done.returncode, told(done)["incomplete_folders"]) == (1, [scene.room])
    scene.clock.advance(3600)
    assert here(scene).failed == 0
    assert scene.comments() == [TARGET] * 3


def test_the_daily_full_scan_prunes(scene: Stage) -> None:
    """Where cron sweeps, or a daemon is restarted each night, nobody lives for a day."""
    environ = scene.environ | {"RECONCILER_STATE__RETENTION": "1d"}
    reconcile(load(None, environ), dry_run=False, on_planned=lambda _: None)
    long_ago = datetime.now(UTC) - timedelta(days=2)
    with closing(Ledger(environ["RECONCILER_STATE__URL"], scene.server.url)) as ledger:
        ledger.record(Event(99, "file.updated", 99, "Gone.docx", "ann", long_ago), long_ago)
        (claim,) = ledger.claims.take(long_ago + timedelta(minutes=1), 1, timedelta(minutes=3))
        ledger.claims.finish(claim, AttemptResult(Outcome.SKIPPED, Rule.GONE.value), long_ago)
        scene.clock.advance(25 * 3600)
        reconcile(load(None, environ), dry_run=False, on_planned=lambda _: None)
        assert ledger.file_row(99) is None


def test_an_unreachable_portal_is_exit_3(scene: Stage) -> None:
    """With what to check."""
    scene.portal.down = True
    done = run(scene, "reconcile")
    assert (done.returncode, done.stdout) == (3, "")
    assert "portal.url" in done.stderr


def test_a_refused_key_is_exit_3(scene: Stage) -> None:
    """With how to make a new one."""
    scene.portal.disable_key(scene.environ["DOCSPACE_API_KEY"])
    assert "refuses the API key" in exits(3, run(scene, "reconcile")).stderr


def test_a_key_that_dies_during_the_work_leaves_the_rest_for_the_next_run(scene: Stage) -> None:
    """Nothing hangs; the run says why it stopped and what is left, exit 3; the counts add up."""
    scene.portal.faults.add(Fault(f"PUT {COMMENT}", "status", status=401, times=None))
    done = run(scene, "reconcile", "--json")
    assert (done.returncode, told(done)["remaining"]) == (3, 3)
    assert "401" in done.stderr
    assert (told(done)["waiting"], told(done)["scanned"]) == (3, 3)


def test_beside_a_daemon_it_is_exit_4_and_names_it(scene: Stage) -> None:
    """`serve` sweeps by itself."""
    with daemon(scene.environ, scene.folder) as running:
        done = exits(4, run(scene, "reconcile"))
        assert f"process {running.process.pid}" in done.stderr
        assert running.terminate() == 0


def test_beside_another_run_it_is_exit_4_and_names_it(scene: Stage) -> None:
    """The first one is not disturbed."""
    with held(scene, "GET", "files/rooms", "reconcile") as first:
        done = exits(4, run(scene, "reconcile"))
        assert f"process {first.pid}" in done.stderr
    assert first.wait() == 0
    assert scene.comments() == [TARGET] * 3


def test_a_dry_run_lists_what_and_why_and_writes_nothing(scene: Stage) -> None:
    """Neither a comment nor a row; a run that follows does what was said."""
    here(scene)
    (file,) = scene.add_files("D.docx")
    scene.clock.advance(600)
    before = rows(scene.ledger)
    puts = scene.portal.count("PUT")
    done = run(scene, "reconcile", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{file}  D.docx  'Edited' -> marked: updated"
    assert "would be: 1 marked" in lines[-1]
    assert (rows(scene.ledger), scene.portal.count("PUT")) == (before, puts)


def test_a_dry_run_tells_what_would_have_to_wait(scene: Stage) -> None:
    """A list item knows of locks and rights: what cannot be marked now is not called marked."""
    scene.portal.lock(scene.files[0], by=scene.ann)
    summary = told(run(scene, "reconcile", "--dry-run", "--json"))
    assert (summary["marked"], summary["waiting"], added_up(summary)) == (2, 1, 3)


def test_a_dry_run_as_json_prints_one_object_that_adds_up(scene: Stage) -> None:
    """On a ledger that knows nothing yet, too."""
    summary = told(run(scene, "reconcile", "--dry-run", "--json"))
    assert (summary["dry_run"], summary["marked"], added_up(summary)) == (True, 3, 3)
    assert summary["scanned"] == 3


POINTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "at the first question": ("GET", "files/rooms", {}),
    "at a page of files": ("GET", LISTING, {}),
    "at a look": ("GET", FILE, {"number": 2}),
    "before a write": ("PUT", COMMENT, {"number": 2}),
    "after a write": ("PUT", COMMENT, {"after": True, "number": 2}),
}


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_the_next_run_completes_it(scene: Stage, point: str) -> None:
    """It takes over the lock; every file is marked, and none is written to twice."""
    method, route, when = POINTS[point]
    killed(scene, method, route, "reconcile", **when)
    assert "process" in (scene.folder / "ledger.db.sweep.lock").read_text("utf-8")
    summary = here(scene)
    assert (summary.failed, summary.remaining) == (0, 0)
    assert scene.comments() == [TARGET] * 3
    assert [scene.effective(file) for file in scene.files] == [1, 1, 1]


def test_the_daemon_does_the_same_on_its_schedule(scene: Stage) -> None:
    """No delivery arrives, and every update is marked, before and after a restart."""
    environ = scene.environ | {"RECONCILER_SWEEP__EVERY": "1s"}
    for title in ("D.docx", "E.docx"):
        with daemon(environ, scene.folder) as running:
            wait_until_marked(scene, scene.files)
            scene.files += scene.add_files(title)
            wait_until_marked(scene, scene.files)
            assert running.terminate() == 0
    assert [scene.effective(file) for file in scene.files] == [1] * 5


def wait_until_marked(scene: Stage, files: list[int]) -> None:
    """Wait until the files carry the comment."""
    marked = eventually(lambda: scene.comments(files) == [TARGET] * len(files))
    assert marked, (scene.folder / "serve.log").read_text("utf-8")


def test_a_room_that_cannot_be_read_is_no_success(scene: Stage) -> None:
    """A listing that is refused as a bad request is said, exit 1, and read again next time."""
    scene.portal.faults.add(Fault("GET files/{id}", "status", status=400, times=None))
    done = exits(1, run(scene, "reconcile", "--json"))
    assert told(done)["incomplete_folders"] != []
    scene.portal.faults.clear()
    done = run(scene, "reconcile", "--json")
    assert (done.returncode, told(done)["marked"]) == (0, 3)


def test_the_line_says_which_folders_were_passed_over(scene: Stage) -> None:
    """Nothing is left out in silence."""
    scene.portal.faults.add(Fault("GET files/{id}", "status", status=403, times=None))
    done = run(scene, "reconcile")
    assert "folders skipped: 1 forbidden" in done.stdout


def test_a_title_cannot_write_to_the_terminal(scene: Stage) -> None:
    """Control characters of a file's title are shown as what they are: not printable."""
    scene.portal.rename(scene.files[0], "\x1b[2Jgone\n.docx", by=scene.ann)
    done = run(scene, "reconcile", "--dry-run")
    assert "\x1b" not in done.stdout
    assert "gone" in done.stdout


@pytest.mark.parametrize("dead", [True, False])
def test_a_refused_run_is_told_by_status_until_one_succeeds(scene: Stage, dead: bool) -> None:
    """Cron alone is enough to learn that the portal is unavailable or refuses the key: exit 3."""
    assert run(scene, "reconcile").returncode == 0
    key = scene.environ["DOCSPACE_API_KEY"]
    if dead:
        scene.portal.disable_key(key)
    else:
        scene.portal.down = True
    assert run(scene, "reconcile").returncode == 3
    status = exits(3, run(scene, "status"))
    assert status.stdout.startswith(f"WRONG: the portal {'refuses' if dead else 'is unavailable'}")
    scene.portal.down = False
    scene.portal.enable_key(key)
    assert run(scene, "reconcile").returncode == 0
    assert run(scene, "status").returncode == 0
