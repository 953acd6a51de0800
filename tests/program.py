"""`reconciler` in a process of its own that begins at once.

A process that starts by itself imports for half a second, and the suite starts hundreds. These are
forked from one that has imported everything and runs no threads. Where the start itself is
tested, as in test_help.py and test_demo.py, it is `python -m reconciler`.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.cli import main

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    [
        "reconciler.cli.backfilling",
        "reconciler.cli.overview",
        "reconciler.ledger.store.postgres",
        "reconciler.service",
        "reconciler.service.checks",
    ]
)


class Program:
    """A running command, with as much of subprocess.Popen as tests need."""

    def __init__(
        self, words: Sequence[str], environ: Mapping[str, str], folder: Path, out: Path, err: Path
    ) -> None:
        """Start it in ``folder``; its output is added to the files ``out`` and ``err``."""
        self._process = FORKSERVER.Process(
            target=_become, args=(tuple(words), dict(environ), folder, out, err), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float = 30) -> int:
        """Return its exit code. Raises TimeoutExpired."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal while it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it without any warning."""
        self._process.kill()


def run(
    words: Sequence[str], environ: Mapping[str, str], folder: Path, timeout: float = 30
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, with no terminal. Raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        program = Program(words, environ, folder, out, err)
        try:
            code = program.wait(timeout)
        finally:
            program.kill()
        said = [path.read_text("utf-8") for path in (out, err)]
    return subprocess.CompletedProcess(words, code, *said)


def _become(
    words: tuple[str, ...], environ: dict[str, str], folder: Path, out: Path, err: Path
) -> None:
    """Turn this process into the command."""
    for path, number in ((out, 1), (err, 2)):
        with path.open("ab") as end:
            os.dup2(end.fileno(), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what runs behind a shell
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["reconciler", *words]
    main()
