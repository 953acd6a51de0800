"""`status` and `failed`: their output and exit codes; the portal is never contacted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from reconciler.cli.overview import as_json, print_overview
from reconciler.diagnostics import find_problems
from reconciler.ledger import WEBHOOK, Ledger, Role, WebhookRecord, WebhookState
from reconciler.model import AttemptResult, OutageKind, Outcome
from tests.program import exits, output
from tests.support_ledger import a_file, event
from tests.support_sweep import Stage, json_of, run
from tests.world import TARGET

HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(scene: Stage) -> Iterator[Ledger]:
    """The ledger that the commands look at."""
    url = scene.environ["RECONCILER_STATE__URL"]
    with closing(Ledger(url, scene.environ["DOCSPACE_API_HOST"])) as opened:
        yield opened


def now() -> datetime:
    """Return the time: the commands are processes with a clock of their own."""
    return datetime.now(UTC)


@contextmanager
def serving(ledger: Ledger) -> Iterator[None]:
    """Hold the roles of a daemon."""
    with ledger.role(Role.SWEEP), ledger.role(Role.WORKER):
        yield


def end(ledger: Ledger, file: int, outcome: Outcome, **more: Any) -> None:
    """Let the worker end an event about a file so."""
    ledger.record(event(file, title=f"{file}.docx"), now() - HOUR)
    (claim,) = ledger.claims.take(now(), 1, HOUR)
    ledger.claims.finish(claim, AttemptResult(outcome, **{"reason": outcome.value} | more), now())


def test_status_tells_that_the_days_writes_are_used_up(scene: Stage) -> None:
    """`status` says that the day's writes are used up, by the current setting, and when more are
    free; retrying does not help before.
    """
    scene.environ["RECONCILER_LIMITS__WRITES_PER_DAY"] = "3"
    run(scene, "reconcile")
    done = exits(1, run(scene, "status"))
    assert "the 3 writes of a day are used up (limits.writes_per_day)" in done.stdout
    scene.environ["RECONCILER_LIMITS__WRITES_PER_DAY"] = "4"
    assert run(scene, "status").returncode == 0


def test_status_tells_what_a_run_did_and_asks_nobody(scene: Stage) -> None:
    """`status` has the numbers of a run from the ledger, and sends no request."""
    run(scene, "reconcile")
    asked = len(scene.portal.requests)
    done = run(scene, "status", "--json")
    seen = json_of(done)
    assert (done.returncode, done.stderr, len(scene.portal.requests)) == (0, "", asked)
    assert (seen["in_review"], seen["writes"]) == (3, {"used": 3, "per_day": 9000})
    assert seen["updates"][0] | {"day": ""} == {"day": "", "sweep": 3}
    assert {one["author"] for one in seen["reviews"]} == {"Ann Lee"}
    assert {one["room_title"] for one in seen["reviews"]} == {"Legal"}
    assert seen["sweeps"][0]["enqueued"] == 3
    assert seen["problems"] == []


def test_status_counts_the_requests_of_the_sweep_alone(scene: Stage) -> None:
    """`status` counts the requests of the sweep, without those of the work after it."""
    summary = json_of(run(scene, "reconcile", "--json"))
    work = 2 * summary["marked"]
    (sweep,) = json_of(run(scene, "status", "--json"))["sweeps"]
    assert sweep["requests"] == sum(summary["requests"].values()) - work


def test_status_begins_with_what_is_wrong(scene: Stage, ledger: Ledger) -> None:
    """`status` begins with the problems: a dead key with its beginning and what to do, exit 3."""
    ledger.health.open_outage(OutageKind.DEAD_KEY, "GET keys/@self answered 401", now())
    done = exits(3, run(scene, "status"))
    first = done.stdout.splitlines()[0]
    assert first.startswith("WRONG: the portal refuses the API key since ")
    assert "answered 401" in first
    assert "DOCSPACE_API_KEY" in first


def unread(scene: Stage, *words: str) -> int:
    """Run a command whose output is closed, as by `| head`; return its exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "reconciler", *words]
        return subprocess.call(
            command, stdout=writer, stderr=writer, env=scene.environ, cwd=scene.folder, timeout=60
        )
    finally:
        os.close(writer)


def test_a_command_that_nobody_reads_exits_by_what_it_found(scene: Stage, ledger: Ledger) -> None:
    """A command whose output is closed exits as usual, and not as if files had failed."""
    assert unread(scene, "review", "list") == 0
    assert unread(scene, "status", "--jsn") == 2
    ledger.health.open_outage(OutageKind.DEAD_KEY, "GET keys/@self answered 401", now())
    assert unread(scene, "status") == 3


