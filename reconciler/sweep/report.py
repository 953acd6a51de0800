"""What a reading of the portal found, in numbers that add up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.decision import write_blocker
from reconciler.ledger import ListedFile
from reconciler.model import Action, Outcome, Rule


@dataclass
class Report:
    """Counts of one sweep or backfill. Scanned files have ended, or were handed to the worker.

    ``skipped`` are the folders that were passed over, by reason, ``incomplete`` those whose reading
    was not complete, ``broken`` the files of which a listing showed only the id.
    ``hidden_updates`` counts the updates in rooms whose dates did not show any.
    """

    since: datetime | None = None
    until: datetime | None = None
    scanned: int = 0
    ended: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    handed: int = 0
    to_mark: int = 0
    hidden_updates: int = 0
    folders: int = 0
    full_scan: bool = False
    skipped: Counter[str] = field(default_factory=Counter)
    incomplete: list[int] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    _handed_ids: set[int] = field(default_factory=set)

    def count(self, listed: ListedFile) -> None:
        """Count one listed file."""
        self.scanned += 1
        if listed.outcome is None:
            self.handed += 1
            self.to_mark += listed.decision.action is Action.MARK
            if isinstance(listed.file.id, int):
                self._handed_ids.add(listed.file.id)
        else:
            self.ended[listed.outcome, listed.decision.rule.value] += 1

    def count_broken(self, ids: Sequence[int]) -> list[int]:
        """Count files of which a listing showed only the id; return those not counted before."""
        fresh = [number for number in ids if number not in self.broken]
        self.broken.update(fresh)
        self.scanned += len(fresh)
        self.handed += len(fresh)
        self._handed_ids.update(fresh)
        return fresh

    def take_handed(self) -> set[int]:
        """Return the files that were handed to the worker since the last call."""
        taken, self._handed_ids = self._handed_ids, set()
        return taken

    def number(self, outcome: Outcome) -> int:
        """Return how many files ended so."""
        return sum(n for (ended, _), n in self.ended.items() if ended is outcome)


def expected_rule(listed: ListedFile) -> Rule:
    """Return the rule by which a listed file would end now, if a look showed the same."""
    marked = listed.decision.action is Action.MARK
    return (write_blocker(listed.file) if marked else None) or listed.decision.rule
