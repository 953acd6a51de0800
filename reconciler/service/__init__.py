"""Builds everything from the configuration, runs it, and stops it in order.

`build` makes the parts from the configuration. `daemon` runs them: `server` is its waitress,
`schedule` starts its periodic `duties`, `roles` are what it does alone, `notifying` sends messages
to people, `systemd` reports its state. `runs`, `backfill_run`, `webhook_runs`, `checks` and `setup`
do what the commands do; `totals` are what the runs count, and `portal_identity` opens the ledger of
the right portal. `logging` formats the log and `log_writer` writes it; `unit_files` are the service
files.
"""

from reconciler.service.backfill_run import BackfillRun, backfill
from reconciler.service.daemon import Daemon
from reconciler.service.log_writer import LogWriter
from reconciler.service.logging import configure_log, log_configuration, log_lost_lines
from reconciler.service.runs import Explanation, PlannedAction, explain, reconcile
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
