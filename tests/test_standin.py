"""A real daemon on a portal that can do no more than the tutorial needs: all is marked, once, at
once.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests import program, waiting
from tests.daemon import SECRET, daemon, environment, free_port
from tests.standin import KEY, Dialect, StandIn, stand_in
from tests.waiting import eventually
from tests.world import TARGET

FILES = (13, 14, 15, 16)
WORD = "Approved"
QUICK = 3.0  # seconds; an event of a newer date than the file's is believed after three looks
DIALECTS = {
    "rich": Dialect(),
    "bare": Dialect(wrapped=False),
    "number": Dialect(version="versionNumber", quoted=True, put="object"),
    "no version": Dialect(version="", put="object", json_errors=False),
    "a file": Dialect(wrapped=False, put="file", json_errors=False),
    "no dates": Dialect(dated=False, put="object", quoted=True),
    "no Date": Dialect(date_header=False, json_errors=False),
    "no date at all": Dialect(
        wrapped=False, version="versionNumber", put="file", dated=False, date_header=False
    ),
    "the least": Dialect(
        wrapped=False,
        version="",
        put="object",
        json_errors=False,
        dated=False,
        date_header=False,
        quoted=True,
    ),
}
EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))
SOME = pytest.mark.parametrize("name", ["bare", "no version", "no dates", "the least"])
VERSIONED = pytest.mark.parametrize("name", ["bare", "number", "no dates", "no date at all"])


@dataclass
class Scene:
    """A stand-in with four files, and a daemon that receives its deliveries."""

    portal: StandIn
    environ: dict[str, str]
    folder: Path

    def marked(self, *files: int, writes: int = 1, seconds: float = QUICK) -> bool:
        """Wait until there were so many writes; return whether that happened in time."""
        portal = self.portal
        return portal.wait_for(
            lambda: all(len(portal.writes.get(file, [])) >= writes for file in files), seconds
        )

    def rests(self) -> None:
        """Wait until all events, echoes included, are delivered and processed."""

        def rested() -> bool:
            self.portal.delivered()
            return self.count_due() == 0 and self.portal.deliveries.unfinished_tasks == 0

        assert eventually(rested), self.log()

    def count_due(self) -> int:
        """Return how many files are due or claimed."""
        with closing(sqlite3.connect(f"file:{self.folder / 'ledger.db'}?mode=ro", uri=True)) as db:
            query = "SELECT count(*) FROM files WHERE due_at IS NOT NULL OR claim IS NOT NULL"
            return int(db.execute(query).fetchone()[0])

    def log(self) -> str:
        """Return what the daemon has logged."""
        return (self.folder / "serve.log").read_text("utf-8")

    def logged(self, *texts: str) -> bool:
        """Wait until one line of the log has all of the texts; return whether it came."""
        return waiting.logged(self.folder, *texts)

    def run_json(self, *words: str) -> tuple[int, Any]:
        """Run a command with --json; return its exit code and its output."""
        done = program.run([*words, "--json"], self.environ, self.folder)
        return done.returncode, json.loads(done.stdout)


@contextmanager
def serving(dialect: Dialect, folder: Path) -> Iterator[Scene]:
    """Serve a stand-in, and run a daemon for it."""
    with stand_in(dialect, SECRET, *FILES) as portal:
        environ = environment(portal.url, KEY, folder, free_port())
        with daemon(environ, folder) as running:
            portal.webhook_url = running.address
            yield Scene(portal, environ, folder)


def once(scene: Scene, *files: int) -> bool:
    """Return whether exactly these files were written to, once each, and carry the comment."""
    portal = scene.portal
    carry = all(portal.files[file].comment == TARGET for file in files)
    return carry and portal.writes == {file: [TARGET] for file in files}


@EACH
def test_every_file_is_marked_once_and_at_once(dialect: Dialect, tmp_path: Path) -> None:
    """Every file is marked once and at once, with old dates or none, as version 1, with any answer
    to a PUT; the echo changes nothing.
    """
    with serving(dialect, tmp_path) as scene:
        began = monotonic()
        for file in FILES:
            scene.portal.announce(file)
        assert scene.marked(*FILES), scene.log()
        assert monotonic() - began < QUICK
        scene.rests()
        assert once(scene, *FILES)
        assert scene.portal.unknown["undelivered"] == 0


def test_whatever_stands_on_a_version_gives_way_once(tmp_path: Path) -> None:
    """On a portal of unknown texts a version's comment is overwritten once, as in the tutorial."""
    with serving(Dialect(), tmp_path) as scene:
        for file, comment in zip(FILES, ("", "Draft", "v1 by Ann", WORD), strict=True):
            scene.portal.comment(file, comment)
        assert scene.marked(*FILES), scene.log()
        scene.rests()
        assert once(scene, *FILES)


