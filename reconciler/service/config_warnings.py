"""Settings that are allowed, and dangerous or useless: told at the start, each with its cure."""

from reconciler.config import Config
from reconciler.service.logging import log
from reconciler.webhooks import MIN_LENGTH

_UPDATES = "file.updated"
_GUESSED = "secrets of 8 characters or more; one with a comma in webhook.secret_file"


def log_config_warnings(config: Config) -> None:
    """Log what somebody should look at."""
    for file in config.exposed_files():
        log.warning("others_can_read_a_secret", path=str(file), cure=f"chmod 600 {file}")
    if config.webhook.require_https and not config.webhook.trusted_proxy:
        log.warning("every_delivery_is_refused", cure="set webhook.trusted_proxy")
    if not config.secrets():
        log.warning("anyone_can_send_events", cure="set DOCSPACE_WEBHOOK_SECRET")
    if any(len(secret) < MIN_LENGTH for secret in config.secrets()):
        log.warning("a_secret_can_be_guessed", cure=_GUESSED)
    if _UPDATES not in config.webhook.triggers:
        log.warning("updates_are_ignored", cure=f"add {_UPDATES} to webhook.triggers")
