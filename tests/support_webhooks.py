"""A portal with webhooks for tests: its users, a key that may administer, and an address."""

import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from reconciler.client import DocSpace, Transport, WebhooksClient
from reconciler.sandbox import ManualClock, Server
from reconciler.service.server import Server as WebServer
from tests.support_office import Office, office

SECRET = "Hooks-Secret-1!"
WIDE = ("files:read", "files:write", "rooms:read", "accounts.self:read", "*:read", "*:write")
NARROW = WIDE[:4]


@dataclass
class Stand(Office):
    """A served portal, and the client of one key."""

    server: Server
    clock: ManualClock
    file: int
    webhooks: WebhooksClient
    docspace: DocSpace


class RecordedLog:
    """A log that collects the names of its events."""

    def __init__(self, events: list[str]) -> None:
        """Append to ``events``."""
        self._events = events

    def info(self, event: str, **fields: object) -> None:
        """Collect the event, whatever its level."""
        self._events.append(event)

    warning = error = info


@contextmanager
def stand(permissions: tuple[str, ...] = WIDE) -> Iterator[Stand]:
    """Serve a portal whose bot has a key with these permissions."""
    clock = ManualClock()
    place = office("room_admin", clock=clock, retry_seconds=())
    file, key = place.create(), place.portal.add_key(place.bot, permissions)
    with Server(place.portal) as server, closing(client(server, key)) as t:
        docspace = DocSpace(t)
        yield Stand(
            **vars(place),
            server=server,
            clock=clock,
            file=file,
            webhooks=WebhooksClient(t, docspace.key),
            docspace=docspace,
        )


def client(server: Server, key: str) -> Transport:
    """Return a transport with one key."""
    return Transport(server.url, key, timeout=5)


@contextmanager
def serving(
    app: Any, threads: int = 2, proxy: str | None = None, port: int = 0
) -> Iterator[WebServer]:
    """Serve a WSGI application within the block, with or without a trusted proxy."""
    server = WebServer(
        app, "127.0.0.1", port, threads=threads, max_bytes=2**20, trusted_proxy=proxy
    )
    server.start()
    try:
        yield server
    finally:
        server.stop(1.0)


@contextmanager
def address(
    status: int = 200, *, tls: ssl.SSLContext | None = None, **headers: str
) -> Iterator[str]:
    """Serve within the block an address that answers HEAD and POST with ``status``."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in (headers | {"Content-Length": "0"}).items():
                self.send_header(name, value)
            self.end_headers()

        do_POST = do_HEAD

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{server.server_port}/docspace/review-comment"
        finally:
            server.shutdown()
            thread.join()
