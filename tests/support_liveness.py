"""A life for `test_liveness.py`: the world of `world.py`, kept going as `service/` does it.

The worker works when something is due, the sweep comes each minute of our clock, the key is asked
about each quarter of a minute while something is wrong with it. Time only passes in `Life.run`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.diagnostics.problems import ProblemKind, find_problems
from reconciler.errors import PortalError
from reconciler.ledger import SweepRecord
from reconciler.model import EPOCH, OutageKind, Quota
from reconciler.sandbox import Network, User
from reconciler.sweep import Sweep
from tests.support_sweep import add_room
from tests.world import TARGET, World, scan_settings, world

EVERY, PROBE, MOMENT = 60.0, 15.0, 5.0  # seconds: a sweep, the key's probe, a poll and its work
_LONG = 200.0  # seconds of a long time that are played, at its beginning and at its end
_POLL = timedelta(seconds=1)
_PROBED = {OutageKind.DEAD_KEY, OutageKind.LOOKS}
_BESIDE = {ProblemKind.NO_SERVE}  # no process of ours holds a role


@dataclass
class Life:
    """The world and its files, with what people did to them, and when what comes is due."""

    here: World
    rooms: tuple[int, ...]
    files: tuple[int, ...]
    saved: set[int] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)  # rooms that nobody works in
    calm: datetime = EPOCH  # when the last pause that the portal asked for is over
    next_sweep: datetime = EPOCH
    next_probe: datetime = EPOCH

    def __post_init__(self) -> None:
        """Sweep and probe at once."""
        self.next_sweep, self.next_probe = self.here.now(), self.here.clock()
        self.calm = self.here.clock()

    # ------------------------------------------------------------ people

    def save(self, file: int, *, arrives: bool = True) -> None:
        """Save a file, if anybody can; its delivery ``arrives`` or is lost."""
        if self._is_open(file):
            by = self.here.ann if self.here.portal.file(file).locked_by else self.here.bob
            self._post(lambda: self.here.portal.save(file, by=by), arrives=arrives)
            self.saved.add(file)
            self.answered.discard(file)

    def say(self, file: int, *, arrives: bool = True) -> None:
        """Type a word upon our comment, if it is there."""
        portal = self.here.portal
        if self.here.comment(file) == TARGET and not portal.file(file).locked_by:
            act = self.here.portal.comment
            self._post(lambda: act(file, "Approved", by=self.here.bob), arrives=arrives)
            self.answered.add(file)

    def _is_open(self, file: int) -> bool:
        return self.here.portal.file(file).folder_id not in self.hidden

    def _post(self, act: Callable[[], object], *, arrives: bool) -> None:
        portal = self.here.portal
        portal.network = Network() if arrives else Network(drop=1.0)
        act()
        assert self.here.server.drain()
        portal.network = Network()

    # ------------------------------------------------------------ the machinery

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass; in the middle of hours nothing happens, as if we were asleep."""
        if seconds > 3 * _LONG:
            self.run(_LONG)
            self.here.clock.advance(seconds - 2 * _LONG)
            seconds = _LONG
        self.run(seconds)

    def run(self, seconds: float) -> None:
        """Let so much time pass, and all that is due in it happen."""
        clock = self.here.clock
        end = clock() + timedelta(seconds=seconds)
        while True:
            self._act()
            coming = max(self._next(), clock() + timedelta(microseconds=1))
            if coming >= end:
                clock.now = end
                self._act()
                return
            clock.now = coming

    def _act(self) -> None:
        here = self.here
        if here.clock() >= self.next_probe:
            self.next_probe = here.clock() + timedelta(seconds=PROBE)
            self._probe()
        ahead = self.next_sweep - here.now()
        if ahead <= timedelta() or ahead > timedelta(seconds=EVERY):  # the clock was set back
            self._sweep()
        for _ in range(100):
            if self.here.step() is None:
                return
            assert here.server.drain()
        raise AssertionError("the worker does not come to rest")

    def _next(self) -> datetime:
        """Return when something comes next, by the portal's clock."""
        here = self.here
        now = here.now()
        coming = [self.next_probe, self.next_sweep - here.skew]
        due = here.ledger.claims.next_at(now)
        if due is not None:
            coming.append(max(due, here.health.next_look(now), now + _POLL) - here.skew)
        return min(coming)

    def _probe(self) -> None:
        """As `Daemon._probe`."""
        here = self.here
        if not _PROBED & {outage.kind for outage in here.ledger.health.outages()}:
            return
        with suppress(PortalError):
            here.making.check_recovery()

    def _sweep(self) -> None:
        """As `Daemon._try_sweep`."""
        here, now = self.here, self.here.now()
        self.next_sweep = now + timedelta(seconds=EVERY)
        pause = here.ledger.paused(now)
        if pause is not None:
            self.next_sweep = min(self.next_sweep, pause.until)
            return
        error = ""
        try:
            Sweep(here.ledger, here.docspace, scan_settings(here.policy), here.now).run()
            here.health.record_listing_success(here.now())
        except PortalError as failure:
            here.health.record_listing_failure(failure, here.now())
            error = str(failure)
        here.ledger.health.record_sweep(SweepRecord(now, 0.0, 2, error=error))

    # ------------------------------------------------------------ what must hold

    def rest(self) -> None:
        """Let one sweep interval and five seconds pass, after which nothing may be left."""
        pause = (self.calm - self.here.clock()).total_seconds()
        self.run(max(pause, 0.0) + EVERY + MOMENT)
        assert self.unmarked() == {}
        assert self.problems() == []

    def unmarked(self) -> dict[int, object]:
        """Return the updates that are not marked, and what the ledger knows of them."""
        return {
            file: self.here.ledger.file_row(file) for file in self.saved if not self._done(file)
        }

    def _done(self, file: int) -> bool:
        return self.here.comment(file) == TARGET or file in self.answered

    def problems(self) -> list[str]:
        """Return in words what `status` names that is not harmless."""
        here = self.here
        found = find_problems(here.ledger.health.overview(here.now()))
        return [p.message for p in found if not p.is_harmless and p.kind not in _BESIDE]

    def restart(
        self, *, key: str | None = None, owner: User | None = None, quota: Quota | None = None
    ) -> None:
        """Start anew, with another key or another limit where one is named."""
        here = self.here
        here.key, here.bot, here.quota = key or here.key, owner or here.bot, quota or here.quota
        here.restart()
        self.next_sweep, self.next_probe = here.now(), here.clock()


@contextmanager
def life(path: Path, files: int = 4) -> Iterator[Life]:
    """Begin a life of two rooms with so many files, an hour after they were created."""
    with world(path) as here:
        other = add_room(here, "Sales")
        made = [here.file]
        for number in range(files - 1):
            where = (other, here.room)[number % 2]
            made.append(int(here.portal.create(where, f"{number}.docx", by=here.ann)))
        assert here.server.drain()
        here.clock.advance(3600)
        yield Life(here, (here.room, other), tuple(made))