def test_a_run_that_nobody_reads_does_its_work(scene: Stage) -> None:
    """A run whose output is closed does all its work."""
    assert unread(scene, "reconcile") == 0
    assert scene.comments() == [TARGET] * 3


def test_failed_files_make_status_exit_1(scene: Stage, ledger: Ledger) -> None:
    """Failed files are listed with the reason and the next try, and are exit 1."""
    end(ledger, 7, Outcome.FAILED, error="no answer", retry_at=now() + HOUR)
    done = exits(1, run(scene, "status"))
    assert "WRONG: 1 file failed" in done.stdout
    assert "7  7.docx  failed  failed  no answer" in done.stdout


def test_without_a_daemon_status_says_how_to_start_it(scene: Stage, ledger: Ledger) -> None:
    """Without a daemon `status` says how to start it and exits 1: nothing is being marked."""
    done = exits(1, run(scene, "status"))
    assert done.stdout.startswith(
        "WRONG: the daemon is not running (start it with: reconciler serve)"
    )
    assert "All is well" not in done.stdout


def test_a_daemon_that_does_its_work_is_well(scene: Stage, ledger: Ledger) -> None:
    """With a running daemon and no problem the exit code is 0."""
    end(ledger, 1, Outcome.KEPT)
    with serving(ledger):
        done = run(scene, "status")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "All is well.")


@pytest.mark.parametrize("number", [1, 3])
def test_refused_files_make_status_exit_1(scene: Stage, ledger: Ledger, number: int) -> None:
    """Refused files are exit 1: they stay unmarked until a person acts."""
    for file in range(1, number + 1):
        end(ledger, file, Outcome.REFUSED, reason="forbidden", retry_at=now() + HOUR)
    with serving(ledger):
        done = exits(1, run(scene, "status"))
    files = "1 file was" if number == 1 else "3 files were"
    assert done.stdout.startswith(f"WRONG: {files} refused and not marked")
    assert "reconciler failed list" in done.stdout.splitlines()[0]


def test_a_file_that_waits_is_nothing_wrong(scene: Stage, ledger: Ledger) -> None:
    """A file that waits, for example for a lock, is no problem."""
    end(ledger, 1, Outcome.WAITING, reason="locked", retry_at=now() + HOUR)
    with serving(ledger):
        assert run(scene, "status").returncode == 0


@pytest.mark.parametrize(("number", "minutes"), [(300, 4), (1, 3), (20, 600)])
def test_a_queue_that_is_not_worked_off_makes_status_exit_1(
    scene: Stage, ledger: Ledger, number: int, minutes: int
) -> None:
    """A queue that is not processed is exit 1, although a daemon runs."""
    since = now() - timedelta(minutes=minutes)
    for file in range(1, number + 1):
        ledger.record(event(file), since)
    with serving(ledger):
        done = exits(1, run(scene, "status"))
    assert done.stdout.startswith("WRONG: the queue is not being processed: ")
    assert f"{number} file" in done.stdout.splitlines()[0]


def test_a_pause_makes_status_exit_1(scene: Stage, ledger: Ledger) -> None:
    """A pause is exit 1: nothing is marked until it ends."""
    ledger.pause(now(), HOUR, "the 9000 writes of a day are used up")
    with serving(ledger):
        done = exits(1, run(scene, "status"))
    assert "writes of a day are used up" in done.stdout.splitlines()[0]


def test_what_only_makes_it_slower_is_named_and_exits_0(scene: Stage, ledger: Ledger) -> None:
    """A problem that only delays, such as one of the webhook, is named and exits 0."""
    record = WebhookRecord(WebhookState.DISABLED, now(), "it is disabled", "enable it")
    ledger.settings.set(WEBHOOK, record)
    with serving(ledger):
        done = run(scene, "status")
    assert (done.returncode, "All is well" in done.stdout) == (0, False)
    assert "it is disabled" in done.stdout


def test_a_full_disk_is_named_first(scene: Stage, ledger: Ledger) -> None:
    """A full disk, with a ledger that can be read, not written, is named first: exit 5."""
    ledger.record(event(), now())  # the log is there, but may not grow
    code = "import resource, sys; from reconciler.cli import main; "
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)); main()"
    done = output([sys.executable, "-c", code, "status"], env=scene.environ, cwd=scene.folder)
    assert (done.returncode, done.stderr) == (5, "")
    assert done.stdout.startswith("WRONG: the ledger cannot be written: ")


