"""One cause has one hint: in a command's message, in a finding of `check`, and in the log."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.cli.messages import message_for
from reconciler.config import load
from reconciler.diagnostics import find_problems
from reconciler.diagnostics.checks import Finding, PortalSnapshot, Snapshot
from reconciler.diagnostics.checks import check as judged
from reconciler.errors import (
    AddressUnreachableError,
    ForbiddenError,
    LedgerCause,
    LedgerError,
    PortalError,
    RateLimitedError,
    ReconcilerError,
    TransientError,
    UnauthorizedError,
    UntrustedCertificateError,
)
from reconciler.hints import hint_for
from reconciler.model import OutageKind
from reconciler.service import configure_log
from reconciler.service.logging import OutageLog, log_error
from reconciler.webhooks import WebhookSpec
from tests.support_ledger import NOW, opened
from tests.test_logging import LogText, log_text

__all__ = ["log_text"]

ROUTE = "GET keys/@self"
ERRORS: list[ReconcilerError] = [
    UnauthorizedError(ROUTE, 401, "expired"),
    UnauthorizedError(ROUTE, 403, "no scope", scope="rooms:read"),
    RateLimitedError(ROUTE, 429),
    ForbiddenError(ROUTE, 403),
    TransientError(ROUTE, None, "refused"),
    TransientError(ROUTE, 402),
    TransientError(ROUTE, 503),
    TransientError(ROUTE, 404),
    *(
        LedgerError(f"it cannot be used ({cause.value})", cause)
        for cause in LedgerCause
        if cause is not LedgerCause.STATED
    ),
    AddressUnreachableError("https://hooks.example.com/"),
    AddressUnreachableError("https://hooks.example.com/", 401),
    AddressUnreachableError("https://hooks.example.com/", 502),
    UntrustedCertificateError("https://hooks.example.com/", None, "self-signed"),
]


def found_by_check(error: ReconcilerError) -> list[Finding]:
    """Return the findings of `check` for this error alone."""
    spec = WebhookSpec(None, "/", ())
    snapshot = Snapshot(load(None, {}), spec, (), PortalSnapshot(datetime.now(UTC)))
    if isinstance(error, PortalError):
        snapshot = replace(snapshot, portal=replace(snapshot.portal, key=error, build=error))
    if isinstance(error, LedgerError):
        snapshot = replace(snapshot, ledger=error)
    if isinstance(error, AddressUnreachableError):
        snapshot = replace(snapshot, address=error)
    return judged(snapshot)


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_a_message_a_finding_and_a_log_line_give_the_same_hint(
    error: ReconcilerError, log_text: LogText
) -> None:
    """A message, a finding and a log line for one cause have the same hint."""
    hint = hint_for(error)
    assert message_for(error)[1].endswith(f"\n{hint[0].upper()}{hint[1:]}.")
    assert hint in {finding.hint for finding in found_by_check(error)}
    configure_log("info", "json")
    log_error(error)
    assert json.loads(log_text())["hint"] == hint


def test_the_log_of_an_outage_has_the_hint_of_its_cause(log_text: LogText) -> None:
    """The log of an outage has the hint of its cause, not the advice to run another command."""
    configure_log("info", "json")
    for error in (one for one in ERRORS if isinstance(one, PortalError)):
        OutageLog(lambda: datetime.now(UTC)).on_outage(OutageKind.LOOKS, error)
        assert json.loads(log_text())["hint"] == hint_for(error)


def test_a_ledger_that_cannot_be_written_has_that_hint_too(tmp_path: Path) -> None:
    """A ledger that cannot be written has the same hint in `status` and on the page."""
    error = LedgerError("database or disk is full", LedgerCause.DISK_FULL)
    with opened(tmp_path) as ledger:
        problem, *_ = find_problems(ledger.health.overview(NOW), error)
    assert problem.hint == hint_for(error)


def test_a_message_that_says_what_to_do_is_the_only_line() -> None:
    """A message that already says what to do has no further hint, which would mislead."""
    error = LedgerError("it needs a driver: pip install it", LedgerCause.STATED)
    assert message_for(error)[1] == "The ledger cannot be used: it needs a driver: pip install it."
    assert {one.hint for one in found_by_check(error) if one.about == "ledger"} == {""}


def test_what_says_all_by_itself_has_no_hint(log_text: LogText) -> None:
    """A bug has no hint, since nothing can be done about it but to report it."""
    configure_log("info", "json")
    log_error(KeyError("x"))
    assert "hint" not in json.loads(log_text())
