"""Sends notifications: as a duty of the daemon, and at the end of a `reconcile`."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

from reconciler.config import Config
from reconciler.diagnostics import ProblemKind, find_alerts, find_problems
from reconciler.errors import ReconcilerError
from reconciler.ledger import WEBHOOK, Overview
from reconciler.notify.addresses import Address, open_addresses
from reconciler.notify.heartbeat import Heartbeat, Run
from reconciler.notify.messages import Alert, Alerts, NotifySettings
from reconciler.notify.notifier import Notifier, OnSent
from reconciler.service.build import Components
from reconciler.service.duties import ListingLock
from reconciler.service.logging import log, log_error

NOTIFY = "notify"
NOTIFY_EVERY = timedelta(seconds=30)


def build_notifier(config: Config, components: Components, on_sent: OnSent) -> Notifier | None:
    """Return the notifier, None where no address is configured. Raises ConfigError."""
    if not addresses_of(config):
        return None
    portal, notify = config.portal_url(), config.notify
    return Notifier(
        components.ledger,
        NotifySettings(portal, notify.digest_every, notify.overdue_after),
        lambda: addresses_of(config),
        components.stop,
        on_sent,
    )


def addresses_of(config: Config) -> tuple[Address, ...]:
    """Return the configured addresses as their file has them now. Raises ConfigError."""
    return open_addresses(config.notify.urls())


def build_heartbeat(config: Config) -> Heartbeat:
    """Return the heartbeat, which does nothing where none is configured."""
    return Heartbeat(config.notify.heartbeat_url, config.portal.ca_bundle, _log_heartbeat)


@dataclass(frozen=True)
class NotifyDuty:
    """Sends notifications from the one daemon that sweeps."""

    components: Components
    notifier: Notifier
    listing: ListingLock

    def run(self) -> None:
        """Send the messages that are due. Raises LedgerError and ConfigError."""
        if not self.listing.is_suspended.is_set():
            now = self.components.clock()
            seen = self.components.ledger.health.overview(now, shown=1)
            self.notifier.run(now, _alerts(self.components, seen))


def notify_of_run(config: Config, components: Components, opened: ExitStack) -> Run:
    """Let ``opened`` send the heartbeats of a `reconcile`, and notifications after it.

    Raises ConfigError.
    """
    notifier, heartbeat = build_notifier(config, components, _log_unsent), build_heartbeat(config)
    if notifier is not None:
        opened.callback(_notify_after_run, components, notifier)
    opened.callback(heartbeat.close)
    return opened.enter_context(heartbeat.run())


def _notify_after_run(components: Components, notifier: Notifier) -> None:
    now = components.clock()
    try:
        seen = components.ledger.health.overview(now, shown=1)
        # The roles are held by this run, not by a daemon, so no problem of a daemon is sent.
        notifier.run(now, _alerts(components, replace(seen, holders={})))
    except ReconcilerError as error:
        log_error(error)


def _alerts(components: Components, seen: Overview) -> Alerts:
    """Return the problems that need a person, and the kinds that are not known to be over."""
    problems = find_problems(seen)
    urgent = [Alert(one.kind.value, one.message, one.hint) for one in find_alerts(seen, problems)]
    kinds = {one.kind.value for one in problems}
    webhook = components.ledger.settings.get(WEBHOOK)
    if webhook is None or not webhook.is_recent(seen.now):
        kinds.add(ProblemKind.WEBHOOK.value)  # it was not checked since
    return Alerts(urgent, frozenset(kinds))


def log_sent(name: str, title: str, error: str) -> None:
    """Log a message, or why it did not arrive."""
    if not error:
        log.info("notified", to=name, title=title)
    _log_unsent(name, title, error)


def _log_unsent(name: str, title: str, error: str) -> None:
    """Log only a failure: cron mails every line of `reconcile`."""
    if error:
        hint = "it is tried again; run: reconciler notify test"
        log.warning("notification_failed", to=name, title=title, error=error, hint=hint)


def _log_heartbeat(error: str) -> None:
    log.warning("heartbeat_failed", error=error, hint="see notify.heartbeat_url")
