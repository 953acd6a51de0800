"""The portal's log of failed deliveries: a second source of events (docspace.md 6).

The log is read from the newest entry back to the watermark, the last entry that was read before.
Its entries are recorded like any event, so nothing needs to be sent again. An entry without an
answer may be under way for ten minutes, while an earlier batch blocks the portal's queue: it is
recorded later, and the watermark stays below it. The webhook's last failure shows whether there
are new entries; but a portal that restarts with deliveries in its queue records no failure for
them, so the log is also read once an hour.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.client import FailedDelivery, Webhook, WebhooksClient
from reconciler.event import IgnoredDelivery, parse_event
from reconciler.ledger import DELIVERY_LOG, DeliveryLogProgress, Ledger
from reconciler.model import Source

_STEP = 90  # of a hundred: an entry that is delivered meanwhile moves the older ones up
_MAX_PAGES = 200
_UNSIGNED = 401
_UNDER_WAY = timedelta(minutes=11)  # ten, and the time in the queue (docspace.md 6)
_READ_EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class LogReading:
    """The number of events recorded, and of entries still under way.

    ``unsigned`` of them were answered 401 by the receiver: it has another secret.
    """

    recorded: int = 0
    under_way: int = 0
    unsigned: int = 0


def progress(ledger: Ledger) -> DeliveryLogProgress:
    """Return how far the log was read. Raises LedgerError."""
    return ledger.settings.get(DELIVERY_LOG) or DeliveryLogProgress()


@dataclass(frozen=True)
class DeliveryLog:
    """Reads the log of one webhook, for the ``triggers`` that the receiver accepts."""

    ledger: Ledger
    webhooks: WebhooksClient
    triggers: frozenset[str]
    clock: Callable[[], datetime]

    def is_due(self, webhook: Webhook) -> bool:
        """Whether the log may have new entries; False before the first sweep."""
        known, now = progress(self.ledger), self.clock()
        if not self.ledger.has_origin():
            return False
        stale = known.at is None or not timedelta() <= now - known.at < _READ_EVERY
        return stale or known.under_way or known.failed_on != webhook.failed_on

    def read(self, webhook: Webhook) -> LogReading:
        """Record the deliveries that failed since the last reading.

        An error loses nothing: the watermark is moved last, and an event that is recorded twice
        costs one more look. Raises PortalError or LedgerError.
        """
        done = progress(self.ledger).done
        recorded, seen, under_way, unsigned = 0, set[int](), set[int](), set[int]()
        for entry, now in self._new_entries(webhook, done):
            if entry.status == _UNSIGNED:
                unsigned.add(entry.id)
            if entry.id in seen:
                continue
            seen.add(entry.id)
            if is_under_way(entry, now):
                under_way.add(entry.id)
            else:
                recorded += self._record(entry)
        watermark = max(done, min(under_way) - 1) if under_way else max([done, *seen])
        reached = DeliveryLogProgress(watermark, webhook.failed_on, bool(under_way), self.clock())
        self.ledger.settings.set(DELIVERY_LOG, reached)
        return LogReading(recorded, len(under_way), len(unsigned))

    def _new_entries(
        self, webhook: Webhook, done: int
    ) -> Iterator[tuple[FailedDelivery, datetime]]:
        """Yield the entries after ``done``, newest first, each with the portal's time.

        The first reading ends at the origin: earlier saves are not marked.
        """
        since = self.ledger.baseline().since
        for number in range(_MAX_PAGES):
            page = self.webhooks.failures(webhook.id, number * _STEP)
            now = page.date or self.clock()
            new = [e for e in page.entries if e.id > done and not _is_older(e, since, done)]
            yield from ((entry, now) for entry in new)
            if len(new) < len(page.entries) or not page.has_more:
                return

    def _record(self, entry: FailedDelivery) -> bool:
        """Record an entry; return whether it is an event for us."""
        try:
            event = parse_event(entry.body, self.triggers)
        except IgnoredDelivery:
            return False
        self.ledger.record(event, self.clock(), Source.LOG)
        return True


def is_under_way(entry: FailedDelivery, now: datetime) -> bool:
    """Whether an entry of the log may still be delivered; ``now`` is the portal's."""
    is_young = entry.created is not None and now - entry.created < _UNDER_WAY
    return entry.status == 0 and is_young


def _is_older(entry: FailedDelivery, since: datetime, done: int) -> bool:
    """Whether the first reading ends at this entry: it is older than the origin."""
    return done == 0 and entry.created is not None and entry.created < since
