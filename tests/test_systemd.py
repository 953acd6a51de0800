"""The messages to systemd, by the real daemon and on a real datagram socket."""

import os
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.service import SystemdNotifier
from tests.daemon import daemon
from tests.test_daemon import environ
from tests.world import Clock

__all__ = ["environ"]


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """Receive messages at an address, as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address)
        ear.settimeout(20)
        yield ear


def heard(ear: socket.socket) -> list[str]:
    """Return the lines of the next message."""
    return ear.recv(4096).decode().splitlines()


def seconds(clock: Clock) -> float:
    """Return a wall clock's time as monotonic seconds."""
    return clock().timestamp()


def test_ready_is_told_when_the_port_accepts(environ: dict[str, str], tmp_path: Path) -> None:
    """READY is sent when the port accepts deliveries."""
    with (
        listening(str(tmp_path / "notify")) as ear,
        daemon(environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")}, tmp_path) as running,
    ):
        ready, status = heard(ear)
        assert ready == "READY=1"
        assert status == f"STATUS=listening on {running.address}"
        with urllib.request.urlopen(running.address) as answer:
            assert answer.status == 200


def test_nothing_is_told_before_the_address_is_bound(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """A daemon that cannot listen sends nothing."""
    with listening(str(tmp_path / "notify")) as ear, daemon(environ, tmp_path):
        second = tmp_path / "second"
        second.mkdir()
        more = {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "RECONCILER_STATE__URL": f"sqlite:///{second / 'ledger.db'}",
        }
        with pytest.raises(AssertionError), daemon(environ | more, second):
            pass
        ear.setblocking(False)
        with pytest.raises(BlockingIOError):
            ear.recv(4096)


def test_the_watchdog_hears_of_us_until_the_end(environ: dict[str, str], tmp_path: Path) -> None:
    """The daemon sends WATCHDOG messages while all is well, and STOPPING after SIGTERM."""
    more = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    with (
        listening(str(tmp_path / "notify")) as ear,
        daemon(environ | more, tmp_path) as running,
    ):
        assert heard(ear)[0] == "READY=1"
        assert [heard(ear) for _ in range(3)] == [["WATCHDOG=1"]] * 3
        assert running.terminate() == 0
        received = heard(ear)
        while received == ["WATCHDOG=1"]:
            received = heard(ear)
        assert received[0] == "STOPPING=1"


def test_a_sign_of_life_is_given_at_half_of_the_time(tmp_path: Path) -> None:
    """A WATCHDOG message is sent after half of the allowed time, not at each turn of the loop."""
    clock = Clock()
    with listening(str(tmp_path / "notify")) as ear:
        ear.setblocking(False)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"}
        supervisor = SystemdNotifier(environ, lambda: seconds(clock))
        clock.advance(29)
        supervisor.alive()
        with pytest.raises(BlockingIOError):
            ear.recv(4096)
        clock.advance(1)
        supervisor.alive()
        assert heard(ear) == ["WATCHDOG=1"]


def test_an_abstract_address_is_spoken_to() -> None:
    """In an abstract address systemd writes the leading NUL as @."""
    name = f"reconciler-test-{os.getpid()}"
    with listening(f"\0{name}") as ear:
        SystemdNotifier({"NOTIFY_SOCKET": f"@{name}"}).stopping("bye")
        assert heard(ear) == ["STOPPING=1", "STATUS=bye"]


@pytest.mark.parametrize(
    "environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}, {"NOTIFY_SOCKET": "vsock:2:1"}]
)
def test_nobody_to_tell_is_no_failure(environ: dict[str, str]) -> None:
    """Without systemd, or after its socket is gone, work continues."""
    SystemdNotifier(environ).ready("listening")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "x"},
        {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"},
    ],
)
def test_a_watchdog_that_waits_for_nobody_here_gets_nothing(environ: dict[str, str]) -> None:
    """A watchdog that is off, unreadable, or meant for another process gets nothing."""
    assert SystemdNotifier(environ).every is None
