"""Runs that end: one sweep with its work, and a backfill."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from reconciler.config import Config
from reconciler.errors import (
    ForbiddenError,
    LedgerError,
    PortalError,
    RoleHeldError,
    TransientError,
    UnauthorizedError,
)
from reconciler.ledger import BACKFILL, ListedFile, Role
from reconciler.model import Action, Entry, Outcome, Rule
from reconciler.service.build import Components, build_components, scan_settings, sweep_of, watch_of
from reconciler.service.logging import log_error, log_processed
from reconciler.service.sweep_run import prune, run_sweep
from reconciler.sweep import Backfill, Job, Report, expected_rule
from reconciler.sweep.backfill import Estimate, Step
from reconciler.worker import Processed

_MOST_SHOWN = 10_000  # due files that a dry run looks at
_WAIT = 0.5
_SHORT = timedelta(minutes=2)  # a pause that is waited for
_TROUBLE = {UnauthorizedError.kind, TransientError.kind, "writes_fail"}


@dataclass
class Tally:
    """How the files of a run ended: each counts once, by its last attempt.

    ``handed`` are listed files that no attempt of ours has met yet; ``trouble`` is what the
    portal as a whole last failed with, None when it did what it was asked since.
    """

    last: dict[int, Outcome] = field(default_factory=dict)
    ended: Counter[Outcome] = field(default_factory=Counter)
    handed: set[int] = field(default_factory=set)
    trouble: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def listed(self, listed: ListedFile) -> None:
        """Take note of a listed file that was handed to the worker."""
        if listed.outcome is None and isinstance(listed.file.id, int):
            self.handed.add(listed.file.id)

    def attempt(self, attempt: Processed) -> None:
        """Count an attempt; one that only waited before is replaced."""
        outcome, reason = attempt.result.outcome, attempt.result.reason
        if outcome is Outcome.FAILED:
            log_processed(attempt)
        with self.lock:
            self.trouble = reason if outcome is Outcome.WAITING and reason in _TROUBLE else None
            self.handed.discard(attempt.file)
            before = self.last.pop(attempt.file, None)
            if before is not None:
                self.ended[before] -= 1
            self.ended[outcome] += 1
            if outcome in {Outcome.WAITING, Outcome.FAILED}:
                self.last[attempt.file] = outcome

    def settle(self, components: Components) -> None:
        """Count the rest as the ledger has it: another process worked them off, or they wait."""
        self.ended.update(components.ledger.outcomes(sorted(self.handed), components.clock()))
        self.handed.clear()

    def add_failed(self, components: Components) -> None:
        """Count files that failed before and were not tried now: not all is well while one does."""
        counted = self.last.keys() | self.handed
        self.ended[Outcome.FAILED] += len(components.ledger.health.failed() - counted)


@dataclass(frozen=True)
class Summary:
    """What a run did.

    ``resume_at`` is when to go on, where it had to stop, and ``reason`` it had to.

    ``is_portal_down`` says that this was because the portal is away or refuses the key.
    """

    report: Report
    ended: Counter[Outcome]
    requests: dict[str, int]
    seconds: float
    dry_run: bool
    remaining: int = 0
    resume_at: datetime | None = None
    reason: str = ""
    is_portal_down: bool = False

    @property
    def failed(self) -> int:
        """How many files failed and will be tried again, and folders not read to the end."""
        return self.number(Outcome.FAILED) + len(self.report.incomplete)

    def number(self, outcome: Outcome) -> int:
        """Return how many files ended so, in the listing or by an attempt."""
        return self.report.number(outcome) + self.ended[outcome]


@dataclass(frozen=True)
class PlannedAction:
    """What a dry run would do with a file, and why."""

    file: int | str
    title: str
    comment: str
    outcome: str
    reason: str


def reconcile(config: Config, *, dry_run: bool, would: Callable[[PlannedAction], None]) -> Summary:
    """Sweep once, then work until nothing is due now. Raises ReconcilerError.

    Raises RoleHeldError beside a daemon on the same ledger, and leaves everything as it is.
    """
    began, tally, ours = monotonic(), Tally(), False
    with ExitStack() as opened:
        components = build_components(config, opened, read_only=dry_run)
        opened.enter_context(components.ledger.role(Role.SWEEP))
        if dry_run:
            report = _rehearse(config, components, tally, would)
        else:
            _watch(config, components)
            components.ledger.health.retry_passing(components.clock())
            report = _sweep(config, components, tally)
            if report.full_scan:
                prune(components, config.state.retention)
            tally.handed |= report.broken
            ours = _work(components, tally)
            tally.add_failed(components)
            tally.settle(components)
        put_off, why = _put_off(components, backfill=False)
        return Summary(
            report,
            tally.ended,
            components.docspace.requests,
            monotonic() - began,
            dry_run,
            remaining=_left(components) if ours else 0,
            resume_at=put_off,
            reason=why,
            is_portal_down=put_off is not None and tally.trouble is not None,
        )


def _watch(config: Config, components: Components) -> None:
    """Take what the portal could not deliver, where the key is known to be allowed to."""
    if not components.administration.can_read():
        return
    try:
        watch_of(config, components).run()
    except PortalError as error:
        if isinstance(error, ForbiddenError) or (
            isinstance(error, UnauthorizedError) and error.scope
        ):
            components.administration.record_read_refusal()
        log_error(error)


def _sweep(config: Config, components: Components, tally: Tally) -> Report:
    """Sweep; that the portal refuses the key is left in the ledger for `status`."""
    try:
        report = run_sweep(components, sweep_of(config, components), tally.listed)
    except PortalError as error:
        with suppress(LedgerError):  # what stopped the sweep is what matters
            components.health.record_listing_failure(error, components.clock())
        raise
    components.health.record_listing_success(components.clock())
    return report


def _left(components: Components) -> int:
    """Return what is still due, or waits for the portal to work again.

    What a backfill has put off until tomorrow is not ours.
    """
    now, ledger, quota = components.clock(), components.ledger, components.processor.settings.quota
    is_put_off = ledger.next_write_at(now, quota, backfill=True) > now
    due = ledger.count_due(now) - (ledger.count_due(now, BACKFILL) if is_put_off else 0)
    return due + ledger.health.waiting_for_portal(now)


def _put_off(components: Components, *, backfill: bool) -> tuple[datetime | None, str]:
    """Return until when nothing more can be done, and why; None when that is now."""
    now, quota = components.clock(), components.processor.settings.quota
    pause, free = (
        components.ledger.paused(now),
        components.ledger.next_write_at(now, quota, backfill=backfill),
    )
    if pause is not None and pause.until > free:
        return pause.until, pause.reason
    if free > now:
        whose = "writes for backfills" if backfill else "writes"
        return free, f"the day's {whose} are used up"
    probe = max(components.health.next_look(now), components.health.next_write(now))
    return (probe, "the portal cannot be asked now") if probe > now else (None, "")


def _work(components: Components, tally: Tally) -> bool:
    """Work off what is due; False when another process holds the role, and does so."""
    failures: list[Exception] = []
    try:
        with components.ledger.role(Role.WORKER):
            components.ledger.release_orphaned_claims(components.clock())
            components.worker(tally.attempt, failures.append).run_until_idle()
    except RoleHeldError:
        return False
    if failures:
        raise failures[0]
    return True


_NEWS = {Action.MARK, Action.LOOK, Action.WAIT}


def _rehearse(
    config: Config, components: Components, tally: Tally, would: Callable[[PlannedAction], None]
) -> Report:
    """Decide on everything and write nothing: neither comment nor watermark nor row."""
    seen: set[int | str] = set()

    def on_file(listed: ListedFile) -> None:
        rule = expected_rule(listed)
        if listed.outcome is None:
            seen.add(listed.file.id)
            tally.ended[rule.outcome or Outcome.WAITING] += 1
        if rule.action in _NEWS or rule.outcome is Outcome.REFUSED:
            outcome = str(listed.outcome or rule.outcome or "look")
            file = listed.file
            would(PlannedAction(file.id, file.title, file.comment, outcome, rule.description))

    report = sweep_of(config, components).run(dry=True, on_file=on_file)
    for entry in components.ledger.due(components.clock(), _MOST_SHOWN):
        if entry.id not in seen:
            rule, told = _look(components, entry)
            tally.ended[rule.outcome or Outcome.WAITING] += 1
            would(told)
    return report


def _look(components: Components, entry: Entry) -> tuple[Rule, PlannedAction]:
    """Look at a file that is due, and decide."""
    look = components.processor.looker.look(entry)
    rule, file = look.decision.rule, look.file
    title, comment = (file.title, file.comment) if file else ("", "")
    return rule, PlannedAction(entry.id, title, comment, str(rule.outcome), rule.description)


@dataclass
class BackfillRun:
    """A backfill that is open: estimate first, then run.

    ``resume_at`` is when to go on, where it had to stop: because its share of the day's writes is
    spent, or because the portal asked for a pause or is away, which ``reason`` tells.
    """

    components: Components
    backfill: Backfill
    job: Job
    began: float
    tally: Tally = field(default_factory=Tally)
    report: Report = field(default_factory=Report)
    resume_at: datetime | None = None
    reason: str = ""
    broken: set[int] = field(default_factory=set)

    def estimate(self, tell: Callable[[Step], None]) -> Estimate:
        """Read and decide, write nothing."""
        return self.backfill.estimate(self.job, tell)

    def rehearsed(self, estimate: Estimate) -> None:
        """Let the summary tell of what was estimated: nothing will be done."""
        self.tally.ended.update(estimate.would)

    def done_before(self) -> int:
        """Return how many folders an earlier run has done."""
        return self.backfill.remaining(self.job)

    def steps(self) -> Iterator[Step]:
        """Go from folder to folder, marking what each needs; stop when the budget is spent."""
        self.components.ledger.health.retry_passing(self.components.clock())
        for step in self.backfill.run(self.job, self._on_file, self.tally.listed):
            self.tally.handed |= self.report.broken - self.broken
            self.broken |= self.report.broken
            self._mark()
            self.tally.settle(self.components)
            yield step
            if self.resume_at is not None:
                return

    def summary(self, dry_run: bool) -> Summary:
        """Return what was done, or would be: then nothing is left of it."""
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
            is_portal_down=self.resume_at is not None and self.tally.trouble is not None,
        )

    def _on_file(self, report: Report) -> None:
        self.report = report

    def _mark(self) -> None:
        """Work off what was noted, or wait until the daemon that holds the role has done so."""
        ledger, clock = self.components.ledger, self.components.clock
        while not self.components.stop.is_set():
            _work(self.components, self.tally)
            until, why = _put_off(self.components, backfill=True)
            if until is not None and until > clock() + _SHORT:
                self.resume_at = until if ledger.count_due(clock(), BACKFILL) else None
                self.reason = why
                return
            if not ledger.count_due(clock(), BACKFILL):
                return
            self.components.stop.wait(_WAIT)

    def failing(self) -> int:
        """Return how many files failed and wait for their next try, whichever run met them."""
        seen = self.components.ledger.health.overview(self.components.clock(), shown=1)
        return seen.unfinished.get(Outcome.FAILED, 0)


@contextmanager
def backfill(config: Config, job: Job, *, dry_run: bool = False) -> Iterator[BackfillRun]:
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
