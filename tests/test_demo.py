"""The demonstration is itself a claim of README: it must pass, and show what it says it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.demo.run import _tutorial


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """`reconciler demo` as a user runs it, in an empty folder and behind a company's proxy.

    This machine itself is never asked through one, so that nobody answers there hurts nothing.
    """
    named = ("http_proxy", "HTTPS_PROXY", "all_proxy")
    folder: Path = tmp_path_factory.mktemp("demo")
    return subprocess.run(
        [sys.executable, "-m", "reconciler", "demo"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)}
        | dict.fromkeys(named, "http://127.0.0.1:9"),
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def test_the_demonstration_ends_with_every_file_as_promised(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    """Exit 0, the verdict in words, and nothing on stderr."""
    assert demonstration.returncode == 0, demonstration.stdout + demonstration.stderr
    assert "Every file is as promised." in demonstration.stdout
    assert demonstration.stderr == ""


def test_the_demonstration_shows_decisions_with_their_reasons(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    """What was found, what was decided and why."""
    for words in ("found 'Edited'", "unlocking wiped our comment", "locked by someone else"):
        assert words in demonstration.stdout


def test_the_demonstration_shows_webhook_and_sweep_side_by_side(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    """Of 13 updates some are missed by the webhook, and all of those repaired by the sweep."""
    found = re.search(r"│ 13 +│ (\d+) +│ (\d+) +│ (\d+) +│", demonstration.stdout)
    assert found is not None
    received, missed, repaired = map(int, found.groups())
    assert received + missed == 13
    assert missed == repaired >= 3


def test_the_demonstration_ends_when_nobody_reads_it(tmp_path: Path) -> None:
    """As before `| head -1`: the daemon in it must not go on alone."""
    with subprocess.Popen(
        [sys.executable, "-m", "reconciler", "demo"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        try:
            assert process.wait(40) is not None
        finally:
            process.kill()


def test_the_tutorials_script_never_ends_with_one_edit() -> None:
    """One edit, two seconds, dozens of writes: each is an update to the script."""
    writes, _ = _tutorial()
    assert writes > 30
