"""Reports the daemon's state to systemd: ready, alive, stopping (sd_notify(3)).

The protocol is one datagram to a socket that the environment names, so no library is needed.
Without that socket nothing is sent.
"""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

_PINGS = 2  # to the watchdog within its timeout


class SystemdNotifier:
    """systemd's notify socket, where the environment names one. Sending never fails or blocks.

    ``every`` is the interval of the watchdog's pings in seconds, None without a watchdog.
    """

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = monotonic) -> None:
        """Read the socket and the watchdog's timeout from the environment."""
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._clock, self._sent_at = clock, clock()
        self.every = _every(environ)

    def ready(self, status: str) -> None:
        """Report that the daemon serves."""
        self._send("READY=1", f"STATUS={status}")

    def alive(self) -> None:
        """Ping the watchdog once half of its timeout has passed since the last ping."""
        now = self._clock()
        if self.every is not None and now - self._sent_at >= self.every:
            self._sent_at = now
            self._send("WATCHDOG=1")

    def stopping(self, status: str) -> None:
        """Report that the shutdown has begun."""
        self._send("STOPPING=1", f"STATUS={status}")

    def _send(self, *lines: str) -> None:
        if self._address[:1] not in {"/", "\0"}:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), self._address)


def _every(environ: Mapping[str, str]) -> float | None:
    """Return the seconds between pings, None without a watchdog for this process."""
    text = environ.get("WATCHDOG_USEC", "")
    for_us = environ.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
    if not (for_us and text.isdecimal() and int(text) > 0):
        return None
    return int(text) / 1_000_000 / _PINGS
