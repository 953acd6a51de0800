"""Tells systemd how it goes: ready, alive, stopping (sd_notify(3)).

The protocol is one datagram of lines to a socket that the environment names: less than a
library around it. Without that socket nothing is sent, and everything else is the same.
"""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

_IN_TIME = 2  # signs of life in the time that one may take


class SystemdNotifier:
    """The supervisor that started us, where it asks for news. Sending never fails or waits."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = monotonic) -> None:
        """Read where to send, and how often a sign of life is awaited."""
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._clock, self._sent_at = clock, clock()
        self.every = _every(environ)

    def ready(self, status: str) -> None:
        """Work has begun."""
        self._tell("READY=1", f"STATUS={status}")

    def alive(self) -> None:
        """Everything is alive: sent when half of the time has passed since the last sign."""
        now = self._clock()
        if self.every is not None and now - self._sent_at >= self.every:
            self._sent_at = now
            self._tell("WATCHDOG=1")

    def stopping(self, status: str) -> None:
        """The end has begun."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def _tell(self, *lines: str) -> None:
        if self._address[:1] not in {"/", "\0"}:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), self._address)


def _every(environ: Mapping[str, str]) -> float | None:
    """Return the seconds between signs of life, None when nobody waits for ours."""
    text = environ.get("WATCHDOG_USEC", "")
    for_us = environ.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
    if not (for_us and text.isdecimal() and int(text) > 0):
        return None
    return int(text) / 1_000_000 / _IN_TIME
