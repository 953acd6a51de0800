"""Which message an address is to be sent now, and its record once that has arrived. Pure.

Everything is derived from the present and from the address's record: an alert that came and went
while an address failed is not sent, and its next digest holds what the lost one did.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.ledger import Notified
from reconciler.notify.messages import Alert, Message, began, ended

_SETTLING = timedelta(seconds=3)  # by then what was marked at a time is in the ledger
_DAY = timedelta(days=1)
Planned = tuple[Message | None, Notified]
"""The message, None for none, and the record of the address after it."""


@dataclass(frozen=True)
class NotifySettings:
    """What is sent; None switches a message off."""

    portal: str
    digest_every: timedelta | None = None
    overdue_after: timedelta | None = None


@dataclass(frozen=True)
class Alerts:
    """What a person should be alerted to now, and the kinds of all that is wrong."""

    urgent: Sequence[Alert] = ()
    open: frozenset[str] = frozenset()


def new_address(name: str, now: datetime) -> Notified:
    """Return the record of a new address: nothing is wrong, and earlier marks are not news."""
    return Notified(name, digest_end(now))


def digest_end(now: datetime) -> datetime:
    """Return until when marked files are in the digest."""
    return now - _SETTLING


def plan_resolved(record: Notified, alerts: Alerts, portal: str) -> Planned:
    """Return the message on those of the alerts that were sent which are over."""
    over = {kind: one for kind, one in record.alerts.items() if kind not in alerts.open}
    if not over:
        return None, record
    left = {kind: one for kind, one in record.alerts.items() if kind not in over}
    return ended(over.values(), portal), replace(record, alerts=left)


def plan_alerts(record: Notified, alerts: Alerts, portal: str) -> Planned:
    """Return the message on the alerts that were not sent yet."""
    new = [one for one in alerts.urgent if one.kind not in record.alerts]
    if not new:
        return None, record
    known = {one.kind: one.message for one in new}
    return began(new, portal), replace(record, alerts={**record.alerts, **known})


def is_digest_due(record: Notified, every: timedelta | None, now: datetime) -> bool:
    """Return whether the time of the last digest is over, or has not come: the clock was set back.

    Without digests it is moved all the same, so that the first one is about its own time.
    """
    passed = digest_end(now) - record.marked_until
    return passed >= (every or _DAY) or record.marked_until > now


def is_reminder_due(record: Notified, now: datetime) -> bool:
    """Return whether the last reminder is a day old, or lies in the future."""
    last = record.reminded_at
    return last is None or now - last >= _DAY or last > now


def failed(record: Notified, error: str, now: datetime) -> Notified:
    """Return the record of an address that a message did not reach."""
    since = record.failing_since or now
    number = record.failures + 1
    return replace(record, failures=number, failing_since=since, failed_at=now, error=error)


def arrived(record: Notified) -> Notified:
    """Return the record of an address that a message reached."""
    return replace(record, failures=0, failing_since=None, failed_at=None, error="")
