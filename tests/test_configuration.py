"""`reconciler config`: the settings, their origin, and whether they are valid."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reconciler.cli.commands import app
from reconciler.config import duration, keys
from reconciler.config.load import DEFAULT, effective_settings
from reconciler.config.value_types import duration_text
from tests.support_http import answering, http

SECRETS = {
    "DOCSPACE_API_KEY": "sk-very-secret",
    "DOCSPACE_WEBHOOK_SECRET": "Hooks-Very-Secret-1",
    "RECONCILER_STATE__URL": "postgresql+psycopg://me:db-very-secret@127.0.0.1/ledger",
    "RECONCILER_NOTIFY__HEARTBEAT_URL": "https://hc.test/very-secret",
}


def write(folder: Path, text: str) -> Path:
    """Write a configuration."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_is_shown(tmp_path: Path) -> None:
    """Every key is shown, also those with their default."""
    assert [one.key for one in effective_settings(None, {})] == list(keys())
    assert {one.origin for one in effective_settings(None, {})} == {DEFAULT}


def test_each_origin_is_told(tmp_path: Path) -> None:
    """The origin is the file or variable, of key or section, that took effect."""
    path = write(tmp_path, '[webhook]\nport = 1\nhost = "::1"\n[sweep]\nevery = "5m"\n')
    environ = {
        "PORT": "2",
        "RECONCILER_SWEEP": '{"every": "90s"}',
        "RECONCILER_LOG__LEVEL": "debug",
    }
    found = {one.key: one for one in effective_settings(path, environ)}
    shown = {key: (found[key].value, found[key].origin) for key in found}
    assert shown["webhook.host"] == ("::1", str(path))
    assert shown["webhook.port"] == (2, "PORT")
    assert shown["sweep.every"] == ("90s", "RECONCILER_SWEEP")
    assert shown["log.level"] == ("debug", "RECONCILER_LOG__LEVEL")
    assert shown["review.comment"] == ("Need Review", DEFAULT)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_secret_is_only_told_to_be_set(form: tuple[str, ...], tmp_path: Path) -> None:
    """A secret is only shown as set, also one within an address or an address that is one."""
    path = write(tmp_path, "")
    done = CliRunner().invoke(app, ["config", "show", "-c", str(path), *form], env=SECRETS)
    assert done.exit_code == 0
    assert "very-secret" not in done.stdout.lower()
    found = {one.key: one for one in effective_settings(path, SECRETS)}
    for key in ("portal.api_key", "webhook.secret", "state.password", "notify.heartbeat_url"):
        assert found[key].value == "set"
        assert found[key].origin in SECRETS


def test_a_program_reads_the_settings(tmp_path: Path) -> None:
    """--json prints one object with the file and, by key, the value and its origin."""
    path = write(tmp_path, '[review]\nrooms = [12, 7]\ncomment = "Prüfen"\n')
    done = CliRunner().invoke(app, ["config", "show", "--json", "-c", str(path)])
    shown = json.loads(done.stdout)
    assert shown["file"] == str(path)
    assert shown["settings"]["review.rooms"] == {"value": [7, 12], "origin": str(path)}
    assert shown["settings"]["webhook.secret"]["value"] == "not set"
    assert "Prüfen" in done.stdout


@pytest.mark.parametrize("text", ["1s", "90s", "5m", "36h", "400d", "0s"])
def test_a_duration_is_shown_as_it_is_written(text: str) -> None:
    """A duration is shown as in config.toml, so that it can be copied."""
    length = duration(text)
    assert isinstance(length, timedelta)
    assert duration(duration_text(length)) == length


def test_a_check_of_the_configuration_asks_nobody(tmp_path: Path) -> None:
    """`config check` contacts neither the portal nor the public address, and creates no ledger."""
    with answering(http(500)) as line:
        path = write(
            tmp_path,
            f'[portal]\nurl = "{line.url}"\n[webhook]\npublic_url = "{line.url}/hook"\n',
        )
        words = ["config", "check", "-c", str(path)]
        environ = {name: SECRETS[name] for name in ("DOCSPACE_API_KEY", "DOCSPACE_WEBHOOK_SECRET")}
        done = CliRunner().invoke(app, words, env=environ)
        assert line.requests == []
    assert done.exit_code == 0, done.stdout
    assert "complete" in done.stdout
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[webhook]\nport = 70000\n", "webhook.port"), ("", "portal.url is missing")],
    ids=["refused", "incomplete"],
)
def test_a_configuration_that_cannot_be_used_is_an_error(
    text: str, expected: str, tmp_path: Path
) -> None:
    """An invalid configuration is exit 2, as with `check`."""
    done = CliRunner().invoke(app, ["config", "check", "-c", str(write(tmp_path, text))])
    assert (done.exit_code, expected in done.stdout) == (2, True)
