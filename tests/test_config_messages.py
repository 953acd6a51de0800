"""The messages about a refused value: the key, what it takes, and the value."""

from pathlib import Path

import pytest

from reconciler.config import keys, load
from reconciler.errors import ConfigError
from reconciler.webhooks import SecretFile
from tests.test_config import problems, variable, write

LIBRARY = ("Input", "pydantic", "timedelta", "validation", "instance", "valid integer", "Errno")
MANY_FILES = "file.created, file.uploaded, file.updated, "


@pytest.mark.parametrize("key", keys())
@pytest.mark.parametrize("text", ["{}", "[[1]]", "nan", "-1", "''", "2020-01-01", "9e99", "[1.5]"])
def test_no_word_of_a_library_reaches_a_person(key: str, text: str, tmp_path: Path) -> None:
    """Whatever a key is set to, the message is our own, not a library's, and names the key."""
    section, _, name = key.partition(".")
    try:
        load(write(tmp_path, f"[{section}]\n{name} = {text}\n"), {})
    except ConfigError as error:
        for problem in error.problems:
            assert problem.startswith(key)
            assert not [word for word in LIBRARY if word in problem]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("webhook.port = 70000", "at least 0 and at most 65535; it is 70000"),
        ("webhook.threads = 'x'", 'whole number, at least 1 and at most 64; it is "x"'),
        ("webhook.max_body_bytes = 1.5", "must be a whole number, at least 1024; it is 1.5"),
        ("limits.backfill_share = 2", "must be a number, more than 0 and at most 1; it is 2"),
        (
            "sweep.every = '0s'",
            'must be a number and a unit, such as "30s", "5m", "24h" or "7d", at least 1s; '
            'it is "0s"',
        ),
        ("webhook.port = true", "must be a number; it is true"),
        ("review.rooms = [true]", "must be a number; one is true"),
        ("limits.backfill_share = true", "must be a number; it is true"),
        ("webhook.self_heal = 'maybe'", 'must be true or false; it is "maybe"'),
        ("webhook.host = 3", "must be text in quotes; it is 3"),
        ("webhook.secret_file = 3", "must be a path in quotes; it is 3"),
        ("log.level = 'loud'", 'must be one of "debug", "info", "warning", "error"; it is "loud"'),
        (
            "review.comment = 'Check \U0001f440'",
            "must have neither control characters nor emoji: the portal loses them; "
            'it is "Check \U0001f440"',
        ),
        ("portal.url = 'docs'", 'such as https://portal.example.com; it is "docs"'),
    ],
)
def test_the_range_and_the_value_are_told(setting: str, expected: str, tmp_path: Path) -> None:
    """The message has the valid range and the value."""
    key = setting.partition(" ")[0]
    (problem,) = problems(f"{setting}\n", tmp_path)
    assert problem.startswith(f"{key}: must ")
    assert problem.endswith(expected)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("webhook.triggers = ['file.update']", 'mean "file.updated"?); one is "file.update"'),
        ("webhook.triggers = ['room.created']", f"(there are {MANY_FILES}"),
        ("webhook.triggers = []", 'must name an event, such as ["file.updated"]'),
        ("webhook.triggers = 'file.updated'", 'must be a list of events, such as ["file.updated"]'),
        ("review.rooms = ['Legal']", 'number in a room\'s address; one is "Legal"'),
        ("review.exclude_rooms = ['Legal']", "must be a list of ids of rooms"),
        ("review.ignore_users = ['Anna']", 'not their names; one is "Anna"'),
        ("review.extensions = ['Word file']", 'must be extensions, such as ["docx", "xlsx"]'),
        ("review = {rooms = [7, 8], exclude_rooms = [8]}", "both name 8: take it out of one"),
    ],
)
def test_what_could_never_work_is_refused(setting: str, expected: str, tmp_path: Path) -> None:
    """A value that could never work is refused with the reason, not silently ignored."""
    (problem,) = problems(f"{setting}\n", tmp_path)
    assert expected in problem


