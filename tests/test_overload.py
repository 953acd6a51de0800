"""More deliveries than can be handled are answered quickly, and slow clients block no others."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from reconciler.model import Event
from reconciler.receiver import Receiver, ReceiverSettings
from reconciler.service.server import Server
from tests.support_webhooks import serving
from tests.world import START

BODY = (
    b'{"event":{"id":1,"trigger":"file.updated","createBy":"a"},'
    b'"payload":{"id":7,"title":"a.docx"}}'
)
REQUEST = (b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)) + BODY


@contextmanager
def served(record: "Record", threads: int = 2) -> Iterator[Server]:
    """Serve an unsigned receiver within the block."""
    settings = ReceiverSettings("/hook", tuple[str, ...], frozenset({"file.updated"}), 2**20)
    servers: list[Server] = []
    receiver = Receiver(
        settings, record, lambda: START, lambda _: None, is_full=lambda: servers[0].is_full()
    )
    with serving(receiver, threads) as server:
        servers.append(server)
        yield server


class Record:
    """Records events, but only once it is released."""

    def __init__(self, held: bool = False) -> None:
        self.go, self.number = threading.Event(), 0
        if not held:
            self.go.set()

    def __call__(self, event: Event, now: datetime) -> bool:
        self.go.wait(20)
        self.number += 1
        return True


def connect(server: Server) -> socket.socket:
    """Return an open connection."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def status(connection: socket.socket) -> int:
    """Return the status of the next answer."""
    return int(connection.recv(4096).split(b" ", 2)[1])


def test_a_delivery_is_answered_beside_idle_and_half_sent_requests() -> None:
    """Five hundred connections that send nothing, or half a request, do not delay a delivery."""
    with served(Record()) as server, ExitStack() as stack:
        for number in range(500):
            slow = stack.enter_context(connect(server))
            if number % 2:
                slow.send(REQUEST[:60])
        honest = stack.enter_context(connect(server))
        honest.sendall(REQUEST)
        assert status(honest) == 200


def test_more_than_can_be_handled_is_asked_to_come_later() -> None:
    """While the ledger is slow the queue is bounded: further deliveries get 503 at once."""
    record = Record(held=True)
    with served(record, threads=1) as server, ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(330)]
        for connection in connections:
            connection.sendall(REQUEST)
        for _ in range(500):
            if server.waiting() == 329:
                break
            threading.Event().wait(0.02)
        assert server.is_full()
        record.go.set()
        answers = [status(connection) for connection in connections]
    assert set(answers) == {200, 503}
    assert answers.count(200) == record.number


def test_a_hundred_connections_at_once_are_all_answered() -> None:
    """A hundred deliveries at once are all answered 200."""
    record = Record()
    with served(record) as server, ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(100)]
        for connection in connections:
            connection.sendall(REQUEST)
        assert {status(connection) for connection in connections} == {200}
    assert record.number == 100
