"""`check` on a portal that can do no more than the tutorial needs, before anything has run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import program
from tests.daemon import SECRET, environment, free_port
from tests.standin import KEY, Dialect, stand_in

MISSING = ("files/rooms", "keys/@self")


def checked(dialect: Dialect, folder: Path) -> dict[str, Any]:
    """Run `check --json`; return its lines by their subject."""
    with stand_in(dialect, SECRET, 13) as portal:
        environ = environment(portal.url, KEY, folder, free_port())
        done = program.run(["check", "--json"], environ, folder)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("json_errors", [True, False])
def test_check_names_the_routes_that_are_missing(json_errors: bool, tmp_path: Path) -> None:
    """`check` names the missing routes without any sweep."""
    output = json.dumps(checked(Dialect(json_errors=json_errors), tmp_path))
    assert [route for route in MISSING if route not in output] == []


@pytest.mark.parametrize("json_errors", [True, False])
def test_check_does_not_say_that_the_portal_does_not_answer(
    json_errors: bool, tmp_path: Path
) -> None:
    """`check` does not call a portal unavailable that answers its few routes."""
    output = json.dumps(checked(Dialect(json_errors=json_errors), tmp_path))
    assert "does not answer" not in output
