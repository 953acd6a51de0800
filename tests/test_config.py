"""The configuration: defaults, both sources, all problems at once, and no secret shown."""

import re
import stat
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config import CONFIG, NAMED, Config, duration, keys, load, require
from reconciler.config.sections import SECRET, SECRET_FILE
from reconciler.config.values import marked_keys
from reconciler.decision import Policy
from reconciler.errors import ConfigError
from reconciler.portal_texts import by_culture

SHIPPED = Path(__file__).parents[1] / "config.toml"
USER = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3"
MINUTES, DAY = timedelta(minutes=5), timedelta(days=1)
SECRETS = {
    "portal.api_key": "DOCSPACE_API_KEY",
    "webhook.secret": "DOCSPACE_WEBHOOK_SECRET",
    "state.password": "RECONCILER_STATE__PASSWORD",
}

# The table of design.md.
DEFAULTS: dict[str, object] = {
    "portal.url": None,
    "portal.api_key": None,
    "portal.api_key_file": None,
    "portal.timeout_seconds": 30,
    "portal.ca_bundle": None,
    "webhook.host": "127.0.0.1",
    "webhook.port": 3000,
    "webhook.path": "/docspace/review-comment",
    "webhook.public_url": None,
    "webhook.secret": None,
    "webhook.secret_file": None,
    "webhook.triggers": ("file.updated",),
    "webhook.self_heal": False,
    "webhook.allow_unsigned": False,
    "webhook.require_https": False,
    "webhook.trusted_proxy": None,
    "webhook.max_body_bytes": 2097152,
    "webhook.threads": 8,
    "review.comment": "Need Review",
    "review.mark_new_files": False,
    "review.overwrite_comments": False,
    "review.portal_texts": (),
    "review.unlock_texts": (),
    "review.observe": False,
    "review.rooms": frozenset(),
    "review.exclude_rooms": frozenset(),
    "review.extensions": frozenset(),
    "review.ignore_users": frozenset(),
    "review.personal_documents": True,
    "sweep.every": timedelta(minutes=1),
    "sweep.overlap": MINUTES,
    "sweep.first_lookback": DAY,
    "sweep.full_every": DAY,
    "limits.requests_per_minute": 1200,
    "limits.concurrent_reads": 8,
    "limits.concurrent_writes": 4,
    "limits.writes_per_day": 9000,
    "limits.backfill_share": 0.7,
    "state.url": "sqlite:///reconciler.db",
    "state.password": None,
    "state.password_file": None,
    "state.retention": timedelta(days=400),
    "admin.host": "127.0.0.1",
    "admin.port": 3001,
    "admin.password_file": None,
    "log.level": "info",
    "log.format": "auto",
    "notify.urls_file": None,
    "notify.digest_every": None,
    "notify.overdue_after": None,
    "notify.heartbeat_url": None,
}

# Each key as a variable's text, and the value that it becomes.
VARIABLES: dict[str, tuple[str, object]] = {
    "portal.url": ("https://p.example/", "https://p.example"),
    "portal.api_key": ("sk-1", "sk-1"),
    "portal.api_key_file": ("/k", Path("/k")),
    "portal.timeout_seconds": ("2.5", 2.5),
    "portal.ca_bundle": ("/ca.pem", Path("/ca.pem")),
    "webhook.host": ("0.0.0.0", "0.0.0.0"),  # noqa: S104 - read, not bound
    "webhook.port": ("8080", 8080),
    "webhook.path": ("/hook", "/hook"),
    "webhook.secret": ("s", "s"),
    "webhook.secret_file": ("/s", Path("/s")),
    "webhook.public_url": ("https://H.example/x", "https://h.example/x"),
    "webhook.self_heal": ("true", True),
    "webhook.triggers": ('["file.updated", "file.uploaded"]', ("file.updated", "file.uploaded")),
    "webhook.allow_unsigned": ("true", True),
    "webhook.require_https": ("1", True),
    "webhook.trusted_proxy": ("10.0.0.1", "10.0.0.1"),
    "webhook.max_body_bytes": ("4096", 4096),
    "webhook.threads": ("2", 2),
    "review.comment": ("Please check", "Please check"),
    "review.mark_new_files": ("true", True),
    "review.overwrite_comments": ("true", True),
    "review.portal_texts": ('["Redaguota"]', ("Redaguota",)),
    "review.unlock_texts": ('["Atrakinta"]', ("Atrakinta",)),
    "review.observe": ("true", True),
    "review.rooms": ("[1, 2]", frozenset({1, 2})),
    "review.exclude_rooms": ("[3]", frozenset({3})),
    "review.extensions": ('["docx"]', frozenset({"docx"})),
    "review.ignore_users": (f'["{USER}"]', frozenset({USER})),
    "review.personal_documents": ("false", False),
    "sweep.every": ("30s", timedelta(seconds=30)),
    "sweep.overlap": ("10m", timedelta(minutes=10)),
    "sweep.first_lookback": ("7d", timedelta(days=7)),
    "sweep.full_every": ("12h", timedelta(hours=12)),
    "limits.requests_per_minute": ("60", 60),
    "limits.concurrent_reads": ("2", 2),
    "limits.concurrent_writes": ("2", 2),
    "limits.writes_per_day": ("10", 10),
    "limits.backfill_share": ("0.5", 0.5),
    "state.url": ("sqlite:////var/l.db", "sqlite:////var/l.db"),
    "state.password": ("p", "p"),
    "state.password_file": ("/d", Path("/d")),
    "state.retention": ("30d", timedelta(days=30)),
    "admin.host": ("::1", "::1"),
    "admin.port": ("9000", 9000),
    "admin.password_file": ("/p", Path("/p")),
    "log.level": ("debug", "debug"),
    "log.format": ("json", "json"),
    "notify.urls_file": ("/n", Path("/n")),
    "notify.digest_every": ("1d", DAY),
    "notify.overdue_after": ("7d", timedelta(days=7)),
    "notify.heartbeat_url": ("https://H.example/p", "https://h.example/p"),
}


