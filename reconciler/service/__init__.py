"""Builds everything from the configuration, runs it, and stops it in order.

`build` makes the parts, `service` is the daemon and `server` its waitress, `runs` are the
commands that end, `explain` answers for one file, `log` says what is in the log and `lines`
writes it, `doubts` are settings to look at, `notify` tells systemd how it goes, `files` are what
runs the service well.
"""

from reconciler.service.daemon import Daemon
from reconciler.service.explain import Explanation, explain
from reconciler.service.log_writer import LogWriter
from reconciler.service.logging import configure_log, log_lost_lines
from reconciler.service.runs import BackfillRun, PlannedAction, Summary, backfill, reconcile
from reconciler.service.systemd import SystemdNotifier

__all__ = [
    "BackfillRun",
    "Daemon",
    "Explanation",
    "LogWriter",
    "PlannedAction",
    "Summary",
    "SystemdNotifier",
    "backfill",
    "configure_log",
    "explain",
    "log_lost_lines",
    "reconcile",
]
