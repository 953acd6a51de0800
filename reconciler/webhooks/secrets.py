"""Webhook secrets: generated, and checked against the portal's rules for passwords."""

import secrets
import string
from collections.abc import Sequence

from reconciler.errors import ConfigError

MIN_LENGTH, MAX_LENGTH = 8, 30  # docspace.md 6
_SPECIAL = "!*-_.+@"  # no comma, which separates secrets in a variable; no quotes, no blank
_CLASSES = (string.ascii_uppercase, string.ascii_lowercase, string.digits, _SPECIAL)


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
