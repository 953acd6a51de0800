"""Finds what no webhook announced: asks the portal what changed, and notes it in the ledger.

`paging` reads one folder so that nothing is missed, `sweep` decides which folders and keeps the
watermarks, `backfill` reads all of them back to a date, and `report` counts what was found.
"""

from reconciler.sweep.backfill import Backfill, Job
from reconciler.sweep.report import Report, expected_rule
from reconciler.sweep.sweep import ScanSettings, Sweep

__all__ = ["Backfill", "Job", "Report", "ScanSettings", "Sweep", "expected_rule"]
