"""`reconciler` in a process of its own that starts at once.

A process that starts normally imports for half a second, and the tests start hundreds. These are
forked from one that has imported everything and has no threads. Where the start itself is tested,
as in test_help.py and test_demo.py, it is `python -m reconciler`.
"""

import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from reconciler.cli import main

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    [
        "reconciler.cli.report",
        "reconciler.cli.overview",
        "reconciler.ledger.store.postgres",
        "reconciler.service",
        "reconciler.service.checks",
        "reconciler.service.setup",
    ]
)


class Program:
    """A running command, with the part of subprocess.Popen that tests need."""

    def __init__(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        folder: Path,
        out: Path,
        err: Path,
        terminal: str = "",
    ) -> None:
        """Start it in ``folder``; its output is appended to the files ``out`` and ``err``.

        With a ``terminal`` it reads from there, and may ask.
        """
        self._process = FORKSERVER.Process(
            target=_become,
            args=(tuple(words), dict(environ), folder, out, err, terminal),
            daemon=True,
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
        """Kill it with SIGKILL."""
        self._process.kill()


class Dialogue:
    """A command that asks on a terminal, and its output there."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        """Start it."""
        self._own, self._other = os.openpty()
        name = os.ttyname(self._other)
        self._program = Program(words, environ, folder, Path(name), Path(name), name)
        self.transcript = ""

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and type a line. Raises TimeoutError."""
        self._wait_for(question)
        os.write(self._own, f"{text}\n".encode())

    def interrupt(self, question: str) -> None:
        """Wait for a question and press Ctrl-C, then Enter in case the read starts only now."""
        self._wait_for(question)
        os.write(self._own, b"\x03\n")

    def end(self) -> int:
        """Wait for its end; return its exit code."""
        os.close(self._other)
        code = self._program.wait()
        self._read(0)
        return code

    def close(self) -> None:
        """Kill it if it still runs."""
        self._program.kill()
        os.close(self._own)

    def _wait_for(self, question: str) -> None:
        """Wait until the blank after the question is there: earlier input may be dropped."""
        seen, asked = len(self.transcript), re.compile(re.escape(question) + r"[^\n]*: ")
        while not asked.search(self.transcript, seen):
            if not self._read(30):
                raise TimeoutError(self.transcript)

    def _read(self, seconds: float) -> bool:
        """Read what is available in time; return whether anything was."""
        if not select.select([self._own], [], [], seconds)[0]:
            return False
        with suppress(OSError):  # nobody is at the other end
            self.transcript += os.read(self._own, 65536).decode()
        return True


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
        captured = [path.read_text("utf-8") for path in (out, err)]
    return subprocess.CompletedProcess(words, code, *captured)


def output(
    command: Sequence[str], *, check: bool = False, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run any command line to its end, and capture its output. Raises TimeoutExpired."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=check, **options
    )


def exits(
    code: int, done: "subprocess.CompletedProcess[str]"
) -> "subprocess.CompletedProcess[str]":
    """Return a completed command after a check of its exit code."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def _become(
    words: tuple[str, ...],
    environ: dict[str, str],
    folder: Path,
    out: Path,
    err: Path,
    terminal: str,
) -> None:
    """Turn this process into the command."""
    if terminal:
        os.setsid()
        os.dup2(os.open(terminal, os.O_RDWR), 0)  # the first terminal that is opened controls it
    for path, number in ((out, 1), (err, 2)):
        with path.open("ab") as end:
            os.dup2(end.fileno(), number)
    if terminal:
        for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what runs behind a shell
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["reconciler", *words]
    main()
