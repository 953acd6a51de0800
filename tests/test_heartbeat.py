"""The signals of sweeps and of `reconcile` to a heartbeat monitor, over a real connection."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from reconciler.config import load
from reconciler.errors import LedgerError, ShutdownRequested, UnauthorizedError
from reconciler.notify.heartbeat import Heartbeat
from reconciler.sandbox import Fault
from reconciler.service import reconcile
from tests.support_http import StubServer, answering, http, reset
from tests.support_sweep import Stage


@pytest.fixture
def watcher() -> Iterator[StubServer]:
    """A monitor that accepts every signal."""
    with answering(http(200, b"OK")) as line:
        yield line


def signals(line: StubServer) -> list[str]:
    """Return the requested addresses."""
    return [request.line.removesuffix(" HTTP/1.1") for request in line.requests]


def heartbeat(
    line: StubServer, path: str = "/ping/7", failures: list[str] | None = None
) -> Heartbeat:
    """Return a heartbeat that signals this monitor."""
    recorded: list[str] = [] if failures is None else failures
    return Heartbeat(line.url + path, None, recorded.append)


def test_a_run_has_a_beginning_and_an_end(watcher: StubServer) -> None:
    """A run signals its beginning and its success, as healthchecks.io expects them."""
    with closing(heartbeat(watcher)) as beat, beat.run():
        pass
    assert signals(watcher) == ["GET /ping/7/start", "GET /ping/7"]


def test_a_run_that_fails_says_why(watcher: StubServer) -> None:
    """A run that fails signals the reason in the body, and the error is raised."""
    with pytest.raises(LedgerError), closing(heartbeat(watcher)) as beat, beat.run():
        raise LedgerError("disk full")
    assert signals(watcher) == ["GET /ping/7/start", "POST /ping/7/fail"]
    assert watcher.requests[-1].body == b"disk full"


def test_a_run_that_was_told_to_stop_has_no_end(watcher: StubServer) -> None:
    """A run that was told to stop signals no end: it neither succeeded nor failed."""
    with pytest.raises(ShutdownRequested), closing(heartbeat(watcher)) as beat, beat.run():
        raise ShutdownRequested
    assert signals(watcher) == ["GET /ping/7/start"]


@pytest.mark.parametrize("path", ["/ping/7/?create=1", "/ping/7?create=1"])
def test_what_follows_a_question_mark_stays_behind_the_path(path: str, watcher: StubServer) -> None:
    """A query in the monitor's address stays behind the signal's path."""
    with closing(heartbeat(watcher, path)) as beat, beat.run():
        pass
    assert signals(watcher) == ["GET /ping/7/start?create=1", "GET /ping/7?create=1"]


def test_a_watcher_that_fails_fails_no_run() -> None:
    """A monitor that fails does not fail the run; the reason is logged without the address."""
    failures: list[str] = []
    with (
        answering(http(500), reset) as broken,
        closing(heartbeat(broken, "/hunter2", failures)) as beat,
        beat.run(),
    ):
        pass
    assert failures[0] == "500 is answered"
    assert len(failures) == 2
    assert "hunter2" not in "".join(failures)


def test_a_watcher_that_hangs_delays_no_run() -> None:
    """A monitor that hangs delays no run; signals that it does not accept are dropped."""
    hangs, ends = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        hangs.set()
        ends.wait(20)

    with answering(hang) as line:
        beat = heartbeat(line)
        for _ in range(20):
            with beat.run():
                pass
        assert hangs.wait(20)
        beat.close(0)
        ends.set()
        beat.close()


def test_without_an_address_nobody_is_told() -> None:
    """Without an address nothing is sent, and no thread is started."""
    threads = threading.active_count()
    with closing(Heartbeat(None, None, print)) as beat, beat.run():
        assert threading.active_count() == threads


def run(scene: Stage, watcher: StubServer, *, dry_run: bool = False) -> None:
    """Run what `reconcile` runs, with a heartbeat."""
    url = {"RECONCILER_NOTIFY__HEARTBEAT_URL": f"{watcher.url}/ping"}
    config = load(None, scene.environ | url)
    reconcile(config, dry_run=dry_run, on_planned=lambda _: None)


def test_reconcile_tells_the_watcher_when_all_is_done(scene: Stage, watcher: StubServer) -> None:
    """`reconcile` signals its success; a dry run signals nothing."""
    run(scene, watcher, dry_run=True)
    assert signals(watcher) == []
    run(scene, watcher)
    assert signals(watcher) == ["GET /ping/start", "GET /ping"]


def test_reconcile_tells_the_watcher_of_what_it_left_undone(
    scene: Stage, watcher: StubServer
) -> None:
    """A `reconcile` that exits 1 signals a failure with what is left."""
    scene.portal.faults.add(Fault("GET files/{id}", "status", status=400, times=None))
    run(scene, watcher)
    assert signals(watcher) == ["GET /ping/start", "POST /ping/fail"]
    assert watcher.requests[-1].body == b"failed: 1"


def test_reconcile_tells_the_watcher_that_the_key_is_dead(
    scene: Stage, watcher: StubServer
) -> None:
    """A `reconcile` with a dead key signals a failure with the command's error."""
    scene.portal.faults.add(Fault("*", "status", status=401, times=None))
    with pytest.raises(UnauthorizedError):
        run(scene, watcher)
    assert signals(watcher) == ["GET /ping/start", "POST /ping/fail"]
