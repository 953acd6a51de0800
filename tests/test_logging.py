"""The log: one line per event, and one for a series of equal failures."""

import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from reconciler.diagnostics.checks import ConfigWarningKind
from reconciler.errors import RateLimitedError, TransientError, UnauthorizedError
from reconciler.model import AttemptResult, File, OutageKind, Outcome, Revision, Rule, Section
from reconciler.service import configure_log
from reconciler.service.logging import (
    EVENTS,
    OutageLog,
    Repeats,
    log,
    log_failed_login,
    log_lost_lines,
    log_processed,
    log_sweep,
)
from reconciler.sweep import Report
from reconciler.worker import Processed
from tests.daemon import daemon
from tests.test_crash import Scene, scene, wait_until_idle
from tests.waiting import logged
from tests.world import START, Clock

__all__ = ["scene"]
ROOT = Path(__file__).parent.parent
REFERENCE = (ROOT / "reconciler" / "docs" / "reference.md").read_text("utf-8")
LogText = Callable[[], str]
EVIL = "a\nb\x1b[31m\u2028c\x9b.docx"


@pytest.fixture
def log_text(capsys: pytest.CaptureFixture[str]) -> Iterator[LogText]:
    """The text that was logged; afterwards the configuration is restored."""
    loggers = [logging.getLogger(name) for name in ("waitress", "apscheduler")]
    before = [(one.handlers, one.propagate) for one in loggers]
    yield lambda: capsys.readouterr().err
    structlog.reset_defaults()
    for one, (handlers, propagate) in zip(loggers, before, strict=True):
        one.handlers, one.propagate = handlers, propagate


def attempt(outcome: Outcome, reason: str, title: str = "Plan.docx") -> Processed:
    """Return an attempt at a file that a look has seen."""
    file = File(
        id=7,
        title=title,
        created=START,
        revision=Revision(2, START, 10),
        comment="Edited",
        section=Section.ROOMS,
        folder=1,
        updated_by="u",
    )
    return Processed(7, file, Rule.UPDATED, AttemptResult(outcome, reason, seen=file))


def met(error: UnauthorizedError | RateLimitedError) -> Processed:
    """Return an attempt that ended with an outage of the portal."""
    reason = type(error).__name__.lower()
    return Processed(7, None, None, AttemptResult(Outcome.WAITING, reason, START, error=str(error)))


DEAD = UnauthorizedError("GET keys/@self", 401, "unknown")


class Seconds(Clock):
    """A clock in seconds since the start, like a monotonic one."""

    def seconds(self) -> float:
        return self.now.timestamp()


def failure(error: str = "disk full") -> dict[str, object]:
    """Return a log record as the filter gets it."""
    return {"event": "delivery_refused", "reason": "ledger", "error": error}


def test_a_run_of_equal_failures_is_one_line() -> None:
    """The second of two equal failures within a minute is dropped."""
    repeats = Repeats(Seconds().seconds)
    assert repeats(None, "error", failure()) == failure()
    with pytest.raises(structlog.DropEvent):
        repeats(None, "error", failure())


def test_after_a_minute_the_count_is_told() -> None:
    """A series that continues has one line a minute with the number of failures."""
    clock = Seconds()
    repeats = Repeats(clock.seconds)
    repeats(None, "error", failure())
    for _ in range(4):
        with pytest.raises(structlog.DropEvent):
            repeats(None, "error", failure())
    clock.advance(61)
    assert repeats(None, "error", failure())["times"] == 5


def test_another_failure_is_another_run() -> None:
    """A failure with another error is logged at once."""
    repeats = Repeats(Seconds().seconds)
    repeats(None, "error", failure())
    assert repeats(None, "error", failure("locked")) == failure("locked")


def test_what_is_no_failure_is_never_dropped() -> None:
    """A line that is no failure is never dropped: every mark has one."""
    repeats = Repeats(Seconds().seconds)
    line = {"event": "marked", "file": 7}
    assert [repeats(None, "info", line) for _ in range(3)] == [line] * 3