def variable(key: str) -> str:
    """Return the environment variable of a key."""
    return "RECONCILER_" + key.replace(".", "__").upper()


def value(config: Config, key: str) -> Any:
    """Return the value of ``section.name``, a secret's in clear."""
    section, _, name = key.partition(".")
    found = getattr(getattr(config, section), name)
    return found.get_secret_value() if key in SECRETS and found is not None else found


def write(folder: Path, text: str) -> Path:
    """Write a config.toml."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(text: str, folder: Path, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return what is wrong with a config.toml and an environment."""
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), environ or {})
    return caught.value.problems


def refusal(path: Path | None, environ: Mapping[str, str]) -> str:
    """Return the messages of the refusal, "" if there is none."""
    try:
        load(path, environ)
    except ConfigError as error:
        return str(error) or "no words"
    return ""


# Defaults and sources.


def test_the_keys_and_defaults_are_those_of_the_design() -> None:
    """The keys and defaults are those of the reference's table."""
    assert keys() == DEFAULTS


def test_nothing_given_means_the_defaults() -> None:
    """Without a file and a variable every key has its default, the ledger's path absolute."""
    config = load(None, {})
    found = {key: value(config, key) for key in DEFAULTS}
    assert found == DEFAULTS | {"state.url": f"sqlite:///{Path.cwd() / 'reconciler.db'}"}


@pytest.mark.parametrize("key", DEFAULTS)
def test_every_key_is_a_variable(key: str) -> None:
    """Each key of the reference can be set by RECONCILER_SECTION__NAME."""
    text, expected = VARIABLES[key]
    assert value(load(None, {variable(key): text}), key) == expected


@pytest.mark.parametrize("key", DEFAULTS)
def test_a_variable_changes_nothing_else(key: str) -> None:
    """One variable sets one key."""
    config, plain = load(None, {variable(key): VARIABLES[key][0]}), load(None, {})
    rest = set(DEFAULTS) - {key}
    assert {k: value(config, k) for k in rest} == {k: value(plain, k) for k in rest}


