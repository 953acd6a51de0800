"""A ledger from one database to another: all of it or nothing, and never under somebody's feet."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.errors import LedgerError, RoleHeldError
from reconciler.ledger import Ledger, Role, copy
from reconciler.model import Outcome
from tests import postgres, program
from tests.support_ledger import (
    NOW,
    PORTAL,
    SECOND,
    claimed,
    event,
    marked,
    permit,
    result,
    totals,
    writes_in_a_day,
)

DUE = NOW + SECOND


@pytest.fixture
def server(postgres_database: str) -> Iterator[str]:
    """The address of an empty schema on a server."""
    with postgres.schema(postgres_database) as address:
        yield address


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The address of a file that is not there yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def fill(address: str) -> dict[str, object]:
    """Let a ledger have some of everything; return what it says."""
    with closing(Ledger(address, PORTAL)) as ledger:
        ledger.set_owner("bot")
        ledger.set_origin(NOW, SECOND)
        for number in (1, 2, 3):
            ledger.record(event(number, title=f"Größe {number} \u4e2d.docx"), NOW)
        one, two, _ = ledger.claims.take(DUE, 3, 60 * SECOND)
        permit(ledger, one, DUE)
        ledger.claims.finish(one, marked(one.entry.id), DUE)
        ledger.claims.finish(two, result(Outcome.WAITING, retry_at=DUE + SECOND), DUE)
        ledger.watermarks.set_portal(NOW)
        ledger.watermarks.set_room(7, NOW, "Legal")
        ledger.reserve(DUE, 4, 100)
    return said(address)


def said(address: str) -> dict[str, object]:
    """Return what a ledger says."""
    with closing(Ledger(address, PORTAL)) as ledger:
        return {
            "totals": totals(ledger),
            "facts": [ledger.file_row(number) for number in (1, 2, 3)],
            "owner": ledger.owner(),
            "origin": ledger.baseline(),
            "portal": ledger.watermarks.portal(),
            "rooms": ledger.watermarks.rooms(),
            "written": writes_in_a_day(ledger, DUE),
            "overview": ledger.health.overview(DUE),
        }


def test_a_ledger_goes_to_a_server_and_comes_back(file: str, server: str, tmp_path: Path) -> None:
    """Nothing is lost on either way, and both say the same."""
    known = fill(file)
    numbers = copy(file, server)
    assert numbers["files"] == 3
    assert said(server) == known
    back = f"sqlite:///{tmp_path / 'back.db'}"
    assert copy(server, back) == numbers
    assert said(back) == known == said(file)


def test_work_goes_on_after_a_copy(file: str, server: str) -> None:
    """What was in work at the old place is due again: its process is gone."""
    fill(file)
    copy(file, server)
    with closing(Ledger(server, PORTAL)) as ledger:
        assert ledger.claims.release_orphaned(DUE) == 1
        assert claimed(ledger, DUE).entry.id == 3


def test_what_holds_something_is_not_written_over(file: str, server: str) -> None:
    """Not even by the same ledger again; what is there stays."""
    fill(file)
    copy(file, server)
    before = said(server)
    with pytest.raises(LedgerError, match=r"not empty: it has .*files"):
        copy(file, server)
    assert said(server) == before


@pytest.mark.parametrize("role", Role)
def test_a_file_in_use_is_not_copied(file: str, server: str, role: Role) -> None:
    """Whoever works on it would go on at the old place."""
    fill(file)
    with (
        closing(Ledger(file, PORTAL)) as ledger,
        ledger.role(role),
        pytest.raises(RoleHeldError, match=f"{role.value} is held by process {os.getpid()}"),
    ):
        copy(file, server)


def test_a_server_in_use_is_not_copied(server: str, file: str) -> None:
    """Any process that has it open may write."""
    fill(server)
    with (
        closing(Ledger(server, PORTAL)),
        pytest.raises(RoleHeldError, match=f"is held by process {os.getpid()}"),
    ):
        copy(server, file)


def test_what_is_not_there_is_not_copied(file: str, server: str) -> None:
    """Nor created by asking."""
    with pytest.raises(LedgerError, match="no ledger at FROM"):
        copy(file, server)
    assert not Path(file.removeprefix("sqlite:///")).exists()
    with pytest.raises(LedgerError, match="no ledger at FROM: that database is empty"):
        copy(server, file)


def test_a_ledger_is_not_copied_onto_itself(file: str) -> None:
    """It is in use by the copying."""
    fill(file)
    with pytest.raises((RoleHeldError, LedgerError)):
        copy(file, file)


@pytest.mark.parametrize(
    ("source", "target", "code", "said"),
    [
        ("sqlite:///{}/none.db", "sqlite:///{}/new.db", 5, "there is no ledger at FROM"),
        ("sqlite:///{}/text", "sqlite:///{}/new.db", 5, "FROM: file is not a database"),
        ("sqlite:///{}/l.db", "sqlite:///{}/text", 5, "TO: file is not a database"),
        ("sqlite:///{}/l.db", "sqlite:///{}/none/new.db", 5, "TO: "),
        ("reconciler.db", "sqlite:///{}/new.db", 2, "FROM must be sqlite:/// and a path"),
        ("sqlite:///{}/l.db", "mysql://me:hush@db/x", 2, "TO must be sqlite:/// and a path"),
        ("sqlite:///{}/l.db", "sqlite:///{}/l.db", 2, "FROM and TO are the same"),
    ],
)
def test_a_mistyped_address_is_told_as_one(
    source: str, target: str, code: int, said: str, tmp_path: Path
) -> None:
    """Which of the two it is, and not to move a ledger away."""
    fill(f"sqlite:///{tmp_path}/l.db")
    (tmp_path / "text").write_text("no database, but words " * 99, encoding="utf-8")
    words = ("state", "copy", source.format(tmp_path), target.format(tmp_path))
    done = program.run(words, dict(os.environ), tmp_path)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not any(word in done.stderr for word in ("hush", "away", "state.url", "Traceback"))
    assert code == 2 or "Check both addresses" in done.stderr


def test_the_command_says_what_to_do_next(file: str, server: str) -> None:
    """How much was copied, and the address to set, without any password."""
    fill(file)
    target = server.replace("postgres@", "postgres:hush@")
    command = [sys.executable, "-m", "reconciler", "state", "copy", file, target]
    done = program.exits(0, program.output(command))
    assert done.stdout.startswith("Copied 3 files and ")
    assert "Now set state.url to postgresql+psycopg://postgres@" in done.stderr
    assert "hush" not in done.stdout + done.stderr
