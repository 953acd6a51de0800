"""A portal that can do no more than the tutorial needs: GET a file, PUT its comment, webhooks.

Its answers differ in every way that the tutorial's script would not notice: a `Dialect`. It serves
on the loopback interface, and a thread posts its signed webhooks one after the other, also those of
our own PUTs.
"""

import json
import queue
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import URLError

from reconciler.signature import HEADER, sign

KEY, BOT, PERSON = "sk-stand-in", "bot", "ann"
_OLD = "2020-01-01T00:00:00.0000000Z"
_ROUTE = "/api/2.0/files/file/"


@dataclass(frozen=True)
class Dialect:
    """How the portal answers and announces.

    ``version`` is the field's name, or empty for none; ``put`` is the answer to a PUT: the "text",
    an "object" with the comment, or the whole "file". ``announced_now`` gives events the present
    date, whatever the file's own is.
    """

    wrapped: bool = True
    version: str = "version"
    put: str = "text"
    json_errors: bool = True
    dated: bool = True
    date_header: bool = True
    quoted: bool = False
    announced_now: bool = False


@dataclass
class FileState:
    """A file's version and comment, None if it was never set."""

    version: int = 1
    comment: str | None = None


@dataclass
class StandIn:
    """The portal. ``webhook_url`` receives its webhooks once it is set."""

    dialect: Dialect
    secret: str
    url: str = ""
    webhook_url: str = ""
    files: dict[int, FileState] = field(default_factory=dict)
    gets: Counter[int] = field(default_factory=Counter)
    writes: dict[int, list[str]] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    changed: threading.Condition = field(default_factory=threading.Condition)
    deliveries: "queue.Queue[tuple[int, str] | None]" = field(default_factory=queue.Queue)

    def save(self, file: int, comment: str | None = None) -> None:
        """Save a new version as a person, with the comment that this portal writes."""
        with self.changed:
            self.files[file].version += 1
            self.files[file].comment = comment
        self.announce(file)

    def comment(self, file: int, text: str) -> None:
        """Set a comment as a person."""
        with self.changed:
            self.files[file].comment = text
        self.announce(file)

    def announce(self, file: int, author: str = PERSON) -> None:
        """Publish file.updated."""
        self.deliveries.put((file, author))

    def wait_for(self, holds: Callable[[], bool], seconds: float = 5) -> bool:
        """Wait until a request makes the condition true; return whether it did."""
        with self.changed:
            return self.changed.wait_for(holds, seconds)

    def delivered(self) -> None:
        """Wait until all events published so far are delivered."""
        self.deliveries.join()

    def number(self, name: int) -> int | str:
        """Return an id in the form of this portal's webhooks."""
        return str(name) if self.dialect.quoted else name

    def shown(self, file: int) -> dict[str, Any]:
        """Return the file as a GET answers it."""
        state = self.files[file]
        shown: dict[str, Any] = {"id": file, "title": f"{file}.docx"}
        if self.dialect.version:
            shown[self.dialect.version] = state.version
        if self.dialect.dated:
            shown |= {"created": _OLD, "updated": _OLD}
        return shown if state.comment is None else shown | {"comment": state.comment}

    def look(self, file: int) -> tuple[int, Any]:
        """Answer a GET."""
        with self.changed:
            self.gets[file] += 1
            self.changed.notify_all()
            return 200, self.shown(file)

    def write(self, file: int, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer a PUT; one for another version is refused."""
        with self.changed:
            state, text = self.files[file], str(body["comment"])
            if body["version"] != (state.version if self.dialect.version else 1):
                return 403, "no such version"
            state.comment = text
            self.writes.setdefault(file, []).append(text)
            self.changed.notify_all()
        self.announce(file, BOT)
        answers = {"text": text, "object": {"comment": text}, "file": self.shown(file)}
        return 200, answers[self.dialect.put]

    def body(self, file: int, author: str, number: int) -> bytes:
        """Return a webhook's body."""
        payload: dict[str, Any] = {"id": self.number(file), "title": f"{file}.docx"}
        if self.dialect.announced_now:
            payload["modifiedOn"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        event = {"id": number, "trigger": "file.updated", "createBy": author}
        return json.dumps({"event": event, "payload": payload}).encode()

    def deliver(self) -> None:
        """Post the published events in order until told to end, without retries."""
        number = 0
        while delivery := self.deliveries.get():
            number += 1
            body = self.body(*delivery, number)
            headers = {HEADER: sign(body, self.secret), "Content-Type": "application/json"}
            try:
                post = urllib.request.Request(self.webhook_url, body, headers, method="POST")
                urllib.request.urlopen(post, timeout=5).close()
            except (URLError, OSError, ValueError):
                self.unknown["undelivered"] += 1
            self.deliveries.task_done()


class _Handler(BaseHTTPRequestHandler):
    server: "_Http"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def do_GET(self) -> None:
        """Answer a GET of a file."""
        self._answer("", lambda portal, file, _: portal.look(file))

    def do_PUT(self) -> None:
        """Answer a PUT of a comment."""
        self._answer("/comment", lambda portal, file, body: portal.write(file, json.loads(body)))

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _answer(self, end: str, act: Callable[[StandIn, int, bytes], tuple[int, Any]]) -> None:
        portal = self.server.portal
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = self.path.removeprefix(_ROUTE).removesuffix(end)
        if not (name.isdecimal() and int(name) in portal.files and self.path.endswith(end)):
            with portal.changed:
                portal.unknown[self.path.partition("?")[0]] += 1
            self._send(404, "not found")
        elif self.headers.get("Authorization") != f"Bearer {KEY}":
            self._send(401, "unauthorized")
        else:
            self._send(*act(portal, int(name), body))

    def _send(self, status: int, answer: Any) -> None:
        dialect = self.server.portal.dialect
        if status == 200:
            data: Any = {"response": answer} if dialect.wrapped else answer
            body, kind = json.dumps(data).encode(), "application/json"
        elif dialect.json_errors:
            body, kind = json.dumps({"error": {"message": answer}}).encode(), "application/json"
        else:
            body, kind = f"<h1>{answer}</h1>".encode(), "text/html"
        self.send_response_only(status)
        if dialect.date_header:
            self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, portal: StandIn) -> None:
        self.portal = portal
        super().__init__(("127.0.0.1", 0), _Handler)


@contextmanager
def stand_in(dialect: Dialect, secret: str, *files: int) -> Iterator[StandIn]:
    """Serve a stand-in with these files within the block."""
    portal = StandIn(dialect, secret, files={file: FileState() for file in files})
    with _Http(portal) as http:
        portal.url = f"http://127.0.0.1:{http.server_address[1]}"
        threads = [
            threading.Thread(target=http.serve_forever, args=(0.02,)),
            threading.Thread(target=portal.deliver),
        ]
        for thread in threads:
            thread.start()
        try:
            yield portal
        finally:
            portal.deliveries.put(None)
            http.shutdown()
            for thread in threads:
                thread.join()
