"""A clock that only moves when told to."""

import threading
from datetime import UTC, datetime, timedelta

DEFAULT_START = datetime(2025, 11, 24, 9, 0, tzinfo=UTC)


class ManualClock:
    """Call it for the time; thread-safe."""

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        """Start at an aware time."""
        self._mutex = threading.Lock()
        self._now = start

    def __call__(self) -> datetime:
        """Return the time it shows."""
        with self._mutex:
            return self._now

    def advance(self, seconds: float = 0, *, days: float = 0) -> datetime:
        """Move forward and return the new time."""
        with self._mutex:
            self._now += timedelta(days=days, seconds=seconds)
            return self._now

    def set(self, moment: datetime) -> None:
        """Show another time, also an earlier one."""
        with self._mutex:
            self._now = moment
