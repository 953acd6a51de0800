"""What was last told of our webhook at the portal, by whoever looks after it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.client import portal_time

FACT = "webhook"  # under which the ledger keeps it
_FINE = {"ok", "unseen"}  # unseen: it may be another account's, which the key cannot see


@dataclass(frozen=True)
class WebhookSummary:
    """Our webhook as it was ``at`` that time: ``said`` is what is wrong, ``cure`` what to do.

    The portal's last success and failure are in its own words, empty where there was none: their
    zone is not known (docspace.md 3).
    """

    state: str
    said: str = ""
    cure: str = ""
    at: datetime | None = None
    url: str = ""
    last_success: str = ""
    last_failure: str = ""
    failure: str = ""

    @property
    def is_ill(self) -> bool:
        """Whether deliveries do not come as they should."""
        return self.state not in _FINE


def webhook_summary(text: str | None) -> WebhookSummary | None:
    """Return what was told, None when nothing was or it cannot be read."""
    try:
        told = json.loads(text or "")
    except ValueError:
        return None
    if not isinstance(told, dict) or not told.get("state"):
        return None
    words = {name: _word(told.get(name)) for name in ("state", "said", "cure", "url", "failure")}
    dates = {name: portal_time(_word(told.get(name))) for name in ("last_success", "last_failure")}
    return WebhookSummary(**words, **dates, at=_moment(told.get("at")))


def _word(value: Any) -> str:
    return "" if value is None else str(value)


def _moment(value: Any) -> datetime | None:
    """Return the time, None where there is none; one without an offset is in UTC."""
    try:
        moment = datetime.fromisoformat(_word(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
