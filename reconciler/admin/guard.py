"""Who may ask: whoever has the password, or, without one, whoever asks on this machine.

A page in somebody's browser may ask a server on the loopback under a name of its own (DNS
rebinding): so without a password only the loopback's own names are answered.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_LOCAL = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Guard:
    """Asks for ``password`` (None: none is needed, but a local name), whatever the user's name."""

    password: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"

    @property
    def has_password(self) -> bool:
        """Whether a password is asked for."""
        return self.password is not None

    def admits(self, environ: Mapping[str, Any]) -> bool:
        """Return whether the request may be answered."""
        if self.password is None:
            return _name(environ.get("HTTP_HOST", "")) in _LOCAL | {self.host}
        given = _password(environ.get("HTTP_AUTHORIZATION", ""))
        return hmac.compare_digest(given, self.password.encode())


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
