"""The problems in an overview of the ledger, each with a hint. Pure.

`find_problems` returns the most serious first, `find_alerts` those that need a person now,
`file_hint` the hint for a single file.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from reconciler.errors import LedgerError
from reconciler.formats import counted, local_time
from reconciler.hints import NEW_KEY, hint_for
from reconciler.ledger import OutageRecord, Overview, Role
from reconciler.ledger.records import UnfinishedFile
from reconciler.model import AttemptReason, OutageKind, Outcome, Rule

_SHORT = timedelta(minutes=1)  # shorter pauses are not reported
_LATE = timedelta(minutes=1)
_BACKLOG = timedelta(minutes=2)  # files that are due for longer are a backlog
_RARE = timedelta(hours=1)  # sweeps of cron that are rarer do not replace a daemon
_STALLED_AFTER = timedelta(minutes=10)


class ProblemKind(StrEnum):
    """The kinds of problems. During one of BLOCKING, updates are not marked or not found."""

    LEDGER = "ledger"
    DEAD_KEY = "dead_key"
    UNAVAILABLE = "unavailable"
    WRITES = "writes"
    PAUSED = "paused"
    NO_SERVE = "no_serve"
    IDLE = "idle"
    BACKFILL = "backfill"
    OVERDUE = "overdue"
    SWEEP_FAILED = "sweep_failed"
    INCOMPLETE_FOLDERS = "incomplete_folders"
    WEBHOOK = "webhook"
    BACKLOG = "backlog"
    FAILED = "failed"
    REFUSED = "refused"
    TEXTS = "texts"
    NOTIFY = "notify"


_OF_FILES = {ProblemKind.BACKLOG, ProblemKind.FAILED, ProblemKind.REFUSED, ProblemKind.TEXTS}
BLOCKING = (
    frozenset(ProblemKind)
    - {ProblemKind.SWEEP_FAILED, ProblemKind.INCOMPLETE_FOLDERS, ProblemKind.WEBHOOK}
    - {ProblemKind.NOTIFY}
    - _OF_FILES
)
HARMLESS = frozenset(
    {ProblemKind.BACKFILL, ProblemKind.WEBHOOK, ProblemKind.TEXTS, ProblemKind.NOTIFY}
)
_AT_ONCE = frozenset({ProblemKind.DEAD_KEY, ProblemKind.WEBHOOK, ProblemKind.TEXTS})
# Most problems end by themselves. NO_SERVE: this process runs. BACKFILL: it marks files.
_IF_STALLED = (BLOCKING | {ProblemKind.BACKLOG}) - {ProblemKind.NO_SERVE, ProblemKind.BACKFILL}
_STOPS_MARKING = {OutageKind.LOOKS, OutageKind.WRITES}
# Who may comment: docspace.md 5.
GIVE_RIGHTS = "make the key's account room manager or content creator in the room"
_HINTS = {
    Rule.LOCKED.value: "it is marked once it is unlocked",
    Rule.FORBIDDEN.value: GIVE_RIGHTS,
    Rule.EARLY.value: "it is retried within seconds",
    AttemptReason.QUOTA_EXHAUSTED.value: (
        "the day's writes are used up: wait, or raise limits.writes_per_day"
    ),
    AttemptReason.WRITES_FAIL.value: "it is marked once the portal takes comments again",
    AttemptReason.ALTERED.value: "the portal changes the comment: set another review.comment",
    AttemptReason.LOOP.value: "find what undoes our comment, then run: reconciler failed retry {}",
    AttemptReason.BUG.value: "report it with its line of the log",
}
_RETRIED = "to retry it now, run: reconciler failed retry {}"
_CHECK = "run: reconciler check; files are marked as soon as the portal works again"
# Of each outage: the problem, its message, and the hint.
_OUTAGES = {
    OutageKind.DEAD_KEY: (ProblemKind.DEAD_KEY, "the portal refuses the API key", NEW_KEY),
    OutageKind.LOOKS: (ProblemKind.UNAVAILABLE, "the portal is unavailable", _CHECK),
    OutageKind.WRITES: (ProblemKind.WRITES, "the portal takes no comment", _CHECK),
    OutageKind.RATE_LIMITED: (
        ProblemKind.PAUSED,
        "the portal limits our requests",
        "it ends by itself",
    ),
}
TEXTS_KEPT = "comments that appeared within seconds of a save were kept as a person's"


@dataclass(frozen=True)
class Problem:
    """One problem: what is wrong and since when, and what to do (empty: nothing, or wait)."""

    kind: ProblemKind
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return both on one line."""
        return f"{self.message} -> {self.hint}" if self.hint else self.message

    @property
    def is_blocking(self) -> bool:
        """Whether updates are not marked or not found until it is over."""
        return self.kind in BLOCKING

    @property
    def is_harmless(self) -> bool:
        """Whether every update is found and marked nevertheless, only later."""
        return self.kind in HARMLESS


