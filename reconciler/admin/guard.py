"""Access control: the password is required or, without one, a client on this machine.

A page in somebody's browser may ask a server on the loopback under a name of its own (DNS
rebinding): so without a password only the loopback's own names are answered.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from reconciler.admin.throttle import LoginThrottle

_LOCAL = {"localhost", "127.0.0.1", "::1"}


class Access(Enum):
    """Whether a request may be answered."""

    GRANTED = auto()
    DENIED = auto()
    THROTTLED = auto()  # too many passwords came from there, and this one was not looked at


@dataclass(frozen=True)
class Guard:
    """Asks for ``password`` (None: none is needed, but a local name), whatever the user's name.

    ``on_failed_login`` gets the address from which a password came that was wrong, or one too
    many; ``clock`` are seconds.
    """

    password: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    on_failed_login: Callable[[str], object] = lambda _: None
    clock: Callable[[], float] = monotonic
    throttle: LoginThrottle = field(default_factory=LoginThrottle)

    def access(self, environ: Mapping[str, Any]) -> Access:
        """Return whether the request may be answered."""
        if self.password is None:
            is_local = _name(environ.get("HTTP_HOST", "")) in _LOCAL | {self.host}
            return Access.GRANTED if is_local else Access.DENIED
        header, client = environ.get("HTTP_AUTHORIZATION", ""), environ.get("REMOTE_ADDR", "")
        if not header:
            return Access.DENIED  # no guess: a browser asks once without
        access = self._login(self.password, header, client)
        if access is not Access.GRANTED:
            self.on_failed_login(client)
        return access

    def _login(self, password: str, header: str, client: str) -> Access:
        if not self.throttle.acquire(client, self.clock()):
            return Access.THROTTLED
        if not hmac.compare_digest(_password(header), password.encode()):
            return Access.DENIED
        self.throttle.succeeded(client)
        return Access.GRANTED


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _password(header: str) -> bytes:
    """Return the password of HTTP Basic, none where it is not well formed."""
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(text.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
