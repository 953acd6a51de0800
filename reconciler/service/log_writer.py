"""The log's lines on their way out, written by a thread of their own.

Whoever has a line to write never waits for who reads it: a terminal that was stopped or a
collector that hangs must not keep a delivery from its answer. And lines that come together are
written together: one by one they cost a delivery a fifth of its time.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, Self

_TOGETHER = 0.02  # seconds that a line waits for others
_MOST = 10_000  # lines kept for a reader that reads nothing
_PATIENCE = 1.0  # seconds that the end waits for such a reader


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

    More lines than ``most`` that nobody has read yet are lost, and ``log_lost_lines`` hears how
    many.
    """

    def __init__(
        self,
        stream: Stream,
        log_lost_lines: Callable[[int], object],
        *,
        most: int = _MOST,
        patience: float = _PATIENCE,
        together: float = _TOGETHER,
    ) -> None:
        """Write to ``stream``, which may be full or gone; the end waits ``patience`` seconds.

        A line waits for others for ``together`` seconds.
        """
        self._stream, self._tell_lost = BestEffortStream(stream), log_lost_lines
        self._most, self._patience, self._together = most, patience, together
        self._lines, self._lost, self._lock = list[str](), 0, threading.Lock()
        self._some, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def __enter__(self) -> Self:
        """Begin to write."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left, unless the reader does not take it in time."""
        self._ended.set()
        self._some.set()
        self._thread.join(self._patience)
        if not self._thread.is_alive():
            self._write_out()

    def are_stuck(self) -> bool:
        """Whether a reader still holds up the thread: then Python's own end would wait for it."""
        return self._thread.is_alive()

    def write(self, text: str) -> None:
        """Take a line."""
        with self._lock:
            if len(self._lines) < self._most:
                self._lines.append(text)
            else:
                self._lost += 1
        self._some.set()
        if self._ended.is_set() and not self._thread.is_alive():
            self._write_out()

    def flush(self) -> None:
        """Return at once: what was written comes out in a moment."""

    def _run(self) -> None:
        while not self._ended.is_set():
            self._some.wait()
            self._ended.wait(self._together)
            self._some.clear()
            self._write_out()

    def _write_out(self) -> None:
        with self._lock:
            text, lost = "".join(self._lines), self._lost
            self._lines.clear()
            self._lost = 0
        if text:
            self._stream.write(text)
            self._stream.flush()
        if lost:
            self._tell_lost(lost)
