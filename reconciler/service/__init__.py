"""Builds all parts from the configuration, runs them, and stops them in order.

`build` makes the parts. `daemon` runs them: `server` serves its addresses, `schedule` starts its
periodic `duties`, `roles` takes the roles that one process at a time has, `notifying` sends
notifications, `systemd` reports its state. `runs`, `webhook_runs`, `checks` and `setup` carry out
the commands; `work` is what daemon and commands share, and `portal_identity` opens the ledger of
the right portal. `logging` formats the log and `log_writer` writes it; `unit_files` makes the
service files.
"""

from reconciler.service.daemon import Daemon
from reconciler.service.log_writer import LogWriter
from reconciler.service.logging import configure_log, log_configuration, log_lost_lines
from reconciler.service.runs import (
    BackfillRun,
    Explanation,
    PlannedAction,
    backfill,
    explain,
    reconcile,
)
from reconciler.service.systemd import SystemdNotifier
from reconciler.service.work import Summary

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
