"""The webhook's WSGI callable: verify, record, answer. It never acts and never calls the portal.

The order is fixed: size, signature over the raw bytes, JSON, trigger, file id, ledger, answer.
A 2xx is sent after the event is on disk. The portal deletes a webhook that answers 410 and
follows no redirect (docspace.md 6), so neither is ever sent; it tries again after 503.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from reconciler.errors import LedgerError
from reconciler.model import LAST_FILE_ID, Event, is_number, storable
from reconciler.signature import HEADER, matching_secret

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
_SIGNATURE = "HTTP_" + HEADER.upper().replace("-", "_")


@dataclass(frozen=True)
class Gate:
    """What is let in. No secrets at all means that nothing is verified."""

    path: str
    secrets: Sequence[str]
    triggers: frozenset[str]
    max_bytes: int
    require_https: bool = False


@dataclass(frozen=True)
class Reply:
    """What is answered, and told: the status, what became of the event and why."""

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
        gate: Gate,
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
        secret = matching_secret(body, environ.get(_SIGNATURE), self._gate.secrets)
        if secret is None and self._gate.secrets:
            return Reply(HTTPStatus.UNAUTHORIZED, "refused", "signature")
        try:
            event = parse_event(body, self._gate.triggers)
        except Ignored as ignored:
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


class Ignored(Exception):
    """The delivery is authentic but there is nothing to do; the text is the reason."""


def parse_event(body: bytes, triggers: frozenset[str]) -> Event:
    """Return the delivery as an event (docspace.md 4.1). Raises Ignored with the reason.

    `form.submit` carries two files; the submitted one is the file that changed.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Ignored("not_json") from error
    event, payload = _member(data, "event"), _member(data, "payload")
    trigger = event.get("trigger")
    if not isinstance(trigger, str) or trigger not in triggers:
        raise Ignored("trigger")
    if "submittedForm" in payload:
        payload = _member(payload, "submittedForm")
    return Event(
        id=event["id"] if is_number(event.get("id")) else 0,
        trigger=trigger,
        file=_file_id(payload),
        title=_text(payload.get("title")),
        author=_text(event.get("createBy")).lower(),
        modified=_date(payload.get("modifiedOn")),
    )


def _file_id(payload: Mapping[str, Any]) -> int:
    file_id = payload.get("id")
    if (isinstance(file_id, str) and file_id) or payload.get("providerKey"):
        raise Ignored("third_party")  # its comments cannot be set (docspace.md 8)
    if type(file_id) is not int or not 0 < file_id <= LAST_FILE_ID:
        raise Ignored("file_id")
    return file_id


def _member(data: object, name: str) -> Mapping[str, Any]:
    member = data.get(name) if isinstance(data, Mapping) else None
    if not isinstance(member, Mapping):
        raise Ignored(f"no_{name}")
    return member


def _text(value: object) -> str:
    return storable(value) if isinstance(value, str) else ""


def _date(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


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
