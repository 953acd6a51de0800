"""Startup warnings for valid but unsafe or useless settings. Pure but for the files of secrets."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from reconciler.config import Config
from reconciler.errors import ConfigError
from reconciler.triggers import UPDATED
from reconciler.webhooks import MIN_LENGTH


class ConfigWarningKind(StrEnum):
    """What a warning is about; also the name of its log event."""

    SECRET_FILE_EXPOSED = "secret_file_exposed"  # noqa: S105 - a name
    DELIVERIES_REFUSED = "every_delivery_is_refused"
    UNSIGNED_EVENTS_ALLOWED = "unsigned_events_allowed"
    WEAK_WEBHOOK_SECRET = "weak_webhook_secret"  # noqa: S105 - a name
    UPDATES_IGNORED = "updates_are_ignored"


@dataclass(frozen=True)
class ConfigWarning:
    """An unsafe or useless setting, and what to do."""

    kind: ConfigWarningKind
    message: str
    hint: str


def config_warnings(config: Config) -> Iterator[ConfigWarning]:
    """Yield the warnings, for the log at startup and for `check`."""
    webhook = config.webhook
    for file in config.exposed_files():
        yield ConfigWarning(
            ConfigWarningKind.SECRET_FILE_EXPOSED,
            f"others can read the secrets in {file}",
            f"chmod 600 {file}",
        )
    if webhook.require_https and not webhook.trusted_proxy:
        yield ConfigWarning(
            ConfigWarningKind.DELIVERIES_REFUSED,
            "webhook.require_https without webhook.trusted_proxy refuses every delivery",
            'set webhook.trusted_proxy to your web server, such as "127.0.0.1"',
        )
    if webhook.allow_unsigned and webhook.secret is None and webhook.secret_file is None:
        yield ConfigWarning(
            ConfigWarningKind.UNSIGNED_EVENTS_ALLOWED,
            "webhook.allow_unsigned is true: anyone who reaches the address can send events",
            "set webhook.secret_file, and allow_unsigned to false",
        )
    if any(len(secret) < MIN_LENGTH for secret in _readable_secrets(config)):
        yield ConfigWarning(
            ConfigWarningKind.WEAK_WEBHOOK_SECRET,
            f"a webhook secret is shorter than {MIN_LENGTH} characters and can be guessed",
            f"use secrets of {MIN_LENGTH} characters or more; "
            "one with a comma belongs in webhook.secret_file",
        )
    if UPDATED not in webhook.triggers:
        yield ConfigWarning(
            ConfigWarningKind.UPDATES_IGNORED,
            f"webhook.triggers lacks {UPDATED}: the receiver ignores updates",
            f"add {UPDATED} to webhook.triggers",
        )


def _readable_secrets(config: Config) -> tuple[str, ...]:
    """Return the secrets; none where they cannot be read, which is reported elsewhere."""
    try:
        return tuple(config.secrets())
    except ConfigError:
        return ()
