"""Read-only commands create no ledger, change none, and leave no file behind."""

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
    """Three files, saved an hour ago without any event."""
    with stage(tmp_path) as built:
        (tmp_path / "state").mkdir()
        built.environ["RECONCILER_STATE__URL"] = f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
        yield built


def look(scene: Stage, words: str) -> str:
    """Run a read-only command; return its output."""
    done = run(scene, *words.format(file=scene.files[0]).split())
    assert done.returncode != 70, done.stderr
    return done.stdout + done.stderr


def contents(scene: Stage) -> dict[str, bytes]:
    """Return every file beside the ledger with its content."""
    return {path.name: path.read_bytes() for path in (scene.folder / "state").iterdir()}


def give_away(folder: Path) -> None:
    """Give a folder and its content to the service's user."""
    for path in (folder, *folder.iterdir()):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


def owners(folder: Path) -> set[int]:
    """Return the owners of the files in a folder."""
    return {path.stat().st_uid for path in folder.iterdir()}


# Without a ledger.


@pytest.mark.parametrize("words", [*LOOKS, "webhook list"])
def test_a_look_makes_no_ledger(scene: Stage, words: str) -> None:
    """A read-only command creates no ledger and no file, which would have a wrong owner."""
    look(scene, words)
    assert contents(scene) == {}


def test_a_look_at_no_ledger_sees_an_empty_one(scene: Stage) -> None:
    """Without a ledger a read-only command shows an empty one, or says what to start."""
    assert "to be marked" in look(scene, "explain {file}")
    assert "would be: 3 marked" in look(scene, "reconcile --dry-run")
    assert "about 3 to be marked" in look(scene, "backfill --since 30d --dry-run")
    checked = look(scene, "check")
    assert "there is none yet" in checked
    assert "the key acts as" in checked
    assert "start reconciler serve" in look(scene, "status")


def test_a_run_after_dry_runs_does_what_they_said(scene: Stage) -> None:
    """A run after dry runs does what they announced."""
    for words in ("reconcile --dry-run", "backfill --since 30d --dry-run"):
        look(scene, words)
    assert json_of(run(scene, "reconcile", "--json"))["marked"] == 3


# With one.


@pytest.mark.parametrize("words", LOOKS)
def test_a_look_changes_nothing(scene: Stage, words: str) -> None:
    """A read-only command changes no byte of the ledger and no file beside it."""
    assert run(scene, "reconcile").returncode == 0
    before = contents(scene)
    look(scene, words)
    assert contents(scene) == before


@pytest.mark.parametrize("words", ["status", "check", "explain {file}"])
def test_a_look_leaves_the_log_of_a_killed_daemon_alone(scene: Stage, words: str) -> None:
    """A read-only command sees a killed daemon's write-ahead log, and leaves it."""
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
    """A read-only command sees what a running daemon does, and does not disturb it."""
    with daemon(scene.environ, scene.folder) as running:
        assert eventually(lambda: scene.comments() == ["Need Review"] * 3)
        assert f"process {running.process.pid} " in look(scene, "status")
        assert "the comment" in look(scene, "explain {file}").lower()
        assert running.terminate() == 0
    assert not list((scene.folder / "state").glob("*-wal"))


def test_a_look_keeps_no_daemon_from_leaving_a_whole_file(tmp_path: Path) -> None:
    """After a stop the ledger is one complete file, even if a command read it then."""
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
    """A ledger opened for reading cannot be written: a write would be a bug, and raises."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger(address, PORTAL).close()
    with closing(Ledger(address, PORTAL, read_only=True)) as ledger:
        with pytest.raises(LedgerError, match="reading only"):
            ledger.record(event(1), NOW)
        assert totals(ledger).accepted == 0


def test_a_look_respects_roles_and_takes_none(tmp_path: Path) -> None:
    """A dry run beside a daemon is refused like a run, but holds no role itself."""
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
    """An older ledger is not migrated by a read-only command, which says what migrates it."""
    path = tmp_path / "ledger.db"
    Ledger(f"sqlite:///{path}", PORTAL).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE settings SET value = '3' WHERE name = 'schema'")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=f"schema 3, this reconciler reads {schema.VERSION}"):
        Ledger(f"sqlite:///{path}", PORTAL, read_only=True)
    assert path.read_bytes() == before


def test_a_look_at_another_programs_database_leaves_it(tmp_path: Path) -> None:
    """Another program's database is not changed and is reported as no ledger."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(LedgerError, match="another program"):
        Ledger(f"sqlite:///{path}", PORTAL, read_only=True)
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


def test_a_look_at_an_empty_server_makes_no_tables(postgres_database: str) -> None:
    """An empty PostgreSQL database gets no tables."""
    with postgres.schema(postgres_database) as address:
        with closing(Ledger(address, PORTAL, read_only=True)) as ledger:
            assert totals(ledger).accepted == 0
        with closing(postgres.connected(address)) as asking:
            found = asking.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
            ).fetchone()
    assert found == (0,)


def test_a_look_at_a_server_reads_what_is_there(postgres_database: str) -> None:
    """A ledger on a server can be read and not written."""
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
    """Files that root creates beside a ledger belong to the ledger's owner."""
    assert run(scene, "reconcile").returncode == 0
    for path in (scene.folder / "state").glob("*.*.*"):
        path.unlink()
    give_away(scene.folder / "state")
    look(scene, words)
    assert owners(scene.folder / "state") == {NOBODY.pw_uid}


@AS_ROOT
def test_a_ledger_that_root_makes_belongs_to_whom_the_folder_does(scene: Stage) -> None:
    """A ledger that root creates before the service's first start belongs to the folder's owner."""
    give_away(scene.folder / "state")
    assert run(scene, "reconcile").returncode == 0
    assert "ledger.db" in contents(scene)
    assert owners(scene.folder / "state") == {NOBODY.pw_uid}


@AS_ROOT
def test_root_beside_the_service_leaves_its_log_to_it(tmp_path: Path) -> None:
    """SQLite's own files belong to the service, even if root used the ledger at the same time."""
    path = tmp_path / "ledger.db"
    Ledger(f"sqlite:///{path}", PORTAL).close()
    give_away(tmp_path)
    with closing(Ledger(f"sqlite:///{path}", PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        assert path.with_name("ledger.db-wal").exists()
        assert owners(tmp_path) == {NOBODY.pw_uid}
