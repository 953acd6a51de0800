"""What reconcile, backfill and explain print: questions, progress, summaries and explanations."""

from datetime import datetime
from time import monotonic
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from reconciler.cli.options import json_text
from reconciler.config import Config
from reconciler.formats import local_time, shown
from reconciler.model import Outcome
from reconciler.service import BackfillRun, Explanation, PlannedAction, Summary
from reconciler.service import backfill as open_backfill
from reconciler.sweep import BackfillJob
from reconciler.sweep.backfill import Estimate, Step

_SHOWN_TEXTS = 10
_PAST = {"event": "event", "look": "looked", "mark": "marked"}


def as_json(summary: Summary) -> str:
    """Return the summary as one JSON object."""
    report = summary.report
    return json_text(
        {
            "scanned": report.scanned,
            **{str(outcome): summary.number(outcome) for outcome in Outcome},
            "requests": summary.requests,
            "seconds": round(summary.seconds, 3),
            "dry_run": summary.dry_run,
            "since": report.since,
            "until": report.until,
            "folders": report.folders,
            "incomplete_folders": report.incomplete,
            "skipped_folders": dict(report.skipped),
            "remaining": summary.remaining,
            "resume_at": summary.resume_at,
        }
    )


def in_a_line(summary: Summary) -> str:
    """Return the summary in one line."""
    ended = [f"{summary.number(o)} {o}" for o in Outcome if summary.number(o)]
    prefix = "would be: " if summary.dry_run else ""
    parts = [f"{summary.report.scanned} scanned", prefix + (", ".join(ended) or "nothing to do")]
    if summary.report.skipped:
        reasons = [f"{n} {reason}" for reason, n in sorted(summary.report.skipped.items())]
        parts.append(f"folders skipped: {', '.join(reasons)}")
    if summary.report.incomplete:
        parts.append(f"{len(summary.report.incomplete)} folders to be read again")
    if summary.remaining:
        parts.append(f"{summary.remaining} remaining")
    if summary.resume_at is not None and summary.remaining:
        parts.append(f"resume at {local_time(summary.resume_at)}")
    requests = summary.requests
    parts.append(f"{requests['get']} GET, {requests['put']} PUT, {summary.seconds:.1f} s")
    return "; ".join(parts)


def print_planned(planned: PlannedAction) -> None:
    """Print what a dry run would do with one file."""
    change = f"{planned.comment!r} -> {planned.outcome}: {planned.reason}"
    typer.echo(f"{planned.file}  {shown(planned.title)}  {change}")


def explanation_text(explanation: Explanation) -> str:
    """Return an explanation as text, the cause first."""
    lines = [f"File {explanation.file_id}"]
    if explanation.decision is not None:
        rule = explanation.decision.rule
        outcome = "to be marked" if rule.outcome is Outcome.MARKED else rule.outcome
        lines.append(f"  decision   {outcome}: {rule.description} (rule {rule.value})")
        if explanation.decision.is_new_identity:
            lines.append("             the ledger's row is another file's of this id, and is reset")
    lines += _portal(explanation) + _ledger(explanation.known)
    return "\n".join(lines)


def _portal(explanation: Explanation) -> list[str]:
    if explanation.error is not None:
        return [f"  portal     {shown(str(explanation.error))}"]
    file = explanation.file
    if file is None:
        return ["  portal     shows no such file"]
    state = "locked by someone else" if file.locked else "not locked"
    rights = "may be commented" if file.editable else "may not be commented by the key's account"
    where = file.section.value + ("" if file.room is None else f", room {file.room}")
    return [
        f"  portal     {file.title!r} in {where}; {state}, {rights}",
        f"             version {file.revision.version}, updated {_time(file.revision.updated)}, "
        f"{file.revision.size} bytes",
        f"             comment {file.comment!r}",
    ]


