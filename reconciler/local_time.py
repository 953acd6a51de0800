"""Times as a person reads them: in the zone of the process, which TZ sets, and named."""

from datetime import datetime


def local_time(moment: datetime) -> str:
    """Return a time to the second, with its zone, such as ``2026-01-31 09:30:00 CET``."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"
