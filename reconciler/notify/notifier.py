"""Sends each address the messages that are due, and records those that have arrived.

A message is recorded once it has arrived: a process killed between the two sends it again.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from reconciler.ledger import NOTIFIED, Ledger, Notified, ReviewFilter, ReviewState
from reconciler.notify.addresses import Address
from reconciler.notify.messages import (
    MAX_FILES,
    Alerts,
    Message,
    NotifySettings,
    Planned,
    digest,
    digest_end,
    is_digest_due,
    is_reminder_due,
    new_address,
    plan_alerts,
    plan_resolved,
    record_delivery,
    record_failure,
    reminder,
)


class OnSent(Protocol):
    """Called for each message with the name of its address."""

    def __call__(self, name: str, title: str, error: str) -> None:
        """Log it; ``error`` is why it did not arrive, empty when it did."""


class Notifier:
    """Notifies all addresses. Only the process that sweeps runs it, and in one thread."""

    def __init__(
        self,
        ledger: Ledger,
        settings: NotifySettings,
        addresses: Callable[[], Sequence[Address]],
        stop: threading.Event,
        on_sent: OnSent,
    ) -> None:
        """Send nothing yet. ``addresses`` is asked at each run; ``stop`` ends a run."""
        self._ledger, self._settings, self._addresses = ledger, settings, addresses
        self._stop, self._on_sent = stop, on_sent

    def run(self, now: datetime, alerts: Alerts) -> None:
        """Send what is due; an address that fails holds up no other.

        Raises LedgerError, and ConfigError when the addresses cannot be read.
        """
        addresses, known = self._addresses(), self._ledger.settings.get(NOTIFIED) or {}
        records = {
            one.id: replace(known.get(one.id) or new_address(one.name, now), name=one.name)
            for one in addresses
        }
        if records != known:
            self._ledger.settings.set(NOTIFIED, records)
        for address in addresses:
            if records[address.id].is_due(now):
                self._notify(address, records, now, alerts)

    def _notify(
        self, address: Address, records: dict[str, Notified], now: datetime, alerts: Alerts
    ) -> None:
        """Send one address what is due, until one message does not arrive."""
        portal = self._settings.portal
        steps: tuple[Callable[[Notified], Planned], ...] = (
            lambda one: plan_resolved(one, alerts, portal),
            lambda one: plan_alerts(one, alerts, portal),
            lambda one: self._plan_digest(one, now),
            lambda one: self._plan_reminder(one, now),
        )
        for plan in steps:
            message, after = plan(records[address.id])
            if self._stop.is_set() or (
                message is not None and not self._is_sent(address, message, records, now)
            ):
                return
            after = after if message is None else record_delivery(after)
            if after != records[address.id]:
                records[address.id] = after
                self._ledger.settings.set(NOTIFIED, records)

    def _is_sent(
        self, address: Address, message: Message, records: dict[str, Notified], now: datetime
    ) -> bool:
        """Send a message, and record a failure; return whether it arrived."""
        # Without this test of the ledger a message would be sent again and again on a full disk.
        self._ledger.settings.set(NOTIFIED, records)
        error = address.send(message)
        self._on_sent(address.name, message.title, error)
        if error:
            records[address.id] = record_failure(records[address.id], error, now)
            self._ledger.settings.set(NOTIFIED, records)
        return not error

    def _plan_digest(self, record: Notified, now: datetime) -> Planned:
        every, since, until = self._settings.digest_every, record.marked_until, digest_end(now)
        if not is_digest_due(record, every, now):
            return None, record
        after = replace(record, marked_until=until)
        wanted = ReviewFilter(marked=(since, until))
        found = self._ledger.reviews.page(ReviewState.WAITING, wanted, MAX_FILES)
        if every is None or not found.total:
            return None, after
        return digest(found, self._settings.portal), after

    def _plan_reminder(self, record: Notified, now: datetime) -> Planned:
        length = self._settings.overdue_after
        if length is None or not is_reminder_due(record, now):
            return None, record
        wanted = ReviewFilter(before=now - length)
        found = self._ledger.reviews.page(ReviewState.WAITING, wanted, MAX_FILES)
        if not found.total:
            return None, record
        return reminder(found, self._settings.portal, length), replace(record, reminded_at=now)
