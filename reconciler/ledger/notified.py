"""What each address was sent, kept in the ledger: after a restart nothing is sent twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_FIRST_RETRY, _LAST_RETRY = timedelta(minutes=1), timedelta(hours=1)
_VALID = 2 * _LAST_RETRY


@dataclass(frozen=True)
class Notified:
    """What was sent to an address, and why no more can be sent.

    ``name`` shows which address it is, without its secrets. It knows of what was marked up to
    ``marked_until``, was reminded at ``reminded_at``, and knows of ``alerts``: the messages of
    those that are not over, by kind. ``error`` is why the last ``failures`` messages in a row did
    not arrive, of which the first was sent at ``failing_since`` and the last at ``failed_at``.
    """

    name: str
    marked_until: datetime
    reminded_at: datetime | None = None
    alerts: Mapping[str, str] = field(default_factory=dict)
    failures: int = 0
    failing_since: datetime | None = None
    failed_at: datetime | None = None
    error: str = ""

    def is_due(self, now: datetime) -> bool:
        """Return whether it is time to send again. A date in the future holds nothing up."""
        if self.failed_at is None or self.failed_at > now:
            return True
        wait = min(_FIRST_RETRY * (1 << min(self.failures - 1, 10)), _LAST_RETRY)
        return now - self.failed_at >= wait

    def is_failing(self, now: datetime) -> bool:
        """Return whether the last message did not arrive, and it is still tried again."""
        return self.failed_at is not None and now - self.failed_at <= _VALID
