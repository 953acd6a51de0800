"""The portal over real HTTP/1.1 on the loopback interface, and its deliveries.

``Server`` owns all threads: one per connection, and those that deliver. Leaving it ends them all.
"""

import socket
import struct
import sys
import threading
from datetime import UTC
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from reconciler.sandbox.api import Api, HttpRequest
from reconciler.sandbox.portal import Portal
from reconciler.sandbox.responses import Response
from reconciler.sandbox.sender import WebhookSender

_HOST = "127.0.0.1"
_LINGER_NONE = struct.pack("ii", 1, 0)


class Server:
    """Serves a portal within a ``with`` block."""

    def __init__(self, portal: Portal, port: int = 0) -> None:
        """Prepare to serve; port 0 takes a free one."""
        self._portal = portal
        self._port = port
        self._http: _Http | None = None
        self._sender: WebhookSender | None = None

    def __enter__(self) -> Self:
        """Bind, and start serving and delivering."""
        self._http = _Http(self._port, self._portal)
        self._http.start()
        self._sender = WebhookSender(self._portal)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and delivering; requests that hang are cut off."""
        if self._http and self._sender:
            self._http.stop()
            self._sender.stop()

    @property
    def url(self) -> str:
        """Return the portal's address. RuntimeError when it is not being served."""
        if self._http is None:
            raise RuntimeError("the server was not entered")
        return f"http://{_HOST}:{self._http.server_port}"

    def drain(self, timeout: float = 10.0) -> bool:
        """Wait until no delivery is queued or under way; False if that took too long."""
        return self._portal.outbox.drain(timeout)


class _Http(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, portal: Portal) -> None:
        self.portal = portal
        self.stopping = threading.Event()
        self.api = Api(portal, self.stopping)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.02,), name="sandbox-http", daemon=True
        )
        self._mutex = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__((_HOST, port), _Handler)

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, and end every open connection."""
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        self._cut_all()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._mutex:
            self._open[request] = thread
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, listed as open until it ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._mutex:
                self._open.pop(request, None)

    def _cut_all(self) -> None:
        with self._mutex:
            still_open = dict(self._open)
        for connection, thread in still_open.items():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                thread.join(2.0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that go away; anything else is a bug and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_GET

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
        """Return the ``Date`` header by the portal's clock."""
        return format_datetime(self.server.portal.clock().astimezone(UTC), usegmt=True)

    def version_string(self) -> str:
        """Return the ``Server`` header."""
        return "openresty"

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the portal has a journal."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.api.handle(HttpRequest(self.command, self.path, headers, body))
        if reply.response is not None:
            self._send(reply.response, cut=reply.cut)
            return
        self.close_connection = True
        if reply.stall:
            self.server.stopping.wait(reply.stall)
        else:
            self._reset()

    def _reset(self) -> None:
        """End the connection with a reset: closed at once, without the usual shutdown."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        socket.close(self.connection.detach())

    def _send(self, response: Response, *, cut: bool) -> None:
        reason = HTTPStatus(response.status).phrase
        self.send_response(response.status, reason)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        body = response.body[: len(response.body) // 2] if cut else response.body
        if self.command != "HEAD":
            self.wfile.write(body)
        if cut:
            self.close_connection = True
