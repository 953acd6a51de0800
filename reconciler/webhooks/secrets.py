"""Webhook secrets: generated and checked by the portal's rules, stored in a file, and reloaded."""

import os
import secrets
import string
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from reconciler.config import read_text, secret_lines
from reconciler.errors import ConfigError

MIN_LENGTH, MAX_LENGTH = 8, 30  # docspace.md 6
_SPECIAL = "!*-_.+@"  # no comma, which separates secrets in a variable; no quotes, no blank
_CLASSES = (string.ascii_uppercase, string.ascii_lowercase, string.digits, _SPECIAL)
_OWNER_ONLY = 0o600


def make_secret() -> str:
    """Return a new random secret that the portal accepts."""
    alphabet = "".join(_CLASSES)
    while True:
        secret = "".join(secrets.choice(alphabet) for _ in range(MAX_LENGTH))
        if not secret_faults(secret):
            return secret


def secret_faults(secret: str) -> tuple[str, ...]:
    """Return which of the portal's rules for passwords a secret breaks."""
    rules = (
        (MIN_LENGTH <= len(secret) <= MAX_LENGTH, f"{MIN_LENGTH} to {MAX_LENGTH} characters"),
        (all("!" <= c <= "~" for c in secret), "only printable ASCII without blanks"),
        (any(c.isupper() for c in secret), "an upper-case letter"),
        (any(c.islower() for c in secret), "a lower-case letter"),
        (any(c.isdigit() for c in secret), "a digit"),
        (any(not c.isalnum() for c in secret), "a special character"),
    )
    return tuple(rule for is_met, rule in rules if not is_met)


def secret_to_register(configured: Sequence[str]) -> str:
    """Return the newest secret that the portal accepts. Raises ConfigError with its faults.

    A variable counts as a whole and by its comma-separated parts; the receiver takes either.
    """
    valid = [secret for secret in configured if "," not in secret and not secret_faults(secret)]
    if valid:
        return valid[0]
    if not configured:
        raise ConfigError(
            ("the webhook secret is missing: set webhook.secret_file, which will be written",)
        )
    if faults := secret_faults(configured[0]):
        needed = ", ".join(faults)
        raise ConfigError((f"the webhook secret breaks the portal's rules; it needs {needed}",))
    return configured[0]


class SecretFile:
    """A file of secrets, one per line, newest first. It is changed as a whole or not at all.

    It is replaced where its folder allows that. A file that is a mount of its own, or in a folder
    of another user, is overwritten in place.
    """

    def __init__(self, path: Path, setting: str = "webhook.secret_file") -> None:
        """Neither read nor write yet; ``setting`` is the key that names the file, for messages."""
        self.path, self._setting = path, setting

    def read(self) -> tuple[str, ...]:
        """Return the secrets, none when there is no file. Raises ConfigError."""
        try:
            return secret_lines(read_text(self.path), self.path)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            raise self._problem("read", error) from error

    def changed_at(self) -> datetime:
        """Return when the file was last changed, by this machine's clock. Raises ConfigError."""
        try:
            return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
        except OSError as error:
            raise self._problem("read", error) from error

    def write(self, lines: Sequence[str]) -> None:
        """Write the secrets, newest first, for the file's owner alone. Raises ConfigError."""
        path = self.path.resolve()  # a link stays a link
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

    def _problem(self, act: str, error: Exception) -> ConfigError:
        reason = error.strerror if isinstance(error, OSError) else error
        return ConfigError((f"{self._setting} {self.path} cannot be {act}: {reason}",))


class ReloadingSecrets:
    """The secrets of a file, read again when the file changes. Safe to share between threads."""

    def __init__(
        self,
        path: Path,
        on_changed: Callable[[int], None],
        on_error: Callable[[ConfigError], None],
    ) -> None:
        """Read the file. Raises ConfigError.

        Later ``on_changed`` gets the number of its new secrets, ``on_error`` why it was not read.
        """
        self._path, self._lock = path, threading.Lock()
        self._on_changed, self._on_error = on_changed, on_error
        self._stamp, self._secrets = _stamp(path), self._read()

    def current(self) -> tuple[str, ...]:
        """Return the secrets, newest first. An empty or unreadable file changes nothing."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._reload()
            return self._secrets

    def _reload(self) -> None:
        try:
            secrets = self._read()
        except ConfigError as error:
            self._on_error(error)
            return
        if secrets != self._secrets:
            self._secrets = secrets
            self._on_changed(len(secrets))

    def _read(self) -> tuple[str, ...]:
        if secrets := SecretFile(self._path).read():
            return secrets
        raise ConfigError((f"webhook.secret_file {self._path} has no secret",))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes with the file, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of the old one."""
    file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(file, "wb") as stream:
            _set_owner(stream.fileno(), path)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _overwrite(path: Path, content: bytes) -> None:
    """Change the file itself; a concurrent reader finds all of the old or all of the new content.

    Blank lines, which mean nothing, first reserve the space: on a full disk nothing is lost.
    """
    file = _opened(path)
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
        with suppress(PermissionError):  # another user's file
            os.fchmod(file, _OWNER_ONLY)
    finally:
        os.close(file)


def _opened(path: Path) -> int:
    """Open the file to change it, also one that is read-only for its owner (0400)."""
    flags = os.O_RDWR | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except PermissionError:
        path.chmod(_OWNER_ONLY)  # fails again for another user's file
        return os.open(path, flags)


def _write_all(file: int, content: bytes) -> None:
    """Write from the start of the file, and flush it to the disk."""
    written = 0
    while written < len(content):
        written += os.pwrite(file, content[written:], written)
    os.fsync(file)


def _set_owner(file: int, path: Path) -> None:
    """Give a new file to the owner of the old one, or of the folder: the daemon must read it."""
    os.fchmod(file, _OWNER_ONLY)
    before = (path if path.exists() else path.parent).stat()
    new = os.fstat(file)
    if (before.st_uid, before.st_gid) == (new.st_uid, new.st_gid):
        return
    if path.exists() or os.geteuid() == 0:
        os.fchown(file, before.st_uid, before.st_gid)
