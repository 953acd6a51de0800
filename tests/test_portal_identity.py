"""The portal has another address: the ledger goes on with it by proof, or by a person's word."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.ledger import Ledger, is_same_portal_url
from reconciler.sandbox import Server
from tests.daemon import daemon
from tests.program import exits
from tests.support_ledger import sql
from tests.support_sweep import Stage, rows, run, stage, told
from tests.waiting import eventually
from tests.world import TARGET

ADDRESS = "DOCSPACE_API_HOST"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    """Three files that were marked, by a run at the portal's old address."""
    with stage(tmp_path) as built:
        assert run(built, "reconcile").returncode == 0
        with closing(Ledger(built.environ["RECONCILER_STATE__URL"], built.server.url)) as ledger:
            ledger.set_owner(built.bot.id)
        built.clock.advance(600)
        yield built


@pytest.fixture
def moved(scene: Stage) -> Iterator[Stage]:
    """The same portal at another address, which is configured now."""
    with Server(scene.portal) as server:
        scene.environ[ADDRESS] = server.url
        yield scene


@pytest.fixture
def another(scene: Stage, tmp_path: Path) -> Iterator[Stage]:
    """The configuration leads to another portal: its files have the same ids."""
    folder = tmp_path / "another"
    folder.mkdir()
    with stage(folder) as other:
        assert other.files == scene.files
        sql(tmp_path, "UPDATE files SET created = created - 3600000000")  # ours is an hour older
        for name in (ADDRESS, "DOCSPACE_API_KEY"):
            scene.environ[name] = other.environ[name]
        yield other


def portal_known(scene: Stage) -> str:
    """Return the address that the ledger knows."""
    ((address,),) = sql(scene.folder, "SELECT value FROM settings WHERE name = 'portal'")
    return str(address)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://p.example", "https://p.example", True),
        ("https://p.example", "https://P.Example", True),
        ("https://p.example", "https://p.example:443", True),
        ("http://p.example:80", "http://p.example", True),
        ("https://p.example/", "https://p.example", True),
        ("https://p.example/docs/", "https://p.example:443/docs", True),
        ("https://p.example.", "https://p.example", True),
        ("http://p.example", "https://p.example", False),
        ("https://p.example", "https://p.example:8443", False),
        ("https://p.example:80", "https://p.example", False),
        ("https://p.example", "https://q.example", False),
        ("https://p.example/a", "https://p.example/b", False),
        ("https://p.example/A", "https://p.example/a", False),
    ],
)
def test_some_addresses_can_only_mean_one_portal(one: str, other: str, same: bool) -> None:
    """Case of the host, the port that goes without saying, a slash at the end."""
    assert is_same_portal_url(one, other) is same
    assert is_same_portal_url(other, one) is same


def test_an_equivalent_address_needs_no_proof(scene: Stage) -> None:
    """Not a question more is asked, and a portal that is unavailable does not matter."""
    sql(scene.folder, "UPDATE settings SET value = value || '/' WHERE name = 'portal'")
    scene.portal.down = True
    assert run(scene, "failed", "retry").returncode == 0


# The same portal.


def test_the_same_portal_at_another_address_goes_on(moved: Stage) -> None:
    """What is settled stays so, what is new is marked, and the new address is known."""
    moved.portal.comment(moved.files[0], "Approved", by=moved.ann)
    (new,) = moved.add_files("New.docx")
    summary = told(run(moved, "reconcile", "--json"))
    assert (summary["marked"], summary["failed"]) == (1, 0)
    assert moved.comments([*moved.files, new]) == ["Approved", TARGET, TARGET, TARGET]
    assert portal_known(moved) == moved.environ[ADDRESS]


def test_a_daemon_goes_on_at_another_address(moved: Stage) -> None:
    """As a run does."""
    (new,) = moved.add_files("New.docx")
    with daemon(moved.environ, moved.folder) as running:
        assert eventually(lambda: moved.comments([new]) == [TARGET])
        assert running.terminate() == 0
    assert portal_known(moved) == moved.environ[ADDRESS]


@pytest.mark.parametrize(
    "words", ["check", "explain {file}", "reconcile --dry-run", "backfill --since 30d --dry-run"]
)
def test_a_look_under_another_address_proves_it_and_binds_nothing(moved: Stage, words: str) -> None:
    """Only who acts does."""
    before = rows(moved.ledger)
    exits(0, run(moved, *words.format(file=moved.files[0]).split()))
    assert rows(moved.ledger) == before


def test_status_says_that_the_address_is_another(moved: Stage) -> None:
    """It asks nobody."""
    asked = len(moved.portal.requests)
    old = portal_known(moved)
    done = run(moved, "status")
    assert f"knows its portal as {old}" in done.stderr
    assert len(moved.portal.requests) == asked


def test_files_that_are_gone_prove_nothing_and_refute_nothing(moved: Stage) -> None:
    """One of those that are known is there."""
    for file in moved.files[1:]:
        moved.portal.delete(file, by=moved.ann)
    assert run(moved, "reconcile").returncode == 0


