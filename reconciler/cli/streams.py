"""Standard streams that are closed, full, unread, or in an encoding that lacks a character."""

import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any, TextIO


def open_closed() -> None:
    """Open what was closed (`2>&-`): else the ledger would take its number."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r+"))


def replace_unencodable() -> None:
    """Print ``?`` for what the locale's encoding lacks: titles are in any language.

    Python does so on stderr by itself, with escapes.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def outlive_readers() -> None:
    """Drop what nobody reads any more, as after `| head`.

    A command then does its work to the end, and its exit code says what it found. Python keeps the
    streams that it opened itself; others would close with what they replace.
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


def give_up(stream: TextIO) -> None:
    """Write no more to a stream that takes nothing; Python would fail at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