@pytest.mark.parametrize("key", [key for key in DEFAULTS if key not in SECRETS])
def test_every_key_but_a_secret_is_read_from_the_file(key: str, tmp_path: Path) -> None:
    """Each key of the reference can be set in config.toml."""
    text, expected = VARIABLES[key]
    plain = DEFAULTS[key] is None or isinstance(DEFAULTS[key], str | timedelta)
    section, _, name = key.partition(".")
    written = f'"{text}"' if plain else {"1": "true"}.get(text, text)
    config = load(write(tmp_path, f"[{section}]\n{name} = {written}\n"), {})
    assert value(config, key) == expected


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A variable replaces the file's key and leaves the section's others alone."""
    path = write(tmp_path, '[sweep]\nevery = "1m"\noverlap = "2m"\n')
    sweep = load(path, {"RECONCILER_SWEEP__EVERY": "3m"}).sweep
    assert (sweep.every, sweep.overlap) == (timedelta(minutes=3), timedelta(minutes=2))


def test_the_four_well_known_names(tmp_path: Path) -> None:
    """The variables of DocSpace samples and hosting platforms are read, and override the file."""
    path = write(tmp_path, '[portal]\nurl = "https://old.example"\n[webhook]\nport = 1\n')
    config = load(
        path,
        {
            "DOCSPACE_API_HOST": "https://p.example",
            "DOCSPACE_API_KEY": "sk-1",
            "DOCSPACE_WEBHOOK_SECRET": "s",
            "PORT": "8080",
        },
    )
    assert config.portal_url() == "https://p.example"
    assert config.api_key() == "sk-1"
    assert config.secrets() == ("s",)
    assert config.webhook.port == 8080


def test_our_own_name_wins_over_a_well_known_one() -> None:
    """RECONCILER_WEBHOOK__PORT takes precedence over PORT, set for another reason."""
    assert load(None, {"PORT": "1", "RECONCILER_WEBHOOK__PORT": "2"}).webhook.port == 2


def test_an_empty_well_known_name_is_not_set(tmp_path: Path) -> None:
    """An empty variable of these names counts as not set, as from Compose files."""
    path = write(tmp_path, "[webhook]\nport = 4000\n")
    config = load(path, {"PORT": "", "DOCSPACE_API_KEY": "", "DOCSPACE_WEBHOOK_SECRET": ""})
    assert (config.webhook.port, config.portal.api_key, config.secrets()) == (4000, None, ())


EMPTY = [*map(variable, DEFAULTS), *NAMED, CONFIG, "RECONCILER_SWEEP", "RECONCILER_SWEP__EVERY"]


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_variable_is_not_set(name: str, tmp_path: Path) -> None:
    """An empty variable of a key, section or misspelt name is not set, as from ${X:-}."""
    path = write(tmp_path, "[webhook]\nport = 4000\n")
    assert load(path, {name: ""}) == load(path, {})


SERVED = 'url = "postgresql+psycopg://u@h/db"\n'


@pytest.mark.parametrize(
    "environ",
    [
        {"RECONCILER_STATE__PASSWORD": ""},
        {"RECONCILER_STATE": '{"password": ""}'},
        {"RECONCILER_STATE__URL": "postgresql+psycopg://u:@h/db"},
        {"RECONCILER_STATE__PASSWORD": "", "RECONCILER_STATE__URL": ""},
    ],
)
def test_an_empty_password_switches_no_file_off(environ: dict[str, str], tmp_path: Path) -> None:
    """An empty password, wherever it is set, does not replace the password file."""
    (tmp_path / "p").write_text("from-file\n", encoding="utf-8")
    path = write(tmp_path, f'[state]\n{SERVED}password_file = "p"\n')
    assert load(path, environ).database() == "postgresql+psycopg://u:from-file@h/db"


@pytest.mark.parametrize("name", ["DOCSPACE_API_KEY", "RECONCILER_PORTAL__API_KEY"])
def test_an_empty_key_switches_no_file_off(name: str, tmp_path: Path) -> None:
    """An empty key does not replace the key file."""
    (tmp_path / "k").write_text("sk-1\n", encoding="utf-8")
    path = write(tmp_path, '[portal]\napi_key_file = "k"\n')
    assert load(path, {name: ""}).api_key() == "sk-1"


@pytest.mark.parametrize("name", ["DOCSPACE_WEBHOOK_SECRET", "RECONCILER_WEBHOOK__SECRET"])
def test_an_empty_secret_switches_no_file_off(name: str, tmp_path: Path) -> None:
    """An empty secret does not replace the secret file; without one there is no secret."""
    (tmp_path / "s").write_text("from-file\n", encoding="utf-8")
    path = write(tmp_path, '[webhook]\nsecret_file = "s"\n')
    assert load(path, {name: ""}).secrets() == ("from-file",)
    with pytest.raises(ConfigError, match="anyone could send events"):
        require(load(None, {name: ""}), webhook=True)


KUBERNETES = {
    "SERVICE_HOST": "10.96.0.7",
    "SERVICE_PORT": "3000",
    "SERVICE_PORT_HTTP": "3000",
    "SERVICE_PORT_WEB_ADMIN": "3001",
    "PORT": "tcp://10.96.0.7:3000",
    "PORT_3000_TCP": "tcp://10.96.0.7:3000",
    "PORT_3000_TCP_PROTO": "tcp",
    "PORT_3000_TCP_PORT": "3000",
    "PORT_3000_TCP_ADDR": "10.96.0.7",
    "PORT_53_UDP": "udp://10.96.0.7:53",
    "PORT_53_UDP_ADDR": "10.96.0.7",
}
DOCKER = {
    "NAME": "/web/reconciler",
    "ENV_PATH": "/usr/bin",
    "ENV_PYTHON__X": "1",
    "PORT_3000_TCP_START": "tcp://172.17.0.5:3000",
    "PORT_3000_TCP_PORT_START": "3000",
}


@pytest.mark.parametrize("of", ["", "ADMIN_", "WEBHOOK_", "STATE_", "CONFIG_", "1_", "MY_TEAM_"])
def test_what_an_orchestrator_injects_is_passed_over(of: str) -> None:
    """Variables that Kubernetes and Docker inject for a service called reconciler are ignored."""
    injected = {f"RECONCILER_{of}{name}": text for name, text in (KUBERNETES | DOCKER).items()}
    assert load(None, injected) == load(None, {})


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("RECONCILER_SWEP__EVERY", "5m", "RECONCILER_SWEEP__EVERY"),
        ("RECONCILER_WEBHOOK_PORT", "3000", "RECONCILER_WEBHOOK__PORT"),
        ("RECONCILER_ADMIN_PORT", "3001", "RECONCILER_ADMIN__PORT"),
        ("RECONCILER_ADMIN_HOST", "::1", "RECONCILER_ADMIN__HOST"),
        ("RECONCILER_WEBHOK__PORT", "3000", "RECONCILER_WEBHOOK__PORT"),
        ("RECONCILER_PORT", "3000", "RECONCILER_"),
        ("RECONCILER_SERVICE__PORT", "3000", ""),
    ],
)
def test_a_mistake_beside_them_is_still_refused(name: str, text: str, meant: str) -> None:
    """Beside these, an unknown variable is still refused with the nearest valid name."""
    injected = {f"RECONCILER_{one}": value for one, value in KUBERNETES.items()}
    found = refusal(None, injected | {name: text})
    assert found.startswith(f"unknown environment variable {name}")
    assert meant in found


def test_other_programs_variables_are_left_alone() -> None:
    """Variables without our prefix are ignored, and the configuration's path is no key."""
    assert load(None, {"PATH": "/bin", "SWEEP__EVERY": "x", CONFIG: "/etc/c.toml"})


def test_the_shipped_file_names_every_key_with_its_default() -> None:
    """config.toml has each key once with its default, set or commented out, and no secret."""
    text = SHIPPED.read_text(encoding="utf-8")
    whole = tomllib.loads(re.sub(r"(?m)^# (?=\w+ = )", "", text))
    named = [f"{section}.{name}" for section, content in whole.items() for name in content]
    assert named == [key for key in DEFAULTS if key not in SECRETS]


