"""The portal has another address: the ledger is continued after a proof, or after a person's
confirmation.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.ledger import Ledger, is_same_portal_url
from reconciler.sandbox import Server
from tests.daemon import daemon
from tests.program import exits
from tests.support_ledger import sql
from tests.support_sweep import Stage, json_of, rows, run, stage
from tests.waiting import eventually
from tests.world import TARGET

ADDRESS = "DOCSPACE_API_HOST"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    """Three files that were marked by a run at the portal's old address."""
    with stage(tmp_path) as built:
        assert run(built, "reconcile").returncode == 0
        with closing(Ledger(built.environ["RECONCILER_STATE__URL"], built.server.url)) as ledger:
            ledger.set_owner(built.bot.id)
        built.clock.advance(600)
        yield built


@pytest.fixture
def moved(scene: Stage) -> Iterator[Stage]:
    """The same portal, configured with another address."""
    with Server(scene.portal) as server:
        scene.environ[ADDRESS] = server.url
        yield scene


@pytest.fixture
def another(scene: Stage, tmp_path: Path) -> Iterator[Stage]:
    """Another portal in the configuration, whose files have the same ids."""
    folder = tmp_path / "another"
    folder.mkdir()
    with stage(folder) as other:
        assert other.files == scene.files
        sql(tmp_path, "UPDATE files SET created = created - 3600000000")  # ours is an hour older
        for name in (ADDRESS, "DOCSPACE_API_KEY"):
            scene.environ[name] = other.environ[name]
        yield other


def portal_known(scene: Stage) -> str:
    """Return the address in the ledger."""
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
    """Addresses are equal that differ in the host's case, the default port or a slash."""
    assert is_same_portal_url(one, other) is same
    assert is_same_portal_url(other, one) is same


def test_an_equivalent_address_needs_no_proof(scene: Stage) -> None:
    """An equivalent address needs no proof, no request, and no available portal."""
    sql(scene.folder, "UPDATE settings SET value = value || '/' WHERE name = 'portal'")
    scene.portal.down = True
    assert run(scene, "failed", "retry").returncode == 0


# The same portal.


def test_the_same_portal_at_another_address_goes_on(moved: Stage) -> None:
    """At another address of the same portal work continues, and the address is stored."""
    moved.portal.comment(moved.files[0], "Approved", by=moved.ann)
    (new,) = moved.add_files("New.docx")
    summary = json_of(run(moved, "reconcile", "--json"))
    assert (summary["marked"], summary["failed"]) == (1, 0)
    assert moved.comments([*moved.files, new]) == ["Approved", TARGET, TARGET, TARGET]
    assert portal_known(moved) == moved.environ[ADDRESS]


def test_a_daemon_goes_on_at_another_address(moved: Stage) -> None:
    """A daemon continues at another address, like `reconcile`."""
    (new,) = moved.add_files("New.docx")
    with daemon(moved.environ, moved.folder) as running:
        assert eventually(lambda: moved.comments([new]) == [TARGET])
        assert running.terminate() == 0
    assert portal_known(moved) == moved.environ[ADDRESS]


@pytest.mark.parametrize(
    "words", ["check", "explain {file}", "reconcile --dry-run", "backfill --since 30d --dry-run"]
)
def test_a_look_under_another_address_proves_it_and_binds_nothing(moved: Stage, words: str) -> None:
    """A read-only command at another address proves it but stores nothing."""
    before = rows(moved.ledger)
    exits(0, run(moved, *words.format(file=moved.files[0]).split()))
    assert rows(moved.ledger) == before


def test_status_says_that_the_address_is_another(moved: Stage) -> None:
    """`status` says that the address differs, without contacting the portal."""
    asked = len(moved.portal.requests)
    old = portal_known(moved)
    done = run(moved, "status")
    assert f"knows its portal as {old}" in done.stderr
    assert len(moved.portal.requests) == asked


def test_files_that_are_gone_prove_nothing_and_refute_nothing(moved: Stage) -> None:
    """Known files that are gone prove nothing; one that is there is enough."""
    for file in moved.files[1:]:
        moved.portal.delete(file, by=moved.ann)
    assert run(moved, "reconcile").returncode == 0


@pytest.mark.parametrize("known", ["files", "settings WHERE name = 'owner'"])
def test_a_ledger_that_knows_no_file_or_no_account_goes_by_the_other(
    moved: Stage, known: str
) -> None:
    """A ledger without files is identified by the account, one without an account by the files."""
    sql(moved.folder, f"DELETE FROM {known}")  # noqa: S608 - no words of others
    assert run(moved, "reconcile").returncode == 0
    assert portal_known(moved) == moved.environ[ADDRESS]


