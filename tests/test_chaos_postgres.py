"""Three real daemons on one PostgreSQL, in a storm: they are killed, and the server is too.

Each edit is delivered to all three at once, so that they race for every file. While the server is
down nothing can be accepted; a daemon that starts then exits, and is started again.
"""

import json
import signal
import threading
from pathlib import Path

import pytest

from tests import postgres
from tests.postgres import PostgresServer
from tests.program import Program
from tests.support_storm import Storm, check_comments, check_ledger, pause, storm

DAEMONS = 3


@pytest.mark.parametrize(
    ("edits", "restarts"), [(250, 2), pytest.param(5000, 20, marks=pytest.mark.long)]
)
def test_three_daemons_keep_the_promises_whatever_is_killed(
    tmp_path: Path, edits: int, restarts: int
) -> None:
    """P1 to P4: all updates are marked, no comment is overwritten, no revision is written twice."""
    postgres.needed(own=True)
    with (
        postgres.server() as server,
        postgres.database(server.url) as address,
        storm(
            tmp_path,
            seed=7,
            daemons=DAEMONS,
            RECONCILER_STATE__URL=address,
            RECONCILER_SWEEP__EVERY="5s",  # three share two cores: none may last longer
            RECONCILER_PORTAL__TIMEOUT_SECONDS="1",
        ) as here,
    ):
        daemons, killed = survive(here, server, edits, restarts)
        bring_to_rest(here, daemons)
        check_comments(here)
        check_ledger(here)
        check_log(here)
        assert killed >= restarts
        assert here.portal.count("PUT") <= here.edits + killed


def survive(
    here: Storm, server: PostgresServer, edits: int, restarts: int
) -> tuple[list[Program], int]:
    """Kill daemons, and now and then the server, until the storm is over; keep three running."""
    calm, killed, restarted = threading.Event(), 0, 0
    daemons = [here.start(number) for number in range(DAEMONS)]
    weather = threading.Thread(target=here.blow, args=(edits, calm, 0.025))
    weather.start()
    while not calm.is_set():
        pause(here.chance.uniform(0.3, 1.2))
        if here.edits * (restarts + 1) > edits * (restarted + 1):
            restarted += 1
            server.stop(here.chance.choice(["fast", "immediate"]))
            pause(here.chance.uniform(0.2, 1.0))
            server.start()
        unlucky = here.chance.randrange(DAEMONS)
        killed += daemons[unlucky].poll() is None
        daemons[unlucky].kill()
        daemons[unlucky].wait()
        keep_running(here, daemons)
    weather.join()
    assert restarted == restarts
    return daemons, killed


def keep_running(here: Storm, daemons: list[Program]) -> None:
    """Restart the daemons that have ended."""
    for number, daemon in enumerate(daemons):
        if daemon.poll() is not None:
            daemons[number] = here.start(number)


def bring_to_rest(here: Storm, daemons: list[Program]) -> None:
    """Let the daemons run until every file is as promised, and stop them cleanly. A write that a
    killed daemon may have sent is looked at after the portal's longest answer time.
    """
    here.settle(lambda: keep_running(here, daemons))
    here.await_daemons()
    for daemon in daemons:
        daemon.send_signal(signal.SIGTERM)
    assert [daemon.wait() for daemon in daemons] == [0] * DAEMONS


def check_log(here: Storm) -> None:
    """A sweep was completed, and the log has no errors but those of the ledger."""
    lines = here.log.read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    assert any(line["event"] == "sweep" for line in records)
    errors = [line for line in records if line["level"] == "error"]
    assert [line for line in errors if line.get("kind") != "ledger"] == []
    assert [line for line in records if line["event"] == "library"] == []
