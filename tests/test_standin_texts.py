"""A portal that can do no more than the tutorial needs, whose dates never change, and whose texts
we know.
"""

from pathlib import Path

import pytest

from tests.standin import Dialect
from tests.test_standin import FILES, once, serving
from tests.world import TARGET


@pytest.mark.parametrize("text", ["Edited", "Autosaved", "Bearbeitet"])
def test_a_version_above_a_settled_one_is_marked_whatever_its_date(
    text: str, tmp_path: Path
) -> None:
    """A version above a settled one is marked, whatever its date."""
    with serving(Dialect(), tmp_path) as scene:
        scene.portal.announce(13)
        assert scene.marked(13), scene.log()
        scene.rests()
        scene.portal.save(13, text)
        assert scene.marked(13, writes=2), scene.log()
        scene.rests()
        assert scene.portal.writes == {13: [TARGET] * 2}


@pytest.mark.parametrize("text", ["Edited", "Autosaved", "Bearbeitet"])
def test_a_text_that_we_know_on_version_1_of_an_old_date_gives_way(
    text: str, tmp_path: Path
) -> None:
    """After an event, version 1 with a known text and an old date is marked."""
    with serving(Dialect(), tmp_path) as scene:
        for file in FILES:
            scene.portal.comment(file, text)
        assert scene.marked(*FILES), scene.log()
        scene.rests()
        assert once(scene, *FILES)
