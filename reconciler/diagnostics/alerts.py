"""Which problems are sent to a person: those that only a person can end. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from reconciler.diagnostics.problems import BLOCKING, Problem, ProblemKind
from reconciler.ledger import Overview
from reconciler.model import OutageKind, Outcome

_STALLED_AFTER = timedelta(minutes=10)
_AT_ONCE = frozenset({ProblemKind.DEAD_KEY, ProblemKind.WEBHOOK, ProblemKind.TEXTS})
# Most end by themselves. NO_SERVE: the sender itself runs. BACKFILL: it marks files.
_IF_STALLED = (BLOCKING | {ProblemKind.BACKLOG}) - {ProblemKind.NO_SERVE, ProblemKind.BACKFILL}
_STOPS_MARKING = {OutageKind.LOOKS, OutageKind.WRITES}


def find_alerts(seen: Overview, problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return those of the problems that a person should be alerted to now."""
    kinds = _AT_ONCE | _IF_STALLED if _is_stalled(seen) else _AT_ONCE
    return tuple(problem for problem in problems if problem.kind in kinds)


def _is_stalled(seen: Overview) -> bool:
    """Return whether nothing was marked for ten minutes though updates wait."""
    before = seen.now - _STALLED_AFTER
    newest = next((one.marked_at for one in seen.reviews), None)
    if newest is not None and newest > before:
        return False
    oldest = seen.queue.oldest_live
    waiting = seen.unfinished.get(Outcome.WAITING, 0) + seen.unfinished.get(Outcome.FAILED, 0)
    failing = [one for one in seen.outages if one.kind in _STOPS_MARKING and one.since <= before]
    return (oldest is not None and oldest <= before) or bool(waiting and failing)
