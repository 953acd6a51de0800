"""The daemon's two roles, each taken as soon as it is free and held until the daemon stops."""

from reconciler.errors import RoleHeldError
from reconciler.ledger import Role
from reconciler.service.build import Components, utcnow
from reconciler.service.duties import SWEEP, ListingTurn
from reconciler.service.logging import log, log_error
from reconciler.service.schedule import Schedule
from reconciler.worker import Worker

_RETRY = 1.0  # seconds between tries to take a role that another process has


class WorkerRole:
    """Lets the worker run while no backfill that came first has the role."""

    def __init__(self, components: Components, worker: Worker) -> None:
        """Take nothing yet."""
        self._components, self._worker = components, worker
        self.is_held = False

    def run(self) -> None:
        """Work until the daemon stops, whatever fails meanwhile."""
        ledger, stop = self._components.ledger, self._components.stop
        while not stop.is_set():
            try:
                with ledger.role(Role.WORKER):
                    self.is_held = True
                    ledger.release_orphaned_claims(self._components.clock())
                    self._worker.run()
            except RoleHeldError:
                pass
            except Exception as error:  # noqa: BLE001 - who accepts must also work, whatever comes
                log_error(error)
            finally:
                self.is_held = False
            stop.wait(_RETRY)


class SweepRole:
    """Lets one of several daemons on a ledger sweep; the next takes over when that one is gone."""

    def __init__(self, components: Components, turn: ListingTurn, schedule: Schedule) -> None:
        """Leave the sweep to others until the role is held."""
        self._components, self._turn, self._schedule = components, turn, schedule
        turn.is_other_process.set()

    def run(self) -> None:
        """Hold the role until the daemon stops, whatever fails meanwhile."""
        ledger, stop = self._components.ledger, self._components.stop
        is_other = self._turn.is_other_process
        while not stop.is_set():
            try:
                with ledger.role(Role.SWEEP) as is_ours:
                    log.info("sweep_leader_acquired")
                    is_other.clear()
                    self._schedule.run_at(SWEEP, utcnow())
                    while is_ours() and not stop.wait(_RETRY):
                        pass
            except RoleHeldError:
                pass
            except Exception as error:  # noqa: BLE001 - somebody must sweep, whatever comes
                log_error(error)
            finally:
                is_other.set()
            stop.wait(_RETRY)
