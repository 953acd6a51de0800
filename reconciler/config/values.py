"""The configuration as frozen sections, each value checked where it is declared."""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from reconciler.config.addresses import database, split_password, sqlite_path, with_password
from reconciler.config.environment import PREFIX
from reconciler.config.files import (
    distinct,
    is_exposed,
    read_password,
    read_secret,
    secret_lines,
)
from reconciler.config.notify import Notify
from reconciler.config.value_types import (
    ApiKey,
    Comment,
    Duration,
    Extension,
    Interval,
    Port,
    PortalText,
    PortalUrl,
    Positive,
    ProxyAddress,
    PublicAddress,
    Real,
    Triggers,
    UserId,
    WebhookPath,
    WebhookSecret,
    Whole,
    checked_key,
)
from reconciler.decision import Policy, Scope
from reconciler.errors import ConfigError
from reconciler.model import Quota


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, hide_input_in_errors=True)


class Portal(_Section):
    """Where the portal is, and the key to act with."""

    url: PortalUrl | None = None
    api_key: ApiKey | None = None
    api_key_file: Path | None = None
    timeout_seconds: Annotated[Real, Field(gt=0, le=600)] = 30
    ca_bundle: Path | None = None


class Webhook(_Section):
    """Where deliveries are received, and what makes one authentic."""

    host: str = "127.0.0.1"
    port: Port = 3000
    path: WebhookPath = "/docspace/review-comment"
    public_url: PublicAddress | None = None
    secret: WebhookSecret | None = None
    secret_file: Path | None = None
    triggers: Triggers = ("file.updated",)
    self_heal: bool = False
    allow_unsigned: bool = False
    require_https: bool = False
    trusted_proxy: ProxyAddress | None = None
    max_body_bytes: Annotated[Whole, Field(ge=1024)] = 2097152
    threads: Annotated[Whole, Field(ge=1, le=64)] = 8


class Review(_Section):
    """What is reviewed, and which comments are the portal's own."""

    comment: Comment = "Need Review"
    mark_new_files: bool = False
    overwrite_comments: bool = False
    portal_texts: tuple[PortalText, ...] = ()
    unlock_texts: tuple[PortalText, ...] = ()
    observe: bool = False
    rooms: frozenset[Whole] = frozenset()
    exclude_rooms: frozenset[Whole] = frozenset()
    extensions: frozenset[Extension] = frozenset()
    ignore_users: frozenset[UserId] = frozenset()
    personal_documents: bool = True

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.policy().texts.is_portals(self.comment):
            raise ValueError(
                "review.comment is named in review.portal_texts or review.unlock_texts as a text "
                "that the portal writes by itself: it would mark nothing"
            )
        if both := sorted(self.rooms & self.exclude_rooms):
            raise ValueError(
                f"review.rooms and review.exclude_rooms both name {', '.join(map(str, both))}: "
                "take it out of one of them"
            )
        return self

    def policy(self) -> Policy:
        """Return the plain value that `decision` decides by."""
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
                extensions=self.extensions,
                ignore_users=self.ignore_users,
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

    requests_per_minute: Annotated[Whole, Field(ge=10)] = 1200
    concurrent_reads: Positive = 8
    concurrent_writes: Positive = 4
    writes_per_day: Positive = 9000
    backfill_share: Annotated[Real, Field(gt=0, le=1)] = 0.7

    @property
    def quota(self) -> Quota:
        """The day's writes, and a backfill's share of them: one at least, or it never ended."""
        share = max(1, int(self.writes_per_day * self.backfill_share))
        return Quota(self.writes_per_day, share)


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
    """How much is logged, and in which form."""

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
    notify: Notify = Notify()

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
        text = read_secret(self.portal.api_key_file, "portal.api_key_file")
        try:
            return checked_key(SecretStr(text)).get_secret_value()
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
        password = read_password(file, "admin.password_file")
        if not password:
            raise ConfigError((f"admin.password_file {file} is empty",))
        return password

    def database(self) -> str:
        """Return the ledger's address, password and all. Raises ConfigError."""
        state = self.state
        if state.password is not None:
            return with_password(state.url, state.password.get_secret_value())
        if state.password_file is not None:
            return with_password(
                state.url, read_password(state.password_file, "state.password_file")
            )
        return state.url

    def exposed_files(self) -> tuple[Path, ...]:
        """Return the files with secrets that others than their owner can read."""
        files = (
            self.portal.api_key_file,
            self.webhook.secret_file,
            self.state.password_file,
            self.admin.password_file,
        )
        return tuple(file for file in files if file is not None and is_exposed(file))

    def secrets(self) -> tuple[str, ...]:
        """Return the webhook's secrets, newest first; none when none is configured.

        An environment variable counts as a whole, then by its comma-separated parts; a file
        has one secret a line. Raises ConfigError when the file is unreadable or empty.
        """
        if self.webhook.secret is not None:
            whole = self.webhook.secret.get_secret_value()
            return distinct([whole, *whole.split(",")])
        if self.webhook.secret_file is None:
            return ()
        file, made = self.webhook.secret_file, "reconciler webhook register makes it"
        found = secret_lines(read_secret(file, "webhook.secret_file", made), file)
        if not found:
            raise ConfigError((f"webhook.secret_file {file} has no secret",))
        return found


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
