"""Commands that only look create no ledger, change none, and leave nothing behind."""

import os
import pwd
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.errors import LedgerError, RoleHeldError
from reconciler.ledger import Ledger, Role
from reconciler.ledger.store import schema
from tests import postgres
from tests.daemon import daemon
from tests.support_ledger import NOW, PORTAL, event, is_root, totals
from tests.support_sweep import Stage, json_of, run, stage
from tests.waiting import eventually

LOOKS = [
    "check",
    "status",
    "failed list",
    "review list",
    "explain {file}",
    "reconcile --dry-run",
    "backfill --since 30d --dry-run",
    "send {file} --url http://127.0.0.1:9/",
]
NOBODY = pwd.getpwnam("nobody")
AS_ROOT = pytest.mark.skipif(not is_root(), reason="only root can give files away")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    """Three files, saved an hour ago, and nobody told us."""
    with stage(tmp_path) as built:
        (tmp_path / "state").mkdir()
        built.environ["RECONCILER_STATE__URL"] = f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
        yield built


def look(scene: Stage, words: str) -> str:
    """Run a command that only looks; return what it said."""
    done = run(scene, *words.format(file=scene.files[0]).split())
    assert done.returncode != 70, done.stderr
    return done.stdout + done.stderr


def contents(scene: Stage) -> dict[str, bytes]:
    """Return every file beside the ledger, and what is in it."""
    return {path.name: path.read_bytes() for path in (scene.folder / "state").iterdir()}


def give_away(folder: Path) -> None:
    """Let a folder and all in it belong to the service's user."""
    for path in (folder, *folder.iterdir()):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


def owners(folder: Path) -> set[int]:
    """Return to whom the files in a folder belong."""
    return {path.stat().st_uid for path in folder.iterdir()}


# Without a ledger.


@pytest.mark.parametrize("words", [*LOOKS, "webhook list"])
def test_a_look_makes_no_ledger(scene: Stage, words: str) -> None:
    """Neither the database nor a file beside it: it would belong to whoever only asked."""
    look(scene, words)
    assert contents(scene) == {}


def test_a_look_at_no_ledger_sees_an_empty_one(scene: Stage) -> None:
    """What can be answered is answered, the rest says what to start."""
    assert "to be marked" in look(scene, "explain {file}")
    assert "would be: 3 marked" in look(scene, "reconcile --dry-run")
    assert "about 3 to be marked" in look(scene, "backfill --since 30d --dry-run")
    checked = look(scene, "check")
    assert "there is none yet" in checked
    assert "the key acts as" in checked
    assert "start reconciler serve" in look(scene, "status")


def test_a_run_after_dry_runs_does_what_they_said(scene: Stage) -> None:
    """They took nothing away from it."""
    for words in ("reconcile --dry-run", "backfill --since 30d --dry-run"):
        look(scene, words)
    assert json_of(run(scene, "reconcile", "--json"))["marked"] == 3


# With one.


@pytest.mark.parametrize("words", LOOKS)
def test_a_look_changes_nothing(scene: Stage, words: str) -> None:
    """Not a byte of the ledger, and no file beside it comes or goes."""
    assert run(scene, "reconcile").returncode == 0
    before = contents(scene)
    look(scene, words)
    assert contents(scene) == before


@pytest.mark.parametrize("words", ["status", "check", "explain {file}"])
def test_a_look_leaves_the_log_of_a_killed_daemon_alone(scene: Stage, words: str) -> None:
    """What is in it is seen; to fold it into the database is the next daemon's."""
    with daemon(scene.environ, scene.folder) as running:
        assert eventually(lambda: scene.comments() == ["Need Review"] * 3)
        running.kill()
    before = contents(scene)
    assert before["ledger.db-wal"]
    assert look(scene, words)
    after = contents(scene)
    assert after.keys() == before.keys()
    assert after["ledger.db"] == before["ledger.db"]
    assert after["ledger.db-wal"] == before["ledger.db-wal"]


def test_a_look_beside_a_daemon_sees_what_it_does(scene: Stage) -> None:
    """And takes nothing from it: it goes on, and ends as ever."""
    with daemon(scene.environ, scene.folder) as running:
        assert eventually(lambda: scene.comments() == ["Need Review"] * 3)
        assert f"process {running.process.pid} " in look(scene, "status")
        assert "the comment" in look(scene, "explain {file}").lower()
        assert running.terminate() == 0
    assert not list((scene.folder / "state").glob("*-wal"))