def test_the_shipped_file_sets_nothing_but_defaults(tmp_path: Path) -> None:
    """A copy of the shipped file sets only defaults."""
    path = write(tmp_path, SHIPPED.read_text(encoding="utf-8"))
    assert load(path, {}) == load(write(tmp_path, ""), {})


# What is refused.


def test_every_unknown_key_is_listed_with_the_nearest_valid_one(tmp_path: Path) -> None:
    """All unknown keys and sections are listed at once with the nearest valid name."""
    found = problems(
        '[sweep]\nevrey = "5m"\n[portall]\nurl = "x"\n',
        tmp_path,
        {"RECONCILER_LIMITS__WRITE_PER_DAY": "1", "RECONCILER_SWEEP_EVERY": "5m"},
    )
    assert set(found) == {
        "unknown key sweep.evrey; did you mean sweep.every?",
        "unknown key portall; did you mean portal?",
        "unknown key limits.write_per_day; did you mean limits.writes_per_day?",
        "unknown environment variable RECONCILER_SWEEP_EVERY; "
        "did you mean RECONCILER_SWEEP__EVERY?",
    }


@pytest.mark.parametrize("name", ["_env_file", "_cli_parse_args", "__pydantic_self__", "_"])
def test_a_key_that_means_something_to_the_library_is_unknown(name: str, tmp_path: Path) -> None:
    """config.toml cannot set the settings library's own options."""
    assert problems(f"{name} = true\n", tmp_path) == (f"unknown key {name}",)


def test_wrong_values_are_listed_beside_unknown_keys(tmp_path: Path) -> None:
    """Wrong values and unknown keys are listed together."""
    found = problems(
        '[webhook]\nport = 70000\nhost = 3\npath = "hook"\nports = 1\n[log]\nlevel = "loud"\n',
        tmp_path,
        {"RECONCILER_REVIEW__ROOMS": "ten", "RECONCILER_LIMITS__BACKFILL_SHARE": "2"},
    )
    named = {problem.removeprefix("unknown key ").partition(":")[0] for problem in found}
    assert {"webhook.port", "webhook.host", "webhook.path", "log.level"} <= named
    assert "limits.backfill_share" in named
    assert any("webhook.ports" in problem for problem in found)
    assert any("RECONCILER_REVIEW__ROOMS" in problem for problem in found)


def test_every_secret_and_every_file_of_secrets_is_marked() -> None:
    """What hides a secret, and what checks its file, finds it by the mark of its key."""
    fields = {
        f"{section}.{name}": str(field.annotation)
        for section, outer in Config.model_fields.items()
        for name, field in type(outer.default).model_fields.items()
    }
    secrets = {key for key, annotation in fields.items() if "SecretStr" in annotation}
    assert {*marked_keys(SECRET)} == secrets | {"notify.heartbeat_url"}
    files = {key for key in fields if key.endswith("_file")}
    assert {*marked_keys(SECRET_FILE)} == files - {"notify.urls_file"}


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_in_the_file_is_refused(key: str, tmp_path: Path) -> None:
    """A secret in config.toml, which others may see, is refused with the right place."""
    section, _, name = key.partition(".")
    (problem,) = problems(f'[{section}]\n{name} = "hush-hush"\n', tmp_path)
    assert problem.startswith(f"{key} is a secret")
    assert SECRETS[key] in problem
    assert f"{key}_file" in problem
    assert "hush" not in problem


def test_a_section_that_is_no_table_is_named(tmp_path: Path) -> None:
    """A value in a section's place is named as an error of that section."""
    assert problems("portal = 3\n", tmp_path)[0].startswith("portal: ")


def test_invalid_toml_tells_where(tmp_path: Path) -> None:
    """A syntax error in TOML is reported with file, line and column."""
    (problem,) = problems("[portal]\nurl = \n", tmp_path)
    assert problem.startswith(f"{tmp_path / 'config.toml'} is not valid TOML: ")
    assert "line 2, column 7" in problem


def test_a_file_that_is_not_utf8_is_no_toml(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused as no TOML."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"[review]\ncomment = '\xff'\n")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load(path, {})


@pytest.mark.parametrize("name", ["none.toml", ""])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    """A missing file, or a directory in its place, is named with the system's reason."""
    with pytest.raises(ConfigError, match=r"cannot be read: .+"):
        load(tmp_path / name, {})


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    """A byte order mark, as from Windows, is accepted in config.toml and files of secrets."""
    path = write(tmp_path, '\ufeff[webhook]\nsecret_file = "s"\n')
    (tmp_path / "s").write_text("\ufeffnew\n", encoding="utf-8")
    assert load(path, {}).secrets() == ("new",)


@given(data=st.binary(max_size=60))
def test_no_bytes_break_the_reading(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any bytes are a configuration or a list of problems."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    assert refusal(path, {}) is not None


@given(name=st.text(max_size=20), text=st.text(max_size=20))
def test_no_variable_breaks_the_reading(name: str, text: str) -> None:
    """Any variable of our prefix is read or is a problem with its name."""
    assert refusal(None, {f"RECONCILER_{name}": text}) is not None


@given(key=st.sampled_from(sorted(DEFAULTS)), text=st.text())
def test_no_value_breaks_the_reading(key: str, text: str) -> None:
    """Any value of any key is read or is a problem that names the key."""
    words = refusal(None, {variable(key): text})
    assert not words or key in words or variable(key) in words


# Durations.


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("24h", 86400), ("7d", 604800), ("0s", 0)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    """A duration is a number and a unit: seconds, minutes, hours or days."""
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "5M", "-5m", "1h30m", "1.5h", 5, None, "5w"])
def test_anything_else_is_no_duration(text: object) -> None:
    """A number without a unit is no duration: a guess could be wrong by a factor of sixty."""
    with pytest.raises(ValueError, match="a number and a unit"):
        duration(text)


