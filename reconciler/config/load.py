"""From config.toml and the environment to a `Config`, with every problem listed at once."""

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from reconciler.config.addresses import split_password, sqlite_path, sqlite_url
from reconciler.config.environment import PREFIX, settings
from reconciler.config.files import read_text
from reconciler.config.problems import as_written, problem
from reconciler.config.values import Config, State
from reconciler.errors import ConfigError

NAMED = {
    "DOCSPACE_API_HOST": ("portal", "url"),
    "DOCSPACE_API_KEY": ("portal", "api_key"),
    "DOCSPACE_WEBHOOK_SECRET": ("webhook", "secret"),
    "PORT": ("webhook", "port"),
}
FILES = (
    ("portal", "api_key_file"),
    ("portal", "ca_bundle"),
    ("webhook", "secret_file"),
    ("state", "password_file"),
    ("admin", "password_file"),
    ("notify", "urls_file"),
)
CONFIG = "RECONCILER_CONFIG"


def require(config: Config, *, webhook: bool) -> None:
    """Check what is needed to act, and with ``webhook`` to serve. Raises ConfigError for all."""
    served = (config.admin_password,) if webhook else ()
    problems = problems_in(
        config.portal_url, config.api_key, config.secrets, config.notify.urls, *served
    )
    unsigned = config.webhook.secret is None and config.webhook.secret_file is None
    if webhook and unsigned and not config.webhook.allow_unsigned:
        problems.append(
            "the webhook secret is missing, so anyone could send events: set "
            "DOCSPACE_WEBHOOK_SECRET or webhook.secret_file to what the portal's webhook has"
        )
    if problems:
        raise ConfigError(tuple(problems))


def problems_in(*readers: Callable[[], object]) -> list[str]:
    """Call each reader, such as `Config.api_key`; return the problems of those that fail."""
    problems: list[str] = []
    for read in readers:
        try:
            read()
        except ConfigError as error:
            problems += error.problems
    return problems


def load(
    path: Path | None, environ: Mapping[str, str], answers: Mapping[str, str] | None = None
) -> Config:
    """Read the file (None: there is none) under the environment, which wins. Empty is unset.

    ``answers`` win over both: they are written as variables are, but no message names them so.

    Raises ConfigError with every problem found: unreadable TOML, unknown keys with the
    nearest valid name, wrong values, secrets where they do not belong.
    """
    answers = answers or {}
    layers, problems = _read_layers(path, {**environ, **answers})
    values = _merged(*layers.values())
    problems += [_unknown(name) for name in values if name not in Config.model_fields]
    values = {name: values[name] for name in values if name in Config.model_fields}
    try:
        config = Config(**_anchored(values, Path() if path is None else path.parent))
    except ValidationError as error:
        unnamed = {"", *answers}
        setters = _setters(layers).items()
        variables = {key: name for key, name in setters if name not in unnamed}
        problems += [_problem(one, variables) for one in error.errors(include_url=False)]
    if problems:
        raise ConfigError(tuple(dict.fromkeys(problems)))
    return config


