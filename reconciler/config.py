"""config.toml and the environment, parsed once into a frozen value; every problem is listed.

Secrets come from the environment or from a file of their own, never from config.toml, and
never show in a repr. Paths are relative to the config file.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from reconciler.errors import ConfigError
from reconciler.model import Unknown
from reconciler.review import UNLOCK_TEXTS, Policy, Scope

PREFIX = "RECONCILER_"
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
    ("admin", "password_file"),
)
CONFIG = "RECONCILER_CONFIG"
_SQLITE = "sqlite:///"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_COMMENT = 255  # the portal cuts the rest (docspace.md 9)
_BASIC_PLANE = 0xFFFF  # its MySQL column loses what lies beyond (docspace.md 9)


def duration(text: object) -> object:
    """Return ``5m``, ``24h``, ``30s`` or ``7d`` as a timedelta; anything else as it came."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('a number and a unit, such as "30s", "5m", "24h" or "7d"')
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _comment(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > _MOST_COMMENT:
        raise ValueError(f"has {len(text)} characters; the portal keeps {_MOST_COMMENT}")
    if any(ord(c) > _BASIC_PLANE or not c.isprintable() for c in text):
        raise ValueError("must have neither control characters nor emoji: the portal loses them")
    if Policy().is_portals(text):
        raise ValueError("is a text that the portal writes by itself: it would mark nothing")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be the portal's address, such as https://portal.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be the address alone, without user, password, ? or #")
    return text.rstrip("/").removesuffix("/api/2.0")


def _path(text: str) -> str:
    if not text.startswith("/") or not text.isascii() or " " in text:
        raise ValueError('must be a path that starts with "/"')
    return text


def _key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be one word of plain characters, as the portal showed it")
    return SecretStr(text)


Duration = Annotated[timedelta, BeforeValidator(duration)]
Port = Annotated[int, Field(ge=0, le=65535)]
Positive = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, hide_input_in_errors=True)


class Portal(_Section):
    """Where the portal is, and the key to act with."""

    url: Annotated[str, AfterValidator(_url)] | None = None
    api_key: Annotated[SecretStr, AfterValidator(_key)] | None = None
    api_key_file: Path | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    ca_bundle: Path | None = None


class Webhook(_Section):
    """Where deliveries are received, and what makes one authentic."""

    host: str = "127.0.0.1"
    port: Port = 3000
    path: Annotated[str, AfterValidator(_path)] = "/docspace/review-comment"
    secret: SecretStr | None = None
    secret_file: Path | None = None
    triggers: tuple[str, ...] = ("file.updated",)
    allow_unsigned: bool = False
    require_https: bool = False
    trusted_proxy: str | None = None
    max_body_bytes: Annotated[int, Field(ge=1024)] = 2097152
    threads: Positive = 8


class Review(_Section):
    """What is reviewed, and what counts as a person's word."""

    comment: Annotated[str, AfterValidator(_comment)] = "Need Review"
    mark_new_files: bool = False
    unknown_comments: Unknown = Unknown.MARK
    portal_texts: tuple[str, ...] = ()
    restore_over: tuple[str, ...] = UNLOCK_TEXTS
    observe: bool = False
    rooms: frozenset[int] = frozenset()
    exclude_rooms: frozenset[int] = frozenset()
    extensions: frozenset[str] = frozenset()
    ignore_users: frozenset[str] = frozenset()
    personal_documents: bool = True

    def policy(self) -> Policy:
        """Return the plain value that `review` decides by."""
        return Policy(
            target=self.comment,
            portal_texts=self.portal_texts,
            unlock_texts=self.restore_over,
            unknown=self.unknown_comments,
            mark_new=self.mark_new_files,
            observe=self.observe,
            scope=Scope(
                rooms=self.rooms,
                exclude_rooms=self.exclude_rooms,
                extensions=frozenset(e.lower().lstrip(".") for e in self.extensions),
                ignore_users=frozenset(u.lower() for u in self.ignore_users),
                personal=self.personal_documents,
            ),
        )


class Sweep(_Section):
    """How often the portal is asked what changed, and how far back."""

    every: Duration = timedelta(minutes=5)
    overlap: Duration = timedelta(minutes=5)
    first_lookback: Duration = timedelta(hours=24)
    deep_every: Duration = timedelta(hours=24)


class Limits(_Section):
    """What we take of the portal's limits (docspace.md 2); they count per user."""

    requests_per_minute: Positive = 1200
    concurrent_reads: Positive = 8
    concurrent_writes: Positive = 4
    writes_per_day: Positive = 9000
    backfill_share: Annotated[float, Field(gt=0, le=1)] = 0.7


class State(_Section):
    """Where the ledger is."""

    url: str = "sqlite:///reconciler.db"


class Admin(_Section):
    """Where health, metrics and the status page are served."""

    host: str = "127.0.0.1"
    port: Port = 3001
    password_file: Path | None = None


