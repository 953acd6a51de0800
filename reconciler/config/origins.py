"""Every setting with its value and where it came from, safe to show: no secret is among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from reconciler.config.load import keys, load, origins
from reconciler.config.problems import SECRETS
from reconciler.config.value_types import duration_text
from reconciler.config.values import Config

DEFAULT = "default"


@dataclass(frozen=True)
class Setting:
    """A key, its value as JSON can say it, and its origin: the file, a variable, or the default.

    The value of a secret is "set" or "not set".
    """

    key: str
    value: Any
    origin: str


def effective_settings(path: Path | None, environ: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return every setting, in the order of the reference. Raises ConfigError."""
    config, setters = load(path, environ), origins(path, environ)
    if config.state.password is not None:  # it may be a part of the address
        setters.setdefault("state.password", setters.get("state.url", ""))
    return tuple(
        Setting(key, _value(config, key), _origin(setters.get(key), path)) for key in keys()
    )


def _value(config: Config, key: str) -> Any:
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
