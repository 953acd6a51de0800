"""What a reading of the portal found, in numbers that add up."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.decision import write_blocker
from reconciler.ledger import ListedFile
from reconciler.model import Action, Outcome, Rule


@dataclass
class Report:
    """Counts of one sweep or backfill. Scanned files are those that ended and those handed on.

    ``skipped`` are the folders that were passed over, by reason, ``incomplete`` those whose reading
    was not complete, ``broken`` the files of which a listing told no more than the id, ``hidden``
    how many updates lay in rooms whose dates had not told of any.
    """

    since: datetime | None = None
    until: datetime | None = None
    scanned: int = 0
    ended: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    handed: int = 0
    to_mark: int = 0
    hidden: int = 0
    folders: int = 0
    full_scan: bool = False
    skipped: Counter[str] = field(default_factory=Counter)
    incomplete: list[int] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)

    def count(self, listed: ListedFile) -> None:
        """Count one listed file."""
        self.scanned += 1
        if listed.outcome is None:
            self.handed += 1
            self.to_mark += listed.decision.action is Action.MARK
        else:
            self.ended[listed.outcome, listed.decision.rule.value] += 1

    def number(self, outcome: Outcome) -> int:
        """Return how many files ended so."""
        return sum(n for (ended, _), n in self.ended.items() if ended is outcome)


def expected_rule(listed: ListedFile) -> Rule:
    """Return the rule by which a listed file would end now, if a look showed the same."""
    marked = listed.decision.action is Action.MARK
    return (write_blocker(listed.file) if marked else None) or listed.decision.rule