class Log(_Section):
    """How much is said, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class Config(BaseSettings):
    """The whole configuration, frozen. Build it with `load`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    portal: Portal = Portal()
    webhook: Webhook = Webhook()
    review: Review = Review()
    sweep: Sweep = Sweep()
    limits: Limits = Limits()
    state: State = State()
    admin: Admin = Admin()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load` merged, and read nothing behind its back."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    def portal_url(self) -> str:
        """Return the portal's address. Raises ConfigError when there is none."""
        if self.portal.url is None:
            raise ConfigError(
                ("portal.url is missing: set it in config.toml or as DOCSPACE_API_HOST",)
            )
        return self.portal.url

    def api_key(self) -> str:
        """Return the API key. Raises ConfigError when there is none or its file is unreadable."""
        if self.portal.api_key is not None:
            return self.portal.api_key.get_secret_value()
        if self.portal.api_key_file is None:
            raise ConfigError(
                ("the API key is missing: set DOCSPACE_API_KEY, or portal.api_key_file",)
            )
        text = _read(self.portal.api_key_file, "portal.api_key_file")
        try:
            return _key(SecretStr(text)).get_secret_value()
        except ValueError as error:
            raise ConfigError((f"portal.api_key_file: {error}",)) from error

    def secrets(self) -> tuple[str, ...]:
        """Return the webhook's secrets, newest first; none when none is configured.

        An environment variable counts as a whole, then by its comma-separated parts; a file
        has one secret a line. Raises ConfigError when the file is unreadable or empty.
        """
        if self.webhook.secret is not None:
            whole = self.webhook.secret.get_secret_value()
            return _words([whole, *whole.split(",")])
        if self.webhook.secret_file is None:
            return ()
        found = _words(_read(self.webhook.secret_file, "webhook.secret_file").splitlines())
        if not found:
            raise ConfigError((f"webhook.secret_file {self.webhook.secret_file} has no secret",))
        return found


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the file (None: there is none) under the environment, which wins.

    Raises ConfigError with every problem found: unreadable TOML, unknown keys with the
    nearest valid name, wrong values, secrets where they do not belong.
    """
    given = {} if path is None else _read_toml(path)
    problems = list(_misplaced(given)) + list(_unknown_variables(environ))
    try:
        values = _merged(given, _named(environ), _prefixed(environ))
        config = Config(**_anchored(values, Path() if path is None else path.parent))
    except ValidationError as error:
        problems += map(_problem, error.errors(include_url=False, include_input=False))
    except SettingsError as error:
        problems.append(f"environment: {error}")
    if problems:
        raise ConfigError(tuple(dict.fromkeys(problems)))
    return config


def keys() -> dict[str, object]:
    """Return every key (``section.name``) with its default, as the reference lists them."""
    return {
        f"{section}.{name}": field.get_default(call_default_factory=True)
        for section, outer in Config.model_fields.items()
        for name, field in type(outer.default).model_fields.items()
    }


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError((f"{path} cannot be read: {error.strerror}",)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError((f"{path} is not valid TOML: {error}",)) from error


def _read(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError((f"{key} {path} cannot be read: {error}",)) from error


def _words(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (text.strip() for text in texts))))


def _misplaced(given: Mapping[str, Any]) -> Iterator[str]:
    for section, name, variable in (
        ("portal", "api_key", "DOCSPACE_API_KEY"),
        ("webhook", "secret", "DOCSPACE_WEBHOOK_SECRET"),
    ):
        if isinstance(given.get(section), Mapping) and name in given[section]:
            yield (
                f"{section}.{name} is a secret and does not belong into config.toml: "
                f"set {variable}, or name a file with {section}.{name}_file"
            )


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Misspelt variables without a section would be passed over in silence."""
    for name in environ:
        section = name.removeprefix(PREFIX).partition("__")[0].lower()
        if name.startswith(PREFIX) and name != CONFIG and section not in Config.model_fields:
            yield f"unknown environment variable {name}{_nearest(name, _variables())}"


def _variables() -> list[str]:
    return [PREFIX + key.replace(".", "__").upper() for key in keys()]


def _named(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, (section, name) in NAMED.items():
        if environ.get(variable):
            values.setdefault(section, {})[name] = environ[variable]
    return values


def _prefixed(environ: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(Config)
    source.env_vars = {
        name.lower(): value for name, value in environ.items() if name.startswith(PREFIX)
    }
    return source()


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
    path = url.removeprefix(_SQLITE)
    return f"{_SQLITE}{base.absolute() / path}" if url.startswith(_SQLITE) else url


def _problem(error: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}{_nearest(key, [*keys(), *Config.model_fields])}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message}"


def _nearest(name: str, valid: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f"; did you mean {match[0]}?" if match else ""
