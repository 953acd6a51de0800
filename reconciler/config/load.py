"""Merges config.toml and the environment into a `Config`; knows the origin of each setting."""

import re
import tomllib
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from reconciler.config.addresses import sqlite_path, sqlite_url
from reconciler.config.files import read_text
from reconciler.config.problems import SECRETS, no_json, problem, problems_of_sources, unknown_key
from reconciler.config.sections import State
from reconciler.config.value_types import duration_text
from reconciler.config.values import NAMED, PREFIX, Config, keys, paths
from reconciler.errors import ConfigError

DEFAULT = "default"

# The variables of Kubernetes and of Docker's links about a service or container that is named
# `reconciler`, `reconciler-admin` and the like. Our ports are numbers, theirs are addresses.
_INJECTED = re.compile(
    rf"{PREFIX}(?:[A-Z0-9]+_)*"
    r"(?:SERVICE_HOST=|SERVICE_PORT(?:_[A-Z0-9]+)*=|NAME=|ENV_\w+=|PORT=(?:tcp|udp|sctp)://"
    r"|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:START|END|PORT|ADDR|PROTO))*=)"
)


@dataclass(frozen=True)
class EffectiveSetting:
    """A key, its value as JSON can hold it, and its origin: the file, a variable, or the default.

    The value of a secret is "set" or "not set".
    """

    key: str
    value: Any
    origin: str


def require(config: Config, *, webhook: bool) -> None:
    """Check what every run needs, with ``webhook`` also what serve needs. Raises ConfigError."""
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
    return _built(path, *_read_layers(path, {**environ, **answers}), answers)


def effective_settings(
    path: Path | None, environ: Mapping[str, str]
) -> tuple[EffectiveSetting, ...]:
    """Return every setting, in the order of the reference. Raises ConfigError."""
    layers, problems = _read_layers(path, environ)
    config, setters = _built(path, layers, problems), _setters(layers)
    if config.state.password is not None:  # it may be a part of the address
        setters.setdefault("state.password", setters.get("state.url", ""))
    return tuple(
        EffectiveSetting(key, _shown_value(config, key), _origin(setters.get(key), path))
        for key in keys()
    )


def _read_layers(
    path: Path | None, environ: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return what the file ("") and each variable set, the later over the earlier, and problems."""
    given, environ = {} if path is None else _read_toml(path), _settings_of(environ)
    problems = [*problems_of_sources(given, environ)]
    layers = {"": given}
    for name in [*NAMED, *sorted(environ.keys() - NAMED)]:  # a whole section before its keys
        try:
            layers[name] = _set_by(name, environ.get(name, ""))
        except (SettingsError, RecursionError):
            problems.append(no_json(name, environ[name]))
    return layers, problems


def _built(
    path: Path | None,
    layers: Mapping[str, Mapping[str, Any]],
    problems: list[str],
    unnamed: Container[str] = (),
) -> Config:
    """Return what the layers make. Raises ConfigError with their problems and all others."""
    values = _merged(*layers.values())
    problems += [unknown_key(name) for name in values if name not in Config.model_fields]
    values = {name: values[name] for name in values if name in Config.model_fields}
    try:
        config = Config(**_anchored(values, Path() if path is None else path.parent))
    except ValidationError as error:
        setters = _setters(layers).items()
        variables = {key: name for key, name in setters if name and name not in unnamed}
        problems += [problem(one, variables) for one in error.errors(include_url=False)]
    if problems:
        raise ConfigError(tuple(dict.fromkeys(problems)))
    return config


def _setters(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return what set each key that is not at its default: its variable, "" for the file."""
    return {key: name for name, values in layers.items() for key in _keys_of(values)}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise ConfigError((f"{path} cannot be read: {error.strerror}",)) from error
    except (ValueError, RecursionError) as error:  # also a number or a nesting that is too large
        raise ConfigError((f"{path} is not valid TOML: {error}",)) from error


def _settings_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that set something: neither those that an orchestrator injects,
    nor empty ones. Compose files and charts pass unset variables on as ``${X:-}``.
    """
    return {n: v for n, v in environ.items() if v and not _INJECTED.match(f"{n}={v}")}


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
    """Make the paths absolute: cron and systemd start programs in another directory."""
    for section, name in paths():
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


def _shown_value(config: Config, key: str) -> Any:
    section, _, name = key.partition(".")
    value = getattr(getattr(config, section), name)
    return ("set" if value else "not set") if key in SECRETS else _plain(value)


def _origin(setter: str | None, path: Path | None) -> str:
    """Return the variable that set a key, the path of the file, or that it is the default."""
    if setter is None:
        return DEFAULT
    return setter or str(path and path.absolute())


def _plain(value: object) -> Any:
    match value:
        case timedelta():
            return duration_text(value)
        case Path():
            return str(value)
        case tuple() | set() | frozenset():
            return [*map(_plain, value if isinstance(value, tuple) else sorted(value))]
        case _:
            return value
