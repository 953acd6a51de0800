"""waitress on one address, with a stop that first answers the requests that were read."""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from waitress.server import create_server
from waitress.wasyncore import close_all, loop

from reconciler.errors import AddressInUseError

_POLL = 0.5  # seconds that one turn of the loop waits for a socket
_CONNECTIONS = 512
_SHED_ABOVE = 384  # connections: above this number idle ones are closed, the oldest first
_QUEUE = 256  # requests that wait for a thread; above this number deliveries are refused with 503
_IDLE = 30  # seconds without traffic after which a connection is closed
_SEND_BUFFER = 65_536  # bytes of an answer that are sent at once
_logger = logging.getLogger("waitress.queue")


class Server:
    """A WSGI application on one address, on a thread of its own."""

    def __init__(
        self,
        application: WSGIApplication,
        host: str,
        port: int,
        *,
        threads: int,
        max_bytes: int,
        trusted_proxy: str | None = None,
        section: str = "webhook",
    ) -> None:
        """Bind the address, which ``section`` of the configuration sets. Raises AddressInUseError.

        ``trusted_proxy`` is the address of the proxy whose `X-Forwarded-Proto` counts.
        """
        _logger.setLevel(logging.ERROR)  # a queue of waiting requests is normal here
        self._map: dict[int, Any] = {}
        if trusted_proxy is not None:
            application = _TrustedProxy(application, trusted_proxy)
        name = f"[{host}]" if ":" in host else host
        try:
            create_server(
                application,
                map=self._map,
                host=host,
                port=port,
                threads=threads,
                max_request_body_size=max_bytes,  # waitress alone takes 1 GiB
                channel_timeout=_IDLE,  # waitress alone waits 120 s
                connection_limit=_CONNECTIONS,
                asyncore_use_poll=True,
                ident=None,
                # waitress would answer 400 to a header that two proxies have added to.
                clear_untrusted_proxy_headers=trusted_proxy is None,
            )
        except (OSError, ValueError) as error:
            close_all(self._map)  # a name may have several addresses, some of them bound by now
            raise AddressInUseError(f"{name}:{port}", _reason(error), section) from error
        self._listeners = _listeners_of(self._map)
        self.host, self.port = host, int(self._listeners[0].effective_port)
        self.url = f"http://{name}:{self.port}"
        self._thread = threading.Thread(target=self._run, name="http")
        self._stopping, self._grace = threading.Event(), 0.0

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it accepts."""
        return self._thread.is_alive()

    def waiting(self) -> int:
        """Return how many requests wait for a thread."""
        return len(self._listeners[0].task_dispatcher.queue)

    def is_full(self) -> bool:
        """Whether more requests wait than can be answered soon."""
        return self.waiting() > _QUEUE

    def stop(self, grace: float) -> None:
        """Accept nothing more, answer what was read within ``grace`` seconds, and close."""
        self._grace = grace
        self._stopping.set()
        for listener in self._listeners:
            listener.pull_trigger()
        if self._thread.ident is not None:
            self._thread.join()
        close_all(self._map)

    def _run(self) -> None:
        while not self._stopping.is_set():
            loop(timeout=_POLL, use_poll=True, map=self._map, count=1)
            if len(self._map) > _SHED_ABOVE:
                _close_idle(self._map, len(self._map) - _SHED_ABOVE)
        dispatcher = self._listeners[0].task_dispatcher
        for listener in self._listeners:
            listener.del_channel(self._map)
            listener.socket.close()
        until = time.monotonic() + self._grace
        while _unanswered(self._map) and time.monotonic() < until:
            loop(timeout=0.02, use_poll=True, map=self._map, count=1)
        dispatcher.shutdown(timeout=max(until - time.monotonic(), 0.1))


def _listeners_of(sockets: dict[int, Any]) -> list[Any]:
    """Return the server's listening sockets, set to send an answer in one packet.

    With head and body in two packets the loop spins for the lock that a thread holds while it
    sends: half the rate. The option `send_bytes` is deprecated, the attribute is not.
    """
    listeners = [one for one in sockets.values() if hasattr(one, "effective_port")]
    for one in listeners:
        one.adj.send_bytes = _SEND_BUFFER
    return listeners


def _reason(error: Exception) -> str:
    """Return why an address cannot be bound; for another machine's name waitress has no message."""
    return str(error) if isinstance(error, OSError) else "it is no address of this machine"


class _TrustedProxy:
    """An application behind a proxy, which alone may set the scheme of a request.

    Each proxy appends to `X-Forwarded-Proto`, or sets it: the last value is that of the nearest
    proxy, and any client may have sent those before it.
    """

    def __init__(self, application: WSGIApplication, proxy: str) -> None:
        self._application, self._proxy = application, proxy

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        header = environ.get("HTTP_X_FORWARDED_PROTO", "")
        last = header.rpartition(",")[2].strip(' \t"').lower()
        if environ["REMOTE_ADDR"] == self._proxy and last == "https":
            environ["wsgi.url_scheme"] = "https"
        return self._application(environ, start_response)


def _close_idle(sockets: dict[int, Any], number: int) -> None:
    """Close the oldest connections without a whole request, to make room for others."""
    channels = [one for one in sockets.values() if hasattr(one, "requests")]
    waiting = [one for one in channels if not one.requests and not one.total_outbufs_len]
    for channel in sorted(waiting, key=lambda one: one.creation_time)[:number]:
        channel.will_close = True


def _unanswered(sockets: dict[int, Any]) -> bool:
    """Whether a connection has a request in work, one half read, or an answer to send."""
    channels = [one for one in sockets.values() if hasattr(one, "requests")]
    return any(one.requests or one.request or one.total_outbufs_len for one in channels)
