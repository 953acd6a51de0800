"""The backfill as a run: folder after folder, with the work that each one brings."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from reconciler.config import Config
from reconciler.ledger import BACKFILL, Role
from reconciler.model import Outcome
from reconciler.service.build import Components, build_components, scan_settings
from reconciler.service.runs import stopped_until, work_until_idle
from reconciler.service.totals import Summary, Tally
from reconciler.sweep import Backfill, BackfillJob, Report
from reconciler.sweep.backfill import Estimate, Step

_WAIT = 0.5
_SHORT = timedelta(minutes=2)  # a pause that is waited for


@dataclass
class BackfillRun:
    """A backfill that is open: estimate first, then run.

    ``resume_at`` is when to run it again, where it had to stop: because its share of the day's
    writes is used up, or because the portal asked for a pause or is unavailable;
    ``reason`` says which.
    """

    components: Components
    backfill: Backfill
    job: BackfillJob
    began: float
    tally: Tally = field(default_factory=Tally)
    report: Report = field(default_factory=Report)
    resume_at: datetime | None = None
    reason: str = ""

    def estimate(self, on_step: Callable[[Step], None]) -> Estimate:
        """Read and decide, write nothing."""
        return self.backfill.estimate(self.job, on_step)

    def count_estimate(self, estimate: Estimate) -> None:
        """Let the summary show the estimate: for a dry run, which does no more."""
        self.tally.ended.update(estimate.expected)

    def done_before(self) -> int:
        """Return how many folders an earlier run has done."""
        return self.backfill.done_before(self.job)

    def steps(self) -> Iterator[Step]:
        """Go from folder to folder, marking what each needs; stop when the budget is spent."""
        self.components.ledger.waits.retry_passing(self.components.clock())
        for step in self.backfill.run(self.job, self._set_report):
            self.tally.enqueued |= self.report.take_enqueued()
            self._mark()
            self.tally.settle(self.components)
            yield step
            if self.resume_at is not None:
                return

    def summary(self, dry_run: bool) -> Summary:
        """Return what was done, or in a dry run what would be done."""
        left = 0 if dry_run else self.components.ledger.count_due(self.components.clock(), BACKFILL)
        requests, seconds = self.components.docspace.requests, monotonic() - self.began
        return Summary(
            self.report,
            self.tally.ended,
            requests,
            seconds,
            dry_run,
            left,
            self.resume_at,
            self.reason,
            is_portal_down=self.resume_at is not None and self.tally.outage is not None,
        )

    def _set_report(self, report: Report) -> None:
        self.report = report

    def _mark(self) -> None:
        """Process what is due, or wait until the daemon that holds the role has done so."""
        ledger, clock = self.components.ledger, self.components.clock
        while not self.components.stop.is_set():
            work_until_idle(self.components, self.tally)
            until, reason = stopped_until(self.components, backfill=True)
            if until is not None and until > clock() + _SHORT:
                self.resume_at = until if ledger.count_due(clock(), BACKFILL) else None
                self.reason = reason
                return
            if not ledger.count_due(clock(), BACKFILL):
                return
            self.components.stop.wait(_WAIT)

    def failing(self) -> int:
        """Return how many files failed, in whichever run, and wait for their next try."""
        seen = self.components.ledger.health.overview(self.components.clock(), shown=1)
        return seen.unfinished.get(Outcome.FAILED, 0)


@contextmanager
def backfill(config: Config, job: BackfillJob, *, dry_run: bool = False) -> Iterator[BackfillRun]:
    """Open a backfill within the block. Raises RoleHeldError beside another one."""
    with ExitStack() as opened:
        components = build_components(config, opened, read_only=dry_run)
        opened.enter_context(components.ledger.role(Role.BACKFILL))
        run = Backfill(
            components.ledger,
            components.docspace,
            scan_settings(config, components.policy),
            components.clock,
        )
        yield BackfillRun(components, run, job, monotonic())
