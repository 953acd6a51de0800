"""References for the receiver: waitress with nothing behind it, and one commit for each request.

`python ceiling.py PORT THREADS` answers 200 to everything; with a folder as a third word it
verifies, and commits each delivery by itself, waiting a moment more for the disk.
"""

import hashlib
import hmac
import json
import logging
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from waitress import serve

_OK = [("Content-Type", "application/json"), ("Content-Length", "2")]
_SIGNATURE = "HTTP_X_DOCSPACE_SIGNATURE_256"


def empty(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer 200 without reading."""
    del environ
    start("200 OK", _OK)
    return [b"{}"]


def committing(folder: Path, secret: bytes, slower: float) -> Callable[..., Iterable[bytes]]:
    """Return an application that commits each delivery by itself."""
    path = folder / "ceiling.db"
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE events (file INTEGER PRIMARY KEY, title TEXT, times INTEGER)")
    turn = threading.Lock()
    add = (
        "INSERT INTO events VALUES (?, ?, 1) ON CONFLICT (file) "
        "DO UPDATE SET title = excluded.title, times = times + 1"
    )

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest().upper()
        if not hmac.compare_digest(expected, environ[_SIGNATURE]):
            start("401 Unauthorized", _OK)
            return [b"{}"]
        payload = json.loads(body)["payload"]
        with turn:
            database.execute("BEGIN IMMEDIATE")
            database.execute(add, (payload["id"], payload["title"]))
            time.sleep(slower)
            database.execute("COMMIT")
        start("200 OK", _OK)
        return [b"{}"]

    return application


def main(port: str, threads: str, folder: str = "", secret: str = "", slower: str = "0") -> None:
    """Serve until killed."""
    logging.getLogger("waitress").setLevel(logging.CRITICAL)
    application = committing(Path(folder), secret.encode(), float(slower)) if folder else empty
    serve(application, host="127.0.0.1", port=int(port), threads=int(threads), connection_limit=512)


if __name__ == "__main__":
    main(*sys.argv[1:])
