"""The backfill on the command line: estimate, question, progress, and how it ended."""

from time import monotonic

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from reconciler.cli.report import as_json, in_a_line
from reconciler.config import Config
from reconciler.formats import local_time, shown
from reconciler.service import BackfillRun, Summary
from reconciler.service import backfill as open_backfill
from reconciler.sweep import BackfillJob
from reconciler.sweep.backfill import Estimate, Step

_SHOWN_TEXTS = 10


class Backfilling:
    """Runs one backfill. Messages and progress go to stderr, the summary to stdout."""

    def __init__(self, config: Config, job: BackfillJob, *, json: bool, ask: bool) -> None:
        """Ask before it begins if ``ask``."""
        self._config, self._job, self._json, self._ask = config, job, json, ask
        self.failing = 0  # files that failed, in this run or another
        # Titles come from the portal: no markup is read from them.
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

    def run(self, dry_run: bool) -> Summary:
        """Estimate, ask, and backfill; return what was done."""
        with open_backfill(self._config, self._job, dry_run=dry_run) as run:
            before = run.done_before()
            if before:
                self._console.print(f"Going on: {before} folders were done by an earlier run.")
            if dry_run or self._ask:
                estimate = run.estimate(self._show_progress)
                run.report = estimate.report
                self._show_estimate(estimate)
                if dry_run:
                    run.count_estimate(estimate)
            if not dry_run and self._is_confirmed():
                self._go_through(run)
            summary = run.summary(dry_run)
            self.failing = run.failing()
        typer.echo(as_json(summary) if self._json else in_a_line(summary))
        self._advise(run)
        return summary

    def _go_through(self, run: BackfillRun) -> None:
        try:
            self._take_steps(run)
        except KeyboardInterrupt:
            self._console.print(
                "Stopped. What is marked stays marked. Run the same command again: it goes on "
                "where it was.",
            )
            raise

    def _is_confirmed(self) -> bool:
        return not self._ask or typer.confirm("Begin?", err=True)

    def _show_progress(self, step: Step) -> None:
        if not self._console.is_terminal:
            return
        self._console.print(f"reading {step.number}/{step.of} {shown(step.folder.title)}", end="\r")

    def _take_steps(self, run: BackfillRun) -> None:
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

    def _advise(self, run: BackfillRun) -> None:
        if self.failing:
            self._console.print(
                f"Files that failed and will be tried again: {self.failing}. See them with: "
                "reconciler failed list",
            )
        if run.resume_at is not None:
            self._console.print(
                f"Stopped: {run.reason}. Run the same command again after "
                f"{local_time(run.resume_at)}; it goes on where it was.",
            )
