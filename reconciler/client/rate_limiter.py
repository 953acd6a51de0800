"""Keeps below the portal's limits: requests a minute, and requests at once (docspace.md 2).

Requests of the minute are reserved in blocks, so that processes that share a ledger can share the
limit without a transaction for each request. A block expires within seconds: a request reserved
earlier would count in another minute than the one it is sent in. Only a write may use an older one,
so that nothing waits between a look and its write. Blocks begin small and grow while they are used
up, so that a process with few requests wastes few. Each process limits its parallel requests by
itself.
"""

import threading
import time
from collections import deque
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``reserve`` shares the minute with other processes, ``block`` requests at a time.

        ``clock`` returns seconds.
        """
        self._slots = {
            "GET": threading.BoundedSemaphore(reads),
            "PUT": threading.BoundedSemaphore(writes),
        }
        self._block, self._reserve = block, reserve
        self._stop, self._clock = stop or threading.Event(), clock
        # When each request that is reserved and free expires, and when the newest block does.
        self._free, self._until, self._lock = deque[float](), 0.0, threading.Lock()
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
        reserved = [self._wait_for_one("the minute") for _ in range(_LOOK_AND_WRITE)]
        self._own.reserved = reserved
        try:
            yield
        finally:
            self._own.reserved = []
            with self._lock:
                self._free.extendleft(reserved)

    def _use_reserved(self) -> bool:
        reserved: list[float] = getattr(self._own, "reserved", [])
        if not reserved:
            return False
        reserved.pop(0)
        return True

    def _wait_for_one(self, name: str) -> float:
        """Wait for a request of the minute; return when it expires."""
        while True:
            with self._lock:
                delay = self._fill(self._clock())
                if delay == 0:
                    return self._free.popleft()
            self._stop.wait(delay)
            self._check_stop(name)

    def _fill(self, now: float) -> float:
        """Reserve a block if no request is free; return the seconds to wait, 0 if one is free."""
        while self._free and self._free[0] < now:
            self._free.popleft()
        if self._free:
            return 0
        grown = _FIRST_BLOCK if now > self._until else self._size * 2
        size = min(grown, self._block)
        if (delay := self._reserve(size)) > 0:
            return delay
        self._until, self._size = now + _BLOCK_LIFE, size
        self._free.extend([self._until] * size)
        return 0

    def _check_stop(self, name: str) -> None:
        if self._stop.is_set():
            raise ShutdownRequested(name)
