"""config.toml as text, and the files that it names, most of which hold secrets."""

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from reconciler.errors import ConfigError

_MAX_LENGTH = 1_000_000  # characters
_FIRST_LINE = "# Made by: reconciler init. All keys and their values: reconciler config show\n"


def read_text(path: Path) -> str:
    """Return the text of a file without its byte order mark.

    Raises OSError, and ValueError for a file that is too long (an endless device) or not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            text = stream.read(_MAX_LENGTH + 1)
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"it is longer than {_MAX_LENGTH:,} characters")
    return text


def read_secret(path: Path, key: str, if_missing: str = "") -> str:
    """Return the text of the file that ``key`` names, without white space around it.

    Raises ConfigError; ``if_missing`` says where the file would come from.
    """
    try:
        return read_text(path).strip()
    except FileNotFoundError as error:
        hint = f"; {if_missing}" if if_missing else ""
        raise ConfigError((f"{key} {path} cannot be read: there is no such file{hint}",)) from error
    except OSError as error:
        raise ConfigError((f"{key} {path} cannot be read: {error.strerror}",)) from error
    except ValueError as error:
        raise ConfigError((f"{key} {path} cannot be read: {error}",)) from error


def read_password(path: Path, key: str) -> str:
    """Return the password in the file that ``key`` names. Raises ConfigError."""
    text = read_secret(path, key)
    if len(text.splitlines()) > 1:
        raise ConfigError((f"{key} {path} must have one line, the password alone",))
    return text


def secret_lines(text: str, path: Path) -> tuple[str, ...]:
    """Return the secrets of webhook.secret_file, one per line. Raises ConfigError for a comment."""
    lines = distinct(text.splitlines())
    if any(line.startswith("#") for line in lines):
        raise ConfigError(
            (
                f"webhook.secret_file {path} has a line that begins with #: each line is a "
                "secret, newest first, and comments are not taken; remove the line",
            )
        )
    return lines


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Return each text that is not empty once, without white space around it."""
    return tuple(dict.fromkeys(filter(None, (text.strip() for text in texts))))


def is_exposed(path: Path) -> bool:
    """Return whether another user than its owner can read the file.

    systemd gives its copies to one user by an access list, which looks like a group's right.
    """
    if path.is_relative_to("/run/credentials"):
        return False
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o077)


def edited(text: str, values: Mapping[str, str | int]) -> str:
    """Return the text of config.toml with these values by their keys (``section.name``).

    Comments and all other keys stay as they are; ``text`` must be valid.
    """
    import tomlkit  # noqa: PLC0415 - only init needs it, and it takes long to load

    document = tomlkit.parse(text or _FIRST_LINE)
    for key, value in values.items():
        section, _, name = key.partition(".")
        if section not in document:
            document[section] = tomlkit.table()
        document[section][name] = value
    return tomlkit.dumps(document)
