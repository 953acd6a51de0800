"""Standard streams that are closed, full, unread, or in an encoding that lacks a character."""

import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any, TextIO


def open_closed() -> None:
    """Open closed standard streams (`2>&-`): else a file of the ledger would get their number."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r+"))


def replace_unencodable() -> None:
    """Print ``?`` for what the locale's encoding lacks: titles are in any language.

    Python does so on stderr by itself, with escapes.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def ignore_closed_readers() -> None:
    """Discard output whose reader is gone, as after `| head`.

    The command then completes, with the exit code of its result. Python keeps the streams that it
    opened itself, so replacing them closes no file.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):
            output = TextIOWrapper(
                BufferedWriter(_Unread(stream.fileno(), "w", closefd=False)),
                stream.encoding,
                stream.errors,
                line_buffering=stream.line_buffering or stream.write_through,  # PYTHONUNBUFFERED
            )
            setattr(sys, name, output)


class _Unread(FileIO):
    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            return memoryview(content).nbytes


def discard(stream: TextIO) -> None:
    """Discard all further output of a stream that fails; Python would fail at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
