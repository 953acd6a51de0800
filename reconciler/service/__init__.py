"""Builds everything from the configuration, runs it, and stops it in order.

`build` makes the parts, `service` is the daemon and `server` its waitress, `runs` are the
commands that end, `explain` answers for one file, `log` says what is in the log and `lines`
writes it, `doubts` are settings to look at, `notify` tells systemd how it goes, `files` are what
runs the service well.
"""

from reconciler.service.daemon import Service
from reconciler.service.explain import Explanation, explain
from reconciler.service.log_writer import Lines
from reconciler.service.logging import configure_log, tell_lost
from reconciler.service.runs import BackfillRun, Summary, Would, backfill, reconcile
from reconciler.service.systemd import Supervisor

__all__ = [
    "BackfillRun",
    "Explanation",
    "Lines",
    "Service",
    "Summary",
    "Supervisor",
    "Would",
    "backfill",
    "configure_log",
    "explain",
    "reconcile",
    "tell_lost",
]
