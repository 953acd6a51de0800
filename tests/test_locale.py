"""A terminal or a cron job whose locale lacks the letters of a title: they are replaced."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.ledger import Ledger
from reconciler.model import AttemptResult, Outcome
from tests.support_ledger import event
from tests.support_sweep import Stage, stage
from tests.test_status import HOUR, now

TITLE = "Договор_審査_Prüfung.docx"
LOCALES: dict[str, dict[str, str]] = {
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "koi8-r": {"PYTHONIOENCODING": "koi8-r"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "shift-jis": {"PYTHONIOENCODING": "shift-jis"},
}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    """A file of that title in the portal, and one that failed, in the ledger."""
    with stage(tmp_path) as built:
        built.files = built.add_files(TITLE)
        url, portal = built.environ["RECONCILER_STATE__URL"], built.environ["DOCSPACE_API_HOST"]
        with closing(Ledger(url, portal)) as ledger:
            ledger.record(event(99, title=TITLE), now() - HOUR)
            (claim,) = ledger.claims.take(now(), 1, HOUR)
            failed = AttemptResult(
                Outcome.FAILED, "permanent", retry_at=now() + HOUR, error="Ошибка 審査"
            )
            ledger.claims.finish(claim, failed, now())
        yield built


def run(scene: Stage, locale: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in that locale; its output is bytes of the locale's encoding."""
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        env=scene.environ | LOCALES[locale],
        cwd=scene.folder,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "code", "locale"),
    [
        (("status",), 1, "C"),
        (("failed", "list"), 0, "shift-jis"),
        (("explain", "FILE"), 0, "C"),
        (("reconcile", "--dry-run"), 0, "shift-jis"),
    ],
)
def test_a_title_that_a_locale_lacks_is_printed_with_replacements(
    scene: Stage, words: tuple[str, ...], code: int, locale: str
) -> None:
    """By every command that prints titles, each with the exit code that it has elsewhere."""
    file = str(scene.files[0])
    done = run(scene, locale, *[file if word == "FILE" else word for word in words])
    assert (done.returncode, done.stderr) == (code, b"")
    assert b".docx" in done.stdout


@pytest.mark.parametrize("locale", ["C"])
def test_progress_goes_on_in_every_locale(scene: Stage, locale: str) -> None:
    """Nothing of a backfill is lost for want of a letter."""
    scene.files = scene.add_files(TITLE, scene.add_room(TITLE))
    done = run(scene, locale, "backfill", "--since", "30d", "--yes")
    assert (done.returncode, b"done" in done.stderr) == (1, True)  # 99 has failed before
    assert set(scene.comments()) == {"Need Review"}


@pytest.mark.parametrize("locale", ["koi8-r"])
def test_json_is_the_same_in_every_locale(scene: Stage, locale: str) -> None:
    """It says every letter by its number."""
    told = json.loads(run(scene, locale, "failed", "list", "--json").stdout.decode("ascii"))
    assert [(one["title"], one["error"]) for one in told["files"]] == [(TITLE, "Ошибка 審査")]


@pytest.mark.parametrize("locale", ["latin-1"])
def test_a_table_on_a_terminal_is_drawn_in_every_locale(scene: Stage, locale: str) -> None:
    """With letters and lines that it has."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "status"],
        env=scene.environ | LOCALES[locale] | {"TERM": "xterm", "COLUMNS": "100"},
        cwd=scene.folder,
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    with open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 - a number, not a path
        printed = terminal.read(65536)
    assert (done.returncode, done.stderr) == (1, b"")
    assert b".docx" in printed


@pytest.mark.parametrize(("locale", "form"), [("C", "text"), ("koi8-r", "json")])
def test_the_log_has_the_line_of_a_mark_in_every_locale(
    scene: Stage, locale: str, form: str
) -> None:
    """A line that cannot be written as it is must not be missing."""
    environ = scene.environ | LOCALES[locale] | {"RECONCILER_LOG__FORMAT": form, "PORT": "0"}
    command = [sys.executable, "-m", "reconciler", "serve"]
    with subprocess.Popen(
        command, env=environ, cwd=scene.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        patience = threading.Timer(30, process.kill)
        patience.start()
        line = next((one for one in process.stderr if b".docx" in one), b"")
        patience.cancel()
        process.terminate()
        assert b"marked" in line
        assert process.stderr.read().count(b"stopped") == 1
