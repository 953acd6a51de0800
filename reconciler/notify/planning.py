"""What an address is owed at a time, and what it was told once that has arrived. Pure.

Everything is derived from the present and from what was told: a trouble that came and went while
an address failed is not told, and its next digest holds what the lost one did.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.ledger import Notified
from reconciler.notify.messages import Message, Trouble, began, ended

_SETTLING = timedelta(seconds=3)  # by then what was marked at a time is in the ledger
_DAY = timedelta(days=1)
Owed = tuple[Message | None, Notified]
"""The message, None for none, and what the address was told after it."""


@dataclass(frozen=True)
class NotifySettings:
    """What is told; None switches a message off."""

    portal: str
    digest_every: timedelta | None = None
    overdue_after: timedelta | None = None


@dataclass(frozen=True)
class Troubles:
    """What a person should be told of now, and the kinds of all that is wrong."""

    urgent: Sequence[Trouble] = ()
    open: frozenset[str] = frozenset()


def new_address(name: str, now: datetime) -> Notified:
    """Return what a new address knows: nothing is wrong, and what was marked before it came."""
    return Notified(name, digest_end(now))


def digest_end(now: datetime) -> datetime:
    """Return until when marked files are told of."""
    return now - _SETTLING


def owed_ended(told: Notified, troubles: Troubles, portal: str) -> Owed:
    """Return which of the troubles that were told are over."""
    over = {kind: one for kind, one in told.troubles.items() if kind not in troubles.open}
    if not over:
        return None, told
    left = {kind: one for kind, one in told.troubles.items() if kind not in over}
    return ended(over.values(), portal), replace(told, troubles=left)


def owed_began(told: Notified, troubles: Troubles, portal: str) -> Owed:
    """Return the troubles that were not told yet."""
    new = [one for one in troubles.urgent if one.kind not in told.troubles]
    if not new:
        return None, told
    known = {one.kind: one.message for one in new}
    return began(new, portal), replace(told, troubles={**told.troubles, **known})


def is_digest_due(told: Notified, every: timedelta | None, now: datetime) -> bool:
    """Return whether the time of the last digest is over, or has not come: the clock was set back.

    Without digests it is moved all the same, so that the first one is about its own time.
    """
    passed = digest_end(now) - told.marked_until
    return passed >= (every or _DAY) or told.marked_until > now


def is_reminder_due(told: Notified, now: datetime) -> bool:
    """Return whether the last reminder is a day old, or lies in the future."""
    last = told.reminded_at
    return last is None or now - last >= _DAY or last > now


def failed(told: Notified, error: str, now: datetime) -> Notified:
    """Return what an address was told that a message did not reach."""
    since = told.failing_since or now
    number = told.failures + 1
    return replace(told, failures=number, failing_since=since, failed_at=now, error=error)


def arrived(told: Notified) -> Notified:
    """Return what an address was told that a message reached."""
    return replace(told, failures=0, failing_since=None, failed_at=None, error="")
