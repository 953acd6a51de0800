"""The log: one line for each thing that matters, text on a terminal, JSON elsewhere."""

import logging
import sys
from typing import Any, Literal

import structlog

from reconciler.model import Outcome
from reconciler.receiver import Reply
from reconciler.sweep import Report
from reconciler.worker import Attempt

Format = Literal["auto", "text", "json"]
log: Any = structlog.get_logger()


def configure_log(level: str, form: Format) -> None:
    """Send the log to stderr from ``level`` on."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


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
