"""A real daemon under a storm of edits, lossy deliveries, and SIGKILL at random moments."""

import signal
import threading
from pathlib import Path

import pytest

from tests.support_storm import Storm, check_comments, check_ledger, pause, storm


@pytest.mark.parametrize(
    ("edits", "kills"), [(250, 25), pytest.param(5000, 500, marks=pytest.mark.long)]
)
def test_nothing_is_lost_or_written_twice_whatever_is_killed(
    tmp_path: Path, edits: int, kills: int
) -> None:
    """P1 to P4: all updates are marked, no comment is overwritten, no revision is written twice."""
    with storm(tmp_path, seed=11) as here:
        killed = survive(here, edits, kills)
        bring_to_rest(here)
        check_comments(here)
        check_ledger(here)
        assert killed >= kills
        assert here.portal.count("PUT") <= here.edits + killed


def survive(here: Storm, edits: int, kills: int) -> int:
    """Start and kill daemons until the storm is over; return how many were killed."""
    calm, killed = threading.Event(), 0
    weather = threading.Thread(target=here.blow, args=(edits, calm))
    weather.start()
    while not calm.is_set() or killed < kills:
        process = here.start()
        pause(here.chance.uniform(0.1, 0.7))
        process.kill()
        process.wait()
        killed += 1
    weather.join()
    return killed


def bring_to_rest(here: Storm) -> None:
    """Let one daemon run until every file is as promised, and stop it cleanly."""
    process = here.start()
    here.settle()
    here.await_daemons()
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
