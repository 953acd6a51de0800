"""A comment that a person empties after the first look, while the write has to wait."""

from collections.abc import Callable

import pytest

from reconciler.sandbox import Fault
from tests.support_sweep import add_files
from tests.world import World


def failing_writes(here: World) -> None:
    """Make so many writes fail that the breaker opens."""
    here.portal.faults.add(Fault("PUT", "status", times=1000))
    for file in add_files(here, 8):
        here.portal.save(file, by=here.ann)
    here.settle()


def missing_rights(here: World) -> None:
    """Let the key's account read but not comment."""
    here.portal.invite(here.room, here.bot, access=2)


@pytest.mark.parametrize("hinder", [failing_writes, missing_rights])
def test_a_comment_that_is_emptied_after_the_first_look_stays_empty(
    here: World, hinder: Callable[[World], None]
) -> None:
    """A comment that a person empties while the decided write waits stays empty."""
    hinder(here)
    assert here.file in {attempt.file for attempt in here.edit()}
    assert here.comment() == "Edited"
    here.portal.comment(here.file, "", by=here.bob)
    here.portal.faults.clear()
    here.portal.invite(here.room, here.bot, access=9)
    for _ in range(30):
        here.settle(3600)
    assert here.comment() == ""