def test_a_bad_duration_is_a_problem_of_its_key(tmp_path: Path) -> None:
    """A wrong duration is a problem of its key, with an example."""
    (problem,) = problems("[sweep]\nevery = 5\n", tmp_path)
    assert problem == (
        'sweep.every: must be a number and a unit, such as "30s", "5m", "24h" or "7d"; it is 5'
    )


def test_a_lookback_before_the_calendar_is_refused(tmp_path: Path) -> None:
    """A lookback of more than ten years is refused as a mistake; it could overflow a date."""
    (problem,) = problems('[sweep]\nfirst_lookback = "999999d"\n', tmp_path)
    assert problem.startswith("sweep.first_lookback: ")


# The comment.


@pytest.mark.parametrize("text", ["Need Review", "x", "é" * 255, "Нужна проверка", "審査待ち"])
def test_a_comment_may_be_any_printable_text(text: str) -> None:
    """A comment may be any printable text of the basic plane, up to the portal's length."""
    assert load(None, {"RECONCILER_REVIEW__COMMENT": text}).review.comment == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" ", "must not be empty"),
        ("  ", "must not be empty"),
        ("x" * 256, "has 256 characters; the portal keeps 255"),
        ("Check \U0001f440", "emoji"),
        ("a\nb", "control characters"),
        ("a\x00b", "control characters"),
        ("a\u202eb", "control characters"),
        ("Edited", "the portal itself writes"),
        ("The file is unlocked", "the portal itself writes"),
        ("Converted from .doc", "the portal itself writes"),
    ],
)
def test_a_comment_that_the_portal_cannot_keep_apart_is_refused(text: str, words: str) -> None:
    """A comment that the portal would cut, change or confuse with its own is refused."""
    with pytest.raises(ConfigError, match=words) as caught:
        load(None, {"RECONCILER_REVIEW__COMMENT": text})
    assert str(caught.value).startswith("review.comment: ")


@pytest.mark.parametrize("culture", by_culture())
def test_none_of_the_portals_texts_is_a_comment(culture: str) -> None:
    """A comment equal to one of the portal's texts, in any language, is refused."""
    for text in by_culture()[culture].values():
        with pytest.raises(ConfigError, match="portal itself writes"):
            load(None, {"RECONCILER_REVIEW__COMMENT": text.replace("{0}", "1")})


@pytest.mark.parametrize("key", ["portal_texts", "unlock_texts"])
def test_a_configured_portal_text_is_no_comment(key: str, tmp_path: Path) -> None:
    """A comment equal to one of `review.portal_texts` is refused."""
    (problem,) = problems(f'[review]\ncomment = "Redaguota"\n{key} = ["Redag{{0}}"]\n', tmp_path)
    assert "the portal itself writes" in problem


@pytest.mark.parametrize("key", ["portal_texts", "unlock_texts"])
@pytest.mark.parametrize("text", ["", " ", "{0}", " {0} {0}"])
def test_a_portal_text_has_a_word_of_its_own(key: str, text: str, tmp_path: Path) -> None:
    """An entry of `review.portal_texts` needs a word beside {0}, which matches anything."""
    (problem,) = problems(f'[review]\n{key} = ["{text}"]\n', tmp_path)
    assert "at least one word besides {0}" in problem


def test_the_policy_is_what_was_configured(tmp_path: Path) -> None:
    """Extensions and users are compared without case, extensions without their dot."""
    path = write(
        tmp_path,
        '[review]\nrooms = [7]\nextensions = [".DOCX", "xlsx"]\n'
        f'ignore_users = ["{USER.upper()}"]\n',
    )
    policy = load(path, {}).review.policy()
    assert policy.scope.extensions == {"docx", "xlsx"}
    assert policy.scope.ignore_users == {USER}
    assert policy.scope.rooms == {7}


def test_the_default_policy_is_the_models() -> None:
    """The defaults of the configuration and of the pure code are the same."""
    assert load(None, {}).review.policy() == Policy()


# The portal's address.


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://p.example", "https://p.example"),
        ("https://p.example/", "https://p.example"),
        ("https://p.example/api/2.0", "https://p.example"),
        ("https://p.example/api/2.0/", "https://p.example"),
        ("  https://p.example\n", "https://p.example"),
        ("HTTPS://P.Example/Docs", "https://p.example/Docs"),
        ("http://localhost:8092", "http://localhost:8092"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("https://example.com/docspace/", "https://example.com/docspace"),
    ],
)
def test_an_address_is_kept_without_what_people_paste_along(text: str, url: str) -> None:
    """A trailing slash, the API's path and white space are removed from the portal's address."""
    assert load(None, {"DOCSPACE_API_HOST": text}).portal_url() == url


