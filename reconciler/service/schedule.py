"""The daemon's schedule: one table of tasks, run by APScheduler's threads until it is stopped."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from apscheduler.schedulers.background import BackgroundScheduler

from reconciler.errors import ReconcilerError, ShutdownRequested
from reconciler.service.logging import log_error

JITTER = 0.1  # of the interval, so that many installations do not sweep in one second
_TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True)
class ScheduledTask:
    """A task and its interval. Any number of missed runs is replaced by one run.

    ``on_overlap`` is called instead of a run that is due while the one before has not ended.
    """

    id: str
    run: Callable[[], None]
    every: timedelta
    jitter: float = 0.0
    on_overlap: Callable[[], None] = lambda: None


class Schedule:
    """Runs tasks. Safe to use from any thread, also from a task."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._running: dict[str, threading.Lock] = {}

    def add(self, task: ScheduledTask, first: datetime) -> None:
        """Run ``task`` from ``first`` on; a task of the same id is replaced."""
        seconds = task.every.total_seconds()
        self._running.setdefault(task.id, threading.Lock())
        self._scheduler.add_job(
            self._run,
            "interval",
            args=(task,),
            id=task.id,
            replace_existing=True,
            seconds=seconds,
            jitter=seconds * task.jitter or None,
            next_run_time=first,
            coalesce=True,
            max_instances=2,  # one that runs, and one that calls on_overlap
            misfire_grace_time=None,
        )

    def remove(self, task_id: str) -> None:
        """Stop running a task."""
        self._scheduler.remove_job(task_id)

    def start(self) -> None:
        """Begin to run the tasks."""
        self._scheduler.start()

    def is_alive(self) -> bool:
        """Whether the scheduler's thread is alive, which APScheduler itself does not report."""
        thread = self._scheduler._thread
        return thread is not None and bool(thread.is_alive())

    def next_run(self, task_id: str) -> datetime | None:
        """Return when a task is run next, None when it is not."""
        job = self._scheduler.get_job(task_id)
        return None if job is None else job.next_run_time

    def run_at(self, task_id: str, moment: datetime) -> None:
        """Run a task at ``moment`` in place of its next run."""
        self._scheduler.modify_job(task_id, next_run_time=moment)

    def follow_clock(self, now: datetime) -> None:
        """Run now each task that is scheduled too far ahead: the machine's clock was set back."""
        for job in self._scheduler.get_jobs():
            longest = (1 + 2 * JITTER) * job.trigger.interval + _TOLERANCE
            if job.next_run_time - now > longest:
                job.modify(next_run_time=now)

    def stop(self, seconds: float) -> bool:
        """Begin nothing more; return whether what runs has ended within ``seconds``."""
        if self._scheduler.running:
            # Not wait=True: that holds the lock that a task needs to read its next run.
            self._scheduler.shutdown(wait=False)
        until = monotonic() + seconds
        return all(
            lock.acquire(timeout=max(until - monotonic(), 0)) for lock in self._running.values()
        )

    def _run(self, task: ScheduledTask) -> None:
        running = self._running[task.id]
        if not running.acquire(blocking=False):
            task.on_overlap()
            return
        try:
            task.run()
        except ShutdownRequested:
            return
        except ReconcilerError as error:
            log_error(error)
        finally:
            running.release()
