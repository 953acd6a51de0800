"""Dates as the portal stores and writes them (docspace.md 3)."""

from datetime import UTC, datetime, timedelta, tzinfo


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
    offset = local.utcoffset() or timedelta(0)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond * 10:07d}{_offset(offset)}"


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


def hours(offset: timedelta) -> str:
    """Write an offset as ``03:00:00``."""
    sign = "-" if offset < timedelta(0) else ""
    minutes = abs(int(offset.total_seconds())) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}:00"


def _offset(offset: timedelta) -> str:
    if not offset:
        return "Z"
    return f"{'' if offset < timedelta(0) else '+'}{hours(offset)[:-3]}"
