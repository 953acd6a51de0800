"""Real receivers of messages on the loopback: a mailbox, and a service that takes JSON."""

import json
from asyncio import Server
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support_http import StubServer, http

ACCEPTED, BROKEN = http(200), http(500, b"broken")


@dataclass
class Mailbox:
    """The delivered mails, and the address to notify that leads here."""

    url: str = ""
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Store a mail."""
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


class _OnAnyPort(Controller):
    """A mail server on a free port."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run a mail server within the block."""
    box = Mailbox()
    server = _OnAnyPort(box, hostname="127.0.0.1", port=0, ready_timeout=30)
    server.start()
    box.url = f"mailto://127.0.0.1:{server.port}?from=bot@example.com&to=ann@example.com"
    try:
        yield box
    finally:
        server.stop()


def as_json(line: StubServer) -> str:
    """Return the address to notify of a service that takes JSON."""
    return line.url.replace("http://", "json://")


def messages(line: StubServer) -> list[dict[str, Any]]:
    """Return the messages that the service received."""
    return [json.loads(request.body) for request in line.requests]


def titles(line: StubServer) -> list[str]:
    """Return the titles of these messages."""
    return [message["title"] for message in messages(line)]


def urls_file(folder: Path, *urls: str) -> Path:
    """Write the file of addresses."""
    path = folder / "notify-urls"
    path.write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
    path.chmod(0o600)
    return path
