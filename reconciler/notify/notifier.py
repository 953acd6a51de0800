"""Sends each address what it is owed, and remembers what has arrived.

A message is remembered once it has arrived: who is killed between the two tells it a second time.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from reconciler.ledger import NOTIFIED, Ledger, Notified, ReviewFilter, ReviewState
from reconciler.notify.addresses import Address
from reconciler.notify.messages import MOST_FILES, Message, digest, reminder
from reconciler.notify.planning import (
    NotifySettings,
    Owed,
    Troubles,
    arrived,
    digest_end,
    failed,
    is_digest_due,
    is_reminder_due,
    new_address,
    owed_began,
    owed_ended,
)


class OnSent(Protocol):
    """Is told of each message: to whom, with which title, and why it did not arrive."""

    def __call__(self, name: str, title: str, error: str) -> None:
        """Take note of it; ``error`` is empty when it arrived."""


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

    def run(self, now: datetime, troubles: Troubles) -> None:
        """Send what is owed; an address that fails holds up no other.

        Raises LedgerError, and ConfigError when the addresses cannot be read.
        """
        addresses, known = self._addresses(), self._ledger.settings.get(NOTIFIED) or {}
        told = {
            one.id: replace(known.get(one.id) or new_address(one.name, now), name=one.name)
            for one in addresses
        }
        if told != known:
            self._ledger.settings.set(NOTIFIED, told)
        for address in addresses:
            if told[address.id].may_be_told(now):
                self._notify(address, told, now, troubles)

    def _notify(
        self, address: Address, told: dict[str, Notified], now: datetime, troubles: Troubles
    ) -> None:
        """Send one address what it is owed, until one message does not arrive."""
        portal = self._settings.portal
        steps: tuple[Callable[[Notified], Owed], ...] = (
            lambda one: owed_ended(one, troubles, portal),
            lambda one: owed_began(one, troubles, portal),
            lambda one: self._owed_digest(one, now),
            lambda one: self._owed_reminder(one, now),
        )
        for owed in steps:
            message, after = owed(told[address.id])
            if self._stop.is_set() or (
                message is not None and not self._is_sent(address, message, told, now)
            ):
                return
            after = after if message is None else arrived(after)
            if after != told[address.id]:
                told[address.id] = after
                self._ledger.settings.set(NOTIFIED, told)

    def _is_sent(
        self, address: Address, message: Message, told: dict[str, Notified], now: datetime
    ) -> bool:
        """Send a message; remember that it did not arrive."""
        # Nothing is sent that could not be remembered, as on a full disk: it would be sent again.
        self._ledger.settings.set(NOTIFIED, told)
        error = address.send(message)
        self._on_sent(address.name, message.title, error)
        if error:
            told[address.id] = failed(told[address.id], error, now)
            self._ledger.settings.set(NOTIFIED, told)
        return not error

    def _owed_digest(self, told: Notified, now: datetime) -> Owed:
        every, since, until = self._settings.digest_every, told.marked_until, digest_end(now)
        if not is_digest_due(told, every, now):
            return None, told
        after = replace(told, marked_until=until)
        wanted = ReviewFilter(marked=(since, until))
        found = self._ledger.reviews.page(ReviewState.WAITING, wanted, MOST_FILES)
        if every is None or not found.total:
            return None, after
        return digest(found, self._settings.portal), after

    def _owed_reminder(self, told: Notified, now: datetime) -> Owed:
        length = self._settings.overdue_after
        if length is None or not is_reminder_due(told, now):
            return None, told
        wanted = ReviewFilter(before=now - length)
        found = self._ledger.reviews.page(ReviewState.WAITING, wanted, MOST_FILES)
        if not found.total:
            return None, told
        return reminder(found, self._settings.portal, length), replace(told, reminded_at=now)