def _ledger(known: Any) -> list[str]:
    if known is None:
        return ["  ledger     has no row for it"]
    lines = [
        "  ledger     " + ", ".join(_times(known, what) for what in _PAST),
        f"             last: {known['outcome']}: {known['reason']} {known['error']}".rstrip(),
    ]
    if known["settled_version"] is not None:
        whose = "marked by us" if known["marked_by_us"] else "kept as it was"
        lines.append(
            f"             settled version {known['settled_version']} of "
            f"{_time(known['settled_updated'])}, {whose}"
        )
    if known["intent_version"] is not None:
        lines.append(
            f"             a write to version {known['intent_version']} is under way, "
            f"over {known['intent_before']!r}"
        )
    if known["due_at"] is not None:
        state = "claimed until" if known["claim"] else "due"
        lines.append(f"             {state} {_time(known['due_at'])}")
    return lines


def _times(known: Any, what: str) -> str:
    number, last = known[f"{what}s"], known[f"{_PAST[what]}_at"]
    when = f" (last {_time(last)})" if last else ""
    return f"{number} {what}s{when}"


def _time(moment: datetime | None) -> str:
    return "never" if moment is None else local_time(moment)


class BackfillCommand:
    """Runs one backfill. Messages and progress go to stderr, the summary to stdout."""

    def __init__(self, config: Config, job: BackfillJob, *, json: bool, ask: bool) -> None:
        """Ask for a confirmation if ``ask``."""
        self._config, self._job, self._json, self._ask = config, job, json, ask
        self.failing = 0  # files that failed, in this run or another
        # Titles come from the portal, so markup is off.
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

    def run(self, dry_run: bool) -> Summary:
        """Estimate, ask, and backfill; return the summary."""
        with open_backfill(self._config, self._job, dry_run=dry_run) as run:
            before = run.done_before()
            if before:
                self._console.print(f"Resuming: {before} folders were done by an earlier run.")
            if dry_run or self._ask:
                estimate = run.estimate(self._show_progress)
                run.report = estimate.report
                self._show_estimate(estimate)
                if dry_run:
                    run.count_estimate(estimate)
            if not dry_run and self._is_confirmed():
                self._mark(run)
            summary = run.summary(dry_run)
            self.failing = run.failing()
        typer.echo(as_json(summary) if self._json else in_a_line(summary))
        self._print_next(run)
        return summary

    def _mark(self, run: BackfillRun) -> None:
        try:
            self._show_steps(run)
        except KeyboardInterrupt:
            self._console.print(
                "Stopped. What is marked stays marked. Run the same command again: it resumes "
                "where it stopped.",
            )
            raise

    def _is_confirmed(self) -> bool:
        return not self._ask or typer.confirm("Begin?", err=True)

    def _show_progress(self, step: Step) -> None:
        if not self._console.is_terminal:
            return
        self._console.print(f"reading {step.number}/{step.of} {shown(step.folder.title)}", end="\r")

    def _show_steps(self, run: BackfillRun) -> None:
        if not self._console.is_terminal:
            for step in run.steps():
                title = f"{shown(step.folder.title)} ({step.folder.id})"
                self._console.print(f"{step.number}/{step.of} {title} done")
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        began = monotonic()
        with Progress(*columns, console=self._console) as progress:
            bar = progress.add_task("folders", total=None, rate="")
            for step in run.steps():
                speed = run.report.scanned / max(monotonic() - began, 0.001)
                name = shown(step.folder.title)[:30]
                progress.update(
                    bar,
                    total=step.of,
                    completed=step.number,
                    description=name,
                    rate=f"{speed:.0f} files/s",
                )

    def _show_estimate(self, estimate: Estimate) -> None:
        report, limits = estimate.report, self._config.limits
        writes = 0 if self._job.observe else report.enqueued
        share = limits.quota.backfill
        days = writes / share
        self._console.print(
            f"{report.scanned} files in {report.folders} folders since "
            f"{self._job.since:%Y-%m-%d}; about {writes} to be marked: {writes} GET and {writes} "
            f"PUT, {days:.1f} days at {share} writes a day."
        )
        for text, number in estimate.texts.most_common(_SHOWN_TEXTS):
            self._console.print(f"  {number:>8}  {text!r}")

    def _print_next(self, run: BackfillRun) -> None:
        if self.failing:
            self._console.print(
                f"Files that failed and will be retried: {self.failing}. See them with: "
                "reconciler failed list",
            )
        if run.resume_at is not None:
            self._console.print(
                f"Stopped: {run.reason}. Run the same command again after "
                f"{local_time(run.resume_at)}; it resumes where it stopped.",
            )
