"""The queue of webhook deliveries: in memory, order not kept (docspace.md 6)."""

import heapq
import itertools
import random
import threading
import time
from dataclasses import dataclass
from datetime import datetime

from reconciler.sandbox.store import WebhookConfig
from reconciler.sandbox.values import Network


@dataclass(slots=True)
class Job:
    """One delivery of a log entry with its retries.

    ``config`` is read before the first attempt and written back after the last one, as the
    portal does.
    """

    log_id: int
    attempt: int = 0
    config: WebhookConfig | None = None
    failed_on: datetime | None = None
    failure: str = ""
    retry_on: datetime | None = None


class Outbox:
    """Jobs by the time they are due; thread-safe, and it can be waited on."""

    def __init__(self) -> None:
        """Start empty, with a network without faults."""
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self._busy = 0
        self._held = False
        self.network = Network()

    @property
    def network(self) -> Network:
        """The faults of deliveries; may be set, and then apply from now on."""
        return self._network

    @network.setter
    def network(self, network: Network) -> None:
        with self._changed:
            self._network = network
            self._random = random.Random(network.seed)  # noqa: S311 - reproducible, no secret

    def copies(self) -> int:
        """Return how many times a new delivery is sent: 0 when the network drops it."""
        with self._changed:
            if self._random.random() < self._network.drop:
                return 0
            return 2 if self._random.random() < self._network.duplicate else 1

    def put(self, job: Job) -> None:
        """Queue a job, due after the network's delay."""
        with self._changed:
            due = time.monotonic() + self._network.delay
            heapq.heappush(self._waiting, (due, next(self._numbers), job))
            self._changed.notify_all()

    def take(self, size: int, poll: float, stop: threading.Event) -> list[Job]:
        """Wait for jobs that are due and take up to ``size``; none once ``stop`` is set.

        An empty queue is looked at every ``poll`` seconds, with 0 as soon as it changes.
        """
        while not stop.is_set():
            with self._changed:
                jobs = self._take_due(size)
                if jobs:
                    self._busy += len(jobs)
                    return jobs
                if not poll and not stop.is_set():
                    self._changed.wait(self._until_next())
            if poll:
                stop.wait(poll)
        return []

    def pause(self, seconds: float, stop: threading.Event) -> bool:
        """Wait before a retry, longer while deliveries are held; False once ``stop`` is set."""
        with self._changed:
            due = time.monotonic() + seconds + self._network.delay
            while not stop.is_set():
                left = due - time.monotonic()
                if left <= 0 and not self._held:
                    return True
                self._changed.wait(left if left > 0 else None)
            return False

    def done(self) -> None:
        """Record that a taken job is finished, or queued again."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def hold(self, *, held: bool) -> None:
        """Hold all deliveries in the queue, or release them."""
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

    def _take_due(self, size: int) -> list[Job]:
        now = time.monotonic()
        due: list[tuple[float, int, Job]] = []
        mixed = self._network.reorder
        while not self._held and self._waiting and self._waiting[0][0] <= now:
            if len(due) == size and not mixed:
                break
            due.append(heapq.heappop(self._waiting))
        if mixed:
            self._random.shuffle(due)
        for left in due[size:]:
            heapq.heappush(self._waiting, left)
        return [job for _, _, job in due[:size]]

    def _until_next(self) -> float | None:
        if self._held or not self._waiting:
            return None
        return max(0.0, self._waiting[0][0] - time.monotonic())