def find_problems(seen: Overview, refusal: LedgerError | None = None) -> tuple[Problem, ...]:
    """Return the problems; ``refusal`` is why the ledger, which can be read, cannot be written."""
    each = (_portal, _process, _sweep, _files, _addresses)
    found = tuple(problem for find in each for problem in find(seen))
    return found if refusal is None else (_ledger_problem(refusal), *found)


def _ledger_problem(error: LedgerError) -> Problem:
    message = f"the ledger cannot be written: {error}"
    return Problem(ProblemKind.LEDGER, message, hint_for(error))


def _outage(outage: OutageRecord) -> Problem:
    """Return an outage as a problem."""
    kind, message, hint = _OUTAGES[outage.kind]
    return Problem(kind, f"{message} since {local_time(outage.since)}: {outage.reason}", hint)


def _portal(seen: Overview) -> Iterator[Problem]:
    # An outage by rate limit is reported as the pause that the portal asked for.
    yield from (_outage(o) for o in seen.outages if o.kind is not OutageKind.RATE_LIMITED)
    if seen.paused_until is not None and seen.paused_until - seen.now > _SHORT:
        until = local_time(seen.paused_until)
        yield Problem(ProblemKind.PAUSED, f"nothing is done before {until}: {seen.paused_why}")


def _process(seen: Overview) -> Iterator[Problem]:
    serving, working = seen.holders.get(Role.SWEEP), seen.holders.get(Role.WORKER)
    backfill = seen.holders.get(Role.BACKFILL)
    if serving is None:
        if not _is_swept_by_cron(seen):
            yield Problem(
                ProblemKind.NO_SERVE,
                "the daemon is not running (start it with: reconciler serve), and no cron job "
                "runs reconciler reconcile",
            )
    elif working is None:
        message = f"{serving} serves, but its worker does not run (yet)"
        yield Problem(ProblemKind.IDLE, message, "see the log of serve")
    elif working == backfill:
        yield Problem(
            ProblemKind.BACKFILL,
            f"a backfill ({working}) replaces the worker of serve until its end",
        )


def _is_swept_by_cron(seen: Overview) -> bool:
    """Whether cron sweeps often enough: the last sweep is not that of a daemon that has ended."""
    if not seen.sweeps or seen.now - seen.sweeps[0].began > _RARE:
        return False
    return seen.next_sweep is None or seen.next_sweep < seen.sweeps[0].began


def _is_overdue(seen: Overview) -> bool:
    if not seen.serving or seen.sweeping is not None or seen.next_sweep is None:
        return False
    came = seen.sweeps and seen.sweeps[0].began > seen.next_sweep
    return not came and seen.now - seen.next_sweep > _LATE


