"""Access control: a password, whose attempts are limited, or a client on this machine.

A web page in a browser here may reach a server on the loopback under another name (DNS rebinding),
so without a password only the loopback's own names are answered.

Each client has a burst of attempts, then one a second. An attempt beyond that is refused without
a look at the password: otherwise guessing would not be slower. A client is refused for no longer
than a second after the guessing ends. Guesses from elsewhere never hinder a client that gave the
right password before, or one on the loopback (an SSH tunnel).
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from ipaddress import IPv6Address, ip_address
from threading import Lock
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit

_V = TypeVar("_V")
RETRY_AFTER = 1  # seconds
_BURST, _PER_SECOND = 5.0, 1.0  # attempts of one client
_BURST_OF_ALL, _PER_SECOND_OF_ALL = 50.0, 10.0  # attempts of all clients that never succeeded
_CLIENTS = 1000  # clients remembered; the common limit holds for one that changes its address
_LOOPBACK = {"127.0.0.1", "::"}
_LOCAL = {"localhost", "127.0.0.1", "::1"}


class LoginThrottle:
    """Limits the attempts of each client. Safe to share between threads; times are in seconds."""

    def __init__(self) -> None:
        """Begin without any attempt."""
        self._lock, self._all = Lock(), _Bucket(_BURST_OF_ALL, _PER_SECOND_OF_ALL)
        self._buckets = dict[str, _Bucket]()
        self._known = dict[str, None]()

    def acquire(self, address: str, now: float) -> bool:
        """Return whether a password from ``address`` may be checked."""
        client = _client(address)
        with self._lock:
            own = self._buckets.get(client) or _Bucket(_BURST, _PER_SECOND)
            _remember(self._buckets, client, own)
            limits = [own] if self._is_known(client) else [own, self._all]
            return _take(limits, now)

    def succeeded(self, address: str) -> None:
        """Record that the password was right: the attempt does not count."""
        client = _client(address)
        with self._lock:
            self._buckets.pop(client, None)
            if not self._is_known(client):
                self._all.tokens += 1
            _remember(self._known, client, None)

    def _is_known(self, client: str) -> bool:
        return client in _LOOPBACK or client in self._known


class _Bucket:
    """A token bucket: full at first, and filled up ``per_second``."""

    def __init__(self, size: float, per_second: float) -> None:
        self._size, self._per_second = size, per_second
        self.tokens, self._at = size, 0.0

    def has_one(self, now: float) -> bool:
        filled = self.tokens + (now - self._at) * self._per_second
        self.tokens, self._at = min(filled, self._size), now
        return self.tokens >= 1


def _take(limits: Iterable[_Bucket], now: float) -> bool:
    if not all(limit.has_one(now) for limit in limits):
        return False
    for limit in limits:
        limit.tokens -= 1
    return True


def _remember(clients: dict[str, _V], client: str, value: _V) -> None:
    """Store the client's value as the newest, and forget the client that came longest ago."""
    clients.pop(client, None)
    clients[client] = value
    if len(clients) > _CLIENTS:
        del clients[next(iter(clients))]


def _client(address: str) -> str:
    """Return the client's key: of an IPv6 address its /64, since one client has all of it."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if not isinstance(found, IPv6Address):
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped or IPv6Address(int(found) >> 64 << 64))


class Access(Enum):
    """Whether a request may be answered."""

    GRANTED = auto()
    DENIED = auto()
    THROTTLED = auto()  # too many attempts from there: this one was not checked


@dataclass(frozen=True)
class Guard:
    """Requires ``password``, with any user name; None requires a local name instead.

    ``on_failed_login`` gets the client's address when a password was wrong or was throttled;
    ``clock`` returns seconds.
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
            return Access.DENIED  # not an attempt: a browser first asks without a password
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
