"""`reconciler demo` must succeed, and show what README claims of it."""

import html
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from rich.console import Console

from reconciler.cli.playground import Demonstration
from reconciler.demo import Scene, SceneCheck
from reconciler.demo.scenes import (
    check_burst,
    check_comment,
    check_edit,
    check_kill,
    check_restart,
    check_sweep,
)
from reconciler.demo.stage import TARGET, DaemonEndedError, Version, daemon

TITLES = ["One edit", "A burst", "A person's comment", "Lost deliveries", "A crash"]


def environment(folder: Path) -> dict[str, str]:
    """Return environment variables whose only folder for temporary files is ``folder``."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """`reconciler demo` as a user runs it, in an empty folder and behind a company's proxy.

    The proxy does not exist, which is harmless: this machine is never asked through a proxy.
    Settings for a real portal are ignored too.
    """
    nobody = dict.fromkeys(("http_proxy", "HTTPS_PROXY", "all_proxy"), "http://127.0.0.1:9")
    own = {"DOCSPACE_API_KEY": "his", "PORT": "9", "RECONCILER_REVIEW__OBSERVE": "true"}
    folder: Path = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "demo"],
        cwd=folder,
        env=environment(folder) | nobody | own,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert list(folder.iterdir()) == []
    return done


def test_the_demonstration_ends_with_a_summary(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    """The demonstration exits 0, says what to do next, and prints nothing to stderr."""
    assert demonstration.returncode == 0, demonstration.stdout + demonstration.stderr
    assert re.search(r"^All 9 checks held, in \d+ s\.$", demonstration.stdout, re.MULTILINE)
    assert demonstration.stdout.endswith("\nNext: reconciler init\n")
    assert demonstration.stderr == ""


@pytest.mark.parametrize(("number", "title"), [*enumerate(TITLES, 1)])
def test_each_scene_is_as_promised(
    demonstration: subprocess.CompletedProcess[str], number: int, title: str
) -> None:
    """Each scene has a title and what is expected, and each of its checks has a tick."""
    scene = demonstration.stdout.split(f"\n{number}. {title}\n")[1].split("\n\n")[0]
    assert "Expected: " in scene
    assert "✓" in scene
    assert "✗" not in scene


def test_the_tutorials_script_never_ends_with_one_edit(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    """One edit makes the tutorial's script write dozens of times, in answer to its own writes."""
    found = re.search(r"script: (\d+) writes in 2\.\d s, and no end", demonstration.stdout)
    assert found is not None
    assert int(found[1]) > 10


def test_the_demonstration_is_plain_text_for_80_columns(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    """Without a terminal the demonstration is plain text of 80 columns."""
    assert "\x1b" not in demonstration.stdout
    assert [line for line in demonstration.stdout.splitlines() if len(line) > 80] == []


def test_the_picture_shows_the_scenes_of_today() -> None:
    """The documents' picture shows the current scenes; tests.pictures draws it."""
    picture = files("reconciler").joinpath("docs", "demo.svg").read_text("utf-8")
    text = html.unescape(picture).replace("\xa0", " ")
    for number, title in enumerate(TITLES, 1):
        assert f"{number}. {title}<" in text
    assert "All 9 checks held" in text


@contextmanager
def begun(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A demonstration that has begun; at the end nothing of it may be left behind."""
    catch = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{catch}; from reconciler.cli import main; main()", "demo"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            while b"tutorial" not in process.stdout.readline():  # then its daemon runs
                assert process.poll() is None
            yield process
            assert list(folder.iterdir()) == []
            with pytest.raises(ProcessLookupError):
                os.killpg(process.pid, 0)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    """An interrupted demonstration exits 130 and leaves neither its daemon nor its folder."""
    with begun(tmp_path) as process:
        process.send_signal(number)
        assert process.wait(40) == 130


def test_the_demonstration_ends_when_nobody_reads_it(tmp_path: Path) -> None:
    """The demonstration ends when its output is closed, as by `| head`, and so does its daemon."""
    with begun(tmp_path) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(40)


# A broken promise is detected.

GOOD, LOST, TWICE = Version(TARGET, 1), Version("Edited", 0), Version(TARGET, 2)
FOUND, UNFOUND = Version(TARGET, 1, is_announced=False), Version("Edited", 0, is_announced=False)


@pytest.mark.parametrize(
    ("check", "holds"),
    [
        (check_edit(["GET", "PUT"]), True),
        (check_edit([]), False),
        (check_edit(["GET"]), False),
        (check_edit(["PUT"]), False),
        (check_edit(["GET", "GET", "PUT"]), False),
        (check_edit(["GET", "PUT", "GET"]), False),
        (check_edit(["GET", "PUT", "GET", "PUT"]), False),
        (check_burst(50, 0.6, [GOOD, GOOD]), True),
        (check_burst(50, 0.6, [GOOD, LOST]), False),
        (check_burst(50, 0.6, [GOOD, TWICE]), False),
        (check_comment("approved, renamed", "Approved", "Approved"), True),
        (check_comment("approved, renamed", TARGET, "Approved"), False),
        (check_sweep([GOOD, FOUND]), True),
        (check_sweep([GOOD, UNFOUND]), False),
        (check_sweep([LOST, FOUND]), False),
        (check_kill(-9, [GOOD, LOST], 0.7), True),
        (check_kill(1, [GOOD, LOST], 0.7), False),
        (check_kill(-9, [GOOD, GOOD], 0.7), False),
        (check_kill(-9, [LOST, LOST], 0.7), False),
        (check_restart([GOOD, GOOD]), True),
        (check_restart([GOOD, LOST]), False),
        (check_restart([GOOD, TWICE]), False),
    ],
)
def test_a_check_holds_for_what_is_promised_alone(check: SceneCheck, holds: bool) -> None:
    """A check succeeds only if the portal recorded what is promised, and shows what it recorded."""
    assert check.holds is holds


def shown(lines: Sequence[Scene | SceneCheck], encoding: str = "utf-8") -> tuple[bool, str]:
    """Return whether everything held, and the printed text."""
    page = io.BytesIO()
    with io.TextIOWrapper(page, encoding) as file:
        held = Demonstration(Console(file=file, width=80)).show(lines)
        file.flush()
        return held, page.getvalue().decode(encoding)


def test_a_broken_promise_is_said() -> None:
    """A broken promise is shown by its check, by the summary, and by the exit code."""
    held, text = shown([Scene("A", "b", "c"), SceneCheck("this", True), SceneCheck("that", False)])
    assert not held
    assert "✗ that" in text
    assert "1 of 2 checks failed" in text
    assert "Next:" not in text


def test_a_daemon_that_cannot_start_is_said() -> None:
    """A daemon that cannot start is reported with its own message."""
    with daemon("nonsense", "key") as running:
        running.start()
        with pytest.raises(DaemonEndedError, match="The configuration cannot be used"):
            running.address()


def test_what_is_only_compared_breaks_no_promise() -> None:
    """The tutorial's script is only compared: whatever it does breaks no promise."""
    held, text = shown([SceneCheck("the script: 300 writes", None), SceneCheck("this", True)])
    assert held
    assert "All 1 checks held" in text


def test_a_terminal_without_the_tick_is_told_in_letters() -> None:
    """A terminal whose locale lacks the tick, such as C, gets words instead."""
    _, text = shown([SceneCheck("this", True), SceneCheck("that", False)], "ascii")
    assert "ok this" in text
    assert "NO that" in text
