"""The log's lines on their way out, written by a thread of their own.

A line never waits for its reader: a stopped terminal or a hanging collector must not keep a
delivery from its answer. Lines that come together are written together: one by one they cost a
delivery a fifth of its time.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, Self

_BATCH_DELAY = 0.02  # seconds that a line waits for others
_MAX_LINES = 10_000  # lines kept for a reader that reads nothing
_TIMEOUT = 1.0  # seconds that the end waits for such a reader


class Stream(Protocol):
    """As much of a text stream as a log needs."""

    def write(self, text: str, /) -> object:
        """Take some text."""

    def flush(self) -> object:
        """Keep nothing back."""


class BestEffortStream:
    """Writes to a stream that may be full or gone: work must not fail for want of a log."""

    def __init__(self, stream: Stream) -> None:
        """Write to ``stream``."""
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, if it can be."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Keep nothing back, if it can be."""
        with suppress(OSError, ValueError):
            self._stream.flush()


class LogWriter:
    """A stream to log to, from entering the block to leaving it; directly after that.

    More than ``max_lines`` unwritten lines are lost, and ``on_lost`` gets their number.
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
        """Write to ``stream``, which may be full or gone; the end waits ``timeout`` seconds.

        A line waits for others for ``batch_delay`` seconds.
        """
        self._stream, self._on_lost = BestEffortStream(stream), on_lost
        self._timeout, self._batch_delay = timeout, batch_delay
        self._lines, self._lost = queue.Queue[str](max_lines), 0
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def __enter__(self) -> Self:
        """Begin to write."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left, unless the reader does not take it in time."""
        self._ended.set()
        with suppress(queue.Full):
            self._lines.put_nowait("")  # wakes the thread
        self._thread.join(self._timeout)
        if not self._thread.is_alive():
            self._write_out()

    def are_stuck(self) -> bool:
        """Whether a reader still holds up the thread: then Python's own end would wait for it."""
        return self._thread.is_alive()

    def write(self, text: str) -> None:
        """Take a line."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            with self._lock:
                self._lost += 1
        if self._ended.is_set() and not self._thread.is_alive():
            self._write_out()

    def flush(self) -> None:
        """Return at once: what was written comes out in a moment."""

    def _run(self) -> None:
        while not self._ended.is_set():
            first = self._lines.get()
            self._ended.wait(self._batch_delay)
            self._write_out(first)

    def _write_out(self, *first: str) -> None:
        """Write all that is there with one call."""
        lines = [*first, *(self._lines.get_nowait() for _ in range(self._lines.qsize()))]
        with self._lock:
            lost, self._lost = self._lost, 0
        if text := "".join(lines):
            self._stream.write(text)
            self._stream.flush()
        if lost:
            self._on_lost(lost)
