"""A first configuration: checked at the portal, then written as a whole or not at all.

`Setup` reads the present configuration. The answers become a `Plan`: the keys of config.toml that
change, and the secret files. When a step fails, what was written before it is restored.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.client import WRITE_ALL, Key
from reconciler.config import Config, load, public_address, read_text
from reconciler.config.files import edited
from reconciler.diagnostics.checks import (
    PORTAL_CHECKS,
    Finding,
    Level,
    Snapshot,
    check,
    ok,
)
from reconciler.errors import ConfigError, PortalError
from reconciler.service.checks import portal_snapshot
from reconciler.service.unit_files import HOME, STATE
from reconciler.webhooks import SecretFile, make_secret

_SHOWN = 10
_READABLE = 0o644  # config.toml holds no secret, and the service's user must read it
_KEY_FILE = "portal.api_key_file"
_KEY_OF = {"portal": "url", "key": "api_key", "key_file": "api_key_file"}
_SECTION_OF = dict.fromkeys(("portal", "key", "key_file", "ca_bundle"), "PORTAL") | dict.fromkeys(
    ("host", "port", "public_url"), "WEBHOOK"
)


@dataclass(frozen=True)
class Answers:
    """The answers, None where there is none; ``key_file`` is the file that ``key`` came from."""

    portal: str | None = None
    key: str | None = None
    key_file: Path | None = None
    ca_bundle: Path | None = None
    host: str | None = None
    port: int | None = None
    public_url: str | None = None

    def variables(self) -> dict[str, str]:
        """Return the environment variables that set the same."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            f"RECONCILER_{_SECTION_OF[name]}__{_KEY_OF.get(name, name).upper()}": str(
                value.absolute() if isinstance(value, Path) else value
            )
            for name, value in given.items()
            if value is not None
        }


@dataclass(frozen=True)
class PortalCheck:
    """The result of a check of address and key; ``key`` is what the portal reports of the key."""

    findings: tuple[Finding, ...]
    key: Key | None

    @property
    def error(self) -> Finding | None:
        """Why address or key cannot be used; None where both can."""
        errors = (one for one in self.findings if one.level is Level.ERROR)
        return next((one for one in errors if one.about != "rooms"), None)

    @property
    def may_register(self) -> bool:
        """Whether the key may register a webhook."""
        return self.key is not None and self.key.missing_scope(*WRITE_ALL) is None


class Setup:
    """The configuration at one path, and whether there was one before.

    ``places`` are the folders of a service: that of its configuration, and the one that it may
    write to. Where both exist, secrets and ledger are put into the latter and belong to its owner.
    """

    def __init__(
        self, path: Path, environ: Mapping[str, str], places: tuple[Path, Path] = (HOME, STATE)
    ) -> None:
        """Read the present configuration. Raises ConfigError."""
        self.path, self._environ = path.resolve(), environ
        folder = self.path.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise ConfigError(
                (f"no file can be made in {folder}: make that folder, or name another by --config",)
            )
        self.is_there = self.path.exists()
        self._file = self.path if self.is_there else None
        home, state = places
        self._state = state if folder == home and state.is_dir() else folder
        self.known, self._filed = load(self._file, environ), load(self._file, {})

    def known_key(self) -> str | None:
        """Return the API key that is configured, None where there is no usable one."""
        try:
            return self.known.api_key()
        except ConfigError:
            return None

    def key_in(self, path: Path) -> str:
        """Return the key that a file holds. Raises ConfigError."""
        return load(None, {}, Answers(key_file=path).variables()).api_key()

    def portal_address(self, text: str) -> str:
        """Return a portal's address without the path of its API. Raises ConfigError."""
        return load(None, {}, Answers(text).variables()).portal_url()

    def full_address(self, text: str) -> str:
        """Return the webhook's public address, completed with its path where there is none.

        Raises ConfigError.
        """
        try:
            address = public_address(text)
        except ValueError as error:
            raise ConfigError((f"webhook.public_url: {error}",)) from error
        bare = not urlsplit(address).path.strip("/")
        return address.rstrip("/") + self.known.webhook.path if bare else address

    def check_portal(self, answers: Answers) -> PortalCheck:
        """Check the portal, the key and the rooms. Raises ConfigError."""
        snapshot = portal_snapshot(self._loaded(answers))
        key = snapshot.portal.key if isinstance(snapshot.portal.key, Key) else None
        return PortalCheck(
            (*check(snapshot, PORTAL_CHECKS), *_granted(key), *_commentable(snapshot)), key
        )

    def plan(self, answers: Answers) -> "Plan":
        """Return the changes that these answers need. Raises ConfigError."""
        config = self._loaded(answers)
        key_file = SecretFile(config.portal.api_key_file or self._state / "api_key", _KEY_FILE)
        secret_file = SecretFile(config.webhook.secret_file or self._state / "webhook_secret")
        apart = not self.is_there and self._state != self.path.parent
        wanted = {
            "portal.url": config.portal.url,
            _KEY_FILE: key_file.path,
            "portal.ca_bundle": config.portal.ca_bundle,
            "webhook.host": config.webhook.host,
            "webhook.port": config.webhook.port,
            "webhook.public_url": config.webhook.public_url,
            "webhook.secret_file": secret_file.path,
            "state.url": f"sqlite:///{self._state}/reconciler.db" if apart else None,
        }
        secrets: list[tuple[SecretFile, tuple[str, ...]]] = []
        if answers.key_file is None and key_file.read() != (config.api_key(),):
            secrets.append((key_file, (config.api_key(),)))
        if not secret_file.read():
            is_given = config.webhook.secret is not None
            secrets.append((secret_file, config.secrets() if is_given else (make_secret(),)))
        return Plan(
            self.is_there,
            self.path,
            self._environ,
            config,
            tuple(self._changes(wanted)),
            tuple(secrets),
        )

    def _loaded(self, answers: Answers) -> Config:
        return load(self._file, self._environ, answers.variables())

    def _changes(self, wanted: Mapping[str, str | int | Path | None]) -> Iterator["Change"]:
        for key, value in wanted.items():
            name, _, field = key.partition(".")
            section = getattr(self._filed, name)
            before = getattr(section, field)
            is_set = field in section.model_fields_set
            if value is not None and (before != value or not self.is_there):
                yield Change(key, before if is_set else None, _written(value, self.path.parent))


