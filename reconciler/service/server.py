"""waitress, with a stop that answers what was read before it lets go."""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from waitress.server import create_server
from waitress.wasyncore import close_all, loop

from reconciler.errors import AddressInUseError

_TURN = 0.5  # seconds that one turn of the loop waits for a socket
_CONNECTIONS = 512
_CROWDED = 384  # from here on connections that only wait are let go, the longest first
_QUEUE = 256  # requests waiting for a thread: more are answered at once, that they come later
_IDLE = 30  # seconds that a connection may be silent
_WHOLE = 65_536  # bytes: an answer is gathered before it is sent
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

        waitress alone would keep silent connections for 120 s and take bodies of 1 GiB. A queue
        of waiting requests is normal here: its warning of that is silenced. It would answer 400
        where two proxies have added to one header: what they say is read here.
        """
        _logger.setLevel(logging.ERROR)
        self._map: dict[int, Any] = {}
        believes = trusted_proxy is not None
        name = f"[{host}]" if ":" in host else host
        try:
            self._server = create_server(
                _TrustedProxy(application, trusted_proxy) if believes else application,
                map=self._map,
                host=host,
                port=port,
                threads=threads,
                max_request_body_size=max_bytes,
                channel_timeout=_IDLE,
                connection_limit=_CONNECTIONS,
                asyncore_use_poll=True,
                ident=None,
                clear_untrusted_proxy_headers=not believes,
            )
        except (OSError, ValueError) as error:
            close_all(self._map)  # a name may have several addresses, and some were bound
            raise AddressInUseError(f"{name}:{port}", _reason(error), section) from error
        self._listeners = [one for one in self._map.values() if hasattr(one, "effective_port")]
        for one in self._listeners:
            # Else head and body are two packets, and the loop spins for the lock that a thread
            # holds while it sends them: half the rate. The option is frowned upon, its value not.
            one.adj.send_bytes = _WHOLE
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
        """Accept nothing more, answer what was read within ``grace`` seconds, and let go."""
        self._grace = grace
        self._stopping.set()
        for listener in self._listeners:
            listener.pull_trigger()
        if self._thread.ident is not None:
            self._thread.join()
        close_all(self._map)

    def _run(self) -> None:
        while not self._stopping.is_set():
            loop(timeout=_TURN, use_poll=True, map=self._map, count=1)
            if len(self._map) > _CROWDED:
                _let_go(self._map, len(self._map) - _CROWDED)
        dispatcher = self._listeners[0].task_dispatcher
        for listener in self._listeners:
            listener.del_channel(self._map)
            listener.socket.close()
        until = time.monotonic() + self._grace
        while _unanswered(self._map) and time.monotonic() < until:
            loop(timeout=0.02, use_poll=True, map=self._map, count=1)
        dispatcher.shutdown(timeout=max(until - time.monotonic(), 0.1))


def _reason(error: Exception) -> str:
    """Return why an address cannot be bound; waitress has no words for a name of elsewhere."""
    return str(error) if isinstance(error, OSError) else "it is no address of this machine"


class _TrustedProxy:
    """An application behind a proxy: what that says of the scheme counts, nobody else's word.

    Each proxy adds to `X-Forwarded-Proto`, or sets it itself: the last value is the nearest's,
    while those before it may be a stranger's own.
    """

    def __init__(self, application: WSGIApplication, proxy: str | None) -> None:
        self._application, self._proxy = application, proxy

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        header = environ.get("HTTP_X_FORWARDED_PROTO", "")
        last = header.rpartition(",")[2].strip(' \t"').lower()
        if environ["REMOTE_ADDR"] == self._proxy and last == "https":
            environ["wsgi.url_scheme"] = "https"
        return self._application(environ, start_response)


def _let_go(sockets: dict[int, Any], number: int) -> None:
    """Close connections that wait without a whole request, so that others get a place."""
    channels = [one for one in sockets.values() if hasattr(one, "requests")]
    waiting = [one for one in channels if not one.requests and not one.total_outbufs_len]
    for channel in sorted(waiting, key=lambda one: one.creation_time)[:number]:
        channel.will_close = True


def _unanswered(sockets: dict[int, Any]) -> bool:
    """Whether a connection has a request in work, one half read, or an answer to send."""
    channels = [one for one in sockets.values() if hasattr(one, "requests")]
    return any(one.requests or one.request or one.total_outbufs_len for one in channels)
