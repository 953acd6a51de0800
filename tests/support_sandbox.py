"""Helpers for the tests of the sandbox: a served portal, a client, a webhook receiver."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reconciler.sandbox import ManualClock, Portal, Server, User
from reconciler.sandbox.values import EntryId

SAMPLES = Path(__file__).parent / "samples"
ANN = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3"
ADMIN = "66faa6e4-f133-11ea-b126-00ffeec8b4ef"
BOT = "b2a7c6d0-8d3f-4f0e-9a5a-1d0f5c1e7a11"
NEWEST = "filterType=FilesOnly&withSubFolders=true&sortBy=DateAndTime&sortOrder=descending"


def utc(text: str) -> datetime:
    """Read a date as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sample(name: str) -> Any:
    """Return a sample of the portal's JSON."""
    return json.loads((SAMPLES / name).read_text())


def shape(value: object) -> object:
    """Return the names and types in a JSON value; for a list those of its first item."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


@dataclass(frozen=True)
class Reply:
    """An answer of the sandbox's API."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def response(self) -> Any:
        """The ``response`` member."""
        return self.json["response"]


@dataclass
class Api:
    """A client with one key; None sends no key."""

    url: str
    key: str | None

    def send(self, method: str, path: str, body: object = None) -> Reply:
        """Send one request over a connection of its own."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, f"/api/2.0/{path}", data, headers)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        """Send a GET."""
        return self.send("GET", path)

    def put(self, path: str, body: object = None) -> Reply:
        """Send a PUT."""
        return self.send("PUT", path, {} if body is None else body)

    def comment(self, fid: EntryId, version: int, text: str) -> Reply:
        """PUT a comment."""
        return self.put(f"files/file/{fid}/comment", {"version": version, "comment": text})


@dataclass
class World:
    """A served portal with a room of two members: Ann and the bot, whose key ``api`` uses."""

    clock: ManualClock
    portal: Portal
    server: Server
    admin: User
    ann: User
    bot: User
    room: EntryId
    api: Api

    @property
    def full(self) -> "Api":
        """A client of the bot's whose key has every scope."""
        return self.as_user(self.bot)

    def as_user(self, user: User, *permissions: str) -> Api:
        """Return a client with a new key of ``user``; no permissions means all."""
        return Api(self.server.url, self.portal.add_key(user, permissions=permissions))

    def create(self, title: str = "Contract.docx") -> EntryId:
        """Create a file in the room as Ann."""
        return self.portal.create(self.room, title, by=self.ann)


@contextmanager
def served(**options: Any) -> Iterator[World]:
    """Serve a portal for a test, with a clock at 2025-11-20 09:01:10 UTC that the test sets."""
    clock = ManualClock(utc("2025-11-20T09:01:10"))
    portal = Portal(clock, **options)
    admin = portal.add_user("Portal Admin", kind="owner", user_id=ADMIN)
    ann = portal.add_user("Ann Lee", kind="user", user_id=ANN)
    bot = portal.add_user("Review Bot", kind="room_admin", email="bot@example.com", user_id=BOT)
    portal.store.next_folder, portal.next_id = 610, 1245
    room = portal.add_room("Legal", owner=admin)
    portal.invite(room, ann, access=11)
    portal.invite(room, bot, access=9)
    key = portal.add_key(bot)
    with Server(portal) as server:
        api = Api(server.url, key)
        yield World(clock, portal, server, admin, ann, bot, room, api)


@dataclass
class Receiver:
    """A webhook receiver: it answers each POST with the status that ``decide`` returns."""

    url: str = ""
    decide: Callable[[dict[str, Any]], int] = lambda _: 200
    head: int = 200
    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The bodies as JSON."""
        return [json.loads(body) for body in self.bodies]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Serve a webhook receiver."""
    state = Receiver()
    mutex = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(state.head)
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with mutex:
                state.bodies.append(body)
                state.headers.append(dict(self.headers.items()))
                status = state.decide(json.loads(body))
            self.send_response(status)
            self.send_header("Location", state.url + "/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    class Listener(ThreadingHTTPServer):
        request_queue_size = 64

    with Listener(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_address[1]}/hook"
        try:
            yield state
        finally:
            http.shutdown()
            thread.join()
