"""The HTTP traffic with one portal: rate-limited, bounded in time and size, with typed errors.

By default requests would follow a redirect and turn a PUT into a GET, take a password from ~/.netrc
in place of our key, and read an endless body; all of that is switched off here. urllib3 may not
retry at all: it would wait for a Retry-After of six hours. Only one retry is made, after a
connection that was lost while idle, which says nothing about the portal.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import requests
import urllib3

from reconciler.client.connections import Adapter, is_loopback, unsent_on_stale_connection
from reconciler.client.failures import API, failure, host_and_port, http_date, reason_of
from reconciler.client.rate_limiter import RateLimiter
from reconciler.errors import PermanentError, TransientError, UnauthorizedError
from reconciler.formats import utcnow

_T = TypeVar("_T")
KEY_REPLACED = "the API key was replaced meanwhile"
NO_ANSWER = "none"  # in place of a status
_MAX_BYTES = 64 * 1024 * 1024
_CHUNK = 256 * 1024
_FRESH_WRITES = 3600.0  # seconds without reused connections for writes, after one lost a write


@dataclass(frozen=True)
class Answer:
    """A 2xx answer to ``route``, with the portal's time (``date``), None where it sent none.

    ``received`` is that time, or ours without it. ``enveloped`` is whether the answer had a member
    ``response``: otherwise ``response`` is the whole answer, as a stand-in of the portal may send.
    """

    route: str
    response: Any
    date: datetime | None
    received: datetime
    enveloped: bool = True

    def parsed(self, parse: Callable[[Any], _T]) -> _T:
        """Return the response as a value. Raises PermanentError where ``parse`` cannot read it."""
        try:
            return parse(self.response)
        except ValueError as error:
            raise PermanentError(self.route, 200, f"unexpected answer: {error}") from error


class Transport:
    """Requests to one portal with one key. Safe to share between threads.

    ``timeout`` bounds, in seconds, each wait for bytes and a whole answer once it has begun.
    ``rate_limiter`` admits the requests; without one only ``connections``, which are kept open,
    limits how many are sent at once.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = 30,
        ca_bundle: str | None = None,
        rate_limiter: RateLimiter | None = None,
        connections: int = 12,
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        """Open no connection yet; ``clock`` is used where the portal sends no Date."""
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock, self._mine = threading.Lock(), threading.local()
        self._url, self._timeout = url + API, timeout
        self.rate_limiter = rate_limiter or RateLimiter(reads=connections, writes=connections)
        self._clock, self._key, self.key_number = clock, key, 0
        self._connections, self._ca_bundle = connections, ca_bundle
        self._session = self._open()
        self._fresh_until = 0.0  # until then every write opens a connection of its own

    def _open(self) -> "_Session":
        session = _Session()
        session.trust_env = not is_loopback(self._url)  # no proxy for this machine
        session.auth = _Bearer(self._key)
        session.headers.update({"Accept": "application/json", "User-Agent": "reconciler"})
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.verify = self._ca_bundle or True
        adapter = Adapter(pool_maxsize=self._connections, max_retries=0)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def __repr__(self) -> str:
        """Show no key."""
        return f"Transport({self._url})"

    def use_key(self, key: str) -> bool:
        """Use a key from now on; return whether it is another one."""
        if key == self._key:
            return False
        self._key, self._session.auth = key, _Bearer(key)
        self.key_number += 1
        return True

    def get(self, route: str, params: Mapping[str, Any] | None = None, **ids: int) -> Answer:
        """GET a route below the API's root, such as files/file/{id}. Raises PortalError by class.

        ``ids`` replace the names in its braces, here and below.
        """
        return self._request("GET", route, ids, params=params)

    def get_anonymously(self, route: str) -> Answer:
        """GET without our key: anonymous routes refuse a key of few scopes (docspace.md 7)."""
        # None would mean the session's own.
        return self._request("GET", route, {}, auth=lambda request: request)

    def put(
        self, route: str, body: Mapping[str, Any], *, any_answer: bool = False, **ids: int
    ) -> Answer:
        """PUT ``body`` as JSON. Raises PortalError by class.

        With ``any_answer`` every 2xx is a success; ``response`` is None where the answer is not one
        of the API.
        """
        return self._request("PUT", route, ids, any_answer=any_answer, json=body)

    def post(self, route: str, body: Mapping[str, Any]) -> Answer:
        """POST ``body`` as JSON. Raises PortalError by class."""
        return self._request("POST", route, {}, json=body)

    def delete(self, route: str, **ids: int) -> Answer:
        """DELETE; the answer may be empty. Raises PortalError by class."""
        return self._request("DELETE", route, ids, any_answer=True)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def requests(self) -> Mapping[tuple[str, str, str], int]:
        """Return how many requests there were by method, route and status (or NO_ANSWER)."""
        with self._lock:
            return dict(self._counts)

    def thread_requests(self) -> int:
        """Return how many requests the calling thread has made."""
        return getattr(self._mine, "number", 0)

    def _request(
        self,
        method: str,
        route: str,
        ids: Mapping[str, int],
        *,
        any_answer: bool = False,
        **content: Any,
    ) -> Answer:
        path, key_number = route.format(**ids), self.key_number
        try:
            status, headers, body = self._request_once(method, route, path, content)
        except TransientError as error:
            unsent = unsent_on_stale_connection(error)
            if unsent is None:
                raise
            # A complete write may have taken effect: it is not repeated, and a look finds out.
            if method != "GET" and not unsent:
                self._fresh_until = time.monotonic() + _FRESH_WRITES
                raise
            status, headers, body = self._request_once(method, route, path, content)
        name, date = f"{method} {route}", http_date(headers.get("Date"))
        received = date or self._clock()
        if not 200 <= status < 300:
            refusal = failure(name, self._url + path, status, headers, body, received)
            refusal.key_number = key_number
            if isinstance(refusal, UnauthorizedError) and key_number != self.key_number:
                raise TransientError(name, status, KEY_REPLACED)  # it concerns the former key
            raise refusal
        try:
            response, enveloped = _response(name, status, headers, body)
        except TransientError:
            if not any_answer:
                raise
            response, enveloped = None, False
        return Answer(name, response, date, received, enveloped)

    def _request_once(
        self, method: str, route: str, path: str, content: dict[str, Any]
    ) -> tuple[int, Mapping[str, str], bytes]:
        name = f"{method} {route}"
        kind = "GET" if method == "GET" else "PUT"  # the portal limits all writes together
        with self.rate_limiter.acquire(kind, name):
            answered = NO_ANSWER
            try:
                status, headers, body = self._send(method, path, content)
                answered = str(status)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                reason = f"{host_and_port(self._url)}: {reason_of(error, self._url)}"
                raise TransientError(name, None, reason) from error
            finally:
                self._count(method, route, answered)
        return status, headers, body

    def _count(self, method: str, route: str, status: str) -> None:
        self._mine.number = self.thread_requests() + 1
        with self._lock:
            self._counts[method, route, status] += 1

    def _send(
        self, method: str, path: str, content: dict[str, Any]
    ) -> tuple[int, Mapping[str, str], bytes]:
        until = time.monotonic() + self._timeout
        with (
            self._session_for(method) as session,
            session.request(
                method,
                self._url + path,
                timeout=self._timeout,
                verify=session.verify,  # else REQUESTS_CA_BUNDLE would win over ours
                allow_redirects=False,
                stream=True,
                **content,
            ) as answer,
        ):
            return answer.status_code, answer.headers, _body(answer, until)

    def _session_for(self, method: str) -> AbstractContextManager["_Session"]:
        """Return the session, or a new one for a write after a reused connection lost one."""
        if method == "GET" or time.monotonic() > self._fresh_until:
            return nullcontext(self._session)
        return closing(self._open())


class _Bearer(requests.auth.AuthBase):
    """The key as a header. Without an auth object requests would use ~/.netrc."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """Prepare no request to the target of a redirect: its Location may be invalid."""
        return None


def _body(answer: requests.Response, until: float) -> bytes:
    """Read the body, within the deadline and the limit of its size."""
    parts: list[bytes] = []
    read: Callable[..., bytes] = answer.raw.read1
    size = 0
    while part := read(_CHUNK, decode_content=True):
        size += len(part)
        parts.append(part)
        if time.monotonic() > until:
            raise requests.Timeout("the answer took too long")
        if size > _MAX_BYTES:
            raise requests.RequestException(f"the answer exceeds {_MAX_BYTES} bytes")
    return b"".join(parts)


def _response(name: str, status: int, headers: Mapping[str, str], body: bytes) -> tuple[Any, bool]:
    """Return the answer's content, and whether it came in the portal's envelope."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = headers.get("Content-Type", "nothing") if body else "an empty body"
        raise TransientError(name, status, f"answered {kind[:60]} instead of JSON") from error
    if not isinstance(answer, Mapping):
        raise TransientError(name, status, "the answer lacks response: is this a DocSpace portal?")
    return (answer["response"], True) if "response" in answer else (answer, False)
