"""Functions that tests run in another process, which reports over a pipe."""

import io
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stdout, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import responses

from reconciler.client import Transport
from reconciler.errors import LedgerError, PortalError
from reconciler.ledger import Ledger, Role
from tests.program import FORKSERVER
from tests.support_ledger import NOW, PORTAL, event

_PLACE = "https://p.example"


def ask(url: str, key: str) -> None:
    """Send one request with this process's environment."""
    with closing(Transport(url, key)) as transport:
        transport.get("keys/@self")


def on_error(url: str) -> None:
    """Print why a request with this process's environment failed."""
    with closing(Transport(url, "k", timeout=5)) as transport:
        try:
            transport.get("keys/@self")
        except PortalError as error:
            sys.stdout.write(str(error))


def verify(bundle: str) -> None:
    """Print the certificates that would be trusted."""
    with responses.RequestsMock() as portal, closing(Transport(_PLACE, "k", ca_bundle=bundle)) as t:
        portal.get(f"{_PLACE}/api/2.0/keys/@self", json={"response": {}})
        t.get("keys/@self")
        kwargs = portal.calls[0].request.req_kwargs  # type: ignore[attr-defined]
    sys.stdout.write(str(kwargs["verify"]))


def record(line: Connection, url: str, first: int, number: int) -> None:
    """Record events about so many files, when told to or when the pipe is closed."""
    with closing(Ledger(url, PORTAL)) as ledger:
        line.send("ready")
        _wait(line)
        for file in range(first, first + number):
            ledger.record(event(file), NOW)
            ledger.record(event(1_000_000), NOW)


def hold(line: Connection, url: str, role: Role) -> None:
    """Hold a role, report it, and keep it until the pipe is closed or the process is killed."""
    with closing(Ledger(url, PORTAL)) as ledger, ledger.role(role):
        line.send("held")
        _wait(line)


def accept(line: Connection, url: str) -> None:
    """Record an event, report it, and wait to be killed."""
    ledger = Ledger(url, PORTAL)
    ledger.record(event(7), NOW)
    line.send("recorded")
    _wait(line)


def fill(line: Connection, url: str) -> None:
    """Record until the file size limit is reached; report why, raise the limit, record again."""
    with closing(Ledger(url, PORTAL)) as ledger:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        try:
            for file in range(1, 10_000):
                ledger.record(event(file, title="x" * 2000), NOW)
        except LedgerError as error:
            line.send(f"LedgerError {error}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        ledger.record(event(file), NOW)
        line.send("recorded")
        line.send(str(file))


def _wait(line: Connection) -> None:
    with suppress(EOFError):
        line.recv()


ROOT = Path(__file__).parents[1]


def another_process(act: Callable[..., None], *arguments: str, **environ: str) -> str:
    """Run a function in a process with these environment variables; return its output."""
    clean = {k: v for k, v in os.environ.items() if not k.upper().endswith(("PROXY", "BUNDLE"))}
    with helper(_print, clean | environ, act, arguments) as one:
        return one.on_file()


def _print(
    line: Connection, environ: dict[str, str], act: Callable[..., None], arguments: tuple[str, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environ)
    with redirect_stdout(io.StringIO()) as printed:
        act(*arguments)
    line.send(printed.getvalue())


class Helper:
    """A process that runs one of these functions, and the pipe to it."""

    def __init__(self, act: Callable[..., None], *arguments: object) -> None:
        """Start it."""
        self._line, theirs = FORKSERVER.Pipe()
        self._process = FORKSERVER.Process(target=act, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def on_file(self) -> str:
        """Wait for its next report."""
        return str(self._line.recv())

    def go_on(self) -> None:
        """Let it continue."""
        self._line.send("")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def end(self) -> int:
        """Close its pipe and wait for its end; return its exit code."""
        self._line.close()
        self._process.join(30)
        assert self._process.exitcode is not None
        return self._process.exitcode


@contextmanager
def helper(act: Callable[..., None], *arguments: object) -> Iterator[Helper]:
    """A helper within the block."""
    one = Helper(act, *arguments)
    try:
        yield one
    finally:
        one.end()
