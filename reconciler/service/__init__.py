"""Builds everything from the configuration, runs it, and stops it in order.

`build` makes the parts, `daemon` runs them and `server` is its waitress, `runs` and `backfill_run`
are the commands that end, `totals` what they count, `explain` answers for one file, `logging` says
what is in the log and `log_writer` writes it, `config_warnings` are settings to look at, `systemd`
is told how it goes, `notifying` sends messages to people, `unit_files` are what runs the service
well, `setup` writes a first configuration.
"""

from reconciler.service.backfill_run import BackfillRun, backfill
from reconciler.service.daemon import Daemon
from reconciler.service.explain import Explanation, explain
from reconciler.service.log_writer import LogWriter
from reconciler.service.logging import configure_log, log_configuration, log_lost_lines
from reconciler.service.runs import PlannedAction, reconcile
from reconciler.service.systemd import SystemdNotifier
from reconciler.service.totals import Summary

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
    "log_configuration",
    "log_lost_lines",
    "reconcile",
]
