"""What processes on one ledger share of the portal's limits: requests a minute, and at once."""

import fcntl
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, delete, func, or_, select

from reconciler.ledger.counters import add
from reconciler.ledger.store.schema import request_buckets

_BUCKET = timedelta(seconds=5)
_WINDOW = timedelta(seconds=60) + 2 * _BUCKET  # a slot may be used a bucket after it was taken
_OWNER_ONLY = 0o600


def reserve(c: Connection, now: datetime, number: int, per_minute: int) -> float:
    """Take slots of the minute: return 0 when they are ours, else the seconds to wait.

    A bucket that lies in the future was taken before the clock was set back: nobody waits for it.
    """
    gone = or_(request_buckets.c.bucket <= now - _WINDOW, request_buckets.c.bucket > now + _BUCKET)
    c.execute(delete(request_buckets).where(gone))
    taken, oldest = c.execute(
        select(
            func.coalesce(func.sum(request_buckets.c.number), 0), func.min(request_buckets.c.bucket)
        )
    ).one()
    if taken + number > per_minute and oldest is not None:
        return float(max((oldest + _WINDOW - now).total_seconds(), 0.05))
    seconds = _BUCKET.total_seconds()
    start = datetime.fromtimestamp(now.timestamp() // seconds * seconds, now.tzinfo)
    add(c, request_buckets, {"bucket": start}, number)
    return 0


class Slots(ABC):
    """So many holders at once over all processes. What a killed process held is free."""

    again = 0.01  # seconds between tries for a slot that another process holds

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold one slot within the block; wait for it."""
        while (slot := self._take()) is None:
            time.sleep(self.again)
        try:
            yield
        finally:
            self._give_back(slot)

    @abstractmethod
    def close(self) -> None:
        """Give back everything."""

    @abstractmethod
    def _take(self) -> int | None:
        """Take a free slot, None where there is none."""

    @abstractmethod
    def _give_back(self, slot: int) -> None:
        """Let others have the slot."""


class FileSlots(Slots):
    """The slots are the locked bytes of a file."""

    def __init__(self, path: Path, number: int) -> None:
        """Open the file whose bytes are the slots."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        self._number, self._mine, self._lock = number, set[int](), threading.Lock()

    def close(self) -> None:
        """Give back everything."""
        os.close(self._file)

    def _take(self) -> int | None:
        with self._lock:
            for slot in range(self._number):
                if slot not in self._mine and self._try(slot):
                    self._mine.add(slot)
                    return slot
        return None

    def _try(self, slot: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _give_back(self, slot: int) -> None:
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, slot)
            self._mine.discard(slot)
