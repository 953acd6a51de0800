"""The way of an API request: route, fault, key, rate limits, scope, handler (docspace.md 2, 5)."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from reconciler.sandbox import api_files, api_self, api_webhooks, people, responses
from reconciler.sandbox.calls import Call, Query
from reconciler.sandbox.faults import RESET, Reply, distorted_reply, fault_reply
from reconciler.sandbox.responses import ModelError, Refused, Response
from reconciler.sandbox.state import Hook, State
from reconciler.sandbox.values import EntryId, Key, Request, User

_PREFIX = "/api/2.0/"


@dataclass(frozen=True, slots=True)
class Route:
    """One route. ``scope`` None means that any key will do; ``anonymous`` that none is needed.

    ``waits`` marks handlers that ask other hosts: they take the portal's lock themselves.
    """

    method: str
    path: str
    scope: str | None
    handler: Callable[[Call], Response]
    anonymous: bool = False
    waits: bool = False


_READ, _WRITE = "files:read", "files:write"
_ALL, _ALL_WRITE = "*:read", "*:write"

_ROUTES = (
    Route("GET", "files/file/{id}", _READ, api_files.get_file, anonymous=True),
    Route("GET", "files/file/{id}/history", _READ, api_files.get_history, anonymous=True),
    Route("PUT", "files/file/{id}/comment", _WRITE, api_files.put_comment),
    Route("GET", "files/rooms", "rooms:read", api_files.get_rooms),
    Route("GET", "files/@my", _READ, api_files.get_my),
    Route("GET", "files/{id}", _READ, api_files.get_content, anonymous=True),
    Route("GET", "people/@self", "accounts.self:read", api_self.get_self),
    Route("GET", "keys/@self", None, api_self.get_key),
    Route("GET", "settings/version/build", _ALL, api_self.get_build, anonymous=True),
    Route("GET", "settings/webhook", _ALL, api_webhooks.list_webhooks),
    Route("POST", "settings/webhook", _ALL_WRITE, api_webhooks.create_webhook, waits=True),
    Route("PUT", "settings/webhook", _ALL_WRITE, api_webhooks.update_webhook, waits=True),
    Route("PUT", "settings/webhook/enable", _ALL_WRITE, api_webhooks.enable_webhook, waits=True),
    Route("GET", "settings/webhook/triggers", _ALL, api_webhooks.list_triggers),
    Route("PUT", "settings/webhook/{id}/retry", _ALL_WRITE, api_webhooks.retry_log),
    Route("DELETE", "settings/webhook/{id}", _ALL_WRITE, api_webhooks.delete_webhook),
    Route("GET", "settings/webhooks/log", _ALL, api_webhooks.get_log),
)

_PATTERNS = tuple(
    (route, re.compile(re.escape(route.path).replace(r"\{id\}", "([^/]+)"))) for route in _ROUTES
)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came off the socket; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def base(self) -> str:
        """Return the URL under which the client knows the portal."""
        return f"http://{self.headers.get('host', 'localhost')}"


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where a request goes: its route if there is one, and the id in its path."""

    method: str
    path: str
    route: Route | None = None
    id: EntryId = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def file_id(self) -> EntryId | None:
        return self.id if self.path.startswith("files/file/") else None


