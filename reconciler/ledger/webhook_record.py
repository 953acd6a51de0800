"""What the watch last saw of our webhook, kept in the ledger for other processes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_VALID = timedelta(hours=1)  # the watch runs every few minutes


@dataclass(frozen=True)
class WebhookRecord:
    """Our webhook ``at`` that time: what is wrong, and what to do about it.

    ``state`` is "ok", "unseen" where another account may own it, "signature" where the receiver
    refuses the portal's signature, else a WebhookIssue. ``last_success`` and ``last_failure`` are
    the portal's wall-clock times, empty for never: their zone is not known (docspace.md 3).
    """

    state: str
    at: datetime
    reason: str = ""
    hint: str = ""
    id: int | None = None
    url: str = ""
    last_success: str = ""
    last_failure: str = ""
    failure: str = ""

    @property
    def has_problem(self) -> bool:
        """Whether deliveries are known to be lost."""
        return self.state not in {"ok", "unseen"}

    def is_recent(self, now: datetime) -> bool:
        """Whether a watch still runs that would have changed an outdated record."""
        return now - self.at <= _VALID
