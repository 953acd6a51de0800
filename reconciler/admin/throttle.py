"""How often a password may be tried: a burst, then one a second for each client.

Beyond that it is not even looked at, whether right or wrong: else guessing would not be slower.
Nobody is locked out for longer than a second after the guessing ends, and nobody by guesses from
elsewhere who gave the right password before, or who comes by the loopback (an SSH tunnel).
"""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from threading import Lock
from typing import TypeVar

_V = TypeVar("_V")
_BURST, _PER_SECOND = 5.0, 1.0  # tries of one client
_BURST_OF_ALL, _PER_SECOND_OF_ALL = 50.0, 10.0  # tries of all clients that never succeeded
_CLIENTS = 1000  # clients remembered; the common limit holds for one that changes its address
_LOOPBACK = ("127.0.0.1", "::")
RETRY_AFTER = 1  # seconds


class LoginThrottle:
    """Counts the tries of each client. Safe to share between threads; times are in seconds."""

    def __init__(self) -> None:
        """Nobody has tried yet."""
        self._lock, self._all = Lock(), _Bucket(_BURST_OF_ALL, _PER_SECOND_OF_ALL)
        self._buckets = dict[str, _Bucket]()
        self._known = dict.fromkeys(_LOOPBACK)

    def acquire(self, address: str, now: float) -> bool:
        """Return whether the password that comes from ``address`` may be looked at."""
        client = _client(address)
        with self._lock:
            own = self._buckets.pop(client, None) or _Bucket(_BURST, _PER_SECOND)
            _remember(self._buckets, client, own)
            limits = [own] if client in self._known else [own, self._all]
            return _take(limits, now)

    def succeeded(self, address: str) -> None:
        """Remember that the password was right: the try does not count."""
        client = _client(address)
        with self._lock:
            self._buckets.pop(client, None)
            if client not in self._known:
                self._all.tokens += 1
                _remember(self._known, client, None)


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
