"""The periodic duties of the daemon: each is an object whose ``run`` does it once.

`run_sweep` and `prune` are what a `reconcile` does, too.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from reconciler.client import Key
from reconciler.errors import (
    ForbiddenError,
    LedgerError,
    PortalError,
    ReconcilerError,
    ShutdownRequested,
    UnauthorizedError,
)
from reconciler.ledger import NEXT_SWEEP, SWEEP_BEGAN, SweepRecord
from reconciler.model import OutageKind
from reconciler.notify.heartbeat import Heartbeat
from reconciler.service.build import Components
from reconciler.service.logging import log, log_error, log_sweep
from reconciler.service.schedule import Schedule
from reconciler.sweep import Report, Sweep
from reconciler.webhooks.watch import WebhookWatch

SWEEP, WATCH, KEY, RELEASE = "sweep", "watch", "key", "release"
_LOCK_TIMEOUT = 60.0  # seconds that a watch waits for a sweep to end


class ListingLock:
    """Which duty may list the portal: one at a time, and none while that is suspended.

    ``is_suspended`` is set while another process on the same ledger sweeps, and once we stop.
    """

    def __init__(self) -> None:
        """Begin with this process."""
        self.is_suspended, self.lock = threading.Event(), threading.Lock()


def run_sweep(components: Components, sweep: Sweep) -> Report:
    """Sweep once and record in the ledger how it went. Raises what the sweep raises."""
    began, clock, before = components.clock(), monotonic(), components.docspace.thread_requests()
    components.ledger.settings.set(SWEEP_BEGAN, began)

    def record(report: Report, error: str = "") -> None:
        components.ledger.health.record_sweep(
            SweepRecord(
                began=began,
                seconds=monotonic() - clock,
                requests=components.docspace.thread_requests() - before,
                scanned=report.scanned,
                found=report.handed,
                incomplete_folders=len(report.incomplete),
                full_scan=report.full_scan,
                error=error,
            )
        )

    try:
        report = sweep.run()
    except ShutdownRequested:
        raise
    except ReconcilerError as error:
        with suppress(LedgerError):  # what stopped the sweep is what matters
            record(Report(), str(error))
        raise
    record(report)
    return report


def prune(components: Components, keep: timedelta) -> int:
    """Delete what holds nothing to remember since ``keep``; return how many rows that were.

    Called after a full scan: once a day, in whichever process sweeps.
    """
    now = components.clock()
    rows = components.ledger.prune(now - keep)
    components.ledger.health.fold(now)
    return rows


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
        """Sweep when a pause is over, not an interval later."""
        due = self.schedule.next_run(SWEEP)
        if due is not None and due > until:
            self.schedule.run_at(SWEEP, until)

    def _announce_next(self) -> None:
        due = self.schedule.next_run(SWEEP)
        if due is not None:
            self.components.ledger.settings.set(NEXT_SWEEP, due)


@dataclass(frozen=True)
class WatchDuty:
    """Watches our webhook until the key turns out to lack the right.

    It does so beside no sweep: one that takes long is not worth waiting for.
    """

    components: Components
    watch: WebhookWatch
    listing: ListingLock
    schedule: Schedule

    def run(self) -> None:
        """Look at the webhook once. Raises ReconcilerError."""
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
    """Learns whose comments are ours, so that their echoes cost nothing; then probes the key.

    While the portal is unavailable or refuses the key it is asked now and then: where nothing is
    due, nobody else would notice for a while that it works again. ``on_owner`` gets a key whose
    owner was learned.
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

    def forget(self) -> None:
        """Learn the owner again: the key was replaced."""
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
        """Ask whether an outage is over; return whether the key was replaced meanwhile.

        Another key may be another account's, which nobody asked to pause.
        """
        kinds = {outage.kind for outage in self.components.ledger.health.outages()}
        is_replaced = bool(kinds) and self.components.reload_key()
        if kinds & {OutageKind.DEAD_KEY, OutageKind.LOOKS}:
            with suppress(PortalError):  # the failure is known already
                if self.components.processor.probe():
                    self.on_recovery()
        return is_replaced
