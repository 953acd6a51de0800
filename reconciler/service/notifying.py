"""Sends people what they should know: a duty of the daemon, and the end of a `reconcile`."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

from reconciler.config import Config
from reconciler.diagnostics import find_problems, find_troubles
from reconciler.errors import ReconcilerError
from reconciler.ledger import Overview
from reconciler.notify.addresses import Address, open_addresses
from reconciler.notify.messages import Trouble
from reconciler.notify.notifier import Notifier
from reconciler.notify.planning import NotifySettings, Troubles
from reconciler.service.build import Components
from reconciler.service.duties import ListingTurn
from reconciler.service.logging import log, log_error

NOTIFY = "notify"
NOTIFY_EVERY = timedelta(seconds=30)


def notifier_of(config: Config, components: Components) -> Notifier | None:
    """Return who notifies people, None when nobody is to be notified. Raises ConfigError."""
    if not addresses_of(config):
        return None
    portal, notify = config.portal_url(), config.notify
    return Notifier(
        components.ledger,
        NotifySettings(portal, notify.digest_every, notify.overdue_after),
        lambda: addresses_of(config),
        components.stop,
        _log_sent,
    )


def addresses_of(config: Config) -> tuple[Address, ...]:
    """Return the configured addresses, as they stand in their file now. Raises ConfigError."""
    return open_addresses(config.notify.urls())


class NotifyDuty:
    """Notifies, in the one daemon that sweeps."""

    def __init__(self, components: Components, notifier: Notifier, turn: ListingTurn) -> None:
        """Send nothing yet."""
        self._components, self._notifier, self._turn = components, notifier, turn

    def run(self) -> None:
        """Send what is owed now. Raises LedgerError and ConfigError."""
        if not self._turn.is_suspended.is_set():
            now = self._components.clock()
            seen = self._components.ledger.health.overview(now, shown=1)
            self._notifier.run(now, troubles_in(seen))


def notify_at_end(config: Config, components: Components, opened: ExitStack) -> None:
    """Let ``opened`` notify when a `reconcile` has ended, failed or not. Raises ConfigError."""
    notifier = notifier_of(config, components)
    if notifier is not None:
        opened.callback(_notify_after_run, components, notifier)


def _notify_after_run(components: Components, notifier: Notifier) -> None:
    now = components.clock()
    try:
        seen = components.ledger.health.overview(now, shown=1)
        # Our own roles are no daemon's: what is wrong with a daemon is not told.
        notifier.run(now, troubles_in(replace(seen, holders={})))
    except ReconcilerError as error:
        log_error(error)


def troubles_in(seen: Overview) -> Troubles:
    """Return what a person should be told of."""
    problems = find_problems(seen)
    urgent = [
        Trouble(one.kind.value, one.message, one.hint) for one in find_troubles(seen, problems)
    ]
    return Troubles(urgent, frozenset(one.kind.value for one in problems))


def _log_sent(name: str, title: str, error: str) -> None:
    if error:
        log.warning("notification_failed", to=name, title=title, error=error)
    else:
        log.info("notified", to=name, title=title)
