"""Connections: the proxy for an address, and the detection of connections lost while idle.

requests takes proxies from `http_proxy`, `https_proxy` and `all_proxy` in either case, unless
`no_proxy` names the host. Requests to this machine never use a proxy, whatever these variables
say: a proxy elsewhere would connect to its own loopback.

Firewalls and load balancers drop idle connections: some reset them at the next request, some drop
that request silently. So a connection that was idle for long is not reused, the system tests open
ones (TCP keepalive), and the failure of a reused one has its own error: the request may be worth a
new connection.
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import requests
from requests.utils import get_environ_proxies, select_proxy
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

LONGEST_IDLE = 30.0  # seconds; the known firewalls drop a connection after a minute or later
_OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), seconds)
        for name, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
        if hasattr(socket, name)
    ),
]


def is_loopback(url: str) -> bool:
    """Return whether an address is this machine: localhost, 127.0.0.0/8, ::1, or a mapped one.

    Pure; no name is looked up. Give the answer, negated, to a session as its ``trust_env``.
    """
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def proxies_for(url: str) -> Mapping[str, str]:
    """Return the environment's proxies for an address, none for this machine."""
    return {} if is_loopback(url) else get_environ_proxies(url)


def proxy_variable(url: str) -> str:
    """Return the name of the variable whose proxy an address uses, empty for none."""
    try:
        if not select_proxy(url, dict(proxies_for(url))):
            return ""
    except ValueError:
        return ""  # not an address
    found = getproxies_environment()
    scheme = urlsplit(url).scheme
    name = f"{scheme if scheme in found else 'all'}_proxy"
    set_here = [one for one in os.environ if one.lower() == name and os.environ[one]]
    return name if name in set_here else next(iter(set_here), "")


class StaleConnectionError(ConnectionError):
    """A reused connection failed before the first byte of this answer.

    ``unsent`` is whether the request was not sent completely, so that it cannot have taken effect.
    """

    def __init__(self, unsent: bool) -> None:
        super().__init__("the connection was closed while it was idle")
        self.unsent = unsent


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, the innermost last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def unsent_on_stale_connection(error: BaseException) -> bool | None:
    """Return whether the request was not sent completely, None where no connection was stale."""
    return next(
        (one.unsent for one in causes(error) if isinstance(one, StaleConnectionError)), None
    )


class Adapter(requests.adapters.HTTPAdapter):
    """Makes requests use these connections, with or without a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make every pool use these connections."""
        super().init_poolmanager(*arguments, socket_options=_OPTIONS, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the pools of an HTTP proxy use them; SOCKS has connections of its own."""
        manager = super().proxy_manager_for(proxy, socket_options=_OPTIONS, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def close(self) -> None:
        """Close the connections now: urllib3 leaves that to the garbage collector."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it has no iterator
                manager.pools[key].close()
        super().close()


class Connection(HTTPConnection):
    """A connection with the time of its last answer (``used``, on the monotonic clock)."""

    used = 0.0
    _answered, _sent = False, False

    @property
    def is_connected(self) -> bool:
        """Whether it may be reused: urllib3 checks this before each use, and reopens it if not."""
        return time.monotonic() - self.used < LONGEST_IDLE and super().is_connected

    def connect(self) -> None:
        """Open it; earlier answers came by another connection."""
        self._answered = False
        super().connect()

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send a request. Raises StaleConnectionError where a reused connection fails."""
        self._sent = False
        try:
            super().request(*arguments, **options)
        except BrokenPipeError:
            raise  # urllib3 ignores it: there may be an answer all the same
        except OSError as error:
            if self._answered:
                raise StaleConnectionError(unsent=True) from error
            raise
        self._sent = True

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # urllib3's, not http's
        """Wait for the answer. Raises StaleConnectionError where a reused connection gives none."""
        try:
            answer = super().getresponse()
        except OSError as error:
            if self._answered:
                raise StaleConnectionError(unsent=not self._sent) from error
            raise
        self._answered, self.used = True, time.monotonic()
        return answer


class _SecureConnection(Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}
