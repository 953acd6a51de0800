"""Claims due files and gives them to free threads; one at a time while looks fail."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from reconciler.errors import LedgerError, ShutdownRequested
from reconciler.ledger import Ledger
from reconciler.model import Claim
from reconciler.worker.processor import FileProcessor, Processed

_POLL = 1.0  # seconds between queries of the ledger: another process may have recorded an event
_MIN_WAIT = 0.01  # seconds
_MOMENT = timedelta(seconds=2.5)


class Worker:
    """Processes due files until it is stopped.

    ``on_attempt`` is called after each attempt, ``on_error`` for a ledger that cannot be used and
    for a bug, on the thread of the attempt.
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
        """Work until `stop`; then finish what is under way and release the other claims."""
        self._run(lambda: False)

    def run_until_idle(self) -> None:
        """Work until nothing is due now or in a moment, until `stop`, or into a pause."""
        self._run(self._is_idle)

    def _run(self, is_done: Callable[[], bool]) -> None:
        with ThreadPoolExecutor(self._settings.threads, thread_name_prefix="worker") as pool:
            while not self._stopping and not is_done():
                try:
                    wait = self.step(lambda claim: pool.submit(self._run_claim, claim))
                    for_event = self._can_claim()
                except LedgerError as error:
                    self._on_error(error)
                    wait, for_event = _POLL, False
                if wait > 0:
                    self._rest(wait, for_event=for_event)

    def step(self, start: Callable[[Claim], object] | None = None) -> float:
        """Claim due files for the free threads, and ``start`` each. Raises LedgerError.

        Without ``start`` they are processed at once, on this thread. Returns how many seconds to
        wait before the next step, 0 where there was work.
        """
        free, now = self._free(), self._clock()
        due = self._next_claim(now) if free else None
        wait = _POLL if due is None else (due - now).total_seconds()
        if wait > 0:
            return min(max(wait, _MIN_WAIT), _POLL)
        claims = self._ledger.claims.take(now, free, self._settings.lease)
        with self._changed:
            self._busy += len(claims)
        for claim in claims:
            (start or self._run_claim)(claim)
        return 0 if claims else _POLL  # another process was quicker

    def _is_idle(self) -> bool:
        """Return whether nothing is due now or in a moment; a second look comes a second later."""
        with self._changed:
            if self._busy:
                return False
        soon = self._clock() + _MOMENT
        due = self._next_claim(self._clock())
        return due is None or due > soon

    def stop(self) -> None:
        """End `run`; call it from any thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def wake(self) -> None:
        """Let `run` query the ledger at once; call it from any thread."""
        if self._woken:
            return  # one wake-up serves a burst of events
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _next_claim(self, now: datetime) -> datetime | None:
        """Return when the next file may be claimed, None when nothing is due."""
        if self._last is None or now < self._last:
            # The clock was set back, perhaps while no process ran.
            self._ledger.waits.reset_future(now)
        self._last = now
        due = self._ledger.claims.next_at(now)
        return None if due is None else max(due, self._processor.health.next_look(now))

    def _can_claim(self) -> bool:
        """Return whether a new event could be processed at once."""
        now = self._clock()
        return self._free() > 0 and self._processor.health.next_look(now) <= now

    def _free(self) -> int:
        with self._changed:
            most = 1 if self._processor.health.is_probing else self._settings.threads
            return max(most - self._busy, 0)

    def _rest(self, seconds: float, *, for_event: bool) -> None:
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
            self._on_error(error)  # the row is due again at the end of its lease
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