@pytest.mark.parametrize("key", ["portal.api_key_file", "state.url"])
def test_a_path_that_no_file_can_have_is_refused(key: str, tmp_path: Path) -> None:
    """A path that no file can have is refused, before the system refuses it in unclear words."""
    section, _, name = key.partition(".")
    (problem,) = problems(f'[{section}]\n{name} = "sqlite:///a\\u0000b"\n', tmp_path)
    assert problem == f"{key}: must have no NUL character"


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_quoted_key_of_the_environment_is_named(quote: str) -> None:
    """A key in quotes is refused: container files of variables keep the quotes."""
    with pytest.raises(ConfigError) as caught:
        load(None, {"DOCSPACE_API_KEY": f"{quote}sk-hush{quote}"})
    (problem,) = caught.value.problems
    assert problem.startswith("portal.api_key: has quotes around it")
    assert "DOCSPACE_API_KEY" in problem
    assert "hush" not in problem


@pytest.mark.parametrize("name", ["PORT", variable("webhook.port")])
def test_the_variable_that_set_a_wrong_value_is_named(name: str) -> None:
    """The message names the variable that set a wrong value: config.toml is not at fault."""
    with pytest.raises(ConfigError, match=rf"it is '\"3000\"' \(from the variable {name}\)"):
        load(None, {name: '"3000"'})


def test_a_variable_that_is_no_list_is_shown(tmp_path: Path) -> None:
    """A variable that is no list is refused with an example of a list."""
    name = variable("review.extensions")
    (problem,) = problems("", tmp_path, {name: "docx"})
    assert problem.startswith(f"environment variable {name}: must be JSON, such as ")
    assert problem.endswith('; it is "docx"')


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("webhook.public_url", "https://me:hush@h.example/"),
        ("portal.url", "https://me:hush@p.example/"),
        ("webhook.secret", "hush \udcff"),
        ("portal.api_key", "hush hush"),
        ("state.url", "mysql://me:hush@db/x"),
        ("portal", '{"api_key": "hush hush"}'),
        ("portal", '{"api_key": "hush'),
        ("notify.heartbeat_url", "hush"),
    ],
)
def test_a_secret_is_not_repeated(key: str, value: str) -> None:
    """A secret, or an address with one, is not repeated in the message."""
    with pytest.raises(ConfigError) as caught:
        load(None, {variable(key): value})
    assert "hush" not in f"{caught.value}{caught.value!r}"


@pytest.mark.parametrize("text", ["[review]\nrooms = [" + "9" * 5000 + "]", "a = " + "[" * 5000])
def test_toml_beyond_all_measure_is_no_bug(text: str, tmp_path: Path) -> None:
    """TOML nested too deeply for the parser is an error of the file, not a bug."""
    (problem,) = problems(text, tmp_path)
    assert "is not valid TOML" in problem


# Files of secrets.


def test_a_comment_in_a_file_of_secrets_is_refused(tmp_path: Path) -> None:
    """A comment line in a file of secrets is refused: anyone who knew it could sign events."""
    (tmp_path / "s").write_text("# from the portal's page\nnew\n", encoding="utf-8")
    config = load(write(tmp_path, '[webhook]\nsecret_file = "s"\n'), {})
    with pytest.raises(ConfigError, match="begins with #"):
        config.secrets()
    with pytest.raises(ConfigError, match="begins with #"):
        SecretFile(tmp_path / "s").read()


@pytest.mark.parametrize("key", ["admin.password_file", "state.password_file"])
def test_a_password_has_a_line_of_its_own(key: str, tmp_path: Path) -> None:
    """A comment above the password in its file is refused: it would be part of the password."""
    section, _, name = key.partition(".")
    (tmp_path / "p").write_text("# the password\nsesame\n", encoding="utf-8")
    config = load(write(tmp_path, f'[{section}]\n{name} = "p"\n'), {})
    with pytest.raises(ConfigError, match=f"{key} .* must have one line"):
        config.admin_password() if section == "admin" else config.database()


def test_a_comment_in_a_key_file_is_refused(tmp_path: Path) -> None:
    """A comment in a key file is refused: the key must stand alone."""
    (tmp_path / "k").write_text("# mine\nsk-1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="and nothing else"):
        load(write(tmp_path, '[portal]\napi_key_file = "k"\n'), {}).api_key()
