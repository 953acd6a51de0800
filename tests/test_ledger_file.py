"""The ledger's file under other names, without its lock files, deleted, replaced, and restored."""

import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.errors import LedgerError, RoleHeldError
from reconciler.ledger import Ledger, Role
from tests import program
from tests.daemon import daemon, fetch, free_port
from tests.program import exits
from tests.support_ledger import NOW, PORTAL, event, totals
from tests.support_process import helper, hold
from tests.test_crash import Scene, scene
from tests.waiting import eventually

__all__ = ["scene"]


def address(path: Path) -> str:
    """Return the address of a file."""
    return f"sqlite:///{path}"


# Other names of the same file.


def itself(path: Path) -> Path:
    """Use the same name."""
    return path


def symlink(path: Path) -> Path:
    """Use a link to the file."""
    link = path.with_name("link.db")
    link.symlink_to(path)
    return link


def relative_symlink(path: Path) -> Path:
    """Use a link, relative to its folder, to another link."""
    link = path.with_name("second.db")
    link.symlink_to(symlink(path).name)
    return link


def linked_folder(path: Path) -> Path:
    """Use the file in a link to its folder."""
    folder = path.parent.parent / "elsewhere"
    folder.symlink_to(path.parent)
    return folder / path.name


def way_around(path: Path) -> Path:
    """Use a path that goes up and down again."""
    return path.parent / ".." / path.parent.name / path.name


def hard_link(path: Path) -> Path:
    """Use a second name in another folder."""
    folder = path.parent / "other"
    folder.mkdir()
    other = folder / "hard.db"
    other.hardlink_to(path)
    return other


def unlocked(path: Path) -> Path:
    """Use the same name after the lock files were deleted."""
    for lock in path.parent.glob("*.lock"):
        lock.unlink()
    return path


def tidied(path: Path) -> Path:
    """Use a link to the file after the lock files were deleted."""
    return symlink(unlocked(path))


