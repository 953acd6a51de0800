"""The queue of webhook deliveries: in memory, order not kept (docspace.md 6)."""

import heapq
import itertools
import random
import threading
import time
from dataclasses import dataclass
from datetime import datetime

from reconciler.sandbox.configs import Config
from reconciler.sandbox.values import Network


@dataclass(slots=True)
class Job:
    """One delivery of a log entry with its retries.

    ``config`` is read before the first attempt and written back after the last one, as the
    portal does.
    """

    log_id: int
    attempt: int = 0
    config: Config | None = None
    failed_on: datetime | None = None
    failure: str = ""
    retry_on: datetime | None = None


class Outbox:
    """Jobs by the time they are due; thread-safe, and it can be waited on."""

    def __init__(self) -> None:
        """Start empty, with a network that loses nothing."""
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self._busy = 0
        self._held = False
        self._network = Network()
        self._random = random.Random(1)  # noqa: S311 - reproducible faults, no secret

    def use(self, network: Network) -> None:
        """Let deliveries travel over ``network`` from now on."""
        with self._changed:
            self._network = network
            self._random = random.Random(network.seed)  # noqa: S311 - as above

    def copies(self) -> int:
        """Decide how many times a new delivery arrives: 0 when the network drops it."""
        with self._changed:
            if self._random.random() < self._network.drop:
                return 0
            return 2 if self._random.random() < self._network.duplicate else 1

    def put(self, job: Job, after: float) -> None:
        """Queue a job, due ``after`` seconds from now, plus the network's delay."""
        with self._changed:
            due = time.monotonic() + after + self._network.delay
            heapq.heappush(self._waiting, (due, next(self._numbers), job))
            self._changed.notify_all()

    def take(self, stop: threading.Event) -> Job | None:
        """Wait for a job that is due and take it; None once ``stop`` is set."""
        with self._changed:
            while not stop.is_set():
                job = self._due()
                if job is not None:
                    self._busy += 1
                    return job
                self._changed.wait(self._until_next())
            return None

    def done(self) -> None:
        """Say that a taken job is finished, its retry queued if there is one."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def hold(self, *, held: bool) -> None:
        """Keep everything in the queue, or let it go again."""
        with self._changed:
            self._held = held
            self._changed.notify_all()

    def wake(self) -> None:
        """Wake all waiting threads, so that they see a stop."""
        with self._changed:
            self._changed.notify_all()

    def drain(self, timeout: float) -> bool:
        """Wait until nothing is queued or under way; False when ``timeout`` passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def _due(self) -> Job | None:
        now = time.monotonic()
        if self._held or not self._waiting or self._waiting[0][0] > now:
            return None
        if not self._network.reorder:
            return heapq.heappop(self._waiting)[2]
        due = [number for number, (at, _, _) in enumerate(self._waiting) if at <= now]
        job = self._waiting.pop(self._random.choice(due))[2]
        heapq.heapify(self._waiting)
        return job

    def _until_next(self) -> float | None:
        if self._held or not self._waiting:
            return None
        return max(0.0, self._waiting[0][0] - time.monotonic())
