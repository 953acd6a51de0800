"""What to do about a file that waits, failed or was refused, by the reason of its last attempt."""

from reconciler.ledger.records import UnfinishedFile
from reconciler.model import AttemptReason, Outcome, Rule

# Who may comment: docspace.md 5.
GIVE_RIGHTS = "make the key's account room manager or content creator in the room"
_HINTS = {
    Rule.LOCKED.value: "it is marked once it is unlocked",
    Rule.FORBIDDEN.value: GIVE_RIGHTS,
    Rule.EARLY.value: "it is looked at again within seconds",
    AttemptReason.QUOTA_EXHAUSTED.value: (
        "the day's writes are used up: wait, or raise limits.writes_per_day"
    ),
    AttemptReason.WRITES_FAIL.value: "it is marked once the portal takes comments again",
    AttemptReason.ALTERED.value: "the portal changes the comment: set another review.comment",
    AttemptReason.LOOP.value: "find what undoes our comment, then run: reconciler failed retry {}",
    AttemptReason.BUG.value: "report it with the log's line",
}
_RETRIED = "to try it at once, run: reconciler failed retry {}"


def file_hint(file: UnfinishedFile) -> str:
    """Return what to do, empty where there is nothing to do but to wait."""
    default = _RETRIED if file.outcome is Outcome.FAILED else ""
    return _HINTS.get(file.reason, default).format(file.file_id)