class Api:
    """Answers requests for one portal; ``stopping`` ends every wait."""

    def __init__(self, state: State, stopping: threading.Event) -> None:
        """Answer for ``state``."""
        self._state = state
        self._stopping = stopping

    def handle(self, request: HttpRequest) -> Reply:
        """Answer one request and record it in the journal."""
        destination = _destination(request)
        reply, user = self._reply(request, destination)
        noted = Request(
            at=self._state.clock(),
            method=request.method,
            path=destination.name,
            status=reply.status,
            user_id=user.id if user else None,
            file_id=destination.file_id,
        )
        with self._state.mutex:
            self._state.requests.append(noted)
        return reply

    def _reply(self, request: HttpRequest, destination: _Destination) -> tuple[Reply, User | None]:
        state = self._state
        if state.down:
            return RESET, None
        fault = state.faults.next_for(destination.name)
        if fault and not fault.lets_through:
            return fault_reply(fault, state.clock()), None
        call = self._call(request, destination)
        response = self._respond_within_limits(call, destination, fault.delay if fault else 0.0)
        if response.status != 429:
            _run_hook(state.on_answer, destination)
        return distorted_reply(response, fault), call.user

    def _call(self, request: HttpRequest, destination: _Destination) -> Call:
        user, key = self._authenticate(request)
        return Call(
            state=self._state,
            method=request.method,
            url=request.base + request.target,
            base=request.base,
            query=Query(request.target.partition("?")[2]),
            body=request.body,
            user=user,
            key=key,
            id=destination.id,
        )

    def _authenticate(self, request: HttpRequest) -> tuple[User | None, Key | None]:
        """Return the user and the key; neither for a dead key, which some routes answer 403."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        text = token if scheme.lower() == "bearer" else scheme
        with self._state.mutex:
            key = people.use_key(self._state, text.strip())
            return (self._state.users.get(key.user_id), key) if key else (None, None)

    def _respond_within_limits(
        self, call: Call, destination: _Destination, delay: float
    ) -> Response:
        """Answer within the user's rate limits, after the portal's latency."""
        limiter, limits, user = self._state.limiter, self._state.limits, call.user
        if user is not None:
            refused = limiter.enter(limits, user.id, call.method, self._state.clock())
            if refused is not None:
                return refused
        try:
            if self._state.latency + delay > 0:
                self._stopping.wait(self._state.latency + delay)
            return self._dispatch(call, destination)
        finally:
            if user is not None:
                limiter.leave(limits, user.id, call.method)

    def _dispatch(self, call: Call, destination: _Destination) -> Response:
        route = destination.route
        if route is None:
            return Response(404)
        refused = _unauthorised(route, call.key)
        if refused is not None:
            return refused
        _run_hook(self._state.on_request, destination)
        try:
            if route.waits:
                return route.handler(call)
            with self._state.mutex:
                return route.handler(call)
        except ModelError as error:
            return responses.model_failure(error, call.method, call.url)
        except Refused as error:
            return error.response


def _destination(request: HttpRequest) -> _Destination:
    below = request.target.partition("?")[0].removeprefix(_PREFIX)
    for route, pattern in _PATTERNS:
        match = pattern.fullmatch(unquote(below).rstrip("/"))
        if match and route.method == request.method:
            entry_id = _entry_id(match[1]) if match.groups() else ""
            return _Destination(route.method, route.path, route, entry_id)
    return _Destination(request.method, below)


def _entry_id(text: str) -> EntryId:
    """Read an int32; anything else belongs to the controller of string ids."""
    if re.fullmatch(r"-?[0-9]{1,10}", text) and -(2**31) <= int(text) < 2**31:
        return int(text)
    return text


def _run_hook(hook: Hook | None, destination: _Destination) -> None:
    if hook is not None and destination.route is not None:
        hook(destination.method, destination.path, destination.file_id)


def _unauthorised(route: Route, key: Key | None) -> Response | None:
    """Return the refusal of a key that is missing, dead or too narrow, or None.

    An authorised route answers 401 or 403 with an empty body; an anonymous one treats
    a dead key as none, and answers a narrow one 403 as problem+json (docspace.md 2).
    """
    if key is None:
        return None if route.anonymous else Response(401)
    if route.scope is None or _allows(key.permissions, route.scope):
        return None
    return responses.problem(403) if route.anonymous else Response(403)


def _allows(permissions: tuple[str, ...], scope: str) -> bool:
    if not permissions or "*" in permissions:
        return True
    area, _, right = scope.rpartition(":")
    enough = {f"{area}:write", "*:write"}
    if right == "read":
        enough |= {f"{area}:read", "*:read"}
    return bool(enough & set(permissions))
