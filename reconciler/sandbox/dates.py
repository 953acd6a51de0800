"""Time at the portal: its clock, and dates as it stores and writes them (docspace.md 3)."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

Clock = Callable[[], datetime]

_START = datetime(2025, 11, 24, 9, 0, tzinfo=UTC)


def system_clock() -> datetime:
    """Return the current time, aware UTC."""
    return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when told to: call it for the time; thread-safe."""

    def __init__(self, start: datetime = _START) -> None:
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


def stored(moment: datetime, *, rounded: bool) -> datetime:
    """Return ``moment`` as MySQL keeps it: whole seconds, rounded half up or cut."""
    if rounded and moment.microsecond >= 500_000:
        moment += timedelta(seconds=1)
    return moment.replace(microsecond=0)


def as_read(moment: datetime, zone: tzinfo) -> datetime:
    """Return ``moment`` in the portal's zone as the portal reads it back.

    A local time in the autumn hour that happens twice is taken for standard time, so the
    answer can be an hour too late (docspace.md 3).
    """
    return moment.astimezone(zone).replace(fold=1)


def api(moment: datetime, zone: tzinfo) -> str:
    """Write an ``ApiDateTime``: always seven fraction digits, the zone's offset or Z."""
    local = as_read(moment, zone)
    zone_text = f"{local:%z}"
    offset = f"{zone_text[:3]}:{zone_text[3:5]}" if local.utcoffset() else "Z"
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond * 10:07d}{offset}"


def webhook(moment: datetime, zone: tzinfo | None = None) -> str:
    """Write a UTC date as webhook bodies do: a fraction only when there is one."""
    utc = (as_read(moment, zone) if zone else moment).astimezone(UTC)
    fraction = f".{utc.microsecond:06d}".rstrip("0") if utc.microsecond else ""
    return f"{utc:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def config(moment: datetime, zone: tzinfo) -> str:
    """Write a date of a webhook's settings: local time with the machine's offset, here UTC.

    Wrong by the zone's offset, as on the real portal (docspace.md 3).
    """
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M:%S}+00:00"
