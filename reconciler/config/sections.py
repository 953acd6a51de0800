"""The sections of the configuration, frozen; each value is checked where it is declared."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from reconciler.config.addresses import database, split_password, sqlite_path
from reconciler.config.files import distinct, is_exposed, read_secret
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
)
from reconciler.decision import Policy, Scope
from reconciler.errors import ConfigError
from reconciler.model import Quota
from reconciler.triggers import UPDATED

# A secret is never shown nor repeated in a message; one that has a ..._file beside it does not
# belong in config.toml. A file of secrets must be readable by its owner only.
SECRET, SECRET_FILE = "secret", "secret_file"
_URLS_FILE = "notify.urls_file"


def _marked(mark: str) -> Any:
    """Return a field that is not set by default, and marked as SECRET or SECRET_FILE."""
    return Field(default=None, json_schema_extra={"mark": mark})


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, hide_input_in_errors=True)


class Portal(_Section):
    """Where the portal is, and the key to act with."""

    url: PortalUrl | None = None
    api_key: ApiKey | None = _marked(SECRET)
    api_key_file: Path | None = _marked(SECRET_FILE)
    timeout_seconds: Annotated[Real, Field(gt=0, le=600)] = 30
    ca_bundle: Path | None = None


class Webhook(_Section):
    """Where deliveries are received, and what makes one authentic."""

    host: str = "127.0.0.1"
    port: Port = 3000
    path: WebhookPath = "/docspace/review-comment"
    public_url: PublicAddress | None = None
    secret: WebhookSecret | None = _marked(SECRET)
    secret_file: Path | None = _marked(SECRET_FILE)
    triggers: Triggers = (UPDATED,)
    self_heal: bool = False
    allow_unsigned: bool = False
    require_https: bool = False
    trusted_proxy: ProxyAddress | None = None
    max_body_bytes: Annotated[Whole, Field(ge=1024)] = 2097152
    threads: Annotated[Whole, Field(ge=1, le=64)] = 8


class Review(_Section):
    """Which files are reviewed, and which comments are the portal's own."""

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
    def _refuse_contradictions(self) -> Self:
        if self.policy().texts.is_portal_text(self.comment):
            raise ValueError(
                "review.comment is named in review.portal_texts or review.unlock_texts as a text "
                "that the portal itself writes: it would mark nothing"
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
    """How often the portal is asked for changes, and how far back."""

    every: Interval = timedelta(minutes=1)
    overlap: Duration = timedelta(minutes=5)
    first_lookback: Duration = timedelta(hours=24)
    full_every: Interval = timedelta(hours=24)


class Limits(_Section):
    """Our share of the portal's limits, which count per user (docspace.md 2)."""

    requests_per_minute: Annotated[Whole, Field(ge=10)] = 1200
    concurrent_reads: Positive = 8
    concurrent_writes: Positive = 4
    writes_per_day: Positive = 9000
    backfill_share: Annotated[Real, Field(gt=0, le=1)] = 0.7

    @property
    def quota(self) -> Quota:
        """The day's writes, and a backfill's share: one at least, so that every backfill ends."""
        share = max(1, int(self.writes_per_day * self.backfill_share))
        return Quota(self.writes_per_day, share)


class State(_Section):
    """Where the ledger is, and for how long it keeps rows that nothing needs.

    A password in ``url`` is moved to ``password``, so that the address may be shown. An empty
    password counts as none, so that ``password_file`` is still read.
    """

    url: Annotated[str, AfterValidator(database)] = "sqlite:///reconciler.db"
    password: SecretStr | None = _marked(SECRET)
    password_file: Path | None = _marked(SECRET_FILE)
    retention: Interval = timedelta(days=400)

    @property
    def path(self) -> Path | None:
        """The path of the database file, None where a server keeps the database."""
        return sqlite_path(self.url)

    @model_validator(mode="before")
    @classmethod
    def _move_password(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("url"), str):
            return values
        url, password = split_password(values["url"])
        return {**values, "url": url, "password": password or values.get("password") or None}


class Admin(_Section):
    """Where health, metrics and the status page are served."""

    host: str = "127.0.0.1"
    port: Port = 3001
    password_file: Path | None = _marked(SECRET_FILE)


class Log(_Section):
    """How much is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class Notify(_Section):
    """Notifications: their addresses and intervals. Without ``urls_file`` none is sent.

    ``heartbeat_url`` is called at the start and the end of each sweep, independently of the others.
    """

    urls_file: Path | None = None
    digest_every: Interval | None = None
    overdue_after: Interval | None = None
    heartbeat_url: PublicAddress | None = _marked(SECRET)

    def urls(self) -> tuple[str, ...]:
        """Return the addresses to notify, none when none are configured.

        One per line; blank lines and those that begin with # are ignored. Raises ConfigError
        when the file is missing, unreadable, without an address, or readable by others: an
        address holds the password of its service.
        """
        path = self.urls_file
        if path is None:
            if self.digest_every or self.overdue_after:
                raise ConfigError(
                    (f"{_URLS_FILE} is missing: digests and reminders have no address",)
                )
            return ()
        lines = distinct(read_secret(path, _URLS_FILE).splitlines())
        if is_exposed(path):
            raise ConfigError((f"{_URLS_FILE} {path} can be read by others: chmod 600 {path}",))
        found = tuple(line for line in lines if not line.startswith("#"))
        if not found:
            raise ConfigError((f"{_URLS_FILE} {path} has no address: write one per line",))
        return found
