"""The backfill: reads every folder back to a date, with a checkpoint after each.

Its ``since`` replaces the origin. A person's comment is kept, unless the backfill may overwrite
comments.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime

from reconciler.client import DocSpace
from reconciler.errors import ConfigError
from reconciler.ledger import BACKFILL, EnqueueOptions, Ledger, ListedFile
from reconciler.model import Outcome
from reconciler.sweep.lister import Folder, Lister, Report, ScanSettings
from reconciler.sweep.planning import expected_rule

_MAX_TEXTS = 1000  # distinct comments that an estimate counts
_OTHER_TEXTS = "(other texts)"
_DATES = {"since", "until"}


@dataclass(frozen=True)
class BackfillJob:
    """The options of a backfill. ``span`` is ``since`` and ``until`` as given, such as "30d"."""

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
    """The reads and writes that a backfill needs. ``texts`` counts the comments on the files.

    ``expected`` counts the expected outcomes of the files that a listing does not settle.
    """

    report: Report
    texts: Counter[str]
    expected: Counter[Outcome]


@dataclass(frozen=True)
class Step:
    """A folder that a backfill has read: number ``number`` of ``of``."""

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

    def estimate(self, job: BackfillJob, on_step: Callable[[Step], None]) -> Estimate:
        """Read every folder and decide on its files, without writing. Raises PortalError."""
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

    def done_before(self, job: BackfillJob) -> int:
        """Return how many folders earlier runs of the same job have finished."""
        return len(self.ledger.watermarks.done_rooms(job.name))

    def run(self, job: BackfillJob, report: Callable[[Report], None]) -> Iterator[Step]:
        """Read the folders one by one. ``report`` gets the counts, which grow meanwhile.

        A folder's checkpoint is stored when the caller asks for the next step, so that it can mark
        the folder's files before. A folder that may not be read is skipped; one that failed is left
        to the next run. Raises PortalError.
        """
        watermarks = self.ledger.watermarks
        since = watermarks.began(job.name, job.since)
        lister = self._lister(job, since)
        report(lister.report)
        folders = self._folders(lister, job)
        done = watermarks.done_rooms(job.name)
        for number, folder in enumerate(folders, 1):
            if folder.id in done:
                continue
            lister.read(folder, since, job.until)
            yield Step(folder, number, len(folders))
            if folder.id not in lister.report.incomplete:
                watermarks.set_done(job.name, folder.id)
        if not lister.report.incomplete:
            watermarks.complete(job.name)

    def _lister(
        self,
        job: BackfillJob,
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

    def _folders(self, lister: Lister, job: BackfillJob) -> list[Folder]:
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
            if isinstance(room.id, int) and lister.is_wanted(room)
        ]
        folders.sort(key=lambda folder: folder.id)
        return folders + ([] if job.rooms else _my_documents(lister))


def _my_documents(lister: Lister) -> list[Folder]:
    page = lister.my_documents()
    if page is None or not isinstance(page.folder, int):
        return []
    return [Folder(page.folder, None, "My documents")]
