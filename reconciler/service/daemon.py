"""The daemon: receiver, worker and scheduled sweeps on one ledger, started and stopped in order.

Starting goes from the ledger outward to the address; stopping goes back: accept nothing more,
answer what was read, finish what is under way, give back what was not begun.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from importlib import metadata
from time import monotonic

from apscheduler.schedulers.background import BackgroundScheduler

from reconciler.admin.app import Admin
from reconciler.admin.guard import Guard
from reconciler.admin.pages import AdminContext, pages_of
from reconciler.client import Key
from reconciler.config import Config
from reconciler.errors import (
    ForbiddenError,
    LedgerError,
    PortalError,
    ReconcilerError,
    RoleHeldError,
    ShutdownRequested,
    UnauthorizedError,
)
from reconciler.ledger import NEXT_SWEEP, Role
from reconciler.model import Event, OutageKind
from reconciler.receiver import Receiver, Reply
from reconciler.service.build import (
    Components,
    build_components,
    receiver_settings,
    sweep_of,
    utcnow,
    watch_of,
)
from reconciler.service.config_warnings import log_config_warnings
from reconciler.service.logging import (
    log,
    log_error,
    log_failed_login,
    log_processed,
    log_reply,
    log_sweep,
)
from reconciler.service.server import Server
from reconciler.service.sweep_run import prune, run_sweep
from reconciler.sweep import Report
from reconciler.webhooks.watch import EVERY as WATCH_EVERY
from reconciler.worker import Processed

GRACE = 20.0  # seconds for what is under way when we are told to stop
_AGAIN = 15.0  # seconds between tries to learn whose key it is
_PATIENCE = 60.0  # seconds that a watch waits for a sweep to end
_FIRST_WATCH = timedelta(seconds=5)  # the first sweep fixes where our responsibility begins
_ROLE_AGAIN = 1.0  # seconds between tries to take a role that another process has
_RELEASE_EVERY = 5.0  # seconds between looks for claims of processes that are gone
_ADMIN_THREADS, _ADMIN_BYTES, _ADMIN_GRACE = 2, 1024, 0.5
_MOMENT = timedelta(seconds=5)
_JITTER = 0.1  # of the interval, so that many installations do not sweep in one second


class Schedule(BackgroundScheduler):  # type: ignore[misc]
    """The scheduler, which by itself does not tell whether its thread still runs."""

    def is_alive(self) -> bool:
        """Whether what is scheduled will be run."""
        return self._thread is not None and self._thread.is_alive()


class Daemon:
    """The daemon. Use it once."""

    def __init__(
        self,
        config: Config,
        *,
        on_attempt: Callable[[Processed], None] = log_processed,
        on_reply: Callable[[Reply], None] = log_reply,
        on_sweep: Callable[[Report], None] = log_sweep,
    ) -> None:
        """Open the ledger, take the sweep's role, bind the address; start nothing.

        Raises ConfigError, LedgerError, RoleHeldError or AddressInUseError, with nothing left open;
        PortalError where the ledger knows the portal at another address and nobody can tell whose
        it is.
        """
        self._config, self._on_sweep, self._stack = config, on_sweep, ExitStack()
        with ExitStack() as opened:
            components = build_components(config, opened, webhook=True)
            if not components.ledger.shared:
                opened.enter_context(components.ledger.role(Role.SWEEP))
            receiver = Receiver(
                receiver_settings(config),
                self._record,
                components.clock,
                on_reply,
                self._is_full,
            )
            self._server = Server(
                receiver,
                config.webhook.host,
                config.webhook.port,
                threads=config.webhook.threads,
                max_bytes=config.webhook.max_body_bytes + 1,  # waitress stops at its limit
                trusted_proxy=config.webhook.trusted_proxy,
            )
            try:
                self._admin = self._admin_on(components)
            except ReconcilerError:
                self._server.stop(0)
                raise
            self._stack = opened.pop_all()
        self.ledger, self._components, self._stop = components.ledger, components, components.stop
        self._working, self._resting = False, threading.Event()
        self._sweep = sweep_of(config, components, self._resting)
        self._watch = watch_of(config, components)
        self._worker = components.worker(on_attempt, log_error)
        self._scheduler, self._sweeping = Schedule(timezone="UTC"), threading.Lock()
        self._turn = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name="worker", daemon=True),
            threading.Thread(target=self._know_key, name="key", daemon=True),
        ]
        if components.ledger.shared:
            self._resting.set()
            self._threads.append(threading.Thread(target=self._lead, name="lead", daemon=True))
        self.address = f"{self._server.url}{config.webhook.path}"

    def start(self) -> None:
        """Begin to work, to sweep and to accept."""
        log_config_warnings(self._config)
        self._schedule(utcnow())
        self._scheduler.start()
        for thread in self._threads:
            thread.start()
        self._server.start()
        self._admin.start()
        log.info(
            "started",
            version=metadata.version("reconciler"),
            address=self.address,
            admin=self._admin.url,
            portal=self._config.portal_url(),
            observe=self._config.review.observe,
        )

    def is_alive(self) -> bool:
        """Whether everything that `start` started still runs."""
        return all(self._alive().values())

    def keep_time(self) -> None:
        """Run now what is scheduled too far ahead: the machine's clock was set back."""
        for job in self._scheduler.get_jobs():
            if job.next_run_time - utcnow() > (1 + 2 * _JITTER) * job.trigger.interval + _MOMENT:
                job.modify(next_run_time=utcnow())

    def stop(self, grace: float = GRACE) -> bool:
        """Stop in order within about ``grace`` seconds; return whether all work was finished.

        An answer of the portal that does not come in time is left behind: its intent is on
        disk, and the next start looks what became of it.
        """
        log.info("stopping")
        half, began = grace / 2, monotonic()
        self._server.stop(half)
        self._worker.stop()
        self._stop.set()
        self._resting.set()
        # Not wait=True: that holds the lock which a sweep needs to ask for its next time.
        self._scheduler.shutdown(wait=False)
        until = monotonic() + half
        is_idle = self._sweeping.acquire(timeout=half)
        if is_idle:
            self._sweeping.release()
        for thread in self._threads:
            thread.join(max(until - monotonic(), 0.1))
        finished = is_idle and not any(thread.is_alive() for thread in self._threads)
        self._admin.stop(_ADMIN_GRACE)
        try:
            if not finished and self._working:
                self.ledger.release_orphaned_claims(self._components.clock())
            self._stack.close()
        except LedgerError as error:
            log_error(error)
        log.info("stopped", finished=finished, seconds=round(monotonic() - began, 1))
        return finished

    def _record(self, event: Event, now: datetime) -> bool:
        """Put an event on disk, and let the worker look at its file at once."""
        fresh = self.ledger.record(event, now)
        if fresh:
            self._worker.wake()
        return fresh

    def _alive(self) -> dict[str, bool]:
        return {
            "worker": self._threads[0].is_alive(),
            "sweep": self._scheduler.is_alive(),
            "webhook": self._server.is_alive(),
            "admin": self._admin.is_alive(),
        }

    def _admin_on(self, components: Components) -> Server:
        """Bind the address for those who watch over us."""
        admin, password = self._config.admin, self._config.admin_password()
        subject = AdminContext(
            ledger=components.ledger,
            clock=components.clock,
            alive=self._alive,
            requests=components.docspace.requests_by_route,
            writes_per_day=self._config.limits.writes_per_day,
            portal=self._config.portal_url(),
        )
        app = Admin(pages_of(subject), Guard(password, admin.host, log_failed_login), log_error)
        threads, size = _ADMIN_THREADS, _ADMIN_BYTES
        return Server(app, admin.host, admin.port, threads=threads, max_bytes=size, section="admin")

    def _is_full(self) -> bool:
        return self._server.is_full()

    def _schedule(self, first: datetime) -> None:
        """Sweep now and then; late runs are made up for by one, and none is left out as late."""
        every = self._config.sweep.every.total_seconds()
        self._scheduler.add_job(
            self._sweep_once,
            "interval",
            id="sweep",
            seconds=every,
            jitter=every * _JITTER,
            next_run_time=first,
            coalesce=True,
            max_instances=2,  # one that sweeps, and one that sees it and says so
            misfire_grace_time=None,
        )
        if self.ledger.shared:
            often = {"seconds": _RELEASE_EVERY, "misfire_grace_time": None}
            self._scheduler.add_job(self._release, "interval", **often)

    def _sweep_once(self) -> None:
        if not self._turn.acquire(blocking=False):
            log.info("sweep_takes_long")
            return
        try:
            with self._sweeping:
                if not self._resting.is_set():
                    self._try_sweep()
        finally:
            self._turn.release()

    def _try_sweep(self) -> None:
        try:
            pause = self.ledger.paused(self._components.clock())
            if pause is not None:
                log.warning("sweep_put_off", until=pause.until.isoformat(), reason=pause.reason)
                self._sweep_by(pause.until)
            else:
                report = run_sweep(self._components, self._sweep)
                self._on_sweep(report)
                self._components.health.record_listing_success(self._components.clock())
                self._worker.wake()
                if report.full_scan:
                    log.info("pruned", rows=prune(self._components, self._config.state.retention))
        except PortalError as error:
            self._components.health.record_listing_failure(error, self._components.clock())
            log_error(error)
        except ShutdownRequested:
            return
        except ReconcilerError as error:
            log_error(error)
        finally:
            self._tell_next()

    def _sweep_by(self, until: datetime) -> None:
        """Sweep when a pause is over, not an interval later."""
        job = self._scheduler.get_job("sweep")
        if job is not None and job.next_run_time is not None and job.next_run_time > until:
            self._scheduler.modify_job("sweep", next_run_time=until)

    def _tell_next(self) -> None:
        job = self._scheduler.get_job("sweep")
        if job is not None and job.next_run_time is not None:
            try:
                self.ledger.settings.set(NEXT_SWEEP, job.next_run_time)
            except LedgerError as error:
                log_error(error)

    def _work(self) -> None:
        """Work while the role is ours; a backfill that was here first keeps it until it ends."""
        while not self._stop.is_set():
            try:
                with self.ledger.role(Role.WORKER):
                    self._working = True
                    self.ledger.release_orphaned_claims(self._components.clock())
                    self._worker.run()
            except RoleHeldError:
                pass
            except Exception as error:  # noqa: BLE001 - who accepts must also work, whatever comes
                log_error(error)
            finally:
                self._working = False
            self._stop.wait(_ROLE_AGAIN)

    def _lead(self) -> None:
        """Sweep while the role is ours; take it as soon as the process that has it is gone."""
        while not self._stop.is_set():
            try:
                with self.ledger.role(Role.SWEEP) as is_ours:
                    log.info("sweeping_for_all")
                    self._resting.clear()
                    self._scheduler.modify_job("sweep", next_run_time=utcnow())
                    while is_ours() and not self._stop.wait(_ROLE_AGAIN):
                        pass
            except RoleHeldError:
                pass
            except Exception as error:  # noqa: BLE001 - somebody must sweep, whatever comes
                log_error(error)
            finally:
                self._resting.set()
            self._stop.wait(_ROLE_AGAIN)

    def _release(self) -> None:
        try:
            if not self._resting.is_set():
                self.ledger.release_orphaned_claims(self._components.clock())
        except LedgerError as error:
            log_error(error)

    def _know_key(self) -> None:
        """Learn whose comments are ours, so that their echoes cost nothing; then watch the key.

        While the portal is away or refuses the key it is asked now and then: where nothing is
        due, nobody else would notice for a while that it is well again.
        """
        known = False
        while not self._stop.is_set():
            try:
                if not known:
                    self._components.reload_key()
                    self._learn_owner()
                    known = True
                known = not self._probe()
            except ShutdownRequested:
                return
            except ReconcilerError as error:
                log_error(error)
            self._stop.wait(_AGAIN)

    def _learn_owner(self) -> None:
        key = self._components.docspace.key()
        if not key.owner:
            log.warning("owner_unknown", hint="the echo of each comment costs a look")
            return
        self.ledger.set_owner(key.owner)
        log.info("acting_as", user=key.owner, name=key.owner_name)
        self._begin_to_watch(key)

    def _probe(self) -> bool:
        """While the key is refused, or the portal away, ask whether that is over.

        Return whether there is another key since, which may be another account's: nobody asked
        that one to pause.
        """
        kinds = {outage.kind for outage in self.ledger.health.outages()}
        is_another = bool(kinds) and self._components.reload_key()
        if not kinds & {OutageKind.DEAD_KEY, OutageKind.LOOKS}:
            return is_another
        with suppress(PortalError):  # the failure is known already
            if self._components.processor.probe():
                self._worker.wake()
        return is_another

    def _begin_to_watch(self, key: Key) -> None:
        """Watch the webhook where the key may; without that the sweep alone carries on."""
        missing = key.missing_scope("*:read", "*:write")
        if missing:
            log.info("webhook_not_watched", lacks=missing)
            return
        first = utcnow() + _FIRST_WATCH
        every = WATCH_EVERY.total_seconds()
        self._scheduler.add_job(
            self._watch_once,
            "interval",
            id="watch",
            replace_existing=True,
            seconds=every,
            next_run_time=first,
            coalesce=True,
            misfire_grace_time=None,
        )

    def _watch_once(self) -> None:
        """Watch beside no sweep: one that takes long is not worth waiting for."""
        if not self._sweeping.acquire(timeout=_PATIENCE):
            return
        try:
            if not self._resting.is_set():
                self._try_to_watch()
        finally:
            self._sweeping.release()

    def _try_to_watch(self) -> None:
        try:
            if self.ledger.paused(self._components.clock()) is None:
                self._watch.run()
        except ShutdownRequested:
            return
        except (UnauthorizedError, ForbiddenError) as error:
            log_error(error)
            if isinstance(error, ForbiddenError) or error.scope:
                log.warning("webhook_not_watched", lacks=str(error))
                self._scheduler.remove_job("watch")
            else:
                self._components.health.record_listing_failure(error, self._components.clock())
        except ReconcilerError as error:
            log_error(error)