def _sweep(seen: Overview) -> Iterator[Problem]:
    next_sweep = seen.next_sweep
    if next_sweep is not None and _is_overdue(seen):
        yield Problem(
            ProblemKind.OVERDUE,
            f"a sweep is overdue since {local_time(next_sweep)}",
            "see the log of serve",
        )
    if seen.sweeps and seen.sweeps[0].error:
        last = seen.sweeps[0]
        yield Problem(
            ProblemKind.SWEEP_FAILED,
            f"the sweep of {local_time(last.began)} was not completed: {last.error}",
        )
    if seen.incomplete_folders:
        yield Problem(
            ProblemKind.INCOMPLETE_FOLDERS,
            f"{counted(seen.incomplete_folders, 'room')} could not be read to the end",
        )
    if seen.webhook:
        yield Problem(ProblemKind.WEBHOOK, seen.webhook, "until then the sweep finds updates")


def _files(seen: Overview) -> Iterator[Problem]:
    if _is_backlogged(seen):
        since = "" if seen.queue.oldest_live is None else local_time(seen.queue.oldest_live)
        yield Problem(
            ProblemKind.BACKLOG,
            f"the queue is not being processed: {counted(seen.queue.due_live)} due, the oldest "
            f"since {since}",
            "see the log of serve, and limits.requests_per_minute",
        )
    failed = seen.unfinished.get(Outcome.FAILED, 0)
    if failed:
        message = f"{counted(failed)} failed and will be retried"
        yield Problem(ProblemKind.FAILED, message, "the reasons: reconciler failed list")
    refused = seen.unfinished.get(Outcome.REFUSED, 0)
    if refused:
        were = "was" if refused == 1 else "were"
        message = f"{counted(refused)} {were} refused and not marked"
        hint = f"{GIVE_RIGHTS}; which file: reconciler failed list"
        yield Problem(ProblemKind.REFUSED, message, hint)
    if seen.unknown_texts:
        yield Problem(ProblemKind.TEXTS, TEXTS_KEPT, portal_texts_hint(seen.unknown_texts))


def _addresses(seen: Overview) -> Iterator[Problem]:
    for one in seen.unreachable:
        since = "" if one.failing_since is None else f" since {local_time(one.failing_since)}"
        message = f"{one.name} of notify.urls_file cannot be notified{since}: {one.error}"
        yield Problem(ProblemKind.NOTIFY, message, "run: reconciler notify test")


def portal_texts_hint(texts: Sequence[str]) -> str:
    """Return the hint for texts that may be the portal's own: the line to configure."""
    line = f"portal_texts = {json.dumps(texts, ensure_ascii=False)}"
    return f"if the portal writes them, set in config.toml under [review]: {line}"


def _is_backlogged(seen: Overview) -> bool:
    """Whether updates are due for minutes, other than those of a backfill.

    With cron instead of a daemon, only files count that the last run has not processed.
    """
    oldest = seen.queue.oldest_live
    if oldest is None or seen.now - oldest <= _BACKLOG:
        return False
    return seen.serving or not seen.sweeps or oldest < seen.sweeps[0].began


def find_alerts(seen: Overview, problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return the problems that need a person now."""
    kinds = _AT_ONCE | _IF_STALLED if _is_stalled(seen) else _AT_ONCE
    return tuple(problem for problem in problems if problem.kind in kinds)


def _is_stalled(seen: Overview) -> bool:
    """Return whether nothing was marked for ten minutes though updates wait."""
    before = seen.now - _STALLED_AFTER
    if seen.last_marked_at is not None and seen.last_marked_at > before:
        return False
    oldest = seen.queue.oldest_live
    waiting = seen.unfinished.get(Outcome.WAITING, 0) + seen.unfinished.get(Outcome.FAILED, 0)
    failing = [one for one in seen.outages if one.kind in _STOPS_MARKING and one.since <= before]
    return (oldest is not None and oldest <= before) or bool(waiting and failing)


def file_hint(file: UnfinishedFile) -> str:
    """Return the hint for a file, empty where there is nothing to do but to wait."""
    default = _RETRIED if file.outcome is Outcome.FAILED else ""
    return _HINTS.get(file.reason, default).format(file.file_id)
