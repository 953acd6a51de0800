"""SIGKILL at every named point between accept and settle, then a restart on the same ledger.

The points are reached from outside: the portal tells when a request arrives or has taken
effect, and the ledger's file lock, held by the test, keeps the daemon from settling.
"""

import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.sandbox import Portal, Server, User
from tests.daemon import SECRET, Daemon, daemon, environment, free_port
from tests.support_office import office
from tests.waiting import eventually

TARGET = "Need Review"


@dataclass
class Scene:
    """A portal with one file that will be saved, and the ledger's folder."""

    portal: Portal
    server: Server
    ann: User
    file: int
    environ: dict[str, str]
    folder: Path

    def marked(self) -> bool:
        """Return whether the file carries the comment."""
        return self.portal.file(self.file).comment == TARGET


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A portal on a real clock whose webhook points at the daemon's port."""
    place = office(retry_seconds=(0.2, 0.2, 0.2, 0.2, 0.2))
    portal, ann, file, port = place.portal, place.ann, place.create(), free_port()
    with Server(portal) as server:
        environ = environment(server.url, portal.add_key(place.bot), tmp_path, port)
        webhook = f"http://127.0.0.1:{port}/docspace/review-comment"
        portal.add_webhook(by=ann, url=webhook, secret=SECRET)
        yield Scene(portal, server, ann, file, environ, tmp_path)


def at_request(scene: Scene, method: str, route: str) -> threading.Event:
    """Return an event that is set when such a request arrives, before it takes effect."""
    arrived = threading.Event()
    never = threading.Event()

    def webhook(seen_method: str, seen_route: str, file: object) -> None:
        if seen_method == method and seen_route.endswith(route):
            scene.portal.on_request = None
            arrived.set()
            never.wait(0.3)  # the daemon is killed while it waits for this answer

    scene.portal.on_request = webhook
    return arrived


def after_effect(scene: Scene) -> threading.Event:
    """Return an event that is set when the PUT took effect, before its answer is sent."""
    done = threading.Event()
    never = threading.Event()

    def webhook(method: str, route: str, file: object) -> None:
        if method == "PUT":
            scene.portal.on_answer = None
            done.set()
            never.wait(0.3)

    scene.portal.on_answer = webhook
    return done


@contextmanager
def unsettled(scene: Scene) -> Iterator[threading.Event]:
    """Keep the daemon from writing to its ledger after the PUT has taken effect."""
    locked = threading.Event()
    lock = (scene.folder / "ledger.db.lock").open("w")

    def webhook(method: str, route: str, file: object) -> None:
        if method == "PUT":
            scene.portal.on_answer = None
            fcntl.flock(lock, fcntl.LOCK_EX)
            locked.set()

    scene.portal.on_answer = webhook
    with lock:
        yield locked


def crash(scene: Scene, arm: Callable[[Scene], threading.Event]) -> None:
    """Start the daemon, save the file, and kill it when the armed point is reached."""
    with daemon(scene.environ, scene.folder) as first:
        reached = arm(scene)
        scene.portal.save(scene.file, by=scene.ann)
        assert reached.wait(10)
        first.kill()


def finish(scene: Scene) -> None:
    """Start the daemon again and wait until nothing is due any more."""
    with daemon(scene.environ, scene.folder) as second:
        wait_until_idle(scene, second)
        assert second.terminate() == 0


def wait_until_idle(scene: Scene, running: Daemon) -> None:
    """Wait until the file is marked, its echo was handled, and the ledger has nothing pending."""

    def at_rest() -> bool:
        return scene.marked() and count_due(scene) == 0

    # The echo is on its way once the ledger owes nothing, and may make the file due again.
    idle = eventually(lambda: at_rest() and scene.server.drain(0) and at_rest())
    assert idle, (scene.folder / "serve.log").read_text("utf-8")


def count_due(scene: Scene) -> int:
    """Return how many files are due or claimed."""
    path = scene.folder / "ledger.db"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        query = "SELECT count(*) FROM files WHERE due_at IS NOT NULL OR claim IS NOT NULL"
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


def accepted(scene: Scene) -> threading.Event:
    """Return an event that is set when the delivery is answered with 200."""
    answered = threading.Event()

    def watch() -> None:
        scene.server.drain()
        answered.set()

    threading.Timer(0.1, watch).start()
    return answered


POINTS: dict[str, Callable[[Scene], threading.Event]] = {
    "after the commit": accepted,
    "after the claim": lambda s: at_request(s, "GET", "files/file/{id}"),
    "after the intent": lambda s: at_request(s, "PUT", "files/file/{id}/comment"),
    "after the effect, before the answer": after_effect,
}


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_named_point_loses_nothing_and_writes_nothing_twice(
    scene: Scene, point: str
) -> None:
    """After a SIGKILL at any named point the file is marked by exactly one effective write."""
    crash(scene, POINTS[point])
    finish(scene)
    effective = [w for w in scene.portal.comment_writes(scene.file) if w.after == TARGET]
    assert len(effective) == 1


def test_an_answered_delivery_is_on_disk_whatever_is_killed(scene: Scene) -> None:
    """P1 without the sweep's help: after the answer 200 and SIGKILL the event is on disk."""
    crash(scene, accepted)
    assert scene.portal.deliveries[0].status == 200
    with closing(sqlite3.connect(scene.folder / "ledger.db")) as connection:
        rows = connection.execute("SELECT id, events FROM files WHERE events > 0").fetchall()
    assert rows == [(scene.file, 1)]


def test_a_kill_after_the_answer_and_before_settling_writes_nothing_twice(scene: Scene) -> None:
    """If the comment was set and not recorded, the next look finds it and writes nothing."""
    with daemon(scene.environ, scene.folder) as first, unsettled(scene) as locked:
        scene.portal.save(scene.file, by=scene.ann)
        assert locked.wait(10)
        threading.Event().wait(0.2)  # the answer is on its way; the daemon cannot settle
        first.kill()
    finish(scene)
    assert scene.portal.count("PUT") == 1


def test_a_persons_word_after_the_crash_is_kept(scene: Scene) -> None:
    """A reviewer's comment typed between the crash and the restart is kept."""
    crash(scene, after_effect)
    scene.portal.comment(scene.file, "Approved", by=scene.ann)
    with daemon(scene.environ, scene.folder) as second:
        assert eventually(lambda: count_due(scene) == 0)
        assert second.terminate() == 0
    assert scene.portal.file(scene.file).comment == "Approved"
