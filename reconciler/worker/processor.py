"""One attempt at one claimed file: look, decide, and to mark it, store the intent and send the PUT.

Every attempt ends with a result in the ledger, unless another process took the claim.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from reconciler.client import DocSpace
from reconciler.decision import Policy
from reconciler.errors import ForbiddenError, LedgerError, PortalError
from reconciler.ledger import Ledger
from reconciler.model import (
    Action,
    AttemptReason,
    AttemptResult,
    Claim,
    Decision,
    Entry,
    File,
    Intent,
    OutageKind,
    Outcome,
    Rule,
    WriteGrant,
)
from reconciler.worker.look import Look, Looker
from reconciler.worker.portal_health import PortalHealth, request_kind

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_UNDONE = "our comment on this revision was undone more than five times within an hour"
_FINISH_DELAYS = (0.2, 0.5, 1.0, 2.0)  # seconds; a PostgreSQL failover takes about as long


@dataclass(frozen=True)
class Processed:
    """One attempt: the file as it was ``seen``, the rule that decided, and the result.

    ``rule`` is None where the portal did not answer. ``wrote`` is whether the portal confirmed a
    write.
    """

    file: int
    seen: File | None
    rule: Rule | None
    result: AttemptResult
    wrote: bool = False


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of the worker.

    ``lease`` is the time limit of a whole attempt, ``answer`` that of the portal's longest answer.
    """

    policy: Policy
    lookback: timedelta
    threads: int
    lease: timedelta
    answer: timedelta


