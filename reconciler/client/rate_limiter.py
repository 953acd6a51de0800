"""Keeps below the portal's limits: requests a minute, and requests at once (docspace.md 2).

Requests of the minute are reserved in blocks, so that processes that share a ledger can share the
limit without a transaction for each request. A block is used within seconds or not at all: a
request reserved long ago would count in another minute than the one it is sent in. Blocks begin
small and grow while they are used up, so that a process that asks little wastes little. Parallel
requests are limited for each process by itself.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.errors import ShutdownRequested

_FRESH = 5.0  # seconds
_FIRST = 2
_LOOK_UP = 0.2  # seconds between looks at whether we are asked to stop

Reserve = Callable[[int], float]
"""Reserves so many requests of the minute; returns the seconds to wait, 0 when they are ours."""


class RateLimiter:
    """Admits requests. ``stop`` ends every wait with ShutdownRequested."""

    def __init__(
        self,
        *,
        reads: int,
        writes: int,
        block: int = _FIRST,
        reserve: Reserve = lambda _: 0,
        stop: threading.Event | None = None,
    ) -> None:
        """``reserve`` shares the minute with other processes, ``block`` requests at a time."""
        self._slots = {
            "GET": threading.BoundedSemaphore(reads),
            "PUT": threading.BoundedSemaphore(writes),
        }
        self._block, self._reserve = block, reserve
        self._stop = stop or threading.Event()
        self._left, self._until, self._lock = 0, 0.0, threading.Lock()
        self._own, self._size = threading.local(), _FIRST

    @contextmanager
    def acquire(self, method: str, name: str) -> Iterator[None]:
        """Wait for a place, hold it within the block.

        Raises ShutdownRequested when asked to stop.
        """
        slots = self._slots[method]
        while not slots.acquire(timeout=_LOOK_UP):
            self._check_stop(name)
        try:
            if not self._use_reserved():
                self._wait_for_one(name)
            yield
        finally:
            slots.release()

    @contextmanager
    def reserve(self, number: int) -> Iterator[None]:
        """Reserve ``number`` requests of the minute for this thread, within the block.

        Then nothing waits between a look and the write that it leads to.
        """
        for _ in range(number):
            self._wait_for_one("the minute")
        self._own.reserved = number
        try:
            yield
        finally:
            with self._lock:
                self._left += self._own.reserved
            self._own.reserved = 0

    def _use_reserved(self) -> bool:
        left: int = getattr(self._own, "reserved", 0)
        self._own.reserved = max(left - 1, 0)
        return left > 0

    def _wait_for_one(self, name: str) -> None:
        while (delay := self._take(time.monotonic())) > 0:
            self._stop.wait(delay)
            self._check_stop(name)

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

    def _check_stop(self, name: str) -> None:
        if self._stop.is_set():
            raise ShutdownRequested(name)