def origins(path: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what set each key (``section.name``) that is not at its default: the name of its
    variable, empty for the file. Raises ConfigError when the file cannot be read.
    """
    return _setters(_read_layers(path, environ)[0])


def _read_layers(
    path: Path | None, environ: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return what the file ("") and each variable set, the later over the earlier, and problems."""
    given, environ = {} if path is None else _read_toml(path), settings(environ)
    problems = [*_misplaced(given), *_impossible(given), *_unknown_variables(environ)]
    layers = {"": given}
    for name in [*NAMED, *sorted(environ.keys() - NAMED)]:  # a whole section before its keys
        try:
            layers[name] = _set_by(name, environ.get(name, ""))
        except (SettingsError, RecursionError):
            problems.append(_no_json(name, environ[name]))
    return layers, problems


def _setters(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {key: name for name, values in layers.items() for key in _keys_of(values)}


def keys() -> dict[str, object]:
    """Return every key (``section.name``) with its default, as the reference lists them."""
    return {
        f"{section}.{name}": field.get_default(call_default_factory=True)
        for section, outer in Config.model_fields.items()
        for name, field in type(outer.default).model_fields.items()
    }


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise ConfigError((f"{path} cannot be read: {error.strerror}",)) from error
    except (ValueError, RecursionError) as error:  # also numbers and tables beyond all measure
        raise ConfigError((f"{path} is not valid TOML: {error}",)) from error


def _misplaced(given: Mapping[str, Any]) -> Iterator[str]:
    for section, name, variable in (
        ("portal", "api_key", "DOCSPACE_API_KEY"),
        ("webhook", "secret", "DOCSPACE_WEBHOOK_SECRET"),
        ("state", "password", "RECONCILER_STATE__PASSWORD"),
    ):
        if isinstance(given.get(section), Mapping) and name in given[section]:
            yield (
                f"{section}.{name} is a secret and does not belong in config.toml: "
                f"set {variable}, or name a file with {section}.{name}_file"
            )
    state = given.get("state")
    url = state.get("url") if isinstance(state, Mapping) else None
    if isinstance(url, str) and split_password(url)[1] is not None:
        yield (
            "state.url: its password is a secret and does not belong in config.toml: set "
            "RECONCILER_STATE__URL or RECONCILER_STATE__PASSWORD, or name a file with "
            "state.password_file"
        )


def _impossible(given: Mapping[str, Any]) -> Iterator[str]:
    """A text with NUL is no path; a variable cannot have one."""
    for section, name in (*FILES, ("state", "url")):
        content = given.get(section)
        if isinstance(content, Mapping) and "\0" in str(content.get(name)):
            yield f"{section}.{name}: must have no NUL character"


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Misspelt variables without a section would be passed over in silence."""
    for name in environ:
        section = name.removeprefix(PREFIX).partition("__")[0].lower()
        if name.startswith(PREFIX) and name != CONFIG and section not in Config.model_fields:
            yield f"unknown environment variable {name}{_nearest(name, _variables())}"


def _variables() -> list[str]:
    return [PREFIX + key.replace(".", "__").upper() for key in keys()]


def _set_by(name: str, value: str) -> dict[str, Any]:
    """Return what one variable sets. Raises SettingsError when its JSON is not valid."""
    if name in NAMED:
        section, key = NAMED[name]
        return {section: {key: value}} if value else {}
    source = EnvSettingsSource(Config)
    source.env_vars = {name.lower(): value} if name.startswith(PREFIX) else {}
    return source()


def _keys_of(values: Mapping[str, Any]) -> Iterator[str]:
    for section, content in values.items():
        yield from (f"{section}.{key}" for key in content) if isinstance(content, dict) else ()


def _no_json(name: str, value: str) -> str:
    """A whole section may hold a secret, and is not repeated."""
    found = f"; it is {as_written(value)}" if "__" in name else ""
    return f'environment variable {name}: must be JSON, such as [1, 2] or ["docx"]{found}'


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for layer in layers:
        for section, content in layer.items():
            known = values.get(section)
            if isinstance(known, dict) and isinstance(content, Mapping):
                values[section] = {**known, **content}
            else:
                values[section] = dict(content) if isinstance(content, Mapping) else content
    return values


def _anchored(values: dict[str, Any], base: Path) -> dict[str, Any]:
    """Make the paths absolute: cron and systemd start in other directories than people."""
    for section, name in FILES:
        content = values.get(section)
        if isinstance(content, dict) and isinstance(content.get(name), str):
            content[name] = base.absolute() / content[name]
    state = values.setdefault("state", {})
    if isinstance(state, dict):
        url = state.get("url", State().url)
        state["url"] = _anchored_url(url, base) if isinstance(url, str) else url
    return values


def _anchored_url(url: str, base: Path) -> str:
    path = sqlite_path(url)
    return url if path is None else sqlite_url(base.absolute() / path)


def _problem(error: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    if error["type"] == "extra_forbidden":
        return _unknown(".".join(str(part) for part in error["loc"]))
    return problem(error, variables)


def _unknown(key: str) -> str:
    return f"unknown key {key}{_nearest(key, [*keys(), *Config.model_fields])}"


def _nearest(name: str, valid: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f"; did you mean {match[0]}?" if match else ""
