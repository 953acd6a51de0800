"""A real `reconciler serve` in a process of its own, which tests can observe, stop and kill."""

import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from reconciler.cli.send import sample_body
from reconciler.signature import HEADER, sign
from tests.program import Program

SECRET = "Daemon-Secret-1!"


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(portal: str, key: str, folder: Path, port: int, **more: str) -> dict[str, str]:
    """Return the environment of a daemon whose ledger is in ``folder``."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return inherited | {
        "DOCSPACE_API_HOST": portal,
        "DOCSPACE_API_KEY": key,
        "DOCSPACE_WEBHOOK_SECRET": SECRET,
        "PORT": str(port),
        "RECONCILER_ADMIN__PORT": "0",
        "RECONCILER_STATE__URL": f"sqlite:///{folder / 'ledger.db'}",
        **more,
    }


@dataclass
class Daemon:
    """A running daemon and its printed address."""

    process: Program
    address: str

    def deliver(self, file: int) -> int:
        """Send a delivery about a file; return the status of the answer."""
        body = sample_body(file, "Contract.docx", "file.updated", datetime.now(UTC))
        headers = {HEADER: sign(body, SECRET), "Content-Type": "application/json"}
        return fetch(Request(self.address, body, headers))[0]

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def terminate(self, timeout: float = 25) -> int:
        """Send SIGTERM; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


def fetch(request: Request | str) -> tuple[int, str]:
    """Return the status and text of an answer, also of an error."""
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextmanager
def daemon(environ: dict[str, str], folder: Path) -> Iterator[Daemon]:
    """Run a daemon within the block; its log goes to ``folder``/serve.log."""
    log, out = folder / "serve.log", folder / f"{uuid.uuid4().hex}.out"
    process = Program(["serve"], environ, folder, out, log)
    try:
        yield Daemon(process, _address(process, out, log))
    finally:
        process.kill()
        process.wait()


def _address(process: Program, out: Path, log: Path) -> str:
    """Wait until the daemon has printed its address."""
    turn = threading.Event()
    while not (line := out.read_text("utf-8") if out.exists() else "").endswith("\n"):
        assert process.poll() is None, log.read_text("utf-8")
        turn.wait(0.01)
    return line.removeprefix("listening on ").strip()
