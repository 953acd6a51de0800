"""A real `reconciler serve` in a process of its own, to be watched, stopped and killed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECRET = "Daemon-Secret-1!"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(portal: str, key: str, folder: Path, port: int, **more: str) -> dict[str, str]:
    """Return the environment of a daemon; its ledger lies in ``folder``."""
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
    """A running daemon and the address it printed."""

    process: subprocess.Popen[str]
    address: str

    def kill(self) -> None:
        """Kill it without any warning."""
        self.process.kill()
        self.process.wait()

    def terminate(self, timeout: float = 25) -> int:
        """Ask it to stop; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


@contextmanager
def daemon(environ: dict[str, str], folder: Path, module: str = "reconciler") -> Iterator[Daemon]:
    """Run a daemon within the block; its log goes to ``folder``/serve.log."""
    command = [sys.executable, "-m", module, "serve"]
    with (folder / "serve.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, env=environ, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    with process.stdout:
        line = process.stdout.readline()
        try:
            assert line.startswith("listening on "), (folder / "serve.log").read_text("utf-8")
            yield Daemon(process, line.removeprefix("listening on ").strip())
        finally:
            process.kill()
            process.wait()
