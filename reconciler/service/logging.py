"""The log: one line for each event, text on a terminal, JSON elsewhere."""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Literal, TextIO, cast

import structlog

from reconciler.config import Config
from reconciler.errors import ConfigError, PortalError, ReconcilerError
from reconciler.formats import shown
from reconciler.hints import hint_for
from reconciler.model import OutageKind, Outcome
from reconciler.receiver import Reply
from reconciler.service.log_writer import BestEffortStream, Stream
from reconciler.sweep import Report
from reconciler.worker import Processed

Format = Literal["auto", "text", "json"]
log: Any = structlog.get_logger()
_WINDOW = 60.0  # seconds
_IDENTITY = ("event", "kind", "reason", "error")  # two failures that agree in these are equal
_ALWAYS_LOGGED = {"lines_lost"}  # each has a number of its own
# The log events at the beginning and at the end of an outage.
EVENTS = {
    OutageKind.DEAD_KEY: ("key_refused", "key_works"),
    OutageKind.LOOKS: ("portal_unavailable", "portal_available"),
    OutageKind.WRITES: ("writes_fail", "writes_work"),
    OutageKind.RATE_LIMITED: ("rate_limited", "rate_limit_cleared"),
}


class Repeats:
    """Limits equal failures to one line a minute, with their number.

    The number of a series that has ended is logged before the next line.
    """

    def __init__(
        self,
        clock: Callable[[], float] = monotonic,
        sum_up: Callable[[Mapping[str, object]], None] = lambda _: None,
    ) -> None:
        """Begin with an empty log; ``sum_up`` logs a series that has ended."""
        self._clock, self._sum_up, self._lock = clock, sum_up, Lock()
        self._logged: dict[tuple[object, ...], tuple[float, int]] = {}

    def __call__(self, _: object, method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """Pass a line on, or drop it as a repetition."""
        key = tuple(line.get(name) for name in _IDENTITY)
        is_failure = method in {"warning", "error"} or "error" in line
        is_failure &= line.get("event") not in _ALWAYS_LOGGED
        now = self._clock()
        with self._lock:
            begun, times = self._logged.get(key, (now, 0)) if is_failure else (now, 0)
            if times and now - begun < _WINDOW:
                self._logged[key] = (begun, times + 1)
                raise structlog.DropEvent
            over = {k: v[1] for k, v in self._logged.items() if now - v[0] >= _WINDOW and k != key}
            for one in over:
                del self._logged[one]
            if is_failure:
                self._logged[key] = (now, 1)
        for one, number in over.items():
            if number > 1:
                self._sum_up({**dict(zip(_IDENTITY, one, strict=True)), "times": number})
        return {**line, "times": times} if times > 1 else line


def configure_log(level: str, form: Format, out: Stream | None = None) -> None:
    """Send the log to stderr from ``level`` on; by way of ``out`` where that is given."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    forms: list[Any] = [_in_order, structlog.processors.JSONRenderer(_as_json)]
    if text:
        colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        forms = [_printable, structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)]
    elif isinstance(sys.stderr, TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    structlog.configure(
        processors=[
            Repeats(sum_up=_log_repeats),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(
                "%Y-%m-%d %H:%M:%S%z" if text else "iso", utc=not text
            ),
            structlog.processors.format_exc_info,
            *forms,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(
            cast(TextIO, out or BestEffortStream(sys.stderr))
        ),
    )
    handler = _Forward(logging.WARNING)
    for name in ("waitress", "apscheduler"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False


def _in_order(_: object, __: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Put time, level and event first, for people who read JSON."""
    first = ("timestamp", "level", "event")
    return {name: line[name] for name in first} | dict(line)


def _as_json(line: object, **options: Any) -> str:
    """Return JSON that is readable in any language, with control characters escaped."""
    text = json.dumps(line, ensure_ascii=False, **options)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _printable(_: object, __: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Replace control characters in foreign texts: a title must not end a line or set a colour."""
    return {name: shown(value) if type(value) is str else value for name, value in line.items()}


def _log_repeats(run: Mapping[str, object]) -> None:
    """Log how often a failure was repeated."""
    fields = {name: value for name, value in run.items() if value is not None and name != "event"}
    log.info("repeated", what=run["event"], **fields)


class _Forward(logging.Handler):
    """Forwards what libraries log to our log."""

    def emit(self, record: logging.LogRecord) -> None:
        fields = {"name": record.name, "error": record.getMessage()}
        if record.exc_info and record.exc_info[0] is not None:
            fields["kind"] = record.exc_info[0].__name__
        log.warning("library", **fields)


def log_configuration(path: Path | None, config: Config) -> None:
    """Log which file was read, None for the environment alone, and where the ledger is."""
    file = None if path is None else str(path.absolute())
    log.info("configuration", file=file, ledger=config.state.url)


def log_processed(attempt: Processed) -> None:
    """Log the result of an attempt at a file."""
    result, seen = attempt.result, attempt.seen
    fields: dict[str, Any] = {"file": attempt.file, "reason": result.reason}
    if seen is not None:
        fields |= {"title": seen.title, "version": seen.revision.version, "comment": seen.comment}
    if result.retry_at is not None:
        fields["retry_at"] = result.retry_at.isoformat(timespec="seconds")
    if result.error:
        fields["error"] = result.error
    write = log.error if result.outcome is Outcome.FAILED else log.info
    write(result.outcome.value, **fields)


def log_reply(reply: Reply) -> None:
    """Log the answer to a delivery."""
    fields: dict[str, Any] = {"code": reply.code.value}
    if reply.reason:
        fields["reason"] = reply.reason
    if reply.event is not None:
        fields |= {"file": reply.event.file, "delivery": reply.event.id}
    if reply.secret:
        fields["older_secret"] = reply.secret  # not 0, the newest: the rotation is not complete
    if reply.error is not None:
        fields |= _fields_of(reply.error)
    level = {"accepted": "info", "ignored": "debug"}.get(reply.status, "warning")
    getattr(log, level)(f"delivery_{reply.status}", **fields)


def log_sweep(report: Report) -> None:
    """Log the result of a sweep, without the numbers that are 0."""
    fields: dict[str, Any] = {"scanned": report.scanned, "enqueued": report.enqueued}
    fields |= {outcome.value: n for outcome in Outcome if (n := report.number(outcome))}
    if report.folders:
        fields["folders"] = report.folders
    if report.undated_updates:
        fields["undated_updates"] = report.undated_updates
    if report.skipped:
        fields["skipped_folders"] = dict(report.skipped)  # as in the JSON of `reconcile`
    if report.incomplete:
        fields["incomplete_folders"] = report.incomplete
    (log.warning if report.incomplete else log.info)("sweep", full_scan=report.full_scan, **fields)


def log_failed_login(client: str) -> None:
    """Log a wrong password from an address; `Repeats` counts those that follow."""
    log.warning("login_failed", client=client)


def log_secrets(number: int) -> None:
    """Log that webhook.secret_file has changed, and how many secrets it has."""
    log.info("secrets_read", number=number)


def log_secrets_error(error: ConfigError) -> None:
    """Log why webhook.secret_file was not read; the secrets read before remain valid."""
    log.warning("secrets_not_read", error=str(error))


def log_lost_lines(number: int) -> None:
    """Log how many lines were dropped because nobody read the log."""
    log.warning("lines_lost", number=number)


def log_error(error: Exception) -> None:
    """Log a failure that concerns no file."""
    log.error("error", **_fields_of(error))


def _fields_of(error: Exception) -> dict[str, str]:
    """Return an error's kind and text, with the hint that `check` and the commands give."""
    if not isinstance(error, ReconcilerError):
        return {"kind": "bug", "error": str(error)}
    hint = hint_for(error)
    return {"kind": error.kind, "error": str(error)} | ({"hint": hint} if hint else {})


class OutageLog:
    """Logs the beginning and the end of each outage once."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Begin without an outage."""
        self._clock, self._lock = clock, threading.Lock()
        self._since: dict[OutageKind, datetime] = {}

    def on_outage(self, kind: OutageKind, error: PortalError) -> None:
        """Log that an outage began, with the hint that `check` gives for its cause."""
        with self._lock:
            self._since[kind] = self._clock()
        write = log.error if kind is OutageKind.DEAD_KEY else log.warning
        write(EVENTS[kind][0], error=str(error), hint=hint_for(error))

    def on_recovery(self, kind: OutageKind) -> None:
        """Log that an outage has ended, and how long it lasted."""
        with self._lock:
            since = self._since.pop(kind, self._clock())
        seconds = (self._clock() - since).total_seconds()
        log.info(EVENTS[kind][1], seconds=max(round(seconds), 0))
