"""The configuration as frozen sections, each value checked where it is declared."""

import re
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from reconciler.config.addresses import (
    database,
    has_valid_port,
    split_password,
    sqlite_path,
    with_password,
)
from reconciler.config.environment import PREFIX
from reconciler.decision import Policy, Scope
from reconciler.errors import ConfigError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_COMMENT = 255  # the portal cuts the rest (docspace.md 2, 9)
_BASIC_PLANE = 0xFFFF  # its MySQL column loses what lies beyond (docspace.md 9)
_LONGEST = timedelta(days=3650)  # a slip of the hand beyond; dates must not overflow


def duration(text: object) -> object:
    """Return ``5m``, ``24h``, ``30s`` or ``7d`` as a timedelta; anything else as it came."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('a number and a unit, such as "30s", "5m", "24h" or "7d"')
    found = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if found > _LONGEST:
        raise ValueError(f"must be at most {_LONGEST.days}d")
    return found


def _comment(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > _MOST_COMMENT:
        raise ValueError(f"has {len(text)} characters; the portal keeps {_MOST_COMMENT}")
    if any(ord(c) > _BASIC_PLANE or not c.isprintable() for c in text):
        raise ValueError("must have neither control characters nor emoji: the portal loses them")
    if Policy().texts.is_portals(text):
        raise ValueError("is a text that the portal writes by itself: it would mark nothing")
    return text


def _portal_text(text: str) -> str:
    """Without a word of its own a text would make every comment the portal's."""
    if not text.replace("{0}", "").strip():
        raise ValueError("must have a word of its own beside {0}")
    return text


def _url(text: str) -> str:
    text = text.strip()
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be the portal's address, such as https://portal.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be the address alone, without user, password, ? or #")
    if re.search(r"\s", text) or not has_valid_port(parts):
        raise ValueError("has a port that is none, or white space")
    address = parts._replace(netloc=parts.netloc.lower()).geturl()
    return address.rstrip("/").removesuffix("/api/2.0").rstrip("/")


def public_address(text: str) -> str:
    """Return an address that a portal can call. Raises ValueError."""
    text = text.strip()
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be http(s)://, such as https://hooks.example.org/docspace")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("must have neither user, password nor #")
    if re.search(r"\s", text) or not text.isascii() or not has_valid_port(parts):
        raise ValueError("has a port that is none, white space, or letters that no address has")
    return parts._replace(netloc=parts.netloc.lower()).geturl()


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise ValueError("must be the proxy's IP address, such as 127.0.0.1") from error


def _path(text: str) -> str:
    """Take only what arrives as it stands here: the receiver compares the decoded path."""
    if not text.startswith("/"):
        raise ValueError('must be a path that starts with "/"')
    if found := re.search(r"[?#]", text):
        raise ValueError(f'must be the path alone: what follows "{found[0]}" is no part of it')
    if "%" in text:
        raise ValueError('must have no "%": a request is compared decoded, and would never match')
    if "//" in text or {".", ".."} & set(text.split("/")):
        raise ValueError('must have no empty part, "." or "..": they are changed on the way')
    if not re.fullmatch(r"[A-Za-z0-9/._~!$&'()*+,;=:@-]+", text):
        raise ValueError("must have no blanks, and only letters, digits and signs of an address")
    return text


def _key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be one word of plain characters, as the portal showed it")
    return SecretStr(text)


def _secret(secret: SecretStr) -> SecretStr:
    """A blank secret would verify nothing, and with bytes that are no text nothing is signed."""
    text = secret.get_secret_value()
    if not text.strip():
        raise ValueError("must not be empty")
    if text.encode("utf-8", "replace").decode() != text:
        raise ValueError("must be UTF-8 text")
    return secret


Duration = Annotated[timedelta, BeforeValidator(duration)]
Interval = Annotated[Duration, Field(ge=timedelta(seconds=1))]
Port = Annotated[int, Field(ge=0, le=65535)]
PortalText = Annotated[str, AfterValidator(_portal_text)]
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
    public_url: Annotated[str, AfterValidator(public_address)] | None = None
    secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    secret_file: Path | None = None
    triggers: Annotated[tuple[str, ...], Field(min_length=1)] = ("file.updated",)
    self_heal: bool = False
    allow_unsigned: bool = False
    require_https: bool = False
    trusted_proxy: Annotated[str, AfterValidator(_address)] | None = None
    max_body_bytes: Annotated[int, Field(ge=1024)] = 2097152
    threads: Annotated[int, Field(ge=1, le=64)] = 8