@dataclass(frozen=True)
class Change:
    """A key of config.toml and its new value; ``before`` is None where the file lacks the key."""

    key: str
    before: object
    after: str | int


@dataclass(frozen=True)
class Plan:
    """The changes to write; ``config`` is the configuration that must result."""

    is_there: bool
    path: Path
    environ: Mapping[str, str]
    config: Config
    changes: tuple[Change, ...]
    secrets: tuple[tuple[SecretFile, tuple[str, ...]], ...]

    def replaced(self) -> tuple[str, ...]:
        """Return what would be overwritten, one line each."""
        values = [
            f"{one.key} is {one.before}, and would be {one.after}"
            for one in self.changes
            if one.before is not None
        ]
        return (
            *values,
            *(f"{file.path} has another key" for file, _ in self.secrets if file.read()),
        )

    def write(self) -> tuple[Path, ...]:
        """Write all of it or nothing; return the files that were written. Raises ConfigError."""
        with ExitStack() as undo:
            for file, lines in self.secrets:
                undo.callback(_restoration(file))
                file.write(lines)
            if self.changes:
                self._write_config(undo)
            else:
                self._require_effect(load(self.path, self.environ))
            undo.pop_all()
        written = [file.path for file, _ in self.secrets]
        return (*([self.path] if self.changes else ()), *written)

    def _write_config(self, undo: ExitStack) -> None:
        """Write a draft beside config.toml, and replace it once the draft proves right."""
        try:
            text = read_text(self.path) if self.is_there else ""
            mode = self.path.stat().st_mode & 0o777 if self.is_there else _READABLE
            number, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            draft = Path(name)
            undo.callback(draft.unlink, missing_ok=True)
            with os.fdopen(number, "w", encoding="utf-8") as stream:
                stream.write(edited(text, {one.key: one.after for one in self.changes}))
                stream.flush()
                os.fchmod(number, mode)
                os.fsync(number)
            self._require_effect(load(draft, self.environ))
            draft.replace(self.path)
        except OSError as error:
            raise ConfigError((f"{self.path} cannot be written: {error.strerror}",)) from error

    def _require_effect(self, config: Config) -> None:
        """Raise ConfigError where a variable of the environment, which wins, sets another value."""
        pairs = (
            ("portal.url", config.portal.url, self.config.portal.url),
            ("the API key", config.api_key(), self.config.api_key()),
            ("webhook.host", config.webhook.host, self.config.webhook.host),
            ("webhook.port", config.webhook.port, self.config.webhook.port),
            ("webhook.public_url", config.webhook.public_url, self.config.webhook.public_url),
        )
        problems = tuple(
            f"the environment sets another {name}, which wins: unset its variable there"
            for name, found, wanted in pairs
            if found != wanted
        )
        if problems:
            raise ConfigError(problems)


def _restoration(file: SecretFile) -> Callable[[], None]:
    """Return what restores the file as it is now."""
    before = file.read()
    if file.path.exists():
        return lambda: file.write(before)
    return lambda: file.path.unlink(missing_ok=True)


def _written(value: str | int | Path, base: Path) -> str | int:
    """Return a value as config.toml has it: its paths are relative to its folder."""
    if not isinstance(value, Path):
        return value
    return str(value.relative_to(base) if value.is_relative_to(base) else value)


def _granted(key: Key | None) -> Iterator[Finding]:
    if key is not None and key.owner:
        yield ok("scopes", f"the key has {', '.join(sorted(key.permissions)) or 'all of them'}")


def _commentable(snapshot: Snapshot) -> Iterator[Finding]:
    rooms = snapshot.portal.rooms
    if rooms is None or isinstance(rooms, PortalError):
        return
    names = [f"{room.title} ({room.id})" for room in rooms if room.active and room.commentable]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield ok("rooms", f"it may comment in {', '.join(names[:_SHOWN])}{more}")
