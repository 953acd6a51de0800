"""The daily limit of writes, computed from the counted writes and the current configuration."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from reconciler.ledger.counters import free_at, written
from reconciler.ledger.rows import BACKFILL, SWEEP


@dataclass(frozen=True)
class Quota:
    """How many writes may be sent in any 24 hours, and how many of them by backfills."""

    per_day: int = 9000
    backfill: int = 6300

    def limit(self, priority: int) -> int:
        """Return the limit for writes of this priority."""
        return min(self.per_day, self.backfill) if priority == BACKFILL else self.per_day

    def is_exhausted(self, c: Connection, now: datetime, priority: int) -> bool:
        """Return whether writes of this priority have to wait."""
        return written(c, now) >= self.limit(priority)

    def free_at(self, c: Connection, now: datetime, priority: int) -> datetime:
        """Return when a write of this priority may be sent: now, or at a full hour."""
        exhausted = self.is_exhausted(c, now, priority)
        return free_at(c, now, self.limit(priority)) if exhausted else now

    def lowest_priority(self, c: Connection, now: datetime) -> int | None:
        """Return the lowest priority that may be claimed, None when all have to wait."""
        used = written(c, now)
        if used >= self.per_day:
            return None
        return SWEEP if used >= self.limit(BACKFILL) else BACKFILL