class Review(_Section):
    """What is reviewed, and which comments are the portal's own."""

    comment: Annotated[str, AfterValidator(_comment)] = "Need Review"
    mark_new_files: bool = False
    overwrite_comments: bool = False
    portal_texts: tuple[PortalText, ...] = ()
    unlock_texts: tuple[PortalText, ...] = ()
    observe: bool = False
    rooms: frozenset[int] = frozenset()
    exclude_rooms: frozenset[int] = frozenset()
    extensions: frozenset[str] = frozenset()
    ignore_users: frozenset[str] = frozenset()
    personal_documents: bool = True

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.policy().texts.is_portals(self.comment):
            raise ValueError(
                "comment is named in portal_texts or unlock_texts as written by the portal"
            )
        return self

    def policy(self) -> Policy:
        """Return the plain value that `review` decides by."""
        return Policy(
            target=self.comment,
            portal_texts=self.portal_texts,
            unlock_texts=self.unlock_texts,
            overwrite=self.overwrite_comments,
            mark_new=self.mark_new_files,
            observe=self.observe,
            scope=Scope(
                rooms=self.rooms,
                exclude_rooms=self.exclude_rooms,
                extensions=frozenset(e.lower().lstrip("*.") for e in self.extensions),
                ignore_users=frozenset(u.lower() for u in self.ignore_users),
                personal=self.personal_documents,
            ),
        )


class Sweep(_Section):
    """How often the portal is asked what changed, and how far back."""

    every: Interval = timedelta(minutes=1)
    overlap: Duration = timedelta(minutes=5)
    first_lookback: Duration = timedelta(hours=24)
    full_every: Interval = timedelta(hours=24)


class Limits(_Section):
    """What we take of the portal's limits (docspace.md 2); they count per user."""

    requests_per_minute: Annotated[int, Field(ge=10)] = 1200
    concurrent_reads: Positive = 8
    concurrent_writes: Positive = 4
    writes_per_day: Positive = 9000
    backfill_share: Annotated[float, Field(gt=0, le=1)] = 0.7

    @property
    def backfill_per_day(self) -> int:
        """A backfill's share of the day's writes; one at least, or it would never end."""
        return max(1, int(self.writes_per_day * self.backfill_share))


class State(_Section):
    """Where the ledger is, and how long it keeps rows that hold nothing to remember.

    A password in ``url`` is moved to ``password``, so that the address may be shown. An empty
    one is none: it must not switch ``password_file`` off.
    """

    url: Annotated[str, AfterValidator(database)] = "sqlite:///reconciler.db"
    password: SecretStr | None = None
    password_file: Path | None = None
    retention: Interval = timedelta(days=400)

    @property
    def path(self) -> Path | None:
        """The path of the database file, None where a server keeps the database."""
        return sqlite_path(self.url)

    @model_validator(mode="before")
    @classmethod
    def _parted(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("url"), str):
            return values
        url, password = split_password(values["url"])
        return {**values, "url": url, "password": password or values.get("password") or None}


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

    def admin_password(self) -> str | None:
        """Return the password of the admin pages, None when none is needed: on the loopback.

        Raises ConfigError when it is missing, unreadable or empty.
        """
        host, file = self.admin.host, self.admin.password_file
        if file is None:
            if not _is_loopback(host):
                raise ConfigError(
                    (f"admin.host {host} is not this machine alone: set admin.password_file",)
                )
            return None
        password = _read(file, "admin.password_file")
        if not password:
            raise ConfigError((f"admin.password_file {file} is empty",))
        return password

    def database(self) -> str:
        """Return the ledger's address, password and all. Raises ConfigError."""
        state = self.state
        if state.password is not None:
            return with_password(state.url, state.password.get_secret_value())
        if state.password_file is not None:
            return with_password(state.url, _read(state.password_file, "state.password_file"))
        return state.url

    def exposed_files(self) -> tuple[Path, ...]:
        """Return the files with secrets that others than their owner can read."""
        files = (
            self.portal.api_key_file,
            self.webhook.secret_file,
            self.state.password_file,
            self.admin.password_file,
        )
        return tuple(file for file in files if file is not None and _is_exposed(file))

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
        if not self.webhook.secret_file.exists():
            raise ConfigError(
                (
                    f"webhook.secret_file {self.webhook.secret_file} cannot be read: there is no "
                    "such file; reconciler webhook register makes it",
                )
            )
        found = _words(_read(self.webhook.secret_file, "webhook.secret_file").splitlines())
        if not found:
            raise ConfigError((f"webhook.secret_file {self.webhook.secret_file} has no secret",))
        return found


def _read(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        raise ConfigError((f"{key} {path} cannot be read: {error}",)) from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_exposed(path: Path) -> bool:
    """systemd gives its copies to one user by an access list, which looks like a group's right."""
    if path.is_relative_to("/run/credentials"):
        return False
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def _words(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (text.strip() for text in texts))))
