"""Webhook secrets: made, judged by the portal's rules, and kept in a file, newest first."""

import os
import secrets as randomness
import string
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reconciler.errors import ConfigError

SHORTEST, LONGEST = 8, 30  # docspace.md 6
_SPECIAL = "!*-_.+@"  # no comma, which would part two secrets in a variable; no quotes, no blank
_KINDS = (string.ascii_uppercase, string.ascii_lowercase, string.digits, _SPECIAL)
_OWNER_ONLY = 0o600


def make_secret() -> str:
    """Return a new secret that the portal's rules for passwords allow."""
    everything = "".join(_KINDS)
    while True:
        made = "".join(randomness.choice(everything) for _ in range(LONGEST))
        if not faults_of(made):
            return made


def faults_of(secret: str) -> tuple[str, ...]:
    """Return what the portal's rules for passwords would say against a secret."""
    plain = all("!" <= c <= "~" for c in secret)
    demands = (
        (SHORTEST <= len(secret) <= LONGEST, f"{SHORTEST} to {LONGEST} characters"),
        (plain, "only printable ASCII without blanks"),
        (any(c.isupper() for c in secret), "an upper-case letter"),
        (any(c.islower() for c in secret), "a lower-case letter"),
        (any(c.isdigit() for c in secret), "a digit"),
        (any(not c.isalnum() for c in secret), "a special character"),
    )
    return tuple(words for met, words in demands if not met)


class SecretFile:
    """A file of secrets, one a line, newest first. It is changed as a whole or not at all.

    It is replaced where its folder allows that. A file that is mounted by itself, or lies in a
    folder of somebody else's, is written in place.
    """

    def __init__(self, path: Path) -> None:
        """Touch nothing yet."""
        self._path = path

    def read(self) -> tuple[str, ...]:
        """Return the secrets, none when there is no file. Raises ConfigError."""
        try:
            lines = self._path.read_text(encoding="utf-8-sig").splitlines()
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            raise self._problem("read", error) from error
        return tuple(dict.fromkeys(filter(None, (line.strip() for line in lines))))

    def write(self, lines: Sequence[str]) -> None:
        """Write the secrets, newest first, for the file's owner alone. Raises ConfigError."""
        path = self._path.resolve()  # a link stays a link
        content = "".join(f"{line}\n" for line in lines).encode()
        try:
            try:
                _replace(path, content)
            except OSError:
                if not path.is_file():
                    raise
                _overwrite(path, content)
        except OSError as error:
            raise self._problem("written", error) from error

    def _problem(self, what: str, error: Exception) -> ConfigError:
        return ConfigError((f"webhook.secret_file {self._path} cannot be {what}: {error}",))


def _replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of the old one."""
    file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(file, "wb") as stream:
            _own(stream.fileno(), path)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _overwrite(path: Path, content: bytes) -> None:
    """Change the file itself, so that whoever reads meanwhile finds all of the old or the new.

    Blank lines, which mean nothing, first make room: where there is none, nothing is lost.
    """
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        before = os.pread(file, os.fstat(file).st_size, 0)
        size = max(len(before), len(content))
        try:
            _write_all(file, before.ljust(size, b"\n"))
            _write_all(file, content.ljust(size, b"\n"))
            os.ftruncate(file, len(content))
            os.fsync(file)
        except OSError:
            with suppress(OSError):
                _write_all(file, before)
                os.ftruncate(file, len(before))
            raise
        with suppress(PermissionError):  # somebody else's
            os.fchmod(file, _OWNER_ONLY)
    finally:
        os.close(file)


def _write_all(file: int, content: bytes) -> None:
    """Write from the file's beginning, onto the disk."""
    written = 0
    while written < len(content):
        written += os.pwrite(file, content[written:], written)
    os.fsync(file)


def _own(file: int, path: Path) -> None:
    """Give a new file to who owned the old one, or the folder: the daemon must read it."""
    os.fchmod(file, _OWNER_ONLY)
    before = (path if path.exists() else path.parent).stat()
    mine = os.fstat(file)
    if (before.st_uid, before.st_gid) == (mine.st_uid, mine.st_gid):
        return
    if path.exists() or os.geteuid() == 0:
        os.fchown(file, before.st_uid, before.st_gid)
