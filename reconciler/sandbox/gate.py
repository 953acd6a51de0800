"""What an API request passes: faults, key, rate limits, scope, and the route (docspace.md 2)."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from reconciler.sandbox import answers, routes
from reconciler.sandbox.answers import Answer, ApiError, ModelError, Refused
from reconciler.sandbox.calls import Call
from reconciler.sandbox.faults import Fault, FaultKind
from reconciler.sandbox.portal import Hook, Portal
from reconciler.sandbox.query import Query
from reconciler.sandbox.routes import Route
from reconciler.sandbox.values import EntryId, Key, Request, User


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came off the socket; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def base(self) -> str:
        """Return the URL the client believes the portal has."""
        return f"http://{self.headers.get('host', 'localhost')}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the socket is to do: send the answer whole or cut, or reset, or hang.

    ``answer`` None with ``stall`` 0 is a reset.
    """

    answer: Answer | None
    cut: bool = False
    stall: float = 0.0


RESET = Reply(None)


class Gate:
    """Answers requests for one portal; ``stopping`` ends every wait."""

    def __init__(self, portal: Portal, stopping: threading.Event) -> None:
        """Stand before ``portal``."""
        self._portal = portal
        self._stopping = stopping

    def handle(self, incoming: Incoming) -> Reply:
        """Answer one request and note it in the journal."""
        path, _, query = incoming.target.partition("?")
        place = self._place(incoming.method, path)
        if self._portal.down:
            self._note(place, 0, None)
            return RESET
        fault = self._portal.faults.next_for(place.name)
        if fault and not FaultKind(fault.kind).lets_through:
            return self._broken(place, fault)
        user, answer = self._answer(incoming, place, query, fault)
        if place.route and answer.status != 429:
            self._call_hook(self._portal.on_answer, place)
        reply = _spoil(answer, fault)
        self._note(place, reply.answer.status if reply.answer else 0, user)
        return reply

    def _place(self, method: str, path: str) -> "_Place":
        below = path.removeprefix(routes.PREFIX) if path.startswith(routes.PREFIX) else path
        found = routes.find(method, unquote(below).rstrip("/"))
        if found is None:
            return _Place(method, below, None, "")
        return _Place(method, found[0].path, *found)

    def _answer(
        self, incoming: Incoming, place: "_Place", query: str, fault: Fault | None
    ) -> tuple[User | None, Answer]:
        user, key = self._caller(incoming)
        portal, limits = self._portal, self._portal.limits
        if user is not None:
            refused = portal.meter.enter(limits, user.id, incoming.method, portal.clock())
            if refused is not None:
                return user, Answer(429, b"", refused)
        try:
            self._wait(portal.latency + _slowness(fault))
            return user, self._routed(incoming, place, query, user, key)
        finally:
            if user is not None:
                portal.meter.leave(limits, user.id, incoming.method)

    def _caller(self, incoming: Incoming) -> tuple[User | None, Key | None]:
        """Return who the key acts as; a dead key is nobody, which some routes answer 403."""
        scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
        text = token if scheme.lower() == "bearer" else scheme
        key = self._portal.use_key(text.strip())
        return (self._portal.users.get(key.user_id), key) if key else (None, None)

    def _routed(
        self,
        incoming: Incoming,
        place: "_Place",
        query: str,
        user: User | None,
        key: Key | None,
    ) -> Answer:
        route = place.route
        if route is None:
            return Answer(404)
        refused = _unauthorised(route, key)
        if refused is not None:
            return refused
        self._call_hook(self._portal.on_request, place)
        call = Call(
            portal=self._portal,
            method=incoming.method,
            url=incoming.base + incoming.target,
            base=incoming.base,
            query=Query(query),
            body=incoming.body,
            user=user,
            key=key,
            id=place.id,
        )
        return self._computed(route, call)

    def _computed(self, route: Route, call: Call) -> Answer:
        try:
            if route.waits:
                return route.handler(call)
            with self._portal.mutex:
                return route.handler(call)
        except ApiError as error:
            return answers.failure(error)
        except ModelError as error:
            return answers.model_failure(error, call.method, call.url)
        except Refused as error:
            return error.answer

    def _broken(self, place: "_Place", fault: Fault) -> Reply:
        reply = _fault_reply(fault, int(self._portal.clock().timestamp()))
        self._note(place, reply.answer.status if reply.answer else 0, None)
        return reply

    def _call_hook(self, hook: Hook | None, place: "_Place") -> None:
        if hook is not None and place.route is not None:
            hook(place.method, place.route.path, place.file_id)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._stopping.wait(seconds)

    def _note(self, place: "_Place", status: int, user: User | None) -> None:
        self._portal.note_request(
            Request(
                at=self._portal.clock(),
                method=place.method,
                path=place.name,
                status=status,
                user_id=user.id if user else None,
                file_id=place.file_id,
            )
        )


@dataclass(frozen=True, slots=True)
class _Place:
    method: str
    path: str
    route: Route | None
    id: EntryId

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def file_id(self) -> EntryId | None:
        return self.id if self.path.startswith("files/file/") else None


def _unauthorised(route: Route, key: Key | None) -> Answer | None:
    """Return the refusal of a key that is missing, dead or too narrow, or None.

    An authorised route answers 401 or 403 with an empty body; an anonymous one takes a dead
    key for nobody, and answers a narrow one 403 as problem+json (docspace.md 2).
    """
    if key is None:
        return None if route.anonymous else Answer(401)
    if route.scope is None or _allows(key.permissions, route.scope):
        return None
    return answers.problem(403) if route.anonymous else Answer(403)


def _allows(permissions: tuple[str, ...], scope: str) -> bool:
    if not permissions or "*" in permissions:
        return True
    area, _, right = scope.rpartition(":")
    enough = {f"{area}:write", "*:write"}
    if right == "read":
        enough |= {f"{area}:read", "*:read"}
    return bool(enough & set(permissions))


def _slowness(fault: Fault | None) -> float:
    return fault.seconds if fault is not None and fault.kind == FaultKind.SLOW else 0.0


def _fault_reply(fault: Fault, now: int) -> Reply:
    """Return what a fault without effect looks like from outside."""
    limit = {"X-RateLimit-Limit": "1500", "X-RateLimit-Remaining": "0"}
    match FaultKind(fault.kind):
        case FaultKind.STATUS:
            return Reply(answers.broken(fault.status))
        case FaultKind.THROTTLE:
            return Reply(Answer(429, b"", limit))
        case FaultKind.THROTTLE_DAY:
            daily = {
                "X-RateLimit-Limit": "10000",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(now + fault.retry_after),
                "Retry-After": str(fault.retry_after),
            }
            return Reply(Answer(429, b"", daily))
        case FaultKind.HTML:
            return Reply(answers.page(200, "Sign in"))
        case FaultKind.NOT_JSON:
            return Reply(Answer(200, b'{"response": {', {"Content-Type": answers.JSON}))
        case FaultKind.REDIRECT:
            return Reply(Answer(302, b"", {"Location": fault.location}))
        case FaultKind.STALL:
            return Reply(None, stall=fault.seconds)
        case _:
            return RESET


def _spoil(answer: Answer, fault: Fault | None) -> Reply:
    """Return the answer of a request that took effect, as the fault lets it arrive."""
    if fault is None or fault.kind == FaultKind.SLOW:
        return Reply(answer)
    if fault.kind == FaultKind.RESET_AFTER:
        return RESET
    if fault.kind == FaultKind.TRUNCATED:
        return Reply(answer, cut=True)
    return Reply(Answer(200, b"", answer.headers))
