"""Finds the updates that no webhook announced, and hands them to the ledger.

The service runs it. `sweep` chooses the folders that changed and keeps the watermarks, `backfill`
chooses all of them back to a date. Both read a folder through `lister`, which counts the files;
`paging` reads its pages so that none is missed, and `planning` decides on a page.
"""

from reconciler.sweep.backfill import Backfill, Job
from reconciler.sweep.lister import Report, ScanSettings
from reconciler.sweep.planning import expected_rule
from reconciler.sweep.sweep import Sweep

__all__ = ["Backfill", "Job", "Report", "ScanSettings", "Sweep", "expected_rule"]
