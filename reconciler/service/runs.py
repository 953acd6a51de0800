"""The commands over files: `reconcile`, its dry run, the backfill, and `explain` of one file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from reconciler.config import Config
from reconciler.errors import (
    ForbiddenError,
    LedgerError,
    PortalError,
    UnauthorizedError,
)
from reconciler.ledger import BACKFILL, ListedFile, Role
from reconciler.model import Action, Decision, Entry, File, Outcome, Rule
from reconciler.service.build import (
    Components,
    build_components,
    build_sweep,
    build_watch,
    scan_settings,
)
from reconciler.service.logging import log_error
from reconciler.service.notifying import notify_of_run
from reconciler.service.work import (
    Summary,
    Tally,
    count_remaining,
    prune,
    run_sweep,
    stopped_until,
    work_until_idle,
)
from reconciler.sweep import Backfill, BackfillJob, Report, expected_rule
from reconciler.sweep.backfill import Estimate, Step

_MAX_SHOWN = 10_000  # due files that a dry run looks at
_SHOWN_ACTIONS = {Action.MARK, Action.LOOK, Action.WAIT}
_POLL = 0.5  # seconds
_SHORT = timedelta(minutes=2)  # the backfill waits for a shorter pause


@dataclass(frozen=True)
class PlannedAction:
    """What a dry run would do with a file, and why."""

    file: int | str
    title: str
    comment: str
    outcome: str
    reason: str


def reconcile(
    config: Config, *, dry_run: bool, on_planned: Callable[[PlannedAction], None]
) -> Summary:
    """Sweep once, then work until nothing is due now. Raises ReconcilerError.

    Raises RoleHeldError beside a daemon on the same ledger, and leaves everything as it is.
    """
    began, tally, worked = monotonic(), Tally(), False
    with ExitStack() as opened:
        components = build_components(config, opened, read_only=dry_run)
        opened.enter_context(components.ledger.role(Role.SWEEP))
        run = None if dry_run else notify_of_run(config, components, opened)
        if dry_run:
            report = _dry_run(config, components, tally, on_planned)
        else:
            _watch(config, components)
            components.ledger.waits.retry_passing(components.clock())
            report = _sweep(config, components)
            if report.full_scan:
                prune(components, config.state.retention)
            tally.enqueued |= report.take_enqueued()
            worked = work_until_idle(components, tally)
            tally.add_failed(components)
            tally.settle(components)
        resume_at, reason = stopped_until(components, backfill=False)
        summary = Summary(
            report,
            tally.ended,
            components.docspace.requests,
            monotonic() - began,
            dry_run,
            remaining=count_remaining(components) if worked else 0,
            resume_at=resume_at,
            reason=reason,
            is_portal_down=resume_at is not None and tally.outage is not None,
        )
        if run is not None:
            run.error = _unfinished(summary)
        return summary


def _unfinished(summary: Summary) -> str:
    """Return why a run is not complete, empty when it is."""
    if summary.is_portal_down:
        return summary.reason
    numbers = {"failed": summary.failed, "remaining": summary.remaining}
    return ", ".join(f"{name}: {number}" for name, number in numbers.items() if number)


def _watch(config: Config, components: Components) -> None:
    """Fetch failed deliveries from the portal's log, if the key is known to allow it."""
    if not components.administration.can_read():
        return
    try:
        build_watch(config, components).run()
    except PortalError as error:
        if isinstance(error, ForbiddenError) or (
            isinstance(error, UnauthorizedError) and error.scope
        ):
            components.administration.record_read_refusal()
        log_error(error)


def _sweep(config: Config, components: Components) -> Report:
    """Sweep; a key that the portal refuses is recorded in the ledger, for `status`."""
    try:
        report = run_sweep(components, build_sweep(config, components))
    except PortalError as error:
        with suppress(LedgerError):  # the error of the sweep is raised
            components.health.record_listing_failure(error, components.clock())
        raise
    components.health.record_listing_success(components.clock())
    return report


def _dry_run(
    config: Config,
    components: Components,
    tally: Tally,
    on_planned: Callable[[PlannedAction], None],
) -> Report:
    """Decide on everything and write nothing: neither comment nor watermark nor row."""
    seen: set[int | str] = set()

    def on_file(listed: ListedFile) -> None:
        rule = expected_rule(listed)
        if listed.outcome is None:
            seen.add(listed.file.id)
            tally.ended[rule.outcome or Outcome.WAITING] += 1
        if rule.action in _SHOWN_ACTIONS or rule.outcome is Outcome.REFUSED:
            outcome = str(listed.outcome or rule.outcome or "look")
            file = listed.file
            on_planned(PlannedAction(file.id, file.title, file.comment, outcome, rule.description))

    report = build_sweep(config, components).run(dry=True, on_file=on_file)
    for entry in components.ledger.due(components.clock(), _MAX_SHOWN):
        if entry.id not in seen:
            rule, planned = _look(components, entry)
            tally.ended[rule.outcome or Outcome.WAITING] += 1
            on_planned(planned)
    return report


def _look(components: Components, entry: Entry) -> tuple[Rule, PlannedAction]:
    """Look at a file that is due, and decide."""
    look = components.processor.looker.look(entry)
    rule, file = look.decision.rule, look.file
    title, comment = (file.title, file.comment) if file else ("", "")
    return rule, PlannedAction(entry.id, title, comment, str(rule.outcome), rule.description)


@dataclass(frozen=True)
class Explanation:
    """A file at the portal, its row in the ledger, and the decision.

    ``error`` replaces the file and the decision when the portal did not answer.
    """

    file_id: int
    file: File | None
    known: Mapping[str, Any] | None
    decision: Decision | None
    error: PortalError | None = None


def explain(config: Config, file_id: int) -> Explanation:
    """Look and decide as the worker would, and change nothing. Raises ConfigError, LedgerError."""
    with ExitStack() as opened:
        components = build_components(config, opened, read_only=True)
        known = components.ledger.file_row(file_id)
        entry = components.ledger.entry(file_id)
        try:
            look = components.processor.looker.look(entry)
        except PortalError as error:
            return Explanation(file_id, None, known, None, error)
        return Explanation(file_id, look.file, known, look.decision)


@dataclass
class BackfillRun:
    """A backfill that is open: estimate first, then run.

    Where it had to stop, ``resume_at`` is when to run it again, and ``reason`` is why it stopped:
    its share of the day's writes is used up, or the portal asked for a pause or is unavailable.
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
        """Add the estimate to the summary of a dry run, which does no more."""
        self.tally.ended.update(estimate.expected)

    def done_before(self) -> int:
        """Return how many folders an earlier run has done."""
        return self.backfill.done_before(self.job)

    def steps(self) -> Iterator[Step]:
        """Read one folder after the other and mark its files, until the share is used up."""
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
        due = self.components.ledger.count_due(self.components.clock(), BACKFILL)
        return Summary(
            self.report,
            self.tally.ended,
            self.components.docspace.requests,
            monotonic() - self.began,
            dry_run,
            remaining=0 if dry_run else due,
            resume_at=self.resume_at,
            reason=self.reason,
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
            self.components.stop.wait(_POLL)

    def failing(self) -> int:
        """Return how many files failed, in any run, and wait for the next attempt."""
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
