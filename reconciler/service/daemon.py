"""The daemon: receiver, worker and scheduled duties on one ledger, started and stopped in order.

It starts with the ledger and ends with the address. It stops in reverse order: it accepts nothing
more, answers the requests that were read, finishes what it has begun, and releases its claims.
"""

import threading
from contextlib import ExitStack
from datetime import timedelta
from time import monotonic

from reconciler import version
from reconciler.admin.app import Admin
from reconciler.admin.guard import Guard
from reconciler.admin.pages import AdminContext, pages_of
from reconciler.client import READ_ALL, Key
from reconciler.config import Config
from reconciler.diagnostics.checks import config_warnings
from reconciler.errors import LedgerError, ReconcilerError
from reconciler.formats import utcnow
from reconciler.ledger import Role
from reconciler.receiver import Receiver
from reconciler.service.build import (
    KEY_EVERY,
    Components,
    build_components,
    build_sweep,
    build_watch,
    receiver_settings,
)
from reconciler.service.duties import (
    KEY,
    RELEASE,
    SWEEP,
    WATCH,
    KeyDuty,
    ListingLock,
    SweepDuty,
    WatchDuty,
)
from reconciler.service.logging import (
    log,
    log_error,
    log_failed_login,
    log_processed,
    log_reply,
)
from reconciler.service.notifying import (
    NOTIFY,
    NOTIFY_EVERY,
    NotifyDuty,
    build_heartbeat,
    build_notifier,
    log_sent,
)
from reconciler.service.roles import SweepRole, WorkerRole
from reconciler.service.schedule import JITTER, Schedule, ScheduledTask
from reconciler.service.server import Server
from reconciler.webhooks.watch import EVERY as WATCH_EVERY

GRACE = 20.0  # seconds for a shutdown
RELEASE_EVERY = timedelta(seconds=5)
_FIRST_WATCH = timedelta(seconds=5)  # the first sweep sets the origin, where the log's reading ends
_HEARTBEAT_GRACE = 1.0
_ADMIN_THREADS, _ADMIN_BYTES, _ADMIN_GRACE = 2, 1024, 0.5


