"""Waiting for another thread or process until a condition holds or the time is over."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from socket import socket


def eventually(holds: Callable[[], object], seconds: float = 10) -> bool:
    """Return whether the condition holds within the time."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        pause.wait(0.02)
    return True


def together(*acts: Callable[[], object]) -> None:
    """Run all functions at once, each in a thread, and wait for their end."""
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def is_open(port: int) -> bool:
    """Return whether a port of this machine accepts connections."""
    with socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def logged(folder: Path, *texts: str) -> bool:
    """Return whether one line of the daemon's log has all of the texts within the time."""
    log = folder / "serve.log"

    def holds() -> bool:
        lines = log.read_text("utf-8").splitlines()
        return any(all(text in line for text in texts) for line in lines)

    return eventually(holds)
