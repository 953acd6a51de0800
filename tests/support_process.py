"""What tests let another process do: `python -m tests.support_process WHAT ARGUMENT...`."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import responses

from reconciler.client import Transport
from reconciler.errors import LedgerError
from reconciler.ledger import Ledger, Role
from tests.support_ledger import NOW, PORTAL, event

_PLACE = "https://p.example"


def ask(url: str, key: str) -> None:
    """Make one request with this process's environment."""
    with closing(Transport(url, key)) as transport:
        transport.get("keys/@self", "keys/@self")


def verify(bundle: str) -> None:
    """Print what a certificate would be checked against."""
    with responses.RequestsMock() as portal, closing(Transport(_PLACE, "k", ca_bundle=bundle)) as t:
        portal.get(f"{_PLACE}/api/2.0/keys/@self", json={"response": {}})
        t.get("keys/@self", "keys/@self")
        kwargs = portal.calls[0].request.req_kwargs  # type: ignore[attr-defined]
    sys.stdout.write(str(kwargs["verify"]))


def record(url: str, first: str, number: str) -> None:
    """Record events about so many files, when told to on stdin."""
    with closing(Ledger(url, PORTAL)) as ledger:
        _say("ready")
        sys.stdin.readline()
        for file in range(int(first), int(first) + int(number)):
            ledger.record(event(file), NOW)
            ledger.record(event(1_000_000), NOW)


def hold(url: str, role: str) -> None:
    """Hold a role, say so, and keep it until stdin ends or we are killed."""
    with closing(Ledger(url, PORTAL)) as ledger, ledger.role(Role(role)):
        _say("held")
        sys.stdin.read()


def accept(url: str) -> None:
    """Record an event, say so, and wait to be killed."""
    ledger = Ledger(url, PORTAL)
    ledger.record(event(7), NOW)
    _say("recorded")
    sys.stdin.read()


def fill(url: str) -> None:
    """Record until no file may grow any more; say why, make room, record once more."""
    with closing(Ledger(url, PORTAL)) as ledger:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        try:
            for file in range(1, 10_000):
                ledger.record(event(file, title="x" * 2000), NOW)
        except LedgerError as error:
            _say(f"LedgerError {error}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        ledger.record(event(file), NOW)
        _say("recorded")
        _say(str(file))


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


ROOT = Path(__file__).parents[1]


@contextmanager
def process(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a helper in a process of its own, and see it end."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support_process", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.communicate(timeout=30)


def heard(child: "subprocess.Popen[str]") -> str:
    """Wait for the process's next word."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


if __name__ == "__main__":
    acts = {"ask": ask, "verify": verify, "record": record, "hold": hold, "accept": accept}
    acts["fill"] = fill
    acts[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
