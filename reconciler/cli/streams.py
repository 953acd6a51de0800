"""Standard streams that are closed, full, unread, or in an encoding that lacks a character."""

import os
import sys
from io import TextIOWrapper
from typing import TextIO


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


def give_up(stream: TextIO) -> None:
    """Write no more to a stream that takes nothing; Python would fail at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