class Daemon:
    """The daemon. Use it once."""

    def __init__(self, config: Config) -> None:
        """Open the ledger, take the sweep's role, bind the addresses; start nothing.

        Raises ConfigError, LedgerError, RoleHeldError or AddressInUseError, and leaves nothing
        open; PortalError where the ledger knows the portal at another address and it cannot be
        verified that it is the same.
        """
        self._config, self._stack = config, ExitStack()
        with ExitStack() as opened:
            components = build_components(config, opened, webhook=True)
            if not components.ledger.shared:
                opened.enter_context(components.ledger.role(Role.SWEEP))
            self.ledger, self._components = components.ledger, components
            self._notifier = build_notifier(config, components, log_sent)
            self._heartbeat = build_heartbeat(config)
            opened.callback(self._heartbeat.close, _HEARTBEAT_GRACE)
            self._worker = components.worker(log_processed, log_error)
            self._bind()
            self._stack = opened.pop_all()
        self.address = f"{self._server.url}{config.webhook.path}"
        self.schedule, self.listing = Schedule(), ListingLock()
        self._role = WorkerRole(components, self._worker)
        runs = {"worker": self._role.run}
        if self.ledger.shared:
            runs["sweep leader"] = SweepRole(components, self.listing, self.schedule).run
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True) for name, run in runs.items()
        ]
        self._tasks = self._table()

    def start(self) -> None:
        """Start the duties, the worker and the servers."""
        for warning in config_warnings(self._config):
            log.warning(warning.kind.value, message=warning.message, hint=warning.hint)
        for task in self._tasks:
            if task.id != WATCH:  # added once the key is known to have the right
                self.schedule.add(task, utcnow())
        self.schedule.start()
        for thread in self._threads:
            thread.start()
        self._server.start()
        self._admin.start()
        log.info(
            "started",
            version=version(),
            address=self.address,
            admin=self._admin.url,
            portal=self._config.portal_url(),
            observe=self._config.review.observe,
        )

    def is_alive(self) -> bool:
        """Whether everything that `start` started still runs."""
        return all(self._alive().values())

    def follow_clock(self) -> None:
        """Run now each task that is scheduled too far ahead: the machine's clock was set back."""
        self.schedule.follow_clock(utcnow())

    def reload(self) -> None:
        """Read the files of the key and of the secrets again, and log the result."""
        try:
            is_replaced = self._components.reload_key()
            secrets = self._secrets()
        except ReconcilerError as error:
            log_error(error)
            return
        if is_replaced:
            self._key.reset()
            self.schedule.run_at(KEY, utcnow())
        log.info("reloaded", key_replaced=is_replaced, secrets=len(secrets))

    def stop(self, grace: float = GRACE) -> bool:
        """Stop in order within about ``grace`` seconds; return whether all work was finished.

        A write whose answer does not come in time stays an intent on disk: after the next start a
        look shows whether it took effect.
        """
        log.info("stopping")
        half, began = grace / 2, monotonic()
        self._server.stop(half)
        self._worker.stop()
        self._components.stop.set()
        self.listing.is_suspended.set()
        until = monotonic() + half
        finished = self.schedule.stop(half)
        for thread in self._threads:
            if thread.ident is not None:  # a start that failed may have started some
                thread.join(max(until - monotonic(), 0.1))
        finished &= not any(thread.is_alive() for thread in self._threads)
        self._admin.stop(_ADMIN_GRACE)
        try:
            if not finished and self._role.is_held:
                self.ledger.claims.release_orphaned(self._components.clock())
            self._stack.close()
        except LedgerError as error:
            log_error(error)
        log.info("stopped", finished=finished, seconds=round(monotonic() - began, 1))
        return finished

    def _table(self) -> list[ScheduledTask]:
        """Return the periodic duties, each with its interval."""
        config, components = self._config, self._components
        listing, schedule, wake = self.listing, self.schedule, self._worker.wake
        sweep = SweepDuty(
            components,
            build_sweep(config, components, listing.is_suspended),
            listing,
            schedule,
            config.state.retention,
            wake,
            self._heartbeat,
        )
        watch = WatchDuty(components, build_watch(config, components), listing, schedule)
        self._key = key = KeyDuty(components, self._begin_to_watch, wake)
        tasks = [
            ScheduledTask(SWEEP, sweep.run, config.sweep.every, JITTER, _log_overlap),
            ScheduledTask(WATCH, watch.run, WATCH_EVERY),
            ScheduledTask(KEY, key.run, KEY_EVERY),
        ]
        if self.ledger.shared:
            tasks.append(ScheduledTask(RELEASE, self._release_claims, RELEASE_EVERY))
        if self._notifier is not None:
            notify = NotifyDuty(components, self._notifier, listing)
            tasks.append(ScheduledTask(NOTIFY, notify.run, NOTIFY_EVERY))
        return tasks

    def _release_claims(self) -> None:
        """Make due what processes that have died had claimed, in the one daemon that sweeps."""
        if not self.listing.is_suspended.is_set():
            self.ledger.claims.release_orphaned(self._components.clock())

    def _begin_to_watch(self, key: Key) -> None:
        """Watch the webhook where the key may; else only the sweep finds lost deliveries."""
        missing = key.missing_scope(*READ_ALL)
        if missing:
            log.info("webhook_not_watched", missing_scope=missing)
            return
        (watch,) = (task for task in self._tasks if task.id == WATCH)
        self.schedule.add(watch, utcnow() + _FIRST_WATCH)

    def _bind(self) -> None:
        """Bind the address of the webhook and the one for administrators."""
        webhook, settings = self._config.webhook, receiver_settings(self._config)
        self._secrets = settings.secrets
        receiver = Receiver(
            settings,
            self.ledger.record,
            self._components.clock,
            log_reply,
            on_accepted=self._worker.wake,
            is_full=lambda: self._server.is_full(),  # noqa: PLW0108 - it is made after this
        )
        self._server = Server(
            receiver,
            webhook.host,
            webhook.port,
            threads=webhook.threads,
            max_bytes=webhook.max_body_bytes + 1,  # waitress stops at its limit
            trusted_proxy=webhook.trusted_proxy,
        )
        try:
            self._admin = self._admin_server(self._components)
        except ReconcilerError:
            self._server.stop(0)
            raise

    def _admin_server(self, components: Components) -> Server:
        admin, password = self._config.admin, self._config.admin_password()
        context = AdminContext(
            ledger=components.ledger,
            clock=components.clock,
            alive=self._alive,
            requests=components.docspace.requests_by_route,
            writes_per_day=self._config.limits.writes_per_day,
            portal=self._config.portal_url(),
        )
        app = Admin(pages_of(context), Guard(password, admin.host, log_failed_login), log_error)
        return Server(
            app,
            admin.host,
            admin.port,
            threads=_ADMIN_THREADS,
            max_bytes=_ADMIN_BYTES,
            section="admin",
        )

    def _alive(self) -> dict[str, bool]:
        return {
            "worker": self._threads[0].is_alive(),
            "sweep": self.schedule.is_alive(),
            "webhook": self._server.is_alive(),
            "admin": self._admin.is_alive(),
        }


def _log_overlap() -> None:
    log.info("sweep_still_running")
