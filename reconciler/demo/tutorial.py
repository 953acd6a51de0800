"""The obvious script: on every delivery GET the file and PUT the comment, inside the request.

Setting a comment publishes `file.updated` again (docspace.md 4.2), so each write causes the next.
"""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the portal is here


@contextmanager
def tutorial_script(portal: str, key: str) -> Iterator[str]:
    """Run the script against ``portal`` within the block; give the address of its webhook."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections open, as others do

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            mark(portal, key, json.loads(body)["payload"]["id"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # the portal is taken away in the middle of the loop

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def mark(portal: str, key: str, file_id: int) -> None:
    """Do what the script does about one delivery."""
    route = f"{portal}/api/2.0/files/file/{file_id}"
    version = _call(route, key)["response"]["version"]
    _call(f"{route}/comment", key, {"version": version, "comment": "Need Review"})


def _call(url: str, key: str, body: object = None) -> dict[str, dict[str, int]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method="GET" if data is None else "PUT")  # noqa: S310
    request.add_header("Authorization", f"Bearer {key}")
    request.add_header("Content-Type", "application/json")
    with _DIRECT.open(request, timeout=10) as answer:
        result: dict[str, dict[str, int]] = json.load(answer)
    return result
