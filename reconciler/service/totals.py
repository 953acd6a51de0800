"""The totals of a run: its attempts, counted while it works, and its summary."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.errors import TransientError, UnauthorizedError
from reconciler.model import AttemptReason, Outcome
from reconciler.service.build import Components
from reconciler.service.logging import log_processed
from reconciler.sweep import Report
from reconciler.worker import Processed

_OUTAGES = {UnauthorizedError.kind, TransientError.kind, AttemptReason.WRITES_FAIL.value}


@dataclass
class Tally:
    """How the files of a run ended: each counts once, by its last attempt.

    ``enqueued`` are listed files that this process has not attempted yet. ``outage`` is the reason
    why the portal as a whole fails, None since the last request that it answered.
    """

    last: dict[int, Outcome] = field(default_factory=dict)
    ended: Counter[Outcome] = field(default_factory=Counter)
    enqueued: set[int] = field(default_factory=set)
    outage: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, processed: Processed) -> None:
        """Count an attempt; one that only waited before is replaced."""
        outcome, reason = processed.result.outcome, processed.result.reason
        if outcome is Outcome.FAILED:
            log_processed(processed)
        with self.lock:
            self.outage = reason if outcome is Outcome.WAITING and reason in _OUTAGES else None
            self.enqueued.discard(processed.file)
            before = self.last.pop(processed.file, None)
            if before is not None:
                self.ended[before] -= 1
            self.ended[outcome] += 1
            if outcome in {Outcome.WAITING, Outcome.FAILED}:
                self.last[processed.file] = outcome

    def settle(self, components: Components) -> None:
        """Count the rest as the ledger has it: another process worked them off, or they wait."""
        listings, now = components.ledger.listings, components.clock()
        self.ended.update(listings.outcomes(sorted(self.enqueued), now))
        self.enqueued.clear()

    def add_failed(self, components: Components) -> None:
        """Count files that failed before and were not tried now: not all is well while one does."""
        counted = self.last.keys() | self.enqueued
        self.ended[Outcome.FAILED] += len(components.ledger.health.failed() - counted)


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Where it had to stop, ``resume_at`` is when to run it again, and ``reason`` says why it stopped.
    ``is_portal_down`` is whether it stopped because the portal is unavailable or refuses the key.
    """

    report: Report
    ended: Counter[Outcome]
    requests: dict[str, int]
    seconds: float
    dry_run: bool
    remaining: int = 0
    resume_at: datetime | None = None
    reason: str = ""
    is_portal_down: bool = False

    @property
    def failed(self) -> int:
        """How many files failed and will be tried again, and folders not read to the end."""
        return self.number(Outcome.FAILED) + len(self.report.incomplete)

    def number(self, outcome: Outcome) -> int:
        """Return how many files ended so, in the listing or by an attempt."""
        return self.report.number(outcome) + self.ended[outcome]