@SOME
def test_what_a_person_types_after_our_mark_stays(name: str, tmp_path: Path) -> None:
    """A person's comment typed after our mark stays, after this and further events."""
    words = {13: WORD, 14: ""}
    with serving(DIALECTS[name], tmp_path) as scene:
        for file in words:
            scene.portal.announce(file)
        assert scene.marked(*words), scene.log()
        scene.rests()
        for file, word in words.items():
            scene.portal.comment(file, word)
        scene.rests()
        for file in words:
            scene.portal.announce(file)
        scene.rests()
        assert {file: scene.portal.files[file].comment for file in words} == words
        assert scene.portal.writes == {file: [TARGET] for file in words}


@VERSIONED
def test_a_later_version_is_marked_again(name: str, tmp_path: Path) -> None:
    """A later version is marked again, whatever its text, also after a person's comment."""
    with serving(DIALECTS[name], tmp_path) as scene:
        for file in FILES:
            scene.portal.announce(file)
        assert scene.marked(*FILES), scene.log()
        scene.portal.comment(16, WORD)
        scene.rests()
        for file, comment in zip(FILES, (None, "", "v2 by Ann", WORD), strict=True):
            scene.portal.save(file, comment)
        assert scene.marked(*FILES, writes=2), scene.log()
        scene.rests()
        assert scene.portal.writes == {file: [TARGET] * 2 for file in FILES}


def test_an_event_of_a_newer_date_than_the_file_has_is_believed_in_the_end(tmp_path: Path) -> None:
    """An event newer than the file's date, which never changes here, is accepted after 3 looks."""
    with serving(Dialect(announced_now=True), tmp_path) as scene:
        for file in FILES:
            scene.portal.announce(file)
        assert scene.marked(*FILES, seconds=5), scene.log()
        scene.rests()
        assert once(scene, *FILES)


def test_a_burst_of_events_is_one_write(tmp_path: Path) -> None:
    """Twenty events for each file, before and after the mark, cause one write."""
    with serving(Dialect(), tmp_path) as scene:
        for _ in range(20):
            for file in FILES:
                scene.portal.announce(file)
        assert scene.marked(*FILES), scene.log()
        scene.rests()
        assert once(scene, *FILES)


@pytest.mark.parametrize("json_errors", [True, False])
def test_what_is_missing_is_told_and_stops_nothing(json_errors: bool, tmp_path: Path) -> None:
    """The log, `check` and `status` name the missing list of rooms; all files are marked."""
    with serving(Dialect(json_errors=json_errors), tmp_path) as scene:
        assert scene.logged("files/rooms", "no such list"), scene.log()
        scene.portal.announce(13)
        assert scene.marked(13), scene.log()
        scene.rests()
        code, checked = scene.run_json("check")
        assert "files/rooms" in json.dumps(checked)
        assert code != 0
        _, status = scene.run_json("status")
        assert "files/rooms" in json.dumps(status)
        scene.portal.save(14)
        assert scene.marked(14), scene.log()
        scene.rests()
        assert once(scene, 13, 14)
