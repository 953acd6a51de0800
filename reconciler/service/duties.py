"""The periodic duties of the daemon: each is an object whose ``run`` performs it once."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.client import Key
from reconciler.errors import (
    ForbiddenError,
    PortalError,
    UnauthorizedError,
)
from reconciler.ledger import NEXT_SWEEP
from reconciler.model import OutageKind
from reconciler.notify.heartbeat import Heartbeat
from reconciler.service.build import Components
from reconciler.service.logging import log, log_error, log_sweep
from reconciler.service.schedule import Schedule
from reconciler.service.work import prune, run_sweep
from reconciler.sweep import Sweep
from reconciler.webhooks.watch import WebhookWatch

SWEEP, WATCH, KEY, RELEASE = "sweep", "watch", "key", "release"
_LOCK_TIMEOUT = 60.0  # seconds that the watch waits for the end of a sweep


class ListingLock:
    """Lets one duty at a time list the portal, and none while listing is suspended.

    ``is_suspended`` is set while another process on the same ledger sweeps, and during shutdown.
    """

    def __init__(self) -> None:
        """Begin without a suspension."""
        self.is_suspended, self.lock = threading.Event(), threading.Lock()


@dataclass(frozen=True)
class SweepDuty:
    """Sweeps, unless another process does or the portal asked for a pause.

    ``on_enqueued`` is called when files may be due.
    """

    components: Components
    sweep: Sweep
    listing: ListingLock
    schedule: Schedule
    retention: timedelta
    on_enqueued: Callable[[], None]
    heartbeat: Heartbeat

    def run(self) -> None:
        """Sweep once; a portal that fails is recorded as an outage. Raises LedgerError."""
        with self.listing.lock:
            if self.listing.is_suspended.is_set():
                return
            try:
                self._run()
            except PortalError as error:
                self.components.health.record_listing_failure(error, self.components.clock())
                log_error(error)
            finally:
                self._announce_next()

    def _run(self) -> None:
        pause = self.components.ledger.paused(self.components.clock())
        if pause is not None:
            log.warning("sweep_deferred", until=pause.until.isoformat(), reason=pause.reason)
            self._run_by(pause.until)
            return
        with self.heartbeat.run():
            report = run_sweep(self.components, self.sweep)
        log_sweep(report)
        self.components.health.record_listing_success(self.components.clock())
        self.on_enqueued()
        if report.full_scan:
            log.info("pruned", rows=prune(self.components, self.retention))

    def _run_by(self, until: datetime) -> None:
        """Sweep at the end of a pause, not an interval after it."""
        due = self.schedule.next_run(SWEEP)
        if due is not None and due > until:
            self.schedule.run_at(SWEEP, until)

    def _announce_next(self) -> None:
        due = self.schedule.next_run(SWEEP)
        if due is not None:
            self.components.ledger.settings.set(NEXT_SWEEP, due)


@dataclass(frozen=True)
class WatchDuty:
    """Watches our webhook until the key turns out to lack the right, and never during a sweep."""

    components: Components
    watch: WebhookWatch
    listing: ListingLock
    schedule: Schedule

    def run(self) -> None:
        """Check the webhook once; skip that while a sweep takes long. Raises ReconcilerError."""
        if not self.listing.lock.acquire(timeout=_LOCK_TIMEOUT):
            return
        try:
            is_paused = self.components.ledger.paused(self.components.clock()) is not None
            if not is_paused and not self.listing.is_suspended.is_set():
                self.watch.run()
        except (UnauthorizedError, ForbiddenError) as error:
            self._record_refusal(error)
        finally:
            self.listing.lock.release()

    def _record_refusal(self, error: UnauthorizedError | ForbiddenError) -> None:
        log_error(error)
        if isinstance(error, ForbiddenError) or error.scope:
            log.warning("webhook_not_watched", error=str(error))
            self.schedule.remove(WATCH)
        else:
            self.components.health.record_listing_failure(error, self.components.clock())


@dataclass
class KeyDuty:
    """Learns the key's owner, by whom echoes of our comments are recognized; then probes the key.

    While the portal is unavailable or refuses the key, each run probes it: where no file is due,
    no other request would show that it works again. ``on_owner`` gets the key once its owner is
    known.
    """

    components: Components
    on_owner: Callable[[Key], None]
    on_recovery: Callable[[], None]
    is_known: bool = False

    def run(self) -> None:
        """Learn the owner, or probe. Raises ReconcilerError."""
        if not self.is_known:
            self.components.reload_key()
            self._learn_owner()
            self.is_known = True
        self.is_known = not self._probe()

    def reset(self) -> None:
        """Learn the owner again at the next run: the key was replaced."""
        self.is_known = False

    def _learn_owner(self) -> None:
        key = self.components.docspace.key()
        if not key.owner:
            log.warning("owner_unknown", hint="the echo of each comment costs a look")
            return
        self.components.ledger.set_owner(key.owner)
        log.info("acting_as", user=key.owner, name=key.owner_name)
        self.on_owner(key)

    def _probe(self) -> bool:
        """Probe whether an outage is over; return whether the key was replaced.

        A new key may belong to another account, for which a pause does not hold.
        """
        kinds = {outage.kind for outage in self.components.ledger.health.outages()}
        is_replaced = bool(kinds) and self.components.reload_key()
        if kinds & {OutageKind.DEAD_KEY, OutageKind.LOOKS}:
            with suppress(PortalError):  # the failure is known already
                if self.components.processor.check_recovery():
                    self.on_recovery()
        return is_replaced
