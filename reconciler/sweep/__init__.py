"""Finds the updates that no webhook announced, and hands them to the ledger.

The service runs it. `sweep` chooses the folders and keeps the watermarks, `backfill` reads all of
them back to a date, `lister` lists a folder, `paging` reads its pages so that nothing is missed,
`planning` decides on a page, and `report` counts.
"""

from reconciler.sweep.backfill import Backfill, Job
from reconciler.sweep.lister import ScanSettings
from reconciler.sweep.report import Report, expected_rule
from reconciler.sweep.sweep import Sweep

__all__ = ["Backfill", "Job", "Report", "ScanSettings", "Sweep", "expected_rule"]