@pytest.mark.parametrize(
    "text",
    [
        "p.example",
        "ftp://p.example",
        "https://",
        "https://user:pass@p.example",
        "https://p.example/?a=1",
        "https://p.example/#a",
        "https://p.example:99999",
        "https://p.example:port",
        "https://p exam.ple",
        "http://[::1",
    ],
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """An address is refused without a scheme, with a password, or if it is unusable."""
    with pytest.raises(ConfigError) as caught:
        load(None, {"DOCSPACE_API_HOST": text})
    assert str(caught.value).startswith("portal.url: ")
    assert "pass" not in str(caught.value).replace("password", "")


# Secrets.


def test_the_whole_value_is_tried_before_its_parts() -> None:
    """DOCSPACE_WEBHOOK_SECRET is tried as a whole, then its comma-separated, stripped parts."""
    config = load(None, {"DOCSPACE_WEBHOOK_SECRET": "new, old"})
    assert config.secrets() == ("new, old", "new", "old")


def test_one_secret_is_listed_once() -> None:
    """A secret without a comma is listed once."""
    assert load(None, {"DOCSPACE_WEBHOOK_SECRET": " s "}).secrets() == ("s",)


def test_a_secret_file_has_one_secret_a_line(tmp_path: Path) -> None:
    """A secret file has one secret per line, newest first; blanks and empty lines are ignored."""
    (tmp_path / "s").write_text("new, er\r\n\n  old\n", encoding="utf-8")
    config = load(write(tmp_path, '[webhook]\nsecret_file = "s"\n'), {})
    assert config.secrets() == ("new, er", "old")


def test_the_secret_of_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A secret in the environment takes precedence over the file, which is not even read."""
    path = write(tmp_path, '[webhook]\nsecret_file = "none"\n')
    assert load(path, {"DOCSPACE_WEBHOOK_SECRET": "s"}).secrets() == ("s",)


def test_an_empty_secret_file_is_an_error(tmp_path: Path) -> None:
    """A secret file without a secret is an error: it must not mean that nothing is verified."""
    (tmp_path / "s").write_text("\n \n", encoding="utf-8")
    config = load(write(tmp_path, '[webhook]\nsecret_file = "s"\n'), {})
    with pytest.raises(ConfigError, match="has no secret"):
        config.secrets()


@pytest.mark.parametrize("text", [" ", "\t", "\n"])
def test_a_blank_secret_is_an_error(text: str) -> None:
    """A blank secret is an error: it must not mean that nothing is verified."""
    with pytest.raises(ConfigError, match=r"webhook\.secret: must not be empty"):
        load(None, {"RECONCILER_WEBHOOK__SECRET": text})


@pytest.mark.parametrize("name", ["DOCSPACE_WEBHOOK_SECRET", "RECONCILER_WEBHOOK__SECRET"])
def test_a_secret_that_is_no_text_is_refused(name: str) -> None:
    """A secret that is not UTF-8 is refused: nothing can be signed with lone surrogates."""
    with pytest.raises(ConfigError, match=r"webhook\.secret"):
        load(None, {name: "s\udcff"})


def test_a_key_file_has_the_key(tmp_path: Path) -> None:
    """The key is read from its file without the line end."""
    (tmp_path / "k").write_text("sk-1\n", encoding="utf-8")
    assert load(write(tmp_path, '[portal]\napi_key_file = "k"\n'), {}).api_key() == "sk-1"


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"k\xc3\xa9y", b"\xff", b"a\nb"])
def test_a_key_file_without_a_key_is_an_error(content: bytes, tmp_path: Path) -> None:
    """A key file without a key is an error that names the file, not its content."""
    (tmp_path / "k").write_bytes(content)
    config = load(write(tmp_path, '[portal]\napi_key_file = "k"\n'), {})
    with pytest.raises(ConfigError, match=r"portal\.api_key_file") as caught:
        config.api_key()
    assert "two words" not in str(caught.value)


@pytest.mark.parametrize("key", ["portal.api_key_file", "webhook.secret_file"])
def test_a_missing_file_of_secrets_is_named(key: str, tmp_path: Path) -> None:
    """A missing file of secrets is named with its key and path."""
    section, _, name = key.partition(".")
    config = load(write(tmp_path, f'[{section}]\n{name} = "none"\n'), {})
    ask = config.api_key if section == "portal" else config.secrets
    with pytest.raises(ConfigError, match=f"{key} .*none cannot be read"):
        ask()


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
@pytest.mark.parametrize("key", ["api_key", "secrets", "admin_password", "database"])
def test_a_file_of_secrets_without_an_end_is_refused(key: str, device: str) -> None:
    """A file of secrets without an end, such as a device, is refused instead of read forever."""
    environ = {
        "RECONCILER_PORTAL__API_KEY_FILE": device,
        "RECONCILER_WEBHOOK__SECRET_FILE": device,
        "RECONCILER_ADMIN__PASSWORD_FILE": device,
        "RECONCILER_STATE__PASSWORD_FILE": device,
    }
    with pytest.raises(ConfigError, match=r"cannot be read: it is "):
        getattr(load(None, environ), key)()


def test_a_configuration_without_an_end_is_refused() -> None:
    """A configuration without an end, or of bytes that are no text, is refused."""
    with pytest.raises(ConfigError, match="longer than 1,000,000 characters"):
        load(Path("/dev/zero"), {})


@pytest.mark.parametrize("text", [" ", "two words", "kéy", "a\tb", "a\nb"])
def test_a_key_that_cannot_be_sent_is_refused(text: str) -> None:
    """A key that cannot be sent in a header is refused without being shown."""
    with pytest.raises(ConfigError) as caught:
        load(None, {"DOCSPACE_API_KEY": text})
    assert str(caught.value).startswith("portal.api_key: ")
    assert text not in str(caught.value).replace("one word of plain characters", "") or text == " "


def test_nothing_secret_shows() -> None:
    """The key and the secret are in no repr, str or dump."""
    environ = {"DOCSPACE_API_KEY": "sk-hush", "DOCSPACE_WEBHOOK_SECRET": "hush,hushed"}
    config = load(None, environ)
    for shown in (repr(config), str(config), config.model_dump_json(), repr(config.portal)):
        assert "hush" not in shown


def test_nothing_secret_shows_in_errors(tmp_path: Path) -> None:
    """Errors about other values do not contain the secrets."""
    environ = {
        "DOCSPACE_API_KEY": "sk hush",
        "DOCSPACE_WEBHOOK_SECRET": "hush\udcff",
        "PORT": "x",
        "RECONCILER_WEBHOOK": '{"secret": "hush"',
    }
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, ""), environ)
    assert "hush" not in f"{caught.value}{caught.value!r}"


def test_a_configuration_is_frozen() -> None:
    """A parsed configuration cannot be changed."""
    config = load(None, {})
    with pytest.raises(ValueError, match="frozen"):
        config.sweep.every = DAY
    with pytest.raises(ValueError, match="frozen"):
        config.sweep = config.sweep


# Paths.


def test_relative_paths_are_anchored_at_the_file(tmp_path: Path) -> None:
    """Relative paths are relative to the configuration's folder: cron starts elsewhere."""
    path = write(
        tmp_path,
        '[portal]\napi_key_file = "k"\nca_bundle = "ca/c.pem"\n[webhook]\nsecret_file = "../s"\n'
        '[admin]\npassword_file = "/etc/p"\n[state]\nurl = "sqlite:///state/l.db"\n',
    )
    config = load(path, {})
    assert config.portal.api_key_file == tmp_path / "k"
    assert config.portal.ca_bundle == tmp_path / "ca" / "c.pem"
    assert config.webhook.secret_file == tmp_path / ".." / "s"
    assert config.admin.password_file == Path("/etc/p")
    assert config.state.url == f"sqlite:///{tmp_path}/state/l.db"


def test_the_ledger_lies_beside_the_file_by_default(tmp_path: Path) -> None:
    """By default the ledger is beside the configuration, wherever the command is started."""
    assert load(write(tmp_path, ""), {}).state.url == f"sqlite:///{tmp_path}/reconciler.db"


def test_an_absolute_path_of_the_ledger_stays(tmp_path: Path) -> None:
    """An absolute path of the ledger is kept."""
    given = load(write(tmp_path, '[state]\nurl = "sqlite:////var/l.db"\n'), {})
    assert given.state.url == "sqlite:////var/l.db"


@pytest.mark.parametrize(
    "url", ["/var/l.db", "mysql://u@h/db", "sqlite://", "postgresql://u@h:x/db", "postgresql://[/d"]
)
def test_another_kind_of_ledger_is_refused(url: str, tmp_path: Path) -> None:
    """Another kind of ledger address is refused with the right form."""
    with pytest.raises(ConfigError, match=r"state\.url: must be sqlite:/// and a path"):
        load(write(tmp_path, f'[state]\nurl = "{url}"\n'), {})


def test_a_ledger_on_a_server_has_a_database(tmp_path: Path) -> None:
    """A ledger on a server needs a database's name; otherwise the driver would use the user's."""
    with pytest.raises(ConfigError, match=r"state\.url: must name a database"):
        load(write(tmp_path, '[state]\nurl = "postgresql+psycopg://u@h"\n'), {})


SERVER = "postgresql+psycopg://u:hush%40%2F@h:5433/db?sslmode=require"


def test_the_password_of_a_database_shows_nowhere() -> None:
    """The database's password is removed from the address, which logs and errors may show."""
    config = load(None, {"RECONCILER_STATE__URL": SERVER})
    assert config.state.url == "postgresql+psycopg://u@h:5433/db?sslmode=require"
    assert "hush" not in f"{config!r}{config}{config.model_dump()}"
    assert config.database() == SERVER


def test_the_password_of_a_database_has_a_variable_or_a_file_of_its_own(tmp_path: Path) -> None:
    """The database's password has a variable and a file of its own, so that config.toml can have
    the address; we encode special characters.
    """
    (tmp_path / "p").write_text("hush@/\n", encoding="utf-8")
    address = 'url = "postgresql+psycopg://u@h:5433/db?sslmode=require"\n'
    path = write(tmp_path, f"[state]\n{address}")
    assert load(path, {"RECONCILER_STATE__PASSWORD": "hush@/"}).database() == SERVER
    path = write(tmp_path, f'[state]\n{address}password_file = "p"\n')
    assert load(path, {}).database() == SERVER


def test_a_database_without_a_password_stays_as_it_is(tmp_path: Path) -> None:
    """Without a password the address stays as it is: the driver may have it from elsewhere."""
    for url in ("postgresql+psycopg://u@h/db", "postgresql:///db?host=/run", "sqlite:////var/l.db"):
        assert load(None, {"RECONCILER_STATE__URL": url}).database() == url


def test_a_password_of_a_database_does_not_belong_into_the_file(tmp_path: Path) -> None:
    """A database password in config.toml is refused without being repeated."""
    with pytest.raises(ConfigError, match="RECONCILER_STATE__PASSWORD") as caught:
        load(write(tmp_path, f'[state]\nurl = "{SERVER}"\n'), {})
    assert "hush" not in f"{caught.value}{caught.value!r}"


@pytest.mark.parametrize("password", ["hush@", "hush/1", "hush?", "hush#", "hush:1"])
def test_a_password_that_is_not_encoded_is_not_repeated(password: str) -> None:
    """A password that is not encoded, and may split the address, is not repeated."""
    result: object = None
    try:
        result = load(None, {"RECONCILER_STATE__URL": f"postgresql://u:{password}@h/db"})
    except ConfigError as error:
        result = error
    assert "hush" not in f"{result}{result!r}"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("hook", "starts with"),
        ("https://hooks.example.org/hook", "starts with"),
        ("/hook?token=abc", 'what follows "?"'),
        ("/hook?", 'what follows "?"'),
        ("/hook#part", 'what follows "#"'),
        ("/hook%20a", 'no "%"'),
        ("/hook%2Fa", 'no "%"'),
        ("/h%C3%B6k", 'no "%"'),
        ("//hook", "empty part"),
        ("/a//b", "empty part"),
        ("/a/../hook", '".."'),
        ("/./hook", '"."'),
        ("/hook a", "no blanks"),
        ("/hook\t", "no blanks"),
        ("/hook\n", "no blanks"),
        ("/hö", "letters"),
        ("/a\\b", "URL characters"),
        ('/a"b', "URL characters"),
    ],
)
def test_a_path_that_no_request_would_match_is_refused(path: str, reason: str) -> None:
    """A webhook path that no request would match is refused with the reason."""
    with pytest.raises(ConfigError) as caught:
        load(None, {"RECONCILER_WEBHOOK__PATH": path})
    assert [one.startswith("webhook.path: must ") for one in caught.value.problems] == [True]
    assert reason in str(caught.value)


