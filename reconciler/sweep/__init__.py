"""Finds the updates that no webhook announced, and enqueues them in the ledger.

The service runs it. `sweep` selects the folders that changed and stores the watermarks, `backfill`
selects all of them back to a date. Both read a folder through `lister`, which counts the files;
`paging` reads its pages so that no file is missed, and `planning` decides on a page.
"""

from reconciler.sweep.backfill import Backfill, BackfillJob
from reconciler.sweep.lister import Report, ScanSettings
from reconciler.sweep.planning import expected_rule
from reconciler.sweep.sweep import Sweep

__all__ = ["Backfill", "BackfillJob", "Report", "ScanSettings", "Sweep", "expected_rule"]
