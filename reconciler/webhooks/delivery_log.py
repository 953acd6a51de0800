"""The second net: what the portal could not deliver, taken from its own log (docspace.md 6).

The log is read newest to oldest down to the last id that is done with. What it says is recorded
like any event, so nothing needs to be sent again. An entry without an answer may be under way for
ten minutes, while a batch before it holds the portal's places: it is recorded later, and the
mark stays below it. The webhook's last failure tells whether there is anything new; but a portal
that forgets its queue notes no failure, so the log is read every hour all the same.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.client import FailedDelivery, Webhook, WebhooksClient
from reconciler.event import IgnoredDelivery, parse_event
from reconciler.ledger import Ledger
from reconciler.model import Event, Source

_FACT = "delivery_log"
_STEP = 90  # of a hundred: an entry that is delivered meanwhile lets the older ones move up
_MOST_PAGES = 200
_UNSIGNED = 401
_UNDER_WAY = timedelta(minutes=11)  # ten, and what the queue takes (docspace.md 6)
_AT_LEAST = timedelta(hours=1)


@dataclass(frozen=True)
class Found:
    """What a reading brought: events recorded, entries of no use, entries still under way.

    ``unsigned`` are those of them that the receiver answered 401: it knows another secret.
    """

    recorded: int = 0
    ignored: int = 0
    under_way: int = 0
    unsigned: int = 0


@dataclass(frozen=True)
class Progress:
    """How far the log was read, when, and what the webhook's last failure was then."""

    done: int = 0
    failed_on: str = ""
    under_way: bool = False
    at: datetime | None = None


def progress(ledger: Ledger) -> Progress:
    """Return what the ledger knows of the log. Raises LedgerError."""
    text = ledger.get_value(_FACT)
    if not text:
        return Progress()
    known = json.loads(text)
    at = datetime.fromisoformat(known["at"])
    return Progress(known["done"], known["failed_on"], known["under_way"], at)


class Deliveries:
    """Reads the log of one webhook."""

    def __init__(
        self,
        ledger: Ledger,
        webhooks: WebhooksClient,
        triggers: frozenset[str],
        clock: Callable[[], datetime],
    ) -> None:
        """Read nothing yet."""
        self._ledger, self._webhooks, self._triggers, self._clock = (
            ledger,
            webhooks,
            triggers,
            clock,
        )

    def is_due(self, webhook: Webhook) -> bool:
        """Whether the log may hold something new; False before the first sweep."""
        known, now = progress(self._ledger), self._clock()
        if not self._ledger.has_origin():
            return False
        stale = known.at is None or not timedelta() <= now - known.at < _AT_LEAST
        return stale or known.under_way or known.failed_on != webhook.failed_on

    def read(self, webhook: Webhook) -> Found:
        """Record what was not delivered since the last reading. Raises PortalError, LedgerError.

        Where it breaks off nothing is lost: the mark is moved last, and what is recorded twice
        costs one more look.
        """
        done, since = progress(self._ledger).done, self._ledger.baseline().since
        ends: dict[int, str] = {}
        unsigned: set[int] = set()
        for number in range(_MOST_PAGES):
            page = self._webhooks.failures(webhook.id, number * _STEP)
            now = page.date or self._clock()
            fresh = [e for e in page.entries if e.id > done and not _is_older(e, since, done)]
            unsigned |= {entry.id for entry in fresh if entry.status == _UNSIGNED}
            for entry in fresh:
                if entry.id not in ends:
                    ends[entry.id] = self._end(entry, now)
            if len(fresh) < len(page.entries) or not page.behind:
                break
        waiting = [number for number, end in ends.items() if end == "under way"]
        mark = max([done, *ends]) if not waiting else max(done, min(waiting) - 1)
        self._keep(mark, webhook.failed_on, bool(waiting))
        ended = list(ends.values())
        return Found(ended.count("recorded"), ended.count("ignored"), len(waiting), len(unsigned))

    def _end(self, entry: FailedDelivery, now: datetime) -> str:
        if is_under_way(entry, now):
            return "under way"
        try:
            event = parse_event(entry.body, self._triggers)
        except IgnoredDelivery:
            return "ignored"
        self._record(event)
        return "recorded"

    def _record(self, event: Event) -> None:
        self._ledger.record(event, self._clock(), Source.LOG)

    def _keep(self, done: int, failed_on: str, under_way: bool) -> None:
        at = self._clock().isoformat()
        known = {"done": done, "failed_on": failed_on, "under_way": under_way, "at": at}
        self._ledger.set_value(_FACT, json.dumps(known))


def is_under_way(entry: FailedDelivery, now: datetime) -> bool:
    """Whether an entry of the log may still be delivered; ``now`` is the portal's."""
    young = entry.created is not None and now - entry.created < _UNDER_WAY
    return entry.status == 0 and young


def _is_older(entry: FailedDelivery, since: datetime, done: int) -> bool:
    """Whether the first reading ends here: what is older is not ours (the row would say so)."""
    return done == 0 and entry.created is not None and entry.created < since