def test_a_run_that_ended_is_summed_up_before_the_next_line() -> None:
    """A series that ended is summed up before the next line, whatever that is."""
    clock, sums = Seconds(), list[Mapping[str, object]]()
    repeats = Repeats(clock.seconds, sums.append)
    repeats(None, "error", failure())
    for _ in range(2):
        with pytest.raises(structlog.DropEvent):
            repeats(None, "error", failure())
    clock.advance(61)
    repeats(None, "info", {"event": "sweep"})
    repeats(None, "info", {"event": "sweep"})
    assert sums == [{**failure(), "kind": None, "times": 3}]


def test_a_run_of_files_that_wait_for_the_portal_is_one_line() -> None:
    """Files that wait for an unavailable portal share one line, although it is probed."""
    repeats = Repeats(Seconds().seconds)
    line = {"event": "waiting", "reason": "transient", "error": "GET files/file/{id}: refused"}
    assert repeats(None, "info", {**line, "file": 7})
    with pytest.raises(structlog.DropEvent):
        repeats(None, "info", {**line, "file": 8})


def test_each_loss_of_lines_is_told_with_its_number(log_text: LogText) -> None:
    """Each loss of lines is logged with its number; they add up to all missing lines."""
    configure_log("info", "json")
    for number in (5, 7000):
        log_lost_lines(number)
    assert [json.loads(line)["number"] for line in log_text().splitlines()] == [5, 7000]


def test_a_burst_of_guesses_is_one_line(log_text: LogText) -> None:
    """A burst of wrong passwords, from one address or many, is one line."""
    configure_log("info", "json")
    for number in range(1000):
        log_failed_login(f"192.0.2.{number % 250}")
    (line,) = log_text().splitlines()
    fields = json.loads(line)
    assert (fields["event"], fields["level"], fields["client"]) == (
        "login_failed",
        "warning",
        "192.0.2.0",
    )


def test_a_title_cannot_break_or_paint_a_line_of_text(log_text: LogText) -> None:
    """Line ends and escape sequences in a title are made harmless in a text line."""
    configure_log("info", "text")
    log_processed(attempt(Outcome.MARKED, "updated", EVIL))
    log.info(EVIL, **{"name": EVIL})
    lines = log_text().splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_a_line_of_json_is_one_object(log_text: LogText) -> None:
    """A JSON line is one object with time, level and event, then file, title and reason."""
    configure_log("info", "json")
    log_processed(attempt(Outcome.MARKED, "updated", EVIL))
    line = log_text()
    fields = json.loads(line)
    assert line.count("\n") == 1
    assert list(fields)[:3] == ["timestamp", "level", "event"]
    assert fields["title"] == EVIL
    assert (fields["event"], fields["file"], fields["reason"]) == ("marked", 7, "updated")
    assert (fields["level"], datetime.fromisoformat(fields["timestamp"]).tzinfo) == ("info", UTC)


@pytest.mark.parametrize("title", ["Договор_審査_Prüfung 👀.docx", EVIL, "a\udcff\u202e.docx"])
def test_json_keeps_the_letters_of_every_language(title: str, log_text: LogText) -> None:
    """JSON keeps the letters of every language; other characters are escaped."""
    configure_log("info", "json")
    log_processed(attempt(Outcome.MARKED, "updated", title))
    line = log_text()
    assert json.loads(line)["title"] == title
    assert line.rstrip("\n").isprintable()
    assert "Договор_審査_Prüfung 👀" in line or title not in line


LINE = """
from reconciler.service import configure_log
from reconciler.service.logging import log
configure_log("info", "auto")
log.info("sweep")
"""


