"""What we know and owe, on disk: one row per file, seen, due and settled.

`schema` has the tables and their history, `opening` sees that they are today's and whose they are,
`store` the transactions, `sqlite` and `postgres` what each database does in its own way, `views`
what only looks, `database_file` and `file_locks` what one process may do at a time on a file,
`session` who lives and holds what on a shared one, `copying` the way from one to another; `rows`
what a row says, `facts` and `counting` the small things, `notes` what a listing leaves behind,
`watermarks` how far the listings have come, `overview` and `health` how the service is doing,
`find_problems` what is wrong with it, and `ledger` the questions.
"""

from reconciler.ledger.copying import copy
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.listing import EnqueueOptions, ListedFile
from reconciler.ledger.opening import another_portal, is_same_address
from reconciler.ledger.overview import OutageRecord, Overview, SweepRecord
from reconciler.ledger.problems import (
    TEXTS_KEPT,
    Problem,
    ProblemKind,
    find_problems,
    portal_texts_line,
    unwritable_problem,
)
from reconciler.ledger.quota import Quota
from reconciler.ledger.rows import BACKFILL, SWEEP, Baseline
from reconciler.ledger.settings import (
    CLOCK_WAS_AHEAD,
    DELIVERY_LOG,
    HIDDEN_UPDATES,
    NEXT_SWEEP,
    SWEEP_BEGAN,
    WEBHOOK,
    WEBHOOK_ID,
    WEBHOOK_READABLE,
    WEBHOOK_REPAIRED,
    DeliveryLogProgress,
    HiddenUpdates,
    Setting,
)
from reconciler.ledger.store.databases import MEMORY, is_there
from reconciler.ledger.store.store import Role
from reconciler.ledger.webhook_record import WebhookRecord

__all__ = [
    "BACKFILL",
    "CLOCK_WAS_AHEAD",
    "DELIVERY_LOG",
    "HIDDEN_UPDATES",
    "MEMORY",
    "NEXT_SWEEP",
    "SWEEP",
    "SWEEP_BEGAN",
    "TEXTS_KEPT",
    "WEBHOOK",
    "WEBHOOK_ID",
    "WEBHOOK_READABLE",
    "WEBHOOK_REPAIRED",
    "Baseline",
    "DeliveryLogProgress",
    "EnqueueOptions",
    "HiddenUpdates",
    "Ledger",
    "ListedFile",
    "OutageRecord",
    "Overview",
    "Problem",
    "ProblemKind",
    "Quota",
    "Role",
    "Setting",
    "SweepRecord",
    "WebhookRecord",
    "another_portal",
    "copy",
    "find_problems",
    "is_same_address",
    "is_there",
    "portal_texts_line",
    "unwritable_problem",
]
