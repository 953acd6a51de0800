"""Connections that notice when something between us and the portal has forgotten them.

Firewalls and balancers forget idle connections: some reset them at the next request, some swallow
it. So none that was idle for long is used again, the system probes open ones (TCP keepalive), and
a failure of a reused one says so, for then the request may be worth a new connection.
"""

import socket
import time
from typing import Any

import requests
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from reconciler.client.reasons import causes

LONGEST_IDLE = 30.0  # seconds; what is known to forget does so after a minute or later
_OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), seconds)
        for name, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
        if hasattr(socket, name)
    ),
]


class StaleConnectionError(ConnectionError):
    """A connection that had answered before failed before any byte of this answer.

    ``unsent`` says that the request did not go out whole, so that nobody can have acted on it.
    """

    def __init__(self, unsent: bool) -> None:
        super().__init__("the connection was closed while it was idle")
        self.unsent = unsent


def unsent_on_stale_connection(error: BaseException) -> bool | None:
    """Return whether the request did not go out whole, None where no connection was stale."""
    return next(
        (one.unsent for one in causes(error) if isinstance(one, StaleConnectionError)), None
    )


class Adapter(requests.adapters.HTTPAdapter):
    """Lets requests use these connections, with or without a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Have every pool use them."""
        super().init_poolmanager(*arguments, socket_options=_OPTIONS, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Have the pools of an HTTP proxy use them; SOCKS has connections of its own."""
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
    """A connection that knows when it last answered (``used``, on the monotonic clock)."""

    used = 0.0
    _answered, _whole = False, False

    @property
    def is_connected(self) -> bool:
        """Whether it may be used again: urllib3 asks before each use, and otherwise reopens it."""
        return time.monotonic() - self.used < LONGEST_IDLE and super().is_connected

    def connect(self) -> None:
        """Open it: what it answered before was another connection."""
        self._answered = False
        super().connect()

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send a request. Raises StaleConnectionError where a reused one fails."""
        self._whole = False
        try:
            super().request(*arguments, **options)
        except BrokenPipeError:
            raise  # urllib3 passes over it: there may be an answer all the same
        except OSError as error:
            if self._answered:
                raise StaleConnectionError(unsent=True) from error
            raise
        self._whole = True

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # urllib3's, not http's
        """Wait for the answer. Raises StaleConnectionError where a reused connection gives none."""
        try:
            answer = super().getresponse()
        except OSError as error:
            if self._answered:
                raise StaleConnectionError(unsent=not self._whole) from error
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