def test_a_trusted_proxy_is_an_address(tmp_path: Path) -> None:
    """A trusted proxy must be an IP address: a name would never match a request's."""
    with pytest.raises(ConfigError, match=r"trusted_proxy: must be the proxy's IP address"):
        load(write(tmp_path, '[webhook]\ntrusted_proxy = "localhost"\n'), {})


# What is needed to act.


def test_everything_missing_is_listed_at_once() -> None:
    """The missing address, key and secret are listed at once, each with its variable."""
    with pytest.raises(ConfigError) as caught:
        require(load(None, {}), webhook=True)
    assert len(caught.value.problems) == 3
    for name in ("DOCSPACE_API_HOST", "DOCSPACE_API_KEY", "DOCSPACE_WEBHOOK_SECRET"):
        assert name in str(caught.value)


def test_a_pass_without_a_webhook_needs_no_secret() -> None:
    """`reconcile` needs no webhook secret, since it receives nothing."""
    environ = {"DOCSPACE_API_HOST": "https://p.example", "DOCSPACE_API_KEY": "k"}
    require(load(None, environ), webhook=False)
    with pytest.raises(ConfigError, match="anyone could send events"):
        require(load(None, environ), webhook=True)


def test_unsigned_deliveries_must_be_allowed_in_so_many_words() -> None:
    """Without a secret, deliveries are accepted only with allow_unsigned."""
    environ = {
        "DOCSPACE_API_HOST": "https://p.example",
        "DOCSPACE_API_KEY": "k",
        "RECONCILER_WEBHOOK__ALLOW_UNSIGNED": "true",
    }
    require(load(None, environ), webhook=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "watch.example"])  # noqa: S104