@pytest.mark.parametrize("known", ["files", "settings WHERE name = 'owner'"])
def test_a_ledger_that_knows_no_file_or_no_account_goes_by_the_other(
    moved: Stage, known: str
) -> None:
    """No file that another could be taken for; no account where only cron's `reconcile` ran."""
    sql(moved.folder, f"DELETE FROM {known}")  # noqa: S608 - no words of others
    assert run(moved, "reconcile").returncode == 0
    assert portal_known(moved) == moved.environ[ADDRESS]


def test_a_ledger_that_knows_neither_is_refused(moved: Stage) -> None:
    """Nothing can be proved."""
    sql(moved.folder, "DELETE FROM files", "DELETE FROM settings WHERE name = 'owner'")
    assert run(moved, "reconcile").returncode == 5


# Another portal, or nobody can tell.


@pytest.mark.parametrize("owner", [True, False])
@pytest.mark.parametrize("words", ["reconcile", "serve", "explain {file}", "webhook list", "check"])
def test_another_portal_is_refused(another: Stage, scene: Stage, words: str, owner: bool) -> None:
    """Exit 5, with the command that adopts it; neither portal nor ledger is written to."""
    if not owner:
        sql(scene.folder, "DELETE FROM settings WHERE name = 'owner'")
    before = rows(scene.ledger)
    done = exits(5, run(scene, *words.format(file=scene.files[0]).split()))
    assert "belongs to" in done.stdout + done.stderr
    assert "reconciler state adopt" in done.stdout + done.stderr
    assert {one.method for one in another.portal.requests} == {"GET"}
    assert rows(scene.ledger) == before


def test_one_file_that_is_another_refutes_the_rest(moved: Stage) -> None:
    """However many others are the same."""
    sql(
        moved.folder,
        "UPDATE files SET created = created + 1000000 WHERE id = :file",
        file=moved.files[2],
    )
    assert run(moved, "reconcile").returncode == 5


def test_the_same_files_under_another_account_are_not_enough(moved: Stage) -> None:
    """A key of another account sees the portal with other rights."""
    moved.environ["DOCSPACE_API_KEY"] = moved.portal.add_key(moved.ann)
    assert run(moved, "reconcile").returncode == 5


def test_no_file_that_is_there_is_not_enough(moved: Stage) -> None:
    """A portal that was emptied, or another one."""
    for file in moved.files:
        moved.portal.delete(file, by=moved.ann)
    assert run(moved, "reconcile").returncode == 5


@pytest.mark.parametrize("words", ["reconcile", "serve", "explain {file}"])
def test_while_nobody_can_tell_it_is_exit_3(moved: Stage, words: str) -> None:
    """`serve` ends too, and its unit tries again: events of whose portal would it take?"""
    before = rows(moved.ledger)
    moved.portal.down = True
    done = exits(3, run(moved, *words.format(file=moved.files[0]).split()))
    assert "the portal that the ledger knows at" in done.stderr
    assert rows(moved.ledger) == before


def test_check_names_the_portal_as_the_cause_while_nobody_can_tell(moved: Stage) -> None:
    """Not the ledger, which may be right."""
    moved.portal.down = True
    done = run(moved, "check")
    assert (done.returncode, done.stdout.split()[:2]) == (3, ["error", "portal"])


def test_a_retry_is_no_proof(moved: Stage) -> None:
    """It asks no portal, so it changes nothing under another address."""
    assert "state adopt" in exits(5, run(moved, "failed", "retry")).stderr


# A person's word.


def test_a_person_may_adopt_it(another: Stage, scene: Stage) -> None:
    """With --yes where there is no terminal; then every command goes on."""
    old = portal_known(scene)
    done = run(scene, "state", "adopt", "--yes")
    assert (done.returncode, another.environ[ADDRESS] in done.stdout) == (0, True)
    assert old in done.stderr
    assert "may be overwritten" in done.stderr
    assert portal_known(scene) == another.environ[ADDRESS]
    assert run(scene, "reconcile").returncode == 0


def test_without_a_terminal_nothing_is_adopted_unasked(another: Stage, scene: Stage) -> None:
    """Exit 2, and it says what is needed."""
    before = rows(scene.ledger)
    done = run(scene, "state", "adopt")
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
    assert rows(scene.ledger) == before


def test_nothing_is_adopted_beside_a_daemon(scene: Stage) -> None:
    """It would go on at the old address."""
    with daemon(scene.environ, scene.folder), Server(scene.portal) as server:
        exits(4, run(scene, "state", "adopt", "--yes", DOCSPACE_API_HOST=server.url))


def test_adopting_what_is_ours_or_not_there_changes_nothing(scene: Stage, tmp_path: Path) -> None:
    """And makes no ledger."""
    assert "Nothing to do" in run(scene, "state", "adopt", "--yes").stdout
    missing = tmp_path / "missing.db"
    done = run(scene, "state", "adopt", "--yes", RECONCILER_STATE__URL=f"sqlite:///{missing}")
    assert (done.returncode, missing.exists()) == (5, False)
