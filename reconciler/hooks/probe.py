"""Asks an address from outside whether our receiver stands there, as the portal would ask."""

import http.client
import ssl
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

from reconciler.delivery import ping
from reconciler.errors import Unanswered
from reconciler.signature import HEADER, sign

_PATIENCE = 10  # seconds
_JSON = {"Content-Type": "application/json; charset=utf-8"}


def head(address: str) -> None:
    """Ask with HEAD, as the portal does before it takes a webhook. Raises Unanswered.

    Nothing but 2xx will do, and no redirect is followed (docspace.md 6).
    """
    _ask("HEAD", address, b"", {})


def ping_with(address: str, secret: str) -> None:
    """Ask, signed with ``secret``, whether the receiver there knows it. Raises Unanswered: 401
    means that it knows another.
    """
    body = ping()
    _ask("POST", address, body, _JSON | {HEADER: sign(body, secret)})


def _ask(method: str, address: str, body: bytes, headers: Mapping[str, str]) -> None:
    try:
        parts = urlsplit(address)
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        with closing(kind(parts.hostname or "", parts.port, timeout=_PATIENCE)) as connection:
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            answer.read(65536)
            status, detail = answer.status, answer.getheader("Location") or ""
    except ssl.SSLError as error:
        raise Unanswered(address, None, f"its certificate: {error.reason or error}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unanswered(address, None, str(error) or type(error).__name__) from error
    if not 200 <= status < 300:
        raise Unanswered(address, status, detail)