def test_admin_pages_beyond_this_machine_need_a_password(host: str, tmp_path: Path) -> None:
    """Admin pages beyond this machine need a password, since they show titles of documents: `serve`
    is refused, `reconcile` is not.
    """
    environ = {
        "DOCSPACE_API_HOST": "https://p.example",
        "DOCSPACE_API_KEY": "k",
        "DOCSPACE_WEBHOOK_SECRET": "s",
        "RECONCILER_ADMIN__HOST": host,
    }
    require(load(None, environ), webhook=False)
    with pytest.raises(ConfigError, match=rf"admin.host {host} .*set admin.password_file"):
        require(load(None, environ), webhook=True)
    environ["RECONCILER_ADMIN__PASSWORD_FILE"] = str(tmp_path / "password")
    with pytest.raises(ConfigError, match=r"admin.password_file .* cannot be read"):
        require(load(None, environ), webhook=True)
    (tmp_path / "password").write_text("  \n", "utf-8")
    with pytest.raises(ConfigError, match=r"admin.password_file .* is empty"):
        require(load(None, environ), webhook=True)
    (tmp_path / "password").write_text("open sesame\n", "utf-8")
    require(load(None, environ), webhook=True)
    assert load(None, environ).admin_password() == "open sesame"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_admin_pages_on_this_machine_need_none(host: str) -> None:
    """Admin pages on this machine need no password unless a password file is named."""
    assert load(None, {"RECONCILER_ADMIN__HOST": host}).admin_password() is None


def test_the_shipped_file_is_no_secret() -> None:
    """The shipped configuration is no secret and may be readable by all."""
    assert SHIPPED.stat().st_mode & stat.S_IROTH


@pytest.mark.parametrize(
    "url",
    ["ftp://hooks.example.org/x", "hooks.example.org", "https://me:pw@h.example/", "https:///x"],
)
def test_the_public_address_must_be_one_that_a_portal_can_call(url: str) -> None:
    """webhook.public_url must be http or https with a host and without a secret."""
    with pytest.raises(ConfigError, match=r"webhook\.public_url"):
        load(None, {"RECONCILER_WEBHOOK__PUBLIC_URL": url})
