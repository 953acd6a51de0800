"""Hands due files to the free threads; one at a time while the portal is unavailable."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from reconciler.errors import LedgerError, ShutdownRequested
from reconciler.ledger import Ledger
from reconciler.model import Claim
from reconciler.worker.processor import FileProcessor, Processed

_POLL = 1.0  # seconds between looks at the ledger: another process may have recorded an event
_SHORTEST = 0.01
_MOMENT = timedelta(seconds=2.5)


class Worker:
    """Works off what is due, with ``threads`` threads, until it is stopped.

    ``on_attempt`` is called after each attempt, ``on_error`` for a ledger that cannot be used, both
    on the worker's thread.
    """

    def __init__(
        self,
        ledger: Ledger,
        processor: FileProcessor,
        clock: Callable[[], datetime],
        on_attempt: Callable[[Processed], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        """Start nothing yet."""
        self._ledger, self._processor, self._settings = ledger, processor, processor.settings
        self._clock, self._on_attempt, self._on_error = clock, on_attempt, on_error
        self._changed = threading.Condition()
        self._busy, self._stopping, self._woken, self._finished = 0, False, False, False
        self._last: datetime | None = None

    def run(self) -> None:
        """Work until `stop`; then finish what is under way and give back the rest."""
        self._run(lambda: False)

    def run_until_idle(self) -> None:
        """Work until nothing is due now or in a moment, until `stop`, or into a pause."""
        self._run(self._is_idle)

    def _run(self, is_done: Callable[[], bool]) -> None:
        with ThreadPoolExecutor(self._settings.threads, thread_name_prefix="worker") as pool:
            while not self._stopping and not is_done():
                for claim in self._claims():
                    pool.submit(self._run_claim, claim)

    def _is_idle(self) -> bool:
        """A file that was looked at in this very second is due in a moment: wait for it."""
        with self._changed:
            if self._busy:
                return False
        soon = self._clock() + _MOMENT
        due = self._next_claim(self._clock())
        return due is None or due > soon

    def stop(self) -> None:
        """Let `run` end; call it from any thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def wake(self) -> None:
        """Let `run` look at once for what is due; call it from any thread."""
        if self._woken:
            return  # a burst of events wakes once
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def step(self) -> Processed | None:
        """Process one due file; None when there is none, or when its claim was lost."""
        now = self._clock()
        due = self._next_claim(now)
        claims = self._claim(1) if due is not None and due <= now else []
        processed = self._processor.process(claims[0]) if claims else None
        if processed is not None:
            self._on_attempt(processed)
        return processed

    def _claims(self) -> list[Claim]:
        """Claim what is due, or wait for it, for a free thread, or for the end."""
        try:
            wait = self._until_due()
            if wait > 0:
                self._rest(wait, for_event=self._can_claim())
                return []
            claims = self._claim(self._free())
        except LedgerError as error:
            self._on_error(error)
            self._rest(_POLL, for_event=False)
            return []
        if not claims:
            self._rest(_POLL)  # another process was quicker
        with self._changed:
            self._busy += len(claims)
        return claims

    def _claim(self, number: int) -> list[Claim]:
        return self._ledger.claims.take(self._clock(), number, self._settings.lease)

    def _until_due(self) -> float:
        """Return the seconds to wait before anything can be claimed."""
        if self._free() == 0:
            return _POLL
        now = self._clock()
        due = self._next_claim(now)
        if due is None:
            return _POLL
        wait = (due - now).total_seconds()
        return min(max(wait, _SHORTEST), _POLL) if wait > 0 else 0

    def _next_claim(self, now: datetime) -> datetime | None:
        """Return when the next file may be claimed, None when nothing is due."""
        if self._last is None or now < self._last:
            # The clock was set back, perhaps while no process ran.
            self._ledger.reset_future_waits(now)
        self._last = now
        due = self._ledger.claims.next_at(now)
        return None if due is None else max(due, self._processor.health.next_look(now))

    def _can_claim(self) -> bool:
        """Whether an event that comes now could be processed at once."""
        now = self._clock()
        return self._free() > 0 and self._processor.health.next_look(now) <= now

    def _free(self) -> int:
        with self._changed:
            most = 1 if self._processor.health.is_probing else self._settings.threads
            return max(most - self._busy, 0)

    def _rest(self, seconds: float, *, for_event: bool = True) -> None:
        """Wait for a free thread or the end, and for an event where it could be claimed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_called(for_event=for_event), seconds)
            self._finished = False
            self._woken &= not for_event

    def _is_called(self, *, for_event: bool) -> bool:
        return self._stopping or self._finished or (for_event and self._woken)

    def _run_claim(self, claim: Claim) -> None:
        try:
            self._process(claim)
        except LedgerError as error:
            self._on_error(error)  # the lease returns the row
        finally:
            with self._changed:
                self._busy -= 1
                self._finished = True
                self._changed.notify_all()

    def _process(self, claim: Claim) -> None:
        if self._stopping:
            self._ledger.claims.release(claim, self._clock())
            return
        try:
            processed = self._processor.process(claim)
        except LedgerError:
            raise
        except ShutdownRequested:
            self._ledger.claims.release(claim, self._clock())
            return
        except Exception as error:  # noqa: BLE001 - one file's bug must not stop the others
            self._on_error(error)
            self._processor.record_bug(claim, error)
            return
        if processed is not None:
            self._on_attempt(processed)
