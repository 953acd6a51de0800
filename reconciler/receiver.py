"""The webhook's WSGI application: it verifies a delivery, records it, wakes the worker, answers.

The order is fixed: overload, HTTPS, size, signature over the raw bytes, JSON, trigger, file id,
ledger, answer.
Nothing here calls the portal: the worker looks at the file and writes the comment.
A 2xx is sent after the event is on disk. The portal deletes a webhook that answers 410 and
follows no redirect (docspace.md 6), so neither is ever sent; it retries after 503.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

from reconciler.errors import LedgerError
from reconciler.event import IgnoredDelivery, parse_event
from reconciler.model import Event
from reconciler.signature import HEADER, find_signing_key

_SIGNATURE = "HTTP_" + HEADER.upper().replace("-", "_")


@dataclass(frozen=True)
class ReceiverSettings:
    """What the receiver accepts.

    ``secrets`` returns the secrets, newest first, and is called for each delivery: `service` passes
    `webhooks.ReloadingSecrets.current`, which reads webhook.secret_file again when it changes.
    Without any secret no signature is verified.
    """

    path: str
    secrets: Callable[[], Sequence[str]]
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
    """A WSGI application on ``record``, which writes an event to disk; False means an echo."""

    def __init__(
        self,
        settings: ReceiverSettings,
        record: Callable[[Event, datetime], bool],
        clock: Callable[[], datetime],
        on_reply: Callable[[Reply], None],
        on_accepted: Callable[[], None] = lambda: None,
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        """Call ``on_accepted`` for each new event, ``on_reply`` for each POST; 503 while full."""
        self._settings, self._record, self._clock = settings, record, clock
        self._on_reply, self._on_accepted, self._is_full = on_reply, on_accepted, is_full

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method = environ["REQUEST_METHOD"]
        if environ.get("PATH_INFO") != self._settings.path:
            reply = Reply(HTTPStatus.NOT_FOUND, "refused", "path")
        elif method in {"GET", "HEAD"}:
            reply = Reply(HTTPStatus.OK, "ok")
        elif method == "POST":
            reply = self._receive(environ)
            self._on_reply(reply)
        else:
            reply = Reply(HTTPStatus.METHOD_NOT_ALLOWED, "refused", "method")
        body = b"" if method == "HEAD" else _body(reply)
        start_response(f"{reply.code.value} {reply.code.phrase}", _headers(reply, body))
        return [body]

    def _receive(self, environ: WSGIEnvironment) -> Reply:
        if self._is_full():
            return Reply(HTTPStatus.SERVICE_UNAVAILABLE, "refused", "overload")
        if self._settings.require_https and environ["wsgi.url_scheme"] != "https":
            return Reply(HTTPStatus.FORBIDDEN, "refused", "https")
        body = _read(environ, self._settings.max_bytes)
        if body is None:
            return Reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "refused", "size")
        secrets = self._settings.secrets()
        secret = find_signing_key(body, environ.get(_SIGNATURE), secrets)
        if secret is None and secrets:
            return Reply(HTTPStatus.UNAUTHORIZED, "refused", "signature")
        return self._read_event(body, secret)

    def _read_event(self, body: bytes, secret: int | None) -> Reply:
        try:
            event = parse_event(body, self._settings.triggers)
        except IgnoredDelivery as ignored:
            return Reply(HTTPStatus.OK, "ignored", str(ignored), secret=secret)
        return self._accept(event, secret)

    def _accept(self, event: Event, secret: int | None) -> Reply:
        try:
            is_new = self._record(event, self._clock())
        except Exception as error:  # noqa: BLE001 - the portal must retry, whatever the bug
            code = HTTPStatus.SERVICE_UNAVAILABLE
            reason = "ledger" if isinstance(error, LedgerError) else "bug"
            return Reply(code, "refused", reason, event, secret, error)
        if is_new:
            self._on_accepted()
            return Reply(HTTPStatus.OK, "accepted", "", event, secret)
        return Reply(HTTPStatus.OK, "ignored", "echo", event, secret)


def _read(environ: WSGIEnvironment, max_bytes: int) -> bytes | None:
    """Return the body, None when it is too large. Without a length there is no body."""
    length = str(environ.get("CONTENT_LENGTH") or "0")
    if not length.isdecimal() or len(length) > 18 or int(length) > max_bytes:
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _body(reply: Reply) -> bytes:
    fields = {"status": reply.status} | ({"reason": reply.reason} if reply.reason else {})
    return json.dumps(fields).encode()


def _headers(reply: Reply, body: bytes) -> list[tuple[str, str]]:
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if reply.code is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "GET, HEAD, POST"))
    return headers
