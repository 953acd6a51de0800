"""A hundred thousand hostile requests: no crash, no unsigned one accepted, no growth of memory."""

import json
import random
import resource
import socket
from collections import Counter
from io import BytesIO
from typing import Any

from reconciler.model import Event
from reconciler.receiver import Receiver, ReceiverSettings
from reconciler.signature import sign
from tests.support_webhooks import serving
from tests.world import SECRET, START

SETTINGS = ReceiverSettings("/hook", lambda: [SECRET], frozenset({"file.updated"}), 2**20)
ALLOWED = {200, 401, 403, 404, 405, 413, 503}
VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 7, 2**31, 2**63, 2**64, 10**400, "", "7", "drive-4-|x", [], {},
    "\ud800", "a\0b", float("inf"), float("nan"), [[[[]]]],
]  # fmt: skip
TRIGGERS = ["file.updated"] * 5 + ["file.trashed", "", None, 512]


class Recorder:
    """Collects the accepted events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.number = 0

    def __call__(self, event: Event, now: object) -> bool:
        self.number += 1
        self.events = [event]
        return True


def hostile_body(chance: random.Random) -> bytes:
    """Return a body that is almost valid, or arbitrary."""
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:
        return b"[" * chance.randrange(5000)
    value = 7 if chance.random() < 0.3 else chance.choice(VALUES)
    payload = {"id": value, "title": chance.choice(VALUES), "modifiedOn": chance.choice(VALUES)}
    event = {"trigger": chance.choice(TRIGGERS), "createBy": chance.choice(VALUES), "id": value}
    body = json.dumps({"event": event, "payload": payload}).encode()
    return body if kind < 5 else body[: chance.randrange(len(body))]


def hostile_environ(chance: random.Random) -> tuple[dict[str, Any], bool]:
    """Return a request and whether it is signed."""
    body = hostile_body(chance)
    signature = chance.choice(
        ["", sign(body, SECRET), sign(body, "other"), "sha256=", "sha1=00", "\xff\x00", "x" * 9000]
    )
    length = chance.choice([len(body)] * 8 + ["", "-1", "1e3", "9" * 30, "\u0664", len(body) + 5])
    environ = {
        "REQUEST_METHOD": chance.choice(["POST"] * 20 + ["GET", "HEAD", "PUT", "DELETE", "", "\0"]),
        "PATH_INFO": chance.choice(["/hook"] * 20 + ["/", "//hook", "/hook/", "/hook\0", ""]),
        "CONTENT_LENGTH": str(length),
        "HTTP_X_DOCSPACE_SIGNATURE_256": signature,
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
    }
    return environ, signature == sign(body, SECRET)


def test_a_hundred_thousand_hostile_requests() -> None:
    """Each of 100,000 hostile requests gets an allowed answer; only signed ones are accepted."""
    chance, recorder, statuses = random.Random(7), Recorder(), Counter[int]()
    receiver: Any = Receiver(SETTINGS, recorder, lambda: START, lambda _: None)

    def start_response(status: str, _: object) -> None:
        statuses[int(status[:3])] += 1

    def run(number: int) -> None:
        for _ in range(number):
            environ, signed = hostile_environ(chance)
            before = recorder.number
            b"".join(receiver(environ, start_response))
            assert signed or recorder.number == before

    run(20_000)
    early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(80_000)
    late = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert set(statuses) <= ALLOWED
    assert min(statuses[200], statuses[401], statuses[413]) > 100
    assert recorder.number > 100
    assert late - early < 8 * 1024  # KiB


def raw_request(chance: random.Random) -> bytes:
    """Return bytes for the socket: an invalid request."""
    body = hostile_body(chance)
    head = chance.choice(
        [
            b"POST /hook HTTP/1.1\r\nHost: x\r\n",
            b"POST /hook HTTP/1.0\r\n",
            b"POST http://x/hook HTTP/1.1\r\n",
            b"POST /hook HTTP/9.9\r\n",
            b"\0\0\0\0\r\n",
            b"GET /%2e%2e/hook HTTP/1.1\r\nHost: x\r\n",
            b"POST /hook\r\n",
        ]
    )
    lines = chance.choice(
        [
            b"Content-Length: %d\r\n" % len(body),
            b"Content-Length: %d\r\nContent-Length: 3\r\n" % len(body),
            b"Content-Length: -5\r\n",
            b"Content-Length: 104857600\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
            b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(body),
            b"X: " + b"y" * 70_000 + b"\r\n",
            b"X-DocSpace-Signature-256: \xff\xfe\r\nContent-Length: %d\r\n" % len(body),
            b"bad header line\r\n",
            b"",
        ]
    )
    return head + lines + b"\r\n" + body


def test_hostile_bytes_on_the_socket() -> None:
    """Behind waitress, hostile bytes get no 5xx, no 410 and no redirect, and are not accepted."""
    chance, recorder = random.Random(11), Recorder()
    receiver = Receiver(SETTINGS, recorder, lambda: START, lambda _: None)
    statuses = Counter[int]()
    with serving(receiver, threads=4) as server:
        for _ in range(2_000):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
                statuses[exchange(connection, raw_request(chance))] += 1
    assert not {status for status in statuses if status >= 500 or status in {410, 301, 302}}
    assert statuses[401] > 100
    assert recorder.number == 0


def exchange(connection: socket.socket, request: bytes) -> int:
    """Send and close; return the status of the last answer, 0 without one."""
    try:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    except OSError:
        return 0
    finals = [part[:3] for part in answer.split(b"HTTP/1.")[1:] for part in [part[2:]]]
    return int(finals[-1]) if finals else 0
