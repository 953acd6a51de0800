"""Finds what no webhook announced: asks the portal what changed, and notes it in the ledger.

`reading` reads one folder so that nothing is missed, `sweep` decides which folders and keeps the
watermarks, `backfill` reads all of them back to a date, `report` counts what was found, and
`deliveries` takes from the portal's own log what it could not deliver.
"""

from reconciler.sweep.backfill import Backfill, Job
from reconciler.sweep.deliveries import Deliveries
from reconciler.sweep.report import Report, would_end
from reconciler.sweep.sweep import Sweep, Terms

__all__ = ["Backfill", "Deliveries", "Job", "Report", "Sweep", "Terms", "would_end"]
