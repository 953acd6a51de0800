"""The log: one line for each thing that matters, text on a terminal, JSON elsewhere."""

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, Literal, TextIO, cast

import structlog

from reconciler.model import Outcome
from reconciler.receiver import Reply
from reconciler.sweep import Report
from reconciler.worker import Attempt

Format = Literal["auto", "text", "json"]
log: Any = structlog.get_logger()
_RUN = 60.0  # seconds


class Repeats:
    """Lets a run of equal failures through as one line, and then one a minute with a count."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Nothing was said yet."""
        self._clock, self._lock = clock, Lock()
        self._said: dict[tuple[object, ...], tuple[float, int]] = {}

    def __call__(self, _: object, method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """Pass a line on, or drop it as another of the same."""
        if method not in {"warning", "error"}:
            return line
        key = (line.get("event"), line.get("kind"), line.get("reason"), line.get("error"))
        now = self._clock()
        with self._lock:
            begun, times = self._said.get(key, (now, 0))
            if times and now - begun < _RUN:
                self._said[key] = (begun, times + 1)
                raise structlog.DropEvent
            self._said = {k: v for k, v in self._said.items() if now - v[0] < _RUN}
            self._said[key] = (now, 1)
        return {**line, "times": times} if times > 1 else line


def configure_log(level: str, form: Format) -> None:
    """Send the log to stderr from ``level`` on."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            Repeats(),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Patient(sys.stderr))),
    )
    handler = _Forward(logging.WARNING)
    for name in ("waitress", "apscheduler"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False


class _Patient:
    """Writes to a stream that may be full or gone: work must not fail for want of a log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Forward(logging.Handler):
    """Takes what libraries log into our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("library", name=record.name, error=record.getMessage())


def tell_attempt(attempt: Attempt) -> None:
    """Log how an attempt at a file ended."""
    ending, seen = attempt.ending, attempt.seen
    fields: dict[str, Any] = {"file": attempt.file, "reason": ending.reason}
    if seen is not None:
        fields |= {"title": seen.title, "version": seen.revision.version, "found": seen.comment}
    if ending.again is not None:
        fields["again"] = ending.again.isoformat(timespec="seconds")
    if ending.error:
        fields["error"] = ending.error
    loud = ending.outcome is Outcome.FAILED or ending.reason in {"unauthorised", "loop"}
    (log.error if loud else log.info)(ending.outcome.value, **fields)


def tell_reply(reply: Reply) -> None:
    """Log what became of a delivery."""
    fields: dict[str, Any] = {"code": reply.code.value, "reason": reply.reason}
    if reply.event is not None:
        fields |= {"file": reply.event.file, "delivery": reply.event.id}
    if reply.secret:
        fields["older_secret"] = reply.secret  # 0 is the newest: a rotation is not over yet
    if reply.error is not None:
        fields |= {"kind": type(reply.error).__name__, "error": str(reply.error)}
    {"accepted": log.info, "ignored": log.debug}.get(reply.status, log.warning)(
        f"delivery_{reply.status}", **fields
    )


def tell_sweep(report: Report) -> None:
    """Log what a sweep found: at a glance when it found nothing."""
    fields: dict[str, Any] = {"scanned": report.scanned, "to_look_at": report.handed}
    if report.folders:
        fields["folders"] = report.folders
    if report.skipped:
        fields["skipped"] = dict(report.skipped)
    if report.behind:
        fields["behind"] = report.behind
    (log.warning if report.behind else log.info)("sweep", deep=report.deep, **fields)


def tell_error(error: Exception) -> None:
    """Log a failure that concerns no file."""
    log.error("error", kind=type(error).__name__, error=str(error))