def test_without_a_ledger_none_is_made(scene: Stage) -> None:
    """Without a ledger it is exit 5, and none is created, which would belong to the wrong user."""
    done = exits(5, run(scene, "status"))
    assert "There is no ledger" in done.stderr
    assert not (scene.folder / "ledger.db").exists()


def test_failed_list_names_what_failed_first(scene: Stage, ledger: Ledger) -> None:
    """`failed list` names failed files first, then refused, then waiting ones, and no others."""
    end(ledger, 1, Outcome.WAITING, retry_at=now() + HOUR)
    end(ledger, 2, Outcome.FAILED, retry_at=now() + HOUR)
    end(ledger, 3, Outcome.REFUSED, retry_at=now() + HOUR)
    end(ledger, 4, Outcome.SKIPPED)
    done = run(scene, "failed", "list", "--json")
    assert [one["file_id"] for one in json_of(done)["files"]] == [2, 3, 1]


def test_failed_list_of_nothing_says_so(scene: Stage, ledger: Ledger) -> None:
    """`failed list` without files says so and exits 0."""
    done = run(scene, "failed", "list")
    assert (done.returncode, done.stdout) == (0, "nothing failed, and nothing waits\n")


def test_failed_retry_makes_files_due_now(scene: Stage, ledger: Ledger) -> None:
    """`failed retry` makes all files due, or those that are named."""
    for file in (1, 2):
        end(ledger, file, Outcome.FAILED, retry_at=now() + HOUR)
    with serving(ledger):
        assert run(scene, "failed", "retry", "2").stdout == "1 file is due now\n"
        assert ledger.count_due(now()) == 1
        done = run(scene, "failed", "retry")
    assert (done.returncode, done.stdout) == (0, "2 files are due now\n")
    assert ledger.count_due(now()) == 2


def test_a_retry_that_nobody_will_make_says_why(scene: Stage, ledger: Ledger) -> None:
    """A retry that cannot happen now is exit 1 with each reason, such as no daemon."""
    end(ledger, 1, Outcome.FAILED, retry_at=now() + HOUR)
    done = run(scene, "failed", "retry")
    assert (done.returncode, done.stdout) == (1, "1 file is due now\n")
    assert "the daemon is not running (start it with: reconciler serve)" in done.stderr
    with serving(ledger):
        ledger.pause(now(), HOUR, "the 9000 writes of a day are used up")
        done = run(scene, "failed", "retry", "1")
    assert (done.returncode, done.stdout) == (1, "1 file is due now\n")
    assert "writes of a day are used up" in done.stderr


def test_retrying_a_file_that_did_not_fail_is_a_usage_error(scene: Stage, ledger: Ledger) -> None:
    """A file that did not fail is a usage error and is named; the others are retried."""
    end(ledger, 1, Outcome.FAILED, retry_at=now() + HOUR)
    done = run(scene, "failed", "retry", "1", "99")
    assert (done.returncode, done.stdout) == (2, "1 file is due now\n")
    assert "Neither failed nor waiting, or being processed now: 99." in done.stderr


def test_a_title_cannot_write_to_the_terminal(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control characters in titles, texts and errors are escaped on a terminal."""
    evil = "\x1b[2J[red]x\n.docx"
    end(ledger, 1, Outcome.MARKED, seen=a_file(title=evil), settled=True, marked_by_us=True)
    end(ledger, 2, Outcome.FAILED, error=evil, retry_at=now() + HOUR)
    seen = ledger.health.overview(now())
    print_overview(seen, find_problems(seen), 9000)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert printed.count("[red]x\N{REPLACEMENT CHARACTER}.docx") == 2


def test_the_numbers_are_tables_on_a_terminal(
    ledger: Ledger,
) -> None:
    """On a terminal of any width the numbers are tables, and the problems are shown completely."""
    terminal = Console(force_terminal=True, width=60, file=StringIO(), markup=False)
    end(ledger, 2, Outcome.FAILED, error="a reason " * 12, retry_at=now() + HOUR)
    seen = ledger.health.overview(now())
    with terminal.capture() as captured:
        print_overview(seen, find_problems(seen), 9000, terminal)
    printed = captured.get()
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" in printed
    assert printed.count("reason") > 10


def test_an_empty_ledger_is_json_too(ledger: Ledger) -> None:
    """The JSON of an empty ledger has every part."""
    seen = ledger.health.overview(now())
    assert json.loads(as_json(seen, (), 9000))["queue"]["depth"] == 0
