"""Daemons that share a ledger on a server: which one sweeps, which one takes over, what an outage
costs.
"""

from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from reconciler.ledger import Ledger, Role
from reconciler.sandbox import Network
from tests import program
from tests.daemon import Daemon, daemon, free_port
from tests.postgres import PostgresServer
from tests.program import exits
from tests.test_crash import Scene, scene
from tests.waiting import eventually

__all__ = ["scene"]
DEADLINE = 2.5  # seconds


@pytest.fixture
def environ(scene: Scene, address: str) -> dict[str, str]:
    """The environment of a daemon whose ledger lies on the server."""
    return scene.environ | {
        "RECONCILER_STATE__URL": address,
        "RECONCILER_SWEEP__EVERY": "2s",
        "RECONCILER_PORTAL__TIMEOUT_SECONDS": "2",
    }


def another(environ: dict[str, str], tmp_path: Path) -> tuple[dict[str, str], Path]:
    """Return the environment and the folder of a second daemon."""
    folder = tmp_path / "other"
    folder.mkdir()
    return environ | {"PORT": str(free_port())}, folder


def sweeper(environ: dict[str, str]) -> str:
    """Return the process that sweeps."""
    address, portal = environ["RECONCILER_STATE__URL"], environ["DOCSPACE_API_HOST"]
    with closing(Ledger(address, portal)) as ledger:
        return ledger.holder(Role.SWEEP) or ""


def deliver(running: Daemon, scene: Scene) -> tuple[int, float]:
    """Send a delivery; return the status of the answer and the seconds it took."""
    began = monotonic()
    return running.deliver(scene.file), monotonic() - began


def test_another_daemon_takes_over_the_sweep_of_a_killed_one(
    scene: Scene, environ: dict[str, str], tmp_path: Path
) -> None:
    """When the sweeping daemon is killed, another one finds an unannounced save."""
    scene.portal.network = Network(drop=1.0)
    second, folder = another(environ, tmp_path)
    with daemon(environ, scene.folder) as first:
        assert eventually(lambda: f"process {first.process.pid} " in sweeper(environ))
        with daemon(second, folder) as other:
            first.kill()
            scene.portal.save(scene.file, by=scene.ann)
            assert eventually(scene.marked)
            assert f"process {other.process.pid} " in sweeper(environ)
            assert other.terminate() == 0


def test_an_outage_of_the_server_is_answered_503_and_needs_no_restart(
    scene: Scene, environ: dict[str, str], server: PostgresServer
) -> None:
    """During an outage deliveries are answered 503 in time; later the same process accepts."""
    with daemon(environ, scene.folder) as running:
        server.stop("immediate")
        answers = [deliver(running, scene) for _ in range(3)]
        server.start()
        assert {code for code, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < DEADLINE
        scene.portal.save(scene.file, by=scene.ann)
        assert eventually(scene.marked)
        assert deliver(running, scene)[0] == 200
        assert running.terminate() == 0
    assert scene.portal.count("PUT") == 1


def test_a_reconcile_beside_a_daemon_names_who_sweeps(
    scene: Scene, environ: dict[str, str]
) -> None:
    """`reconcile` beside a daemon is exit 4 with the process that sweeps."""
    with daemon(environ, scene.folder) as running:
        assert eventually(lambda: bool(sweeper(environ)))
        refused = exits(4, program.run(["reconcile"], environ, scene.folder))
        assert f"process {running.process.pid} " in refused.stderr


def test_a_reconcile_of_its_own_marks_what_is_due(scene: Scene, environ: dict[str, str]) -> None:
    """`reconcile` marks what is due without any daemon, as from cron."""
    scene.portal.network = Network(drop=1.0)
    scene.portal.save(scene.file, by=scene.ann)
    done = program.run(["reconcile"], environ, scene.folder)
    assert (done.returncode, scene.marked()) == (0, True), done.stderr


def test_no_password_is_told(
    scene: Scene, environ: dict[str, str], address: str, server: PostgresServer
) -> None:
    """The database's password is neither in a daemon's log nor in an error message."""
    secret = address.replace("postgres@", "postgres:hush@")
    variables = environ | {"RECONCILER_STATE__URL": secret, "RECONCILER_LOG__LEVEL": "debug"}
    with daemon(variables, scene.folder) as running:
        server.stop("immediate")
        assert deliver(running, scene)[0] == 503
        failed = program.run(["status"], variables, scene.folder)
        server.start()
    assert failed.returncode == 5
    log = (scene.folder / "serve.log").read_text("utf-8")
    assert "hush" not in log + failed.stdout + failed.stderr
