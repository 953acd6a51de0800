"""Writes the log's lines in a thread of its own.

No caller waits for the reader of the log: a stopped terminal or a hanging collector must not delay
the answer to a delivery. Lines are written in batches: one by one they take a fifth of the time of
a delivery.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, Self

_BATCH_DELAY = 0.02  # seconds that a line waits for others of its batch
_MAX_LINES = 10_000  # lines kept while the reader is blocked
_TIMEOUT = 1.0  # seconds that the end waits for a blocked reader


class Stream(Protocol):
    """The part of a text stream that a log needs."""

    def write(self, text: str, /) -> object:
        """Write a text, or buffer it."""

    def flush(self) -> object:
        """Write what is buffered."""


class BestEffortStream:
    """Writes to a stream that may be full or closed: no work may fail because of the log."""

    def __init__(self, stream: Stream) -> None:
        """Write to ``stream``."""
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a text, and ignore a failure."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Write what is buffered, and ignore a failure."""
        with suppress(OSError, ValueError):
            self._stream.flush()


class LogWriter:
    """A stream for the log that never blocks within its block, and writes directly after it.

    Lines beyond ``max_lines`` unwritten ones are dropped, and ``on_lost`` gets their number.
    """

    def __init__(
        self,
        stream: Stream,
        on_lost: Callable[[int], object],
        *,
        max_lines: int = _MAX_LINES,
        timeout: float = _TIMEOUT,
        batch_delay: float = _BATCH_DELAY,
    ) -> None:
        """Write to ``stream``, which may be full or closed.

        ``timeout`` is how many seconds the end of the block waits for a blocked reader,
        ``batch_delay`` how many a line waits for others.
        """
        self._stream, self._on_lost = BestEffortStream(stream), on_lost
        self._timeout, self._batch_delay = timeout, batch_delay
        self._lines, self._lost = queue.Queue[str](max_lines), 0
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write the remaining lines, unless the reader is blocked for too long."""
        self._ended.set()
        with suppress(queue.Full):
            self._lines.put_nowait("")  # wakes the thread
        self._thread.join(self._timeout)
        if not self._thread.is_alive():
            self._write_out()

    def is_blocked(self) -> bool:
        """Whether the reader still blocks the thread: then the end of Python would wait for it."""
        return self._thread.is_alive()

    def write(self, text: str) -> None:
        """Queue a line."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            with self._lock:
                self._lost += 1
        if self._ended.is_set() and not self._thread.is_alive():
            self._write_out()

    def flush(self) -> None:
        """Return at once: the thread writes the lines within moments."""

    def _run(self) -> None:
        while not self._ended.is_set():
            first = self._lines.get()
            self._ended.wait(self._batch_delay)
            self._write_out(first)

    def _write_out(self, *first: str) -> None:
        """Write all queued lines with one call."""
        lines = [*first, *(self._lines.get_nowait() for _ in range(self._lines.qsize()))]
        with self._lock:
            lost, self._lost = self._lost, 0
        if text := "".join(lines):
            self._stream.write(text)
            self._stream.flush()
        if lost:
            self._on_lost(lost)
