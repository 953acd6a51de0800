"""One HTTP exchange with the portal: paced, bounded, and its failures translated.

requests would follow a redirect and turn a PUT into a GET, take a password from ~/.netrc in
place of our key, and read a body that trickles without end: none of that happens here.
urllib3 would sleep through a Retry-After of six hours: it is given nothing to retry.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3

from reconciler.client.pace import Pace
from reconciler.client.proxies import is_loopback
from reconciler.errors import (
    Forbidden,
    Permanent,
    PortalError,
    Throttled,
    Transient,
    Unauthorised,
)

API = "/api/2.0/"
NO_ANSWER = "none"  # in place of a status
_MOST_BYTES = 64 * 1024 * 1024
_CHUNK = 256 * 1024
_LONGEST_PAUSE = timedelta(days=2)  # the longest window of the portal is a day (docspace.md 2)


@dataclass(frozen=True)
class Answer:
    """A 2xx answer: its ``response`` member and the portal's time, where it sent one."""

    response: Any
    date: datetime | None


class Transport:
    """Requests to one portal with one key. Safe to share between threads.

    ``timeout`` bounds, in seconds, each wait for bytes and a whole answer once it has begun.
    ``pace`` admits the requests, ``connections`` are kept open.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = 30,
        ca_bundle: str | None = None,
        pace: Pace | None = None,
        connections: int = 12,
    ) -> None:
        """Open no connection yet."""
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock, self._mine = threading.Lock(), threading.local()
        self._url, self._timeout = url + API, timeout
        self.pace = pace or Pace(reads=8, writes=4)
        self._session = _session(key, connections, ca_bundle)
        self._session.trust_env = not is_loopback(url)  # its proxies, that is

    def __repr__(self) -> str:
        """Show no key."""
        return f"Transport({self._url})"

    def use_key(self, key: str) -> None:
        """Act with another key from now on."""
        self._session.auth = _Bearer(key)

    def get(self, route: str, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        """GET ``path`` below the API's root. Raises PortalError by class."""
        return self._exchange("GET", route, path, params=params)

    def get_as_nobody(self, route: str, path: str) -> Answer:
        """GET without our key: anonymous routes refuse a key of few scopes (docspace.md 7)."""
        return self._exchange("GET", route, path, auth=_Nobody())

    def put(self, route: str, path: str, body: Mapping[str, Any]) -> Answer:
        """PUT ``body`` as JSON. Raises PortalError by class."""
        return self._exchange("PUT", route, path, json=body)

    def post(self, route: str, path: str, body: Mapping[str, Any]) -> Answer:
        """POST ``body`` as JSON. Raises PortalError by class."""
        return self._exchange("POST", route, path, json=body)

    def delete(self, route: str, path: str) -> Answer:
        """DELETE; the portal need not answer with anything. Raises PortalError by class."""
        return self._exchange("DELETE", route, path)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def requests(self) -> Mapping[tuple[str, str, str], int]:
        """Return how many requests there were by method, route and status (or NO_ANSWER)."""
        with self._lock:
            return dict(self._counts)

    def requests_here(self) -> int:
        """Return how many requests the thread that asks has made."""
        return getattr(self._mine, "number", 0)

    def _exchange(self, method: str, route: str, path: str, **content: Any) -> Answer:
        name = f"{method} {route}"
        kind = "GET" if method == "GET" else "PUT"  # the portal limits all writes together
        with self.pace.admitted(kind, name):
            answered = NO_ANSWER
            try:
                status, headers, body = self._send(method, path, content)
                answered = str(status)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise Transient(name, None, _cause(error)) from error
            finally:
                self._count(method, route, answered)
        if method == "DELETE" and 200 <= status < 300:
            return Answer(None, _date(headers))
        return _judged(name, status, headers, body)

    def _count(self, method: str, route: str, status: str) -> None:
        self._mine.number = self.requests_here() + 1
        with self._lock:
            self._counts[method, route, status] += 1

    def _send(
        self, method: str, path: str, content: dict[str, Any]
    ) -> tuple[int, Mapping[str, str], bytes]:
        until = time.monotonic() + self._timeout
        with self._session.request(
            method,
            self._url + path,
            timeout=self._timeout,
            verify=self._session.verify,  # else REQUESTS_CA_BUNDLE would win over ours
            allow_redirects=False,
            stream=True,
            **content,
        ) as answer:
            return answer.status_code, answer.headers, _body(answer, until)


class _Bearer(requests.auth.AuthBase):
    """The key as a header. An auth object, for else requests would ask ~/.netrc."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class _Nobody(requests.auth.AuthBase):
    """No header at all; not None, for then the session's own would be used."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _session(key: str, connections: int, ca_bundle: str | None) -> requests.Session:
    session = requests.Session()
    session.auth = _Bearer(key)
    session.headers.update({"Accept": "application/json", "User-Agent": "reconciler"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.verify = ca_bundle or True
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=connections, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _body(answer: requests.Response, until: float) -> bytes:
    """Read the body, but neither longer than the deadline nor more than the memory we allow."""
    parts: list[bytes] = []
    read: Callable[..., bytes] = answer.raw.read1
    size = 0
    while part := read(_CHUNK, decode_content=True):
        size += len(part)
        parts.append(part)
        if time.monotonic() > until:
            raise requests.Timeout("the answer took too long")
        if size > _MOST_BYTES:
            raise requests.RequestException(f"the answer exceeds {_MOST_BYTES} bytes")
    return b"".join(parts)


def _judged(name: str, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    if 200 <= status < 300:
        return Answer(_response(name, status, headers, body), _date(headers))
    raise _failure(name, status, headers, body)


def _failure(name: str, status: int, headers: Mapping[str, str], body: bytes) -> PortalError:
    """Translate a status into what is to be done about it (docspace.md 2)."""
    if 300 <= status < 400:
        where = headers.get("Location", "elsewhere").partition(API)[0]
        return Transient(name, status, f"moved to {where}: set portal.url to that address")
    if status == 401:
        return Unauthorised(name, status, "the API key is unknown, disabled or expired")
    if status == 402:
        return Transient(name, status, "the portal is not paid")
    if status == 403:
        return Forbidden(name, status, _message(body))
    if status == 429:
        return Throttled(name, status, "too many requests", _retry_after(headers))
    if status >= 500 or (status == 404 and not _message(body)):
        # A suspended portal answers 404 without the API's envelope.
        return Transient(name, status, _message(body))
    return Permanent(name, status, _message(body))


def _response(name: str, status: int, headers: Mapping[str, str], body: bytes) -> Any:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = headers.get("Content-Type", "nothing") if body else "an empty body"
        raise Transient(name, status, f"answered {kind[:60]} instead of JSON") from error
    if not isinstance(envelope, Mapping) or "response" not in envelope:
        raise Transient(name, status, "the answer lacks response: is this a DocSpace portal?")
    return envelope["response"]


def _message(body: bytes) -> str:
    """Return the envelope's error message. It is localised: to show, never to decide by."""
    try:
        envelope = json.loads(body)
        error = envelope["error"]["message"] or "no message"
        return str(error)[:200]
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        moment = parsedate_to_datetime(headers["Date"])
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError):
        return None


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Return the pause that was asked for: whole seconds, of the daily limit alone."""
    text = headers.get("Retry-After", "").strip()
    if not text.isdecimal() or len(text) > 9:
        return None
    return min(timedelta(seconds=int(text)), _LONGEST_PAUSE)


def _cause(error: BaseException) -> str:
    """Return the innermost reason in one line, without the address that requests repeats."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:200]
