"""Keeps below the portal's limits: requests a minute, and requests at once (docspace.md 2).

Slots of the minute are asked for in blocks, so that processes that share a ledger can share the
limit without a transaction for each request. A block is used within seconds or not at all: a
slot that was asked for long ago would count in another minute than the one it is used in.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from reconciler.errors import Transient

_FRESH = 5.0  # seconds
_LOOK_UP = 0.2  # seconds between looks at whether we are told to stop

Reserve = Callable[[int], float]
"""Asks for so many slots of the minute; returns the seconds to wait, 0 when they are ours."""
Slot = Callable[[str], AbstractContextManager[object]]
"""Holds one of the slots that all processes share for a method, while it is entered."""


class Pace:
    """Admits requests. ``stop`` ends every wait with Transient."""

    def __init__(
        self,
        *,
        reads: int,
        writes: int,
        block: int = 1,
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

    @contextmanager
    def admitted(self, method: str, name: str) -> Iterator[None]:
        """Wait for a place, hold it within the block. Raises Transient when told to stop."""
        slots = self._slots[method]
        while not slots.acquire(timeout=_LOOK_UP):
            self._heed(name)
        try:
            with self._shared(method):
                while (delay := self._take(time.monotonic())) > 0:
                    self._stop.wait(delay)
                    self._heed(name)
                yield
        finally:
            slots.release()

    def _take(self, now: float) -> float:
        with self._lock:
            if self._left == 0 or now > self._until:
                if (delay := self._reserve(self._block)) > 0:
                    return delay
                self._left, self._until = self._block, now + _FRESH
            self._left -= 1
            return 0

    def _heed(self, name: str) -> None:
        if self._stop.is_set():
            raise Transient(name, None, "stopping")
