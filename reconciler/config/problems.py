"""From a value that was refused to a sentence: its key, what it must be, and what it is.

The library's own words are for programmers. A secret is never repeated, nor an address that may
hold a password.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from reconciler.config.value_types import DURATION
from reconciler.config.values import Config
from reconciler.formats import shown

SECRETS = ("portal.api_key", "webhook.secret", "state.password", "notify.heartbeat_url")
_UNTOLD = {*SECRETS, "state.url"}
_MAX_LENGTH = 80  # characters of a value
_OF_ROOMS = "a list of ids of rooms, such as [12, 34]: the number in a room's address"
_LISTS = {
    "webhook.triggers": 'a list of events, such as ["file.updated"]',
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


def problem(error: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    """Return a refused value as a sentence; ``variables`` name the one that set a key."""
    section, *rest = error["loc"]
    if not rest:
        return _of_section(error, section)
    key = f"{section}.{rest[0]}"
    field = type(Config.model_fields[section].default).model_fields[rest[0]]
    if error["type"] == "value_error":
        message = str(error["ctx"]["error"])
    else:
        message = f"must be {_expected(key, field)}"
    found = "" if key in _UNTOLD else _found(error["input"], "one is" if rest[1:] else "it is")
    source = f" (from the variable {variables[key]})" if key in variables else ""
    return f"{key}: {message}{found}{source}"


def as_written(value: object) -> str:
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
    text = as_written(value)
    return "" if "@" in text else f"; {begin} {text}"


def _expected(key: str, field: FieldInfo) -> str:
    """Return what a key takes, by its declaration."""
    kind = field.annotation
    if get_origin(kind) in {Union, UnionType}:
        kind = next(one for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(as_written, get_args(kind)))
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
