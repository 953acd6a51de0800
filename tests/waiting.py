"""Waiting for what another thread or process does: it is asked again until the time is over."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from socket import socket


def eventually(holds: Callable[[], object], seconds: float = 10) -> bool:
    """Return whether something comes to hold within the time."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        pause.wait(0.02)
    return True


def together(*acts: Callable[[], object]) -> None:
    """Run everything at once, each in its thread, to its end."""
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def is_open(port: int) -> bool:
    """Return whether somebody listens on a port of this machine."""
    with socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def logged(folder: Path, *texts: str) -> bool:
    """Return whether one line of the daemon's log comes to hold all of the texts."""
    log = folder / "serve.log"

    def holds() -> bool:
        lines = log.read_text("utf-8").splitlines()
        return any(all(text in line for text in texts) for line in lines)

    return eventually(holds)
