"""The ledger: one row for each file, with what is due and what is settled.

The receiver, the sweep, the worker, the webhooks and the service call it. `ledger` has the calls,
each one short transaction: `events` makes rows due, `claims` claims and finishes them, `waits`
makes due what waited, `listing` takes what a sweep read, `watermarks` says how far sweeps came,
`settings` holds what is true of the whole ledger, `overview` and `health` say how the service is
doing (`records` are the values), `counters` and `limits` count, `reviews` is what people have to
review. `rows` converts rows, `opening` migrates, `origin` knows the first sweep, `copying` moves a
ledger to another database, and `store` runs the transactions.
"""

from reconciler.ledger.copying import copy
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.listing import EnqueueOptions, ListedFile, RowChange, RowState
from reconciler.ledger.opening import another_portal, is_same_address
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
    CLOCK_WAS_AHEAD,
    DELIVERY_LOG,
    HIDDEN_UPDATES,
    NEXT_SWEEP,
    NOTIFIED,
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

__all__ = [
    "BACKFILL",
    "CLOCK_WAS_AHEAD",
    "DELIVERY_LOG",
    "HIDDEN_UPDATES",
    "MEMORY",
    "NEXT_SWEEP",
    "NOTIFIED",
    "SWEEP",
    "SWEEP_BEGAN",
    "WEBHOOK",
    "WEBHOOK_ID",
    "WEBHOOK_READABLE",
    "WEBHOOK_REPAIRED",
    "Baseline",
    "DeliveryLogProgress",
    "EnqueueOptions",
    "FileInReview",
    "HiddenUpdates",
    "Ledger",
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
    "Setting",
    "SweepRecord",
    "WebhookRecord",
    "WebhookState",
    "another_portal",
    "copy",
    "is_same_address",
    "is_there",
]
