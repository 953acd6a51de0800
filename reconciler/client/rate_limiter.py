"""Keeps below the portal's limits: requests a minute, and requests at once (docspace.md 2).

Requests of the minute are reserved in blocks, so that processes that share a ledger can share the
limit without a transaction for each request. A block expires within seconds: a request reserved
earlier would count in another minute than the one it is sent in. Blocks begin small and grow while
they are used up, so that a process with few requests wastes few. Each process limits its parallel
requests by itself.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.errors import ShutdownRequested

_BLOCK_LIFE = 5.0  # seconds in which a block must be used
_FIRST_BLOCK = 2  # requests
_STOP_POLL = 0.2  # seconds between checks whether to stop
_LOOK_AND_WRITE = 2  # requests

Reserve = Callable[[int], float]
"""Reserves so many requests of the minute; returns the seconds to wait, 0 when they are granted."""


class RateLimiter:
    """Admits requests. ``stop`` ends every wait with ShutdownRequested."""

    def __init__(
        self,
        *,
        reads: int,
        writes: int,
        block: int = _FIRST_BLOCK,
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
        self._remaining, self._until, self._lock = 0, 0.0, threading.Lock()
        self._own, self._size = threading.local(), _FIRST_BLOCK

    @contextmanager
    def acquire(self, method: str, name: str) -> Iterator[None]:
        """Wait for a free slot, and hold it within the block.

        Raises ShutdownRequested when asked to stop.
        """
        slots = self._slots[method]
        while not slots.acquire(timeout=_STOP_POLL):
            self._check_stop(name)
        try:
            if not self._use_reserved():
                self._wait_for_one(name)
            yield
        finally:
            slots.release()

    @contextmanager
    def reserve_look_and_write(self) -> Iterator[None]:
        """Reserve two requests of the minute for this thread, within the block.

        Then nothing waits between a look and the write that it leads to.
        """
        for _ in range(_LOOK_AND_WRITE):
            self._wait_for_one("the minute")
        self._own.reserved = _LOOK_AND_WRITE
        try:
            yield
        finally:
            with self._lock:
                self._remaining += self._own.reserved
            self._own.reserved = 0

    def _use_reserved(self) -> bool:
        reserved: int = getattr(self._own, "reserved", 0)
        self._own.reserved = max(reserved - 1, 0)
        return reserved > 0

    def _wait_for_one(self, name: str) -> None:
        while (delay := self._take(time.monotonic())) > 0:
            self._stop.wait(delay)
            self._check_stop(name)

    def _take(self, now: float) -> float:
        with self._lock:
            if self._remaining == 0 or now > self._until:
                grown = _FIRST_BLOCK if now > self._until else self._size * 2
                size = min(grown, self._block)
                if (delay := self._reserve(size)) > 0:
                    return delay
                self._remaining, self._until, self._size = size, now + _BLOCK_LIFE, size
            self._remaining -= 1
            return 0

    def _check_stop(self, name: str) -> None:
        if self._stop.is_set():
            raise ShutdownRequested(name)
