"""The tutorial's script in a process of its own, without its echo: the least that an update takes.

python reference.py PORT PORTAL KEY OWNER
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reconciler.demo.tutorial import mark

_, PORT, PORTAL, KEY, OWNER = sys.argv


class Handler(BaseHTTPRequestHandler):
    """Marks the file of each delivery, unless the key's owner caused it."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        delivery = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if delivery["event"]["createBy"] != OWNER:
            mark(PORTAL, KEY, delivery["payload"]["id"])
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler).serve_forever()