class FileProcessor:
    """Processes claimed files. ``wait`` sleeps (seconds) before a failed ledger is tried again."""

    def __init__(
        self,
        ledger: Ledger,
        docspace: DocSpace,
        settings: WorkerSettings,
        clock: Callable[[], datetime],
        health: PortalHealth,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """Share one view of the portal's health between all attempts."""
        self._ledger, self._docspace, self.settings = ledger, docspace, settings
        self._clock, self.health, self._wait = clock, health, wait
        self.looker = Looker(ledger, docspace, settings.policy, settings.lookback, clock)
        self._is_target_stored = False

    def process(self, claim: Claim) -> Processed | None:
        """Make one attempt and record its result; None when the claim was lost.

        Raises LedgerError when the ledger stays unavailable for some seconds.
        """
        try:
            with self._docspace.reserve_look_and_write():
                processed = self._act(claim, self._look(claim.entry))
        except PortalError as error:
            processed = self._failed(claim, error)
        if processed is None:
            return None
        is_recorded = self._finish(claim, processed.result)
        if processed.wrote:
            self.health.record_success(OutageKind.WRITES, self._clock())
        return processed if is_recorded else None

    def _finish(self, claim: Claim, result: AttemptResult) -> bool:
        """Record the result, and try again if the ledger fails, so that no file stays claimed."""
        for delay in _FINISH_DELAYS:
            try:
                return self._ledger.claims.finish(claim, result, self._clock())
            except LedgerError:
                self._wait(delay)
        return self._ledger.claims.finish(claim, result, self._clock())

    def record_bug(self, claim: Claim, error: Exception) -> None:
        """Record that a bug ended the attempt; the file is tried again later."""
        now, text = self._clock(), f"{type(error).__name__}: please report this"
        result = _failed_result(AttemptReason.BUG, text, now + _HOUR)
        self._ledger.claims.finish(claim, replace(result, attempts=claim.entry.attempts), now)

    def check_recovery(self) -> bool:
        """Return whether the key is usable, and record what works again. Raises PortalError.

        Only a look proves that looks work. It is at a known file: a look at a single other file
        may fail while all others succeed.
        """
        if not self._docspace.is_usable():
            return False
        self.health.record_listing_success(self._clock())
        known = self._ledger.known_file()
        if known is not None:
            self._docspace.file(known)
            self.health.record_success(OutageKind.LOOKS, self._clock())
        return True

    def _look(self, entry: Entry) -> Look:
        look = self.looker.look(entry)
        self.health.record_success(OutageKind.LOOKS, self._clock())
        return look

    def _act(self, claim: Claim, look: Look) -> Processed | None:
        file, decision, now = look.file, look.decision, self._clock()
        if file is None or decision.action is not Action.MARK:
            result = _unwritten_result(file, decision, claim.entry, now)
            return Processed(claim.entry.id, file, decision.rule, result)
        self._store_target()
        is_new, until = decision.is_new_identity, now + self.settings.answer
        if not self.health.begin_write(now):  # the breaker is open, and this is not the probe
            result = _waiting_result(AttemptReason.WRITES_FAIL, file, self.health.park_write(now))
            result = replace(result, waits_for=OutageKind.WRITES, is_new_identity=is_new)
            return Processed(claim.entry.id, file, decision.rule, result)
        grant = self._ledger.claims.begin_write(
            claim, file, now, until=until, is_new_identity=is_new
        )
        match grant:
            case WriteGrant.GRANTED:
                return self._write(claim, file, decision)
            case WriteGrant.CLAIM_LOST:
                return None
            case WriteGrant.QUOTA_EXHAUSTED:
                result = _waiting_result(AttemptReason.QUOTA_EXHAUSTED, file, now)
            case WriteGrant.LOOP:
                result = _failed_result(AttemptReason.LOOP, _UNDONE, now + _HOUR, file)
            case _:
                assert_never(grant)
        result = replace(result, is_new_identity=is_new)
        return Processed(claim.entry.id, file, decision.rule, result)

    def _write(self, claim: Claim, file: File, decision: Decision) -> Processed:
        target, rule = self.settings.policy.target, decision.rule
        try:
            stored = self._docspace.set_comment(claim.entry.id, file.revision.version, target)
        except ForbiddenError as error:
            return self._refused(claim, file, decision, error)
        if stored == target:
            result = AttemptResult(Outcome.MARKED, rule.value, seen=file, marked_by_us=True)
        else:
            text = f"the portal stored {stored[:80]!r} instead of the comment"
            result = _failed_result(AttemptReason.ALTERED, text, self._clock() + _DAY, file)
        result = replace(result, settled=True)
        return Processed(claim.entry.id, file, rule, result, wrote=True)

    def _refused(
        self, claim: Claim, file: File, decision: Decision, error: ForbiddenError
    ) -> Processed:
        """Return the result of a PUT that was answered 403; a second look finds the cause.

        Nothing was written. The intent has the comment from before the write: another comment now
        is a person's.
        """
        entry = claim.entry.reset() if decision.is_new_identity else claim.entry
        intent = Intent(file.revision, file.comment)
        look = self._look(replace(entry, created=file.created, intent=intent))
        found = look.decision
        if found.action is Action.MARK:
            found = Decision(Rule.FORBIDDEN, _DAY, found.is_new_identity)
        result = _unwritten_result(look.file, found, entry, self._clock())
        return Processed(claim.entry.id, look.file, found.rule, replace(result, error=str(error)))

    def _failed(self, claim: Claim, error: PortalError) -> Processed:
        """Return the result of a failure: a delay of the file's own, or a wait for the portal."""
        entry, now = claim.entry, self._clock()
        delay = self.health.record_failure(error, entry.attempts, now)
        kind = request_kind(error)
        due_at = now if kind is OutageKind.LOOKS else self.health.next_write(now)
        result = AttemptResult(
            Outcome.WAITING if delay is None else Outcome.FAILED,
            error.kind,
            retry_at=due_at if delay is None else now + delay,
            error=str(error),
            attempts=entry.attempts + (delay is not None),
            waits_for=kind,
        )
        return Processed(entry.id, None, None, result)

    def _store_target(self) -> None:
        if not self._is_target_stored:
            self._ledger.add_target(self.settings.policy.target)
            self._is_target_stored = True


def _unwritten_result(
    file: File | None, decision: Decision, entry: Entry, now: datetime
) -> AttemptResult:
    """Return the result of an attempt that writes nothing."""
    rule = decision.rule
    result = AttemptResult(
        outcome=rule.outcome or Outcome.WAITING,
        reason=rule.value,
        retry_at=None if decision.retry_after is None else now + decision.retry_after,
        seen=file,
        is_new_identity=decision.is_new_identity,
        clears_intent=rule is Rule.LOCKED,  # unlocking wipes any comment typed meanwhile
        needs_write=rule is Rule.FORBIDDEN,
        attempts=entry.locked_looks + 1 if rule is Rule.LOCKED else 0,
    )
    match decision.action:
        case Action.SETTLE_MARKED:
            return replace(result, settled=True, marked_by_us=True)
        case Action.SETTLE_KEPT:
            return replace(result, settled=True)
        case Action.LEAVE | Action.WAIT | Action.LOOK | Action.MARK:
            return result
        case _:
            assert_never(decision.action)


def _waiting_result(reason: AttemptReason, file: File, until: datetime) -> AttemptResult:
    """Return the result of an attempt whose write has to wait."""
    return AttemptResult(Outcome.WAITING, reason.value, until, file, needs_write=True)


def _failed_result(
    reason: AttemptReason, error: str, retry_at: datetime, file: File | None = None
) -> AttemptResult:
    return AttemptResult(Outcome.FAILED, reason.value, retry_at, file, error=error)
