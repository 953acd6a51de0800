"""The messages on an invalid configuration: the key, what it must be, and what it is.

They replace those of pydantic, which are for programmers. A secret is never repeated, nor an
address that may contain a password.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from reconciler.config.addresses import split_password
from reconciler.config.sections import SECRET
from reconciler.config.value_types import DURATION
from reconciler.config.values import (
    CONFIG,
    PREFIX,
    Config,
    keys,
    marked_keys,
    paths,
    variable_of,
)
from reconciler.formats import shown
from reconciler.triggers import UPDATED

SECRETS = frozenset(marked_keys(SECRET))
_REDACTED = {*SECRETS, "state.url"}
_MAX_LENGTH = 80  # characters of a value
_OF_ROOMS = "a list of ids of rooms, such as [12, 34]: the number in a room's address"
_LISTS = {
    "webhook.triggers": f'a list of events, such as ["{UPDATED}"]',
    "review.rooms": _OF_ROOMS,
    "review.exclude_rooms": _OF_ROOMS,
}
_TYPES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    timedelta: DURATION,
    Path: "a path in quotes",
}


def problems_of_sources(given: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the problems of the file and of the variables before they are merged."""
    yield from _misplaced(given)
    yield from _impossible(given)
    yield from _unknown_variables(environ)


def problem(error: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    """Return the message on a refused value; ``variables`` has the variable that set each key."""
    section, *rest = error["loc"]
    if error["type"] == "extra_forbidden":
        return unknown_key(".".join(map(str, error["loc"])))
    if not rest:
        return _of_section(error, section)
    key = f"{section}.{rest[0]}"
    field = type(Config.model_fields[section].default).model_fields[rest[0]]
    if error["type"] == "value_error":
        message = str(error["ctx"]["error"])
    else:
        message = f"must be {_expected(key, field)}"
    found = "" if key in _REDACTED else _found(error["input"], "one is" if rest[1:] else "it is")
    source = f" (from the variable {variables[key]})" if key in variables else ""
    return f"{key}: {message}{found}{source}"


def unknown_key(key: str) -> str:
    """Return the problem of an unknown key, with the nearest valid name."""
    return f"unknown key {key}{_nearest(key, [*keys(), *Config.model_fields])}"


def no_json(name: str, value: str) -> str:
    """Return the problem of a variable; a whole section may hold a secret, and is not repeated."""
    found = f"; it is {_as_written(value)}" if "__" in name else ""
    return f'environment variable {name}: must be JSON, such as [1, 2] or ["docx"]{found}'


def _misplaced(given: Mapping[str, Any]) -> Iterator[str]:
    for key in marked_keys(SECRET):
        section, _, name = key.partition(".")
        in_file = isinstance(given.get(section), Mapping) and name in given[section]
        if in_file and f"{key}_file" in keys():
            yield (
                f"{key} is a secret and does not belong in config.toml: "
                f"set {variable_of(key)}, or name a file with {key}_file"
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
    """Yield the paths with NUL, which only the file can have."""
    for section, name in (*paths(), ("state", "url")):
        content = given.get(section)
        if isinstance(content, Mapping) and "\0" in str(content.get(name)):
            yield f"{section}.{name}: must have no NUL character"


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield misspelt variables without a section, which would be ignored otherwise."""
    for name in environ:
        section = name.removeprefix(PREFIX).partition("__")[0].lower()
        if name.startswith(PREFIX) and name != CONFIG and section not in Config.model_fields:
            valid = [PREFIX + key.replace(".", "__").upper() for key in keys()]
            yield f"unknown environment variable {name}{_nearest(name, valid)}"


def _nearest(name: str, valid: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f"; did you mean {match[0]}?" if match else ""


def _as_written(value: object) -> str:
    """Return a value as config.toml has it, safe for a terminal, and not longer than a line."""
    text = shown(json.dumps(value, ensure_ascii=False, default=str))
    if isinstance(value, str) and '"' in value and "'" not in value:
        text = shown(f"'{value}'")
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}..."


def _of_section(error: Mapping[str, Any], section: str) -> str:
    if error["type"] == "value_error":  # it is about several keys, and names them itself
        return str(error["ctx"]["error"])
    return f"{section}: must be a section, [{section}] with its keys{_found(error['input'])}"


def _found(value: object, begin: str = "it is") -> str:
    text = _as_written(value)
    return "" if "@" in text else f"; {begin} {text}"


def _expected(key: str, field: FieldInfo) -> str:
    """Return the kind of value that a key takes, by its declaration."""
    kind = field.annotation
    if get_origin(kind) in {Union, UnionType}:
        kind = next(one for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(_as_written, get_args(kind)))
    if get_origin(kind) in {tuple, frozenset}:
        return _LISTS.get(key, 'a list of texts, such as ["one", "two"]')
    name = next((name for type_, name in _TYPES.items() if kind is type_), "text in quotes")
    return f"{name}{_range(field)}"


def _range(field: FieldInfo) -> str:
    """Return the range of a number, empty where there is none."""
    bounds = []
    for limit in field.metadata:
        for name, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most")):
            if (bound := getattr(limit, name, None)) is not None:
                seconds = isinstance(bound, timedelta)
                bounds.append(f"{words} {f'{bound.total_seconds():.0f}s' if seconds else bound}")
    return f", {' and '.join(bounds)}" if bounds else ""