NAMES = [
    itself,
    symlink,
    relative_symlink,
    linked_folder,
    way_around,
    hard_link,
    unlocked,
    tidied,
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The ledger's path."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "ledger.db"


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", NAMES)
def test_a_role_goes_by_the_file_and_not_by_its_name(
    path: Path, name: Callable[[Path], Path], role: Role
) -> None:
    """A role held by another process under one name of the file is held under every name."""
    with helper(hold, address(path), role) as child:
        assert child.on_file() == "held"
        with (
            pytest.raises(RoleHeldError),
            closing(Ledger(address(name(path)), PORTAL)) as ledger,
            ledger.role(role),
        ):
            pass


@pytest.mark.parametrize("name", [itself, linked_folder, tidied])
def test_writings_take_turns_under_every_name(path: Path, name: Callable[[Path], Path]) -> None:
    """The write lock is the file's, whatever its name."""
    with (
        closing(Ledger(address(path), PORTAL)) as one,
        closing(Ledger(address(name(path)), PORTAL)) as two,
        one._store._writing(0),
        pytest.raises(LedgerError, match="locked"),
    ):
        two.record(event(1), NOW)


def test_a_file_is_not_opened_under_two_hard_links_at_once(path: Path) -> None:
    """A file is not opened under two hard links at once: SQLite's log lies beside the name, so
    there would be two. One after the other is allowed.
    """
    with closing(Ledger(address(path), PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        other = hard_link(path)
        for read_only in (False, True):
            with pytest.raises(RoleHeldError, match="another name"):
                Ledger(address(other), PORTAL, read_only=read_only)
        assert [file.name for file in other.parent.iterdir()] == [other.name]
    with closing(Ledger(address(other), PORTAL)) as ledger:
        assert totals(ledger).accepted == 1


@pytest.mark.parametrize("name", [symlink, hard_link, unlocked])
def test_a_second_daemon_on_the_same_file_is_refused(
    scene: Scene, name: Callable[[Path], Path]
) -> None:
    """A second daemon on the same file is exit 4, under any name, without lock files too."""
    with daemon(scene.environ, scene.folder) as running:
        other = address(name(scene.folder / "ledger.db"))
        again = scene.environ | {"PORT": str(free_port()), "RECONCILER_STATE__URL": other}
        exits(4, program.run(["serve"], again, scene.folder))
        assert running.terminate() == 0


def test_a_lock_file_that_was_deleted_names_its_holder_again(path: Path) -> None:
    """A deleted lock file is written again at the next write; the role stays held."""
    with closing(Ledger(address(path), PORTAL)) as ledger, ledger.role(Role.SWEEP):
        named = ledger.holder(Role.SWEEP)
        unlocked(path)
        assert ledger.holder(Role.SWEEP) == "another process"
        ledger.record(event(1), NOW)
        assert ledger.holder(Role.SWEEP) == named


def test_a_lock_file_that_was_deleted_is_no_lasting_problem(path: Path) -> None:
    """After a lock file was deleted, the next process takes the role as usual."""
    with closing(Ledger(address(path), PORTAL)) as ledger:
        with ledger.role(Role.SWEEP):
            unlocked(path)
        with ledger.role(Role.SWEEP):
            pass
        assert ledger.holder(Role.SWEEP) is None


def test_closing_one_ledger_takes_no_lock_from_another(path: Path) -> None:
    """Closing one ledger keeps the locks of another: SQLite's locks are the process's, and closing
    any descriptor of the file would drop them all.
    """
    with closing(Ledger(address(path), PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        Ledger(address(path), PORTAL).close()
        with helper(hold, address(path), Role.SWEEP) as child:
            assert child.on_file() == "held"
        # That process was not the last one, so it has left the log alone.
        assert path.with_name("ledger.db-wal").exists()
        ledger.record(event(2), NOW)
        assert totals(ledger).accepted == 2


# The file is gone.


def deleted(path: Path) -> None:
    """Delete the file."""
    path.unlink()


def replaced(path: Path) -> None:
    """Put a backup in its place."""
    copy = path.with_name("backup.db")
    shutil.copy(path, copy)
    copy.replace(path)


def renamed(path: Path) -> None:
    """Rename its folder."""
    path.parent.rename(path.parent.with_name("renamed"))


def everything_deleted(path: Path) -> None:
    """Delete the file and all beside it."""
    for file in path.parent.iterdir():
        file.unlink()


def log_deleted(path: Path) -> None:
    """Delete the write-ahead log, which has the newest rows."""
    path.with_name(f"{path.name}-wal").unlink()


def log_emptied(path: Path) -> None:
    """Put another log in place of the write-ahead log."""
    other = path.with_name("other")
    other.touch()
    other.replace(path.with_name(f"{path.name}-wal"))


LOSSES = [deleted, replaced, renamed, everything_deleted, log_deleted, log_emptied]


@pytest.mark.parametrize("lose", LOSSES)
def test_nothing_is_accepted_into_a_file_that_is_gone(
    path: Path, lose: Callable[[Path], None]
) -> None:
    """A file that is gone is a LedgerError with what to do, at every write."""
    ledger = Ledger(address(path), PORTAL)
    ledger.record(event(1), NOW)
    lose(path)
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"gone.*restart serve"):
            ledger.record(event(2), NOW)
    ledger.close()


@pytest.mark.parametrize("lose", [deleted, replaced, renamed])
def test_nothing_is_read_from_a_file_that_is_gone(path: Path, lose: Callable[[Path], None]) -> None:
    """A file that is gone is not read, since a restart would not find the same."""
    ledger = Ledger(address(path), PORTAL)
    ledger.record(event(1), NOW)
    lose(path)
    with pytest.raises(LedgerError, match="gone"):
        totals(ledger)
    ledger.close()


def test_a_file_that_was_put_back_is_the_ledger_again(path: Path) -> None:
    """A restored file is the ledger again: nothing is lost, and no restart is needed."""
    with closing(Ledger(address(path), PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        renamed(path)
        with pytest.raises(LedgerError):
            ledger.record(event(2), NOW)
        path.parent.with_name("renamed").rename(path.parent)
        assert ledger.record(event(3), NOW)
        assert totals(ledger).accepted == 2


def test_what_is_lost_during_its_writing_is_not_accepted(path: Path) -> None:
    """A write during which the file disappears is refused, not answered 200."""
    ledger = Ledger(address(path), PORTAL)
    with pytest.raises(LedgerError, match="gone"):
        ledger._store.write(lambda _: deleted(path))
    ledger.close()


# While a daemon is running.


@pytest.mark.parametrize("lose", [deleted, replaced, log_deleted])
def test_a_daemon_whose_file_is_gone_answers_503_and_says_why(
    scene: Scene, lose: Callable[[Path], None]
) -> None:
    """A daemon whose file is gone answers 503; /readyz, its log and `status` say why."""
    ledger, log = scene.folder / "ledger.db", scene.folder / "serve.log"
    with daemon(scene.environ, scene.folder) as running:
        scene.portal.save(scene.file, by=scene.ann)
        assert eventually(scene.marked)
        lose(ledger)
        assert running.deliver(scene.file) == 503
        assert eventually(lambda: "restart serve" in log.read_text("utf-8"))
        admin = re.search(r'"admin": "(http://[^"]+)"', log.read_text("utf-8"))
        assert admin is not None
        code, words = fetch(f"{admin[1]}/readyz")
        assert (code, "restart serve" in words) == (503, True)
        if lose is not log_deleted:
            done = exits(5, program.run(["status"], scene.environ, scene.folder))
            assert f"process {running.process.pid} " in done.stdout + done.stderr
            assert "restart it" in done.stdout + done.stderr
        running.kill()


def test_a_daemon_goes_on_when_its_folder_is_back(scene: Scene, tmp_path: Path) -> None:
    """While the folder is away the daemon answers 503; afterwards 200, and the update is marked."""
    state = tmp_path / "state"
    state.mkdir()
    environ = scene.environ | {"RECONCILER_STATE__URL": address(state / "ledger.db")}
    with daemon(environ, scene.folder) as running:
        state.rename(tmp_path / "away")
        assert running.deliver(scene.file) == 503
        (tmp_path / "away").rename(state)
        scene.portal.save(scene.file, by=scene.ann)
        assert eventually(scene.marked)
        assert running.terminate() == 0
