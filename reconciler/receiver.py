"""The webhook's WSGI callable: verify, record, answer. It never acts and never calls the portal.

The order is fixed: size, signature over the raw bytes, JSON, trigger, file id, ledger, answer.
A 2xx is sent after the event is on disk. The portal deletes a webhook that answers 410 and
follows no redirect (docspace.md 6), so neither is ever sent; it tries again after 503.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from reconciler.errors import LedgerError
from reconciler.event import IgnoredDelivery, parse_event
from reconciler.model import Event
from reconciler.signature import HEADER, find_signing_key

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
_SIGNATURE = "HTTP_" + HEADER.upper().replace("-", "_")


@dataclass(frozen=True)
class ReceiverSettings:
    """What is let in. No secrets at all means that nothing is verified.

    ``secrets``, newest first, may be a function: what it returns counts for one delivery.
    """

    path: str
    secrets: Sequence[str] | Callable[[], Sequence[str]]
    triggers: frozenset[str]
    max_bytes: int
    require_https: bool = False


@dataclass(frozen=True)
class Reply:
    """The answer to one delivery: the status, what became of the event and why.

    ``secret`` is the index of the secret that signed it, 0 for the newest.
    """

    code: HTTPStatus
    status: str
    reason: str = ""
    event: Event | None = None
    secret: int | None = None
    error: Exception | None = None


class Receiver:
    """A WSGI application. ``record`` puts an event on disk and returns False for an echo."""

    def __init__(
        self,
        gate: ReceiverSettings,
        record: Callable[[Event, datetime], bool],
        clock: Callable[[], datetime],
        tell: Callable[[Reply], None],
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        """Tell of each POST with ``tell``; while ``is_full`` says so, ask to come later."""
        self._gate, self._record, self._clock, self._tell = gate, record, clock, tell
        self._is_full = is_full

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method = environ["REQUEST_METHOD"]
        if environ.get("PATH_INFO") != self._gate.path:
            reply = Reply(HTTPStatus.NOT_FOUND, "refused", "path")
        elif method in {"GET", "HEAD"}:
            reply = Reply(HTTPStatus.OK, "ok")
        elif method == "POST":
            reply = self._receive(environ)
            self._tell(reply)
        else:
            reply = Reply(HTTPStatus.METHOD_NOT_ALLOWED, "refused", "method")
        body = b"" if method == "HEAD" else _body(reply)
        start_response(f"{reply.code.value} {reply.code.phrase}", _headers(reply, body))
        return [body]

    def _receive(self, environ: Environ) -> Reply:
        if self._is_full():
            return Reply(HTTPStatus.SERVICE_UNAVAILABLE, "refused", "overload")
        if self._gate.require_https and environ["wsgi.url_scheme"] != "https":
            return Reply(HTTPStatus.FORBIDDEN, "refused", "https")
        body = _read(environ, self._gate.max_bytes)
        if body is None:
            return Reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "refused", "size")
        secrets = self._gate.secrets() if callable(self._gate.secrets) else self._gate.secrets
        secret = find_signing_key(body, environ.get(_SIGNATURE), secrets)
        if secret is None and secrets:
            return Reply(HTTPStatus.UNAUTHORIZED, "refused", "signature")
        return self._read_event(body, secret)

    def _read_event(self, body: bytes, secret: int | None) -> Reply:
        try:
            event = parse_event(body, self._gate.triggers)
        except IgnoredDelivery as ignored:
            return Reply(HTTPStatus.OK, "ignored", str(ignored), secret=secret)
        return self._accept(event, secret)

    def _accept(self, event: Event, secret: int | None) -> Reply:
        try:
            fresh = self._record(event, self._clock())
        except LedgerError as error:
            return _unavailable("ledger", error, event, secret)
        except Exception as error:  # noqa: BLE001 - the portal must try again, whatever it was
            return _unavailable("bug", error, event, secret)
        if fresh:
            return Reply(HTTPStatus.OK, "accepted", "", event, secret)
        return Reply(HTTPStatus.OK, "ignored", "echo", event, secret)


def _read(environ: Environ, most: int) -> bytes | None:
    """Return the body, None when it is too large. Without a length there is no body."""
    length = str(environ.get("CONTENT_LENGTH") or "0")
    if not length.isdecimal() or len(length) > 18 or int(length) > most:
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _unavailable(reason: str, error: Exception, event: Event, secret: int | None) -> Reply:
    return Reply(HTTPStatus.SERVICE_UNAVAILABLE, "refused", reason, event, secret, error)


def _body(reply: Reply) -> bytes:
    said = {"status": reply.status} | ({"reason": reply.reason} if reply.reason else {})
    return json.dumps(said).encode()


def _headers(reply: Reply, body: bytes) -> list[tuple[str, str]]:
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if reply.code is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "GET, HEAD, POST"))
    return headers