def test_a_look_keeps_no_daemon_from_leaving_a_whole_file(tmp_path: Path) -> None:
    """Whoever copies that one file after a stop has everything, though somebody looked then."""
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    ledger = Ledger(f"sqlite:///{path}", PORTAL)
    ledger.record(event(1), NOW)
    with closing(Ledger(f"sqlite:///{path}", PORTAL, read_only=True)) as looking:
        assert totals(looking).accepted == 1
        ledger.close()
        shutil.copy(path, copy)
    with closing(Ledger(f"sqlite:///{copy}", PORTAL)) as restored:
        assert totals(restored).accepted == 1


def test_what_is_open_to_look_cannot_be_written(tmp_path: Path) -> None:
    """A look that writes is a bug, and shows as one."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger(address, PORTAL).close()
    with closing(Ledger(address, PORTAL, read_only=True)) as ledger:
        with pytest.raises(LedgerError, match="reading only"):
            ledger.record(event(1), NOW)
        assert totals(ledger).accepted == 0


def test_a_look_respects_roles_and_takes_none(tmp_path: Path) -> None:
    """A dry run beside a daemon is refused as a run is, and refuses nobody."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    with (
        closing(Ledger(address, PORTAL)) as ledger,
        closing(Ledger(address, PORTAL, read_only=True)) as looking,
    ):
        with looking.role(Role.SWEEP), ledger.role(Role.SWEEP):
            pass
        with ledger.role(Role.SWEEP), pytest.raises(RoleHeldError), looking.role(Role.SWEEP):
            pass


def test_an_older_ledger_is_left_as_it_is(tmp_path: Path) -> None:
    """A look does not bring it to today's form, and says who does."""
    path = tmp_path / "ledger.db"
    Ledger(f"sqlite:///{path}", PORTAL).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE settings SET value = '3' WHERE name = 'schema'")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=f"schema 3, this reconciler reads {schema.VERSION}"):
        Ledger(f"sqlite:///{path}", PORTAL, read_only=True)
    assert path.read_bytes() == before


def test_a_look_at_another_programs_database_leaves_it(tmp_path: Path) -> None:
    """It is not a ledger, and is told to be none."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(LedgerError, match="another program"):
        Ledger(f"sqlite:///{path}", PORTAL, read_only=True)
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


def test_a_look_at_an_empty_server_makes_no_tables(postgres_database: str) -> None:
    """Neither on PostgreSQL."""
    with postgres.schema(postgres_database) as address:
        with closing(Ledger(address, PORTAL, read_only=True)) as ledger:
            assert totals(ledger).accepted == 0
        with closing(postgres.connected(address)) as asking:
            found = asking.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
            ).fetchone()
    assert found == (0,)


def test_a_look_at_a_server_reads_what_is_there(postgres_database: str) -> None:
    """And cannot write."""
    with postgres.schema(postgres_database) as address:
        with closing(Ledger(address, PORTAL)) as ledger:
            ledger.record(event(1), NOW)
        with closing(Ledger(address, PORTAL, read_only=True)) as ledger:
            assert totals(ledger).accepted == 1
            with pytest.raises(LedgerError, match="reading only"):
                ledger.record(event(2), NOW)


# As root.


@AS_ROOT
@pytest.mark.parametrize("words", [*LOOKS, "webhook list", "reconcile", "failed retry"])
def test_a_root_shell_leaves_nothing_that_the_service_cannot_write(
    scene: Stage, words: str
) -> None:
    """Whatever comes beside a ledger belongs to the ledger's owner."""
    assert run(scene, "reconcile").returncode == 0
    for path in (scene.folder / "state").glob("*.*.*"):
        path.unlink()
    give_away(scene.folder / "state")
    look(scene, words)
    assert owners(scene.folder / "state") == {NOBODY.pw_uid}


@AS_ROOT
def test_a_ledger_that_root_makes_belongs_to_whom_the_folder_does(scene: Stage) -> None:
    """`reconcile` by hand before the service's first start."""
    give_away(scene.folder / "state")
    assert run(scene, "reconcile").returncode == 0
    assert "ledger.db" in contents(scene)
    assert owners(scene.folder / "state") == {NOBODY.pw_uid}


@AS_ROOT
def test_root_beside_the_service_leaves_its_log_to_it(tmp_path: Path) -> None:
    """SQLite's own files too, while both are at it."""
    path = tmp_path / "ledger.db"
    Ledger(f"sqlite:///{path}", PORTAL).close()
    give_away(tmp_path)
    with closing(Ledger(f"sqlite:///{path}", PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        assert path.with_name("ledger.db-wal").exists()
        assert owners(tmp_path) == {NOBODY.pw_uid}
