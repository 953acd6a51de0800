"""A scripted portal on the loopback interface: it keeps the requests and sends scripted bytes."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Answer = bytes | Callable[[socket.socket], None]
Connection = Answer | tuple[Answer, ...]
"""What a connection is answered with: once, or as often as there are answers."""


def http(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer as bytes on the wire; ``_`` in a header's name stands for ``-``."""
    named = {"Content-Length": str(len(body)), "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Words", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def enveloped(response: Any) -> bytes:
    """Return a 200 with the portal's envelope."""
    return http(200, json.dumps({"response": response, "statusCode": 200}).encode())


def kept(response: Any) -> bytes:
    """Return such a 200 that keeps the connection open."""
    body = json.dumps({"response": response}).encode()
    return http(200, body, Connection="keep-alive")


def reset(connection: socket.socket) -> None:
    """Reset a connection, as a device does that has dropped it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@dataclass
class Request:
    """A request as received."""

    line: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class StubServer:
    """A listening portal: its address and the requests that it received."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def answering(*answers: Connection) -> Iterator[StubServer]:
    """Answer one connection after another; the last answer is repeated."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = StubServer(f"http://127.0.0.1:{server.getsockname()[1]}")
        served: list[threading.Thread] = []

        def accept() -> None:
            for number in range(1000):
                connection, _ = server.accept()
                answer = answers[min(number, len(answers) - 1)]
                if not line.url:
                    connection.close()
                    return
                thread = threading.Thread(target=_serve, args=(connection, answer, line))
                served.append(thread)
                thread.start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        address = server.getsockname()
        try:
            yield line
        finally:
            line.url = ""
            socket.create_connection(address).close()
            accepting.join()
            for thread in served:
                thread.join()


def _serve(connection: socket.socket, answers: Connection, line: StubServer) -> None:
    with connection:
        for answer in answers if isinstance(answers, tuple) else (answers,):
            request = _read(connection)
            if not request.line:
                return
            line.requests.append(request)
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)


def _read(connection: socket.socket) -> Request:
    with connection.makefile("rb") as stream:
        first = stream.readline().decode().strip()
        headers: dict[str, str] = {}
        while text := stream.readline().decode().strip():
            name, _, value = text.partition(": ")
            headers[name] = value
        body = stream.read(int(headers.get("Content-Length", "0")))
    return Request(first, headers, body)
