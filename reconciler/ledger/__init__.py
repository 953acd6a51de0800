"""The ledger: one row for each file, with what is due and what is settled.

The receiver, the sweep, the worker, the webhooks and the service call it. A call goes from `ledger`
through `store`, which runs it as a transaction, to the module that reads or writes the tables:
`events` makes a file due, `listing` settles or enqueues the files of a page, `claims` takes a due
file, grants its write and stores its result, `waits` makes unfinished files due early. They share
`rows`, which converts rows, and `counters`, which counts and limits.

`settings` has the values of the whole ledger, `ownership` its portal, account and origin, and
`watermarks` how far each folder has been read. `overview` queries how the service is doing
(`records` are its values), `health` records it, and `reviews` lists the files to review. `copying`
copies a ledger to another database.
"""

from reconciler.ledger.copying import copy
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.listing import EnqueueOptions, ListedFile, RowChange, RowState
from reconciler.ledger.ownership import another_portal, is_same_portal_url
from reconciler.ledger.records import (
    FileInReview,
    Notified,
    OutageRecord,
    Overview,
    ReviewPage,
    SweepRecord,
    WebhookRecord,
    WebhookState,
)
from reconciler.ledger.reviews import ReviewFilter, ReviewState
from reconciler.ledger.rows import BACKFILL, SWEEP, Baseline
from reconciler.ledger.settings import (
    DELIVERY_LOG,
    LAST_DELIVERY,
    NEXT_SWEEP,
    NOTIFIED,
    SWEEP_BEGAN,
    UNDATED_UPDATES,
    WEBHOOK,
    WEBHOOK_ID,
    WEBHOOK_READABLE,
    WEBHOOK_REPAIRED,
    DeliveryLogProgress,
    LedgerSetting,
    UndatedUpdates,
)
from reconciler.ledger.store.databases import MEMORY, is_there
from reconciler.ledger.store.store import IsHeld, Role

__all__ = [
    "BACKFILL",
    "DELIVERY_LOG",
    "LAST_DELIVERY",
    "MEMORY",
    "NEXT_SWEEP",
    "NOTIFIED",
    "SWEEP",
    "SWEEP_BEGAN",
    "UNDATED_UPDATES",
    "WEBHOOK",
    "WEBHOOK_ID",
    "WEBHOOK_READABLE",
    "WEBHOOK_REPAIRED",
    "Baseline",
    "DeliveryLogProgress",
    "EnqueueOptions",
    "FileInReview",
    "IsHeld",
    "Ledger",
    "LedgerSetting",
    "ListedFile",
    "Notified",
    "OutageRecord",
    "Overview",
    "ReviewFilter",
    "ReviewPage",
    "ReviewState",
    "Role",
    "RowChange",
    "RowState",
    "SweepRecord",
    "UndatedUpdates",
    "WebhookRecord",
    "WebhookState",
    "another_portal",
    "copy",
    "is_same_portal_url",
    "is_there",
]
