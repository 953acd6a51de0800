"""The daemon's two roles; it takes each as soon as it is free, and holds it until it stops."""

from collections.abc import Callable

from reconciler.errors import RoleHeldError
from reconciler.formats import utcnow
from reconciler.ledger import IsHeld, Role
from reconciler.service.build import Components
from reconciler.service.duties import SWEEP, ListingLock
from reconciler.service.logging import log, log_error
from reconciler.service.schedule import Schedule
from reconciler.worker import Worker

_RETRY = 1.0  # seconds between attempts to take a role that another process holds


class WorkerRole:
    """Lets the worker run, except while an earlier backfill holds the role."""

    def __init__(self, components: Components, worker: Worker) -> None:
        """Do not take the role yet."""
        self._components, self._worker = components, worker
        self.is_held = False

    def run(self) -> None:
        """Work until the daemon stops, whatever fails."""
        _hold(self._components, Role.WORKER, self._work, self._end)

    def _work(self, _: IsHeld) -> None:
        self.is_held = True
        self._components.ledger.claims.release_orphaned(self._components.clock())
        self._worker.run()

    def _end(self) -> None:
        self.is_held = False


class SweepRole:
    """Makes one of several daemons on a ledger the sweep leader, and another one after its end."""

    def __init__(self, components: Components, listing: ListingLock, schedule: Schedule) -> None:
        """Suspend listing until the role is held."""
        self._components, self._listing, self._schedule = components, listing, schedule
        listing.is_suspended.set()

    def run(self) -> None:
        """Hold the role until the daemon stops, whatever fails."""
        _hold(self._components, Role.SWEEP, self._work, self._listing.is_suspended.set)

    def _work(self, is_held: IsHeld) -> None:
        log.info("sweep_leader_acquired")
        self._listing.is_suspended.clear()
        self._schedule.run_at(SWEEP, utcnow())
        while is_held() and not self._components.stop.wait(_RETRY):
            pass


def _hold(
    components: Components, role: Role, work: Callable[[IsHeld], None], end: Callable[[], None]
) -> None:
    """Do ``work`` while the role is held, and ``end`` after it, until the daemon stops."""
    while not components.stop.is_set():
        try:
            with components.ledger.role(role) as is_held:
                work(is_held)
        except RoleHeldError:
            pass
        except Exception as error:  # noqa: BLE001 - no bug may end the daemon
            log_error(error)
        finally:
            end()
        components.stop.wait(_RETRY)
