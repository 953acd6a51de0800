"""Keeps below the portal's limits: requests a minute, and requests at once (docspace.md 2).

Slots of the minute are asked for in blocks, so that processes that share a ledger can share the
limit without a transaction for each request. A block is used within seconds or not at all: a
slot that was asked for long ago would count in another minute than the one it is used in. Blocks
begin small and grow while they are used up, so that a process that asks little wastes little.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from reconciler.errors import ShutdownRequested

_FRESH = 5.0  # seconds
_FIRST = 2
_LOOK_UP = 0.2  # seconds between looks at whether we are told to stop

Reserve = Callable[[int], float]
"""Asks for so many slots of the minute; returns the seconds to wait, 0 when they are ours."""
Slot = Callable[[str], AbstractContextManager[object]]
"""Holds one of the slots that all processes share for a method, while it is entered."""


class RateLimiter:
    """Admits requests. ``stop`` ends every wait with Stopped."""

    def __init__(
        self,
        *,
        reads: int,
        writes: int,
        block: int = _FIRST,
        reserve: Reserve = lambda _: 0,
        shared: Slot = lambda _: nullcontext(),
        stop: threading.Event | None = None,
    ) -> None:
        """Share slots with nobody unless told how; ``block`` of the minute's at a time."""
        self._slots = {
            "GET": threading.BoundedSemaphore(reads),
            "PUT": threading.BoundedSemaphore(writes),
        }
        self._block, self._reserve, self._shared = block, reserve, shared
        self._stop = stop or threading.Event()
        self._left, self._until, self._lock = 0, 0.0, threading.Lock()
        self._own, self._size = threading.local(), _FIRST

    @contextmanager
    def acquire(self, method: str, name: str) -> Iterator[None]:
        """Wait for a place, hold it within the block.

        Raises ShutdownRequested when told to stop.
        """
        slots = self._slots[method]
        while not slots.acquire(timeout=_LOOK_UP):
            self._heed(name)
        try:
            with nullcontext() if self._has_place(method) else self._shared(method):
                if not self._use_prepaid():
                    self._wait_for_one(name)
                yield
        finally:
            slots.release()

    @contextmanager
    def reserve(self, number: int) -> Iterator[None]:
        """Wait for ``number`` requests of the minute at once, for this thread, in the block.

        So that nothing waits between a look and the write that it leads to: the place among
        the writes of all processes is taken now too.
        """
        with self._shared("PUT"):
            for _ in range(number):
                self._wait_for_one("the minute")
            self._own.prepaid, self._own.place = number, True
            try:
                yield
            finally:
                with self._lock:
                    self._left += self._own.prepaid
                self._own.prepaid, self._own.place = 0, False

    def _has_place(self, method: str) -> bool:
        return method == "PUT" and getattr(self._own, "place", False)

    def _use_prepaid(self) -> bool:
        left: int = getattr(self._own, "prepaid", 0)
        self._own.prepaid = max(left - 1, 0)
        return left > 0

    def _wait_for_one(self, name: str) -> None:
        while (delay := self._take(time.monotonic())) > 0:
            self._stop.wait(delay)
            self._heed(name)

    def _take(self, now: float) -> float:
        with self._lock:
            if self._left == 0 or now > self._until:
                grown = _FIRST if now > self._until else self._size * 2
                size = min(grown, self._block)
                if (delay := self._reserve(size)) > 0:
                    return delay
                self._left, self._until, self._size = size, now + _FRESH, size
            self._left -= 1
            return 0

    def _heed(self, name: str) -> None:
        if self._stop.is_set():
            raise ShutdownRequested(name)
