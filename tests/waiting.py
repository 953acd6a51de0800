"""Waiting for what another thread or process does: it is asked again until the time is over."""

import threading
import time
from collections.abc import Callable
from pathlib import Path


def eventually(holds: Callable[[], object], seconds: float = 10) -> bool:
    """Return whether something comes to hold within the time."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        pause.wait(0.02)
    return True


def logged(folder: Path, *texts: str) -> bool:
    """Return whether one line of the daemon's log comes to hold all of the texts."""
    log = folder / "serve.log"

    def holds() -> bool:
        lines = log.read_text("utf-8").splitlines()
        return any(all(text in line for text in texts) for line in lines)

    return eventually(holds)
