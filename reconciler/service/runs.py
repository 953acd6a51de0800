"""Runs over files: `reconcile`, its dry run, and `explain`, which looks at a single file."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from reconciler.config import Config
from reconciler.errors import (
    ForbiddenError,
    LedgerError,
    PortalError,
    RoleHeldError,
    UnauthorizedError,
)
from reconciler.ledger import BACKFILL, ListedFile, Role
from reconciler.model import Action, Decision, Entry, File, Outcome, Rule
from reconciler.service.build import Components, build_components, build_sweep, build_watch
from reconciler.service.duties import prune, run_sweep
from reconciler.service.logging import log_error
from reconciler.service.notifying import notify_of_run
from reconciler.service.totals import Summary, Tally
from reconciler.sweep import Report, expected_rule

_MAX_SHOWN = 10_000  # due files that a dry run looks at


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
            remaining=_remaining(components) if worked else 0,
            resume_at=resume_at,
            reason=reason,
            is_portal_down=resume_at is not None and tally.outage is not None,
        )
        if run is not None:
            run.error = _unfinished(summary)
        return summary


def _unfinished(summary: Summary) -> str:
    """Return what a run has left undone, empty for nothing."""
    if summary.is_portal_down:
        return summary.reason
    left = {"failed": summary.failed, "remaining": summary.remaining}
    return ", ".join(f"{name}: {number}" for name, number in left.items() if number)


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
        with suppress(LedgerError):  # what stopped the sweep is what matters
            components.health.record_listing_failure(error, components.clock())
        raise
    components.health.record_listing_success(components.clock())
    return report


def _remaining(components: Components) -> int:
    """Return how many files are due, or wait for the portal to work again.

    Files that a backfill has put off until tomorrow do not count.
    """
    now, ledger = components.clock(), components.ledger
    is_put_off = ledger.next_write_at(now, backfill=True) > now
    due = ledger.count_due(now) - (ledger.count_due(now, BACKFILL) if is_put_off else 0)
    return due + ledger.waits.count_for_portal(now)


def stopped_until(components: Components, *, backfill: bool) -> tuple[datetime | None, str]:
    """Return until when nothing more can be done, and why; None when that is now."""
    now, ledger = components.clock(), components.ledger
    pause, free = ledger.paused(now), ledger.next_write_at(now, backfill=backfill)
    if pause is not None and pause.until > free:
        return pause.until, pause.reason
    if free > now:
        kind = "writes for backfills" if backfill else "writes"
        return free, f"the day's {kind} are used up"
    probe = max(components.health.next_look(now), components.health.next_write(now))
    return (probe, "the portal cannot be asked now") if probe > now else (None, "")


def work_until_idle(components: Components, tally: Tally) -> bool:
    """Process what is due; False when another process holds the role, and does so."""
    failures: list[Exception] = []
    try:
        with components.ledger.role(Role.WORKER):
            components.ledger.claims.release_orphaned(components.clock())
            components.worker(tally.count, failures.append).run_until_idle()
    except RoleHeldError:
        return False
    if failures:
        raise failures[0]
    return True


_NEWS = {Action.MARK, Action.LOOK, Action.WAIT}


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
        if rule.action in _NEWS or rule.outcome is Outcome.REFUSED:
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
    """``error`` stands in place of the file and the decision when the portal did not answer."""

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
