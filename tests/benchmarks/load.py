"""Sends deliveries over keep-alive connections, one at a time on each, and tells what it took.

A process of its own, with one thread and a selector, so that what is measured is the receiver.
"""

import hashlib
import hmac
import json
import selectors
import socket
import sys
import time
import urllib.parse
from collections import Counter
from typing import Any, cast

_END = b"\r\n\r\n"
_PATIENCE = 30  # seconds for the first answer


def requests(url: str, secret: str, files: list[int], good: bool) -> list[bytes]:
    """Return signed or badly signed deliveries as bytes, each for another file."""
    parts = urllib.parse.urlsplit(url)
    made = []
    for number in files:
        body = json.dumps(_delivery(number)).encode()
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().upper()
        head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Content-Type: application/json; charset=utf-8\r\nAccept: */*\r\n"
            f"x-docspace-signature-256: sha256={digest if good else '0' * 64}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def _delivery(number: int) -> dict[str, Any]:
    """Return a delivery of the portal's usual length (docspace.md 4.1)."""
    person = {"id": "66faa6e4-f133-11ea-b126-00ffeec8b4ef", "displayName": "Ann Lee"}
    date = "2026-03-02T09:00:00.0000000Z"
    return {
        "event": {
            "createOn": date,
            "createBy": "66faa6e4-f133-11ea-b126-00ffeec8b4ef",
            "trigger": "file.updated",
            "id": number,
        },
        "payload": {
            "folderId": 10,
            "viewUrl": f"https://portal.example.com/filehandler.ashx?action=download&id={number}",
            "webUrl": f"https://portal.example.com/doceditor?fileid={number}",
            "fileType": 7,
            "fileExst": ".docx",
            "id": number,
            "title": f"Report {number}.docx",
            "created": date,
            "createdBy": person,
            "modifiedOn": date,
            "updated": date,
            "updatedBy": person,
            "rootFolderType": 14,
        },
        "webhook": {
            "id": 1,
            "name": "review",
            "url": "https://hooks.example.com/",
            "triggers": 512,
        },
    }


def offer(url: str, made: list[bytes], connections: int, seconds: float) -> dict[str, Any]:
    """Keep every connection busy for so long; return counts and times in seconds."""
    parts = urllib.parse.urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    selector = selectors.DefaultSelector()
    begun: dict[socket.socket, float] = {}
    read: dict[socket.socket, bytes] = {}
    codes: Counter[str] = Counter()
    times: list[float] = []
    sent = 0

    def send(one: socket.socket) -> None:
        nonlocal sent
        begun[one], read[one] = time.perf_counter(), b""
        one.sendall(made[sent % len(made)])
        sent += 1

    def connect() -> socket.socket:
        one = socket.create_connection(address)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(one, selectors.EVENT_READ)
        return one

    def give_up(one: socket.socket) -> None:
        codes["closed"] += 1
        selector.unregister(one)
        del begun[one], read[one]
        one.close()
        send(connect())

    start = time.perf_counter()
    for fresh in [connect() for _ in range(connections)]:
        send(fresh)
    while (now := time.perf_counter() - start) < seconds or (not times and now < _PATIENCE):
        for key, _ in selector.select(1.0):
            one = cast(socket.socket, key.fileobj)
            some = one.recv(65536)
            if not some:
                give_up(one)
                continue
            read[one] += some
            if not _is_whole(read[one]):
                continue
            times.append(time.perf_counter() - begun[one])
            codes[read[one][9:12].decode()] += 1
            send(one)
    for open_one in begun:
        open_one.close()
    times.sort()
    return {
        "rate": len(times) / now,
        "codes": codes,
        "p50": times[len(times) // 2],
        "p99": times[len(times) * 99 // 100],
    }


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(_END)
    if not end:
        return False
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return False


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    made = requests(*(given[name] for name in ("url", "secret", "files", "good")))
    print(json.dumps(offer(given["url"], made, given["connections"], given["seconds"])))
