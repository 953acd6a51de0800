"""Signals the beginning and the result of each run to a monitor such as healthchecks.io.

The monitor alerts when a run fails or is missing. Signals are sent by a thread of their own, so no
run waits for the monitor or fails because of it.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.client import send_request
from reconciler.errors import AddressUnreachableError, ReconcilerError, ShutdownRequested

_TIMEOUT = 5.0  # seconds for one signal
_MAX_WAITING = 4  # signals; while the monitor hangs, further ones are dropped
_START, _SUCCESS, _FAILURE = "/start", "", "/fail"


@dataclass
class Run:
    """A run. With an ``error`` it counts as failed, although nothing was raised."""

    error: str = ""


class Heartbeat:
    """Sends the signals of consecutive runs; none without an address. Close it at the end."""

    def __init__(
        self, url: str | None, ca_bundle: Path | None, on_failure: Callable[[str], None]
    ) -> None:
        """Call ``on_failure`` with the reason why a signal did not arrive."""
        self._url, self._ca_bundle, self._on_failure = url, ca_bundle, on_failure
        self._signals = queue.Queue[tuple[str, str] | None](_MAX_WAITING)
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)
        if url is not None:
            self._thread.start()

    @contextmanager
    def run(self) -> Iterator[Run]:
        """Signal the beginning and the end of the block, but no end after ShutdownRequested."""
        run = Run()
        self._signal(_START)
        try:
            yield run
        except ShutdownRequested:
            raise
        except Exception as error:
            self._signal(_FAILURE, str(error))
            raise
        self._signal(_FAILURE if run.error else _SUCCESS, run.error)

    def close(self, seconds: float = 2 * _TIMEOUT) -> None:
        """Send the waiting signals, within so many seconds."""
        with suppress(queue.Full):
            self._signals.put_nowait(None)
        if self._url is not None:
            self._thread.join(seconds)

    def _signal(self, suffix: str, reason: str = "") -> None:
        if self._url is not None:
            with suppress(queue.Full):
                self._signals.put_nowait((suffix, reason))

    def _work(self) -> None:
        while (signal := self._signals.get()) is not None:
            try:
                self._send(*signal)
            except AddressUnreachableError as error:
                self._on_failure(error.detail)  # the address is a secret
            except ReconcilerError as error:
                self._on_failure(str(error))

    def _send(self, suffix: str, reason: str) -> None:
        method = "POST" if reason else "GET"
        url = _address(self._url or "", suffix)
        answer = send_request(
            method, url, reason.encode(), ca_bundle=self._ca_bundle, timeout=_TIMEOUT
        )
        if not 200 <= answer.status < 300:
            self._on_failure(f"{answer.status} is answered")


def _address(url: str, suffix: str) -> str:
    """Return the address of a signal: its suffix is added to the path, before any query."""
    parts = urlsplit(url)
    return parts._replace(path=parts.path.rstrip("/") + suffix).geturl()
