"""What was last told of our webhook at the portal, by whoever looks after it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

FACT = "webhook"  # under which the ledger keeps it
_FINE = {"ok", "unseen"}  # unseen: it may be another account's, which the key cannot see


@dataclass(frozen=True)
class Hook:
    """Our webhook as it was ``at`` that time: ``said`` is what is wrong, ``cure`` what to do.

    The portal's last success and failure are in its own words where those are no times that we
    can read, and empty where there was none.
    """

    state: str
    said: str = ""
    cure: str = ""
    at: datetime | None = None
    url: str = ""
    last_success: datetime | str = ""
    last_failure: datetime | str = ""
    failure: str = ""

    @property
    def is_ill(self) -> bool:
        """Whether deliveries do not come as they should."""
        return self.state not in _FINE


def hook_of(text: str | None) -> Hook | None:
    """Return what was told, None when nothing was or it cannot be read."""
    try:
        told = json.loads(text or "")
    except ValueError:
        return None
    if not isinstance(told, dict) or not told.get("state"):
        return None
    words = {name: _word(told.get(name)) for name in ("state", "said", "cure", "url", "failure")}
    return Hook(
        **words,
        at=_moment(told.get("at")),
        last_success=_moment(told.get("last_success")) or _word(told.get("last_success")),
        last_failure=_moment(told.get("last_failure")) or _word(told.get("last_failure")),
    )


def _word(value: Any) -> str:
    return "" if value is None else str(value)


def _moment(value: Any) -> datetime | None:
    """Return the time, None where there is none; one without an offset is in UTC."""
    try:
        moment = datetime.fromisoformat(_word(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
