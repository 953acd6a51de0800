"""The backfill: every folder back to a date, one after the other, with a checkpoint for each.

It brings its own ``since``. As everywhere else a person's comment stays, unless the backfill may
overwrite comments.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime

from reconciler.client import DocSpace
from reconciler.errors import ConfigError, ForbiddenError, PermanentError
from reconciler.ledger import BACKFILL, EnqueueOptions, Ledger, ListedFile
from reconciler.model import Outcome
from reconciler.sweep.lister import Folder, Lister, Report, ScanSettings
from reconciler.sweep.planning import expected_rule

_MAX_TEXTS = 1000  # distinct comments that an estimate tells apart
_OTHER_TEXTS = "(other texts)"
_DATES = {"since", "until"}


@dataclass(frozen=True)
class Job:
    """What is asked for. ``span`` is ``since`` and ``until`` as they were given, such as "30d"."""

    span: str
    since: datetime
    until: datetime | None = None
    rooms: frozenset[int] = frozenset()
    overwrite: bool = False
    observe: bool = False

    @property
    def name(self) -> str:
        """Equal for equal options, by which a later run finds the folders that are done.

        The dates do not count: those of a duration change from run to run.
        """
        options = [getattr(self, one.name) for one in fields(self) if one.name not in _DATES]
        return " ".join(str(sorted(one) if isinstance(one, frozenset) else one) for one in options)


@dataclass(frozen=True)
class Estimate:
    """What a backfill would read and write. ``texts`` counts the comments that stand there.

    ``expected`` counts how the files that a listing does not settle would end.
    """

    report: Report
    texts: Counter[str]
    expected: Counter[Outcome]


@dataclass(frozen=True)
class Step:
    """A folder that a backfill has read: the ``number``-th of so many."""

    folder: Folder
    number: int
    of: int


@dataclass(frozen=True)
class Backfill:
    """Backfills one portal."""

    ledger: Ledger
    docspace: DocSpace
    settings: ScanSettings
    clock: Callable[[], datetime]

    def estimate(self, job: Job, on_step: Callable[[Step], None]) -> Estimate:
        """Read everything, decide on it, write nothing. Raises PortalError."""
        texts: Counter[str] = Counter()
        expected: Counter[Outcome] = Counter()

        def on_file(listed: ListedFile) -> None:
            if listed.outcome is None:
                expected[expected_rule(listed).outcome or Outcome.WAITING] += 1
            text = listed.file.comment
            texts[text if text in texts or len(texts) < _MAX_TEXTS else _OTHER_TEXTS] += 1

        lister = self._lister(job, job.since, dry=True, on_file=on_file)
        folders = self._folders(lister, job)
        for number, folder in enumerate(folders, 1):
            lister.read(folder, job.since, job.until)
            on_step(Step(folder, number, len(folders)))
        expected[Outcome.WAITING] += len(lister.report.broken)
        return Estimate(lister.report, texts, expected)

    def done_before(self, job: Job) -> int:
        """Return how many folders earlier runs of the same job have done."""
        return len(self.ledger.watermarks.done_rooms(job.name))

    def run(self, job: Job, report: Callable[[Report], None]) -> Iterator[Step]:
        """Read folder after folder; what `report` is given grows meanwhile.

        A folder's checkpoint is set when the caller comes back for the next one, so that it may
        first see to it that the folder's files are marked. One that may not be read is passed
        over, one that failed is left to the next run. Raises PortalError.
        """
        marks = self.ledger.watermarks
        since = marks.began(job.name, job.since)
        lister = self._lister(job, since)
        report(lister.report)
        folders = self._folders(lister, job)
        done = marks.done_rooms(job.name)
        for number, folder in enumerate(folders, 1):
            if folder.id in done:
                continue
            lister.read(folder, since, job.until)
            yield Step(folder, number, len(folders))
            if folder.id not in lister.report.incomplete:
                marks.set_done(job.name, folder.id)
        if not lister.report.incomplete:
            marks.complete(job.name)

    def _lister(
        self,
        job: Job,
        since: datetime,
        dry: bool = False,
        on_file: Callable[[ListedFile], None] = lambda _: None,
    ) -> Lister:
        policy = self.settings.policy
        policy = replace(policy, observe=policy.observe or job.observe)
        return Lister(
            self.ledger,
            self.docspace,
            replace(self.settings, policy=policy),
            self.clock,
            options=EnqueueOptions(BACKFILL, since, job.overwrite),
            dry=dry,
            on_file=on_file,
        )

    def _folders(self, lister: Lister, job: Job) -> list[Folder]:
        """Return the folders to read, always in the same order. Raises ConfigError."""
        first = self.docspace.rooms(count=1)
        lister.set_origin(first.date or first.updated)
        lister.report.since, lister.report.until = job.since, job.until or first.date
        rooms = {room.id: room for room in lister.rooms(lambda _: False)}
        missing = sorted(job.rooms - rooms.keys())
        if missing:
            listed = ", ".join(map(str, missing))
            raise ConfigError((f"--room {listed}: the key's account sees no such room",))
        chosen = [r for r in rooms.values() if not job.rooms or r.id in job.rooms]
        folders = [
            Folder(room.id, room.id, room.title)
            for room in chosen
            if isinstance(room.id, int) and lister.wanted(room)
        ]
        folders.sort(key=lambda folder: folder.id)
        return folders + ([] if job.rooms else self._my_documents())

    def _my_documents(self) -> list[Folder]:
        if not self.settings.policy.scope.holds_personal:
            return []
        try:
            folder = self.docspace.my_files(count=1).folder
        except (ForbiddenError, PermanentError):
            return []
        return [Folder(folder, None, "My documents")] if isinstance(folder, int) else []
