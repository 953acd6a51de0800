"""The secrets that the receiver takes, while a file of them changes and old ones come to an end.

The newest secret is the file's first line. Once a delivery signed by it has arrived the portal
has it; but after each delivery the portal writes back the webhook as it was before the attempt
(docspace.md 6), so a rotation may be undone, and the older ones count for a time of grace. Then
they are refused, also after a restart: the ledger remembers them by their fingerprints.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.errors import ConfigError, LedgerError
from reconciler.ledger import Ledger
from reconciler.webhooks.secrets import SecretFile

GRACE = timedelta(minutes=15)
_FACT = "rotation"
_SALT = b"reconciler webhook secret"


@dataclass(frozen=True)
class Rotation:
    """What is remembered: the newest secret that a delivery used, since when, and those that
    are refused. All are fingerprints.
    """

    newest: str = ""
    since: datetime | None = None
    retired: frozenset[str] = frozenset()

    def is_over(self, newest: str, now: datetime) -> bool:
        """Whether everything older than ``newest`` is refused by now."""
        return newest == self.newest and self.since is not None and now >= self.since + GRACE


def fingerprint(secret: str) -> str:
    """Return what tells a secret again but is of no use to whoever finds it; slow on purpose."""
    return hashlib.scrypt(secret.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=16).hex()


def remembered(ledger: Ledger) -> Rotation:
    """Return what the ledger knows of rotations. Raises LedgerError."""
    text = ledger.get_value(_FACT)
    known = json.loads(text) if text else {}
    since = known.get("since")
    return Rotation(
        known.get("newest", ""),
        None if since is None else datetime.fromisoformat(since),
        frozenset(known.get("retired", ())),
    )


class Keyring:
    """The secrets of a file. Safe to share between threads; never raises once it is built."""

    def __init__(
        self,
        path: Path,
        ledger: Ledger,
        clock: Callable[[], datetime],
        tell: Callable[..., None],
    ) -> None:
        """Read the file. Raises ConfigError, LedgerError. ``tell`` logs an event with fields."""
        self._path, self._ledger, self._clock, self._tell = path, ledger, clock, tell
        self._lock, self._marks = threading.Lock(), dict[str, str]()
        self._state, self._all = _state(path), SecretFile(path).read()
        if not self._all:
            raise ConfigError((f"webhook.secret_file {path} has no secret",))
        self._rotation = remembered(ledger)
        self._current = self._accepted()

    def current(self) -> Sequence[str]:
        """Return the secrets that count now, newest first."""
        with self._lock:
            state = _state(self._path)
            if state != self._state:
                self._reread(state)
            if len(self._current) > 1 and self._rotation.is_over(
                self._mark(self._current[0]), self._clock()
            ):
                self._retire()
            return self._current

    def used(self, secret: str) -> None:
        """Take note that the portal signed a delivery with a secret."""
        with self._lock:
            if secret not in self._current or len(self._current) < 2:
                return
            newest = self._mark(self._current[0])
            under_way = newest == self._rotation.newest
            if secret != self._current[0]:
                if under_way:
                    self._tell("older_secret_again", cure="run: reconciler webhook rotate")
            elif not under_way:
                at = self._clock()
                self._keep(replace(self._rotation, newest=newest, since=at))
                self._tell("new_secret_in_use", older_until=(at + GRACE).isoformat())

    def _reread(self, state: Any) -> None:
        """Take what the file has now; an empty or unreadable one changes nothing."""
        self._state = state
        try:
            found = SecretFile(self._path).read()
        except ConfigError as error:
            self._tell("secrets_not_read", error=str(error))
            return
        if not found:
            self._tell("secrets_not_read", error=f"{self._path} has no secret")
            return
        if found != self._all:
            self._all = found
            self._current = self._accepted()
            self._tell("secrets_read", number=len(self._current))

    def _accepted(self) -> tuple[str, ...]:
        newest, *older = self._all
        refused = self._rotation.retired
        still = [s for s in older if not refused or self._mark(s) not in refused]
        return (newest, *still)

    def _retire(self) -> None:
        newest, *older = self._current
        marks = frozenset(self._mark(secret) for secret in older)
        newer = self._rotation.retired | marks
        self._keep(replace(self._rotation, retired=newer - {self._mark(newest)}))
        self._current = (newest,)
        self._tell("older_secrets_refused", number=len(older))

    def _keep(self, rotation: Rotation) -> None:
        """Remember durably; when that fails, the next delivery or restart comes to it again."""
        self._rotation = rotation
        since = None if rotation.since is None else rotation.since.isoformat()
        known = {"newest": rotation.newest, "since": since, "retired": sorted(rotation.retired)}
        try:
            self._ledger.set_value(_FACT, json.dumps(known))
        except LedgerError as error:
            self._tell("rotation_not_remembered", error=str(error))

    def _mark(self, secret: str) -> str:
        if secret not in self._marks:
            self._marks[secret] = fingerprint(secret)
        return self._marks[secret]


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