def test_a_ledger_that_knows_neither_is_refused(moved: Stage) -> None:
    """A ledger without files and account is refused, since nothing can be proved."""
    sql(moved.folder, "DELETE FROM files", "DELETE FROM settings WHERE name = 'owner'")
    assert run(moved, "reconcile").returncode == 5


# Another portal, or no proof.


@pytest.mark.parametrize("owner", [True, False])
@pytest.mark.parametrize("words", ["reconcile", "serve", "explain {file}", "webhook list", "check"])
def test_another_portal_is_refused(another: Stage, scene: Stage, words: str, owner: bool) -> None:
    """Another portal is exit 5 with the command that adopts it; nothing is written."""
    if not owner:
        sql(scene.folder, "DELETE FROM settings WHERE name = 'owner'")
    before = rows(scene.ledger)
    done = exits(5, run(scene, *words.format(file=scene.files[0]).split()))
    assert "belongs to" in done.stdout + done.stderr
    assert "reconciler state adopt" in done.stdout + done.stderr
    assert {one.method for one in another.portal.requests} == {"GET"}
    assert rows(scene.ledger) == before


def test_one_file_that_is_another_refutes_the_rest(moved: Stage) -> None:
    """One file with another creation date disproves the portal, however many others agree."""
    sql(
        moved.folder,
        "UPDATE files SET created = created + 1000000 WHERE id = :file",
        file=moved.files[2],
    )
    assert run(moved, "reconcile").returncode == 5


def test_the_same_files_under_another_account_are_not_enough(moved: Stage) -> None:
    """The same files under another account are no proof, since that account has other rights."""
    moved.environ["DOCSPACE_API_KEY"] = moved.portal.add_key(moved.ann)
    assert run(moved, "reconcile").returncode == 5


def test_no_file_that_is_there_is_not_enough(moved: Stage) -> None:
    """If no known file is there, nothing is proved: the portal was emptied, or is another."""
    for file in moved.files:
        moved.portal.delete(file, by=moved.ann)
    assert run(moved, "reconcile").returncode == 5


@pytest.mark.parametrize("words", ["reconcile", "serve", "explain {file}"])
def test_while_nobody_can_tell_it_is_exit_3(moved: Stage, words: str) -> None:
    """While the portal does not answer, commands exit 3, and so does `serve`, which systemd
    restarts: it cannot tell whose events it would accept.
    """
    before = rows(moved.ledger)
    moved.portal.down = True
    done = exits(3, run(moved, *words.format(file=moved.files[0]).split()))
    assert "the portal that the ledger knows at" in done.stderr
    assert rows(moved.ledger) == before


def test_check_names_the_portal_as_the_cause_while_nobody_can_tell(moved: Stage) -> None:
    """Meanwhile `check` names the portal as the cause, not the ledger."""
    moved.portal.down = True
    done = run(moved, "check")
    assert (done.returncode, done.stdout.split()[:2]) == (3, ["error", "portal"])


def test_a_retry_is_no_proof(moved: Stage) -> None:
    """`failed retry` contacts no portal, and so changes nothing at another address."""
    assert "state adopt" in exits(5, run(moved, "failed", "retry")).stderr


# A person's confirmation.


def test_a_person_may_adopt_it(another: Stage, scene: Stage) -> None:
    """`state adopt` accepts the address, without a terminal by --yes; all commands continue."""
    old = portal_known(scene)
    done = run(scene, "state", "adopt", "--yes")
    assert (done.returncode, another.environ[ADDRESS] in done.stdout) == (0, True)
    assert old in done.stderr
    assert "may be overwritten" in done.stderr
    assert portal_known(scene) == another.environ[ADDRESS]
    assert run(scene, "reconcile").returncode == 0


def test_without_a_terminal_nothing_is_adopted_unasked(another: Stage, scene: Stage) -> None:
    """Without a terminal and --yes `state adopt` exits 2."""
    before = rows(scene.ledger)
    done = run(scene, "state", "adopt")
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
    assert rows(scene.ledger) == before


def test_nothing_is_adopted_beside_a_daemon(scene: Stage) -> None:
    """`state adopt` is refused while a daemon runs, which would continue at the old address."""
    with daemon(scene.environ, scene.folder), Server(scene.portal) as server:
        exits(4, run(scene, "state", "adopt", "--yes", DOCSPACE_API_HOST=server.url))


def test_adopting_what_is_ours_or_not_there_changes_nothing(scene: Stage, tmp_path: Path) -> None:
    """Adopting our own address changes nothing, and adopting without a ledger creates none."""
    assert "Nothing to do" in run(scene, "state", "adopt", "--yes").stdout
    missing = tmp_path / "missing.db"
    done = run(scene, "state", "adopt", "--yes", RECONCILER_STATE__URL=f"sqlite:///{missing}")
    assert (done.returncode, missing.exists()) == (5, False)
