"""Standard streams that are closed, full or unread: what is said to them goes nowhere."""

import os
import sys
from typing import TextIO


def open_closed() -> None:
    """Open what was closed (`2>&-`): else the ledger would take its number."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r+"))


def give_up(stream: TextIO) -> None:
    """Write no more to a stream that takes nothing; Python would fail at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