@pytest.mark.parametrize(
    ("environ", "is_painted"), [({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)]
)
def test_text_on_a_terminal_has_the_colours_and_the_time_of_a_person(
    environ: dict[str, str], is_painted: bool
) -> None:
    """Text on a terminal has colours, unless NO_COLOR is set, and the time of TZ."""
    ours, theirs = pty.openpty()
    environ = {"PATH": os.environ["PATH"], "TERM": "xterm", "TZ": "XST-9", **environ}
    subprocess.run([sys.executable, "-c", LINE], env=environ, stderr=theirs, timeout=60, check=True)
    os.close(theirs)
    with open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 - a number, not a path
        line = terminal.read(65536).decode()
    assert ("\x1b" in line, "+0900" in line, "sweep" in line) == (is_painted, True, True)


def test_text_that_goes_to_a_file_has_no_colours(log_text: LogText) -> None:
    """Text that goes to a file has no colours."""
    configure_log("info", "text")
    log.info("sweep", scanned=2)
    assert "\x1b" not in log_text()


@pytest.mark.parametrize("outcome", Outcome)
def test_an_attempt_is_told_under_the_name_of_its_outcome(
    outcome: Outcome, log_text: LogText
) -> None:
    """An attempt is logged under the name of its outcome, the same as in the counts."""
    configure_log("info", "json")
    log_processed(attempt(outcome, "r"))
    assert json.loads(log_text())["event"] == outcome.value


def test_a_field_of_a_sweep_has_one_type_always(log_text: LogText) -> None:
    """A field of a sweep's line has the same type in every line, which log collectors require."""
    configure_log("info", "json")
    plain = Report(ended=Counter({(Outcome.SKIPPED, "new"): 3}))
    for report in (
        plain,
        replace(plain, skipped=Counter({"forbidden": 2}), incomplete=[7]),
        Report(),
    ):
        log_sweep(report)
    types: dict[str, set[type]] = {}
    for line in map(json.loads, log_text().splitlines()):
        for name, value in line.items():
            types.setdefault(name, set()).add(type(value))
    assert [name for name, found in types.items() if len(found) > 1] == []
    assert (types["skipped"], types["skipped_folders"]) == ({int}, {dict})


@pytest.mark.parametrize("kind", OutageKind)
def test_an_outage_and_its_end_are_told(kind: OutageKind, log_text: LogText) -> None:
    """An outage of each kind and its end are logged by name, with reason and duration."""
    configure_log("info", "json")
    clock = Clock()
    outages = OutageLog(clock)
    outages.on_outage(kind, TransientError("GET keys/@self", 500))
    clock.advance(90)
    outages.on_recovery(kind)
    began, ended = (json.loads(line) for line in log_text().splitlines())
    assert (began["event"], ended["event"]) == EVENTS[kind]
    assert (began["error"], ended["seconds"]) == ("GET keys/@self answered 500", 90)


def test_a_session_is_told_from_start_to_stop(scene: Scene) -> None:
    """A session is logged from start to stop: address, owner, delivery, outcome, end."""
    with daemon(scene.environ, scene.folder) as running:
        scene.portal.save(scene.file, by=scene.ann)
        wait_until_idle(scene, running)
        assert logged(scene.folder, '"marked"')
        assert running.terminate() == 0
    text = (scene.folder / "serve.log").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    names = [one["event"] for one in lines]
    assert {"started", "acting_as", "sweep", "delivery_accepted", "marked"} <= set(names)
    assert names.index("stopping") < names.index("stopped") == len(names) - 1
    assert next(one for one in lines if one["event"] == "started")["address"] == running.address
    assert lines[0]["event"] == "configuration"
    assert (lines[0]["file"], lines[0]["ledger"]) == (None, scene.environ["RECONCILER_STATE__URL"])


def test_readme_lists_every_line_that_the_log_can_hold() -> None:
    """The reference lists every event of the log, by which people search and alert."""
    table = REFERENCE.partition("## Log lines")[2].partition("\n##")[0]
    listed = set(re.findall(r"`([a-z_]+)`(?=[^|]*\| (?:debug|info|warning|error))", table))
    code = "".join(
        path.read_text("utf-8")
        for path in Path(sys.modules["reconciler"].__path__[0]).rglob("*.py")
    )
    found = set(re.findall(r'\b_?log\.(?:debug|info|warning|error)\)?\(\s*"([a-z_]+)"', code))
    found |= {outcome.value for outcome in Outcome}
    found |= {f"delivery_{status}" for status in ("accepted", "ignored", "refused")}
    found |= {event for pair in EVENTS.values() for event in pair}
    found |= {kind.value for kind in ConfigWarningKind}
    assert listed == found
