"""The sweep's cost: idle, after many lost deliveries, and over a portal that is done already.

The floor of a sweep are the two questions, the pages of rooms down to the last that changed,
and for each of these the pages that its changed files fill.
"""

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.portals import PAGE, TARGET, Asked, Place, served
from tests.benchmarks.process import Run, Runner
from tests.benchmarks.table import Figure

_ROOMS, _FILES = 1000, 200_000
_CHANGED, _IN_ROOMS = 500, 40
_MARKED, _MARKED_ROOMS = 100_000, 500
_MEMORY, _CPU = 120, 30  # MB, seconds
_WORKERS = 4  # threads that look and write: limits.concurrent_writes
_LATER = 601  # seconds, more than twice the overlap


@dataclass(frozen=True)
class SweepSettings:
    """The share of the full size, the portal's latency, and the folder for profiles."""

    scale: float = 1.0
    latency: float = 0.05
    profiles: Path | None = None

    def of(self, full: int) -> int:
        """Return the number for this size, at least one."""
        return max(round(full * self.scale), 1)


def figures(settings: SweepSettings) -> Iterator[Figure]:
    """Measure everything about sweeps and backfills, without the rate limiter."""
    small, alone = _small(settings)
    yield small
    yield from _lost(settings, alone)
    yield from _done(settings, alone)


@contextmanager
def _place(settings: SweepSettings, rooms: int, files: int) -> Iterator[tuple[Place, Runner]]:
    with tempfile.TemporaryDirectory() as folder, served(rooms, files, settings.latency) as place:
        yield place, Runner(place.server.url, place.key, Path(folder), settings.profiles)


def _swept(place: Place, runner: Runner) -> Asked:
    """Sweep to count the requests."""
    with place.asked() as asked:
        runner.sweep()
    place.clock.advance(_LATER)
    return asked


def _measured(place: Place, runner: Runner) -> tuple[Asked, Run]:
    with place.asked() as asked:
        done = runner.reconciler("reconcile", "--json")
    place.clock.advance(_LATER)
    return asked, done


def _idle(place: Place, asked: Asked) -> Figure:
    what = f"idle sweep, {len(place.rooms):,} rooms and {place.files:,} files: GETs"
    return Figure(what, asked.gets, 2, "goal", 1)


def _small(settings: SweepSettings) -> tuple[Figure, float]:
    """A small portal's idle sweep, and the memory of the process itself."""
    with _place(settings, 10, settings.of(2000)) as (place, runner):
        _swept(place, runner)  # the very first one also asks whose key it is
        asked, done = _measured(place, runner)
        return _idle(place, asked), done.peak


def _lost(settings: SweepSettings, alone: float) -> Iterator[Figure]:
    """An idle sweep of a large portal, and one after many updates whose deliveries were lost."""
    with _place(settings, settings.of(_ROOMS), settings.of(_FILES)) as (place, runner):
        _swept(place, runner)
        yield _idle(place, _swept(place, runner))
        changed = place.change(settings.of(_CHANGED), settings.of(_IN_ROOMS))
        asked, done = _measured(place, runner)
        overlapping, again = _swept(place, runner), _swept(place, runner)
    wanted = {file for files in changed.values() for file in files}
    number, listings = len(wanted), asked.listings.total()
    said = f"{number:,} of {place.files:,} files changed in {len(changed)} rooms"
    floor = 2 + math.ceil(len(changed) / PAGE) + _pages(changed)
    looks, puts = (sum(made[file] for file in wanted) for made in (asked.looks, asked.puts))
    wrong = sum(
        (asked.looks[file], asked.puts[file]) != (1, 1) or place.comment(file) != TARGET
        for file in wanted
    )
    strange = asked.looks.total() + asked.puts.total() + asked.other.total() - looks - puts
    yield Figure(f"{said}: listing GETs", listings, floor, "floor, goal 1.2", 1.2)
    yield Figure("  GETs for each of them", looks / number, 1, "goal", 1)
    yield Figure("  PUTs for each of them", puts / number, 1, "goal", 1)
    yield Figure("  not marked, or not by one of each", wrong, 0, "goal", 1)
    yield Figure("  requests for any other file, or of another kind", strange, 0, "goal", 1)
    yield from _memory(done, alone)
    yield from _times(done, settings.latency * (listings + (looks + puts) / _WORKERS))
    yield Figure("  the next sweep, which overlaps: GETs", overlapping.gets, listings, "before")
    yield Figure("  the one after that: GETs", again.gets, 2, "goal", 1)
    yield Figure("  PUTs of both", (overlapping.puts + again.puts).total(), 0, "goal", 1)


def _done(settings: SweepSettings, alone: float) -> Iterator[Figure]:
    """A backfill that finds every file marked, twice; the second time the ledger has the rows."""
    with _place(settings, settings.of(_MARKED_ROOMS), settings.of(_MARKED)) as (place, runner):
        place.mark_all()
        floor = 2 + math.ceil(len(place.rooms) / PAGE) + _pages(place.rooms)
        bare = runner.bare()
        for which in ("first", "second"):
            with place.asked() as asked:
                done = runner.reconciler("backfill", "--since", "2026-01-01", "--yes", "--json")
            what = f"backfill of {place.files:,} marked files, {which} time"
            yield Figure(f"{what}: not found so", place.files - done.said["already"], 0, "goal", 1)
            yield Figure("  PUTs", asked.puts.total(), 0, "goal", 1)
            yield Figure("  GETs for single files", asked.looks.total(), 0, "goal", 1)
            yield Figure("  listing GETs", asked.listings.total(), floor, "full pages")
            yield from _memory(done, alone)
            yield Figure("  own CPU, s", done.cpu, _CPU, "goal", 1)
            yield Figure("    beside fetching and parsing the same pages", done.cpu, bare.cpu)
            yield from _times(done, settings.latency * asked.listings.total())


def _memory(done: Run, alone: float) -> Iterator[Figure]:
    yield Figure("  peak memory, MB", done.peak, _MEMORY, "goal", 1)
    yield Figure("    beside an idle sweep's", done.peak, alone)


def _times(done: Run, latency: float) -> Iterator[Figure]:
    yield Figure("  wall time, s", done.wall)
    yield Figure("    of it own CPU", done.cpu, done.wall, "wall time")
    yield Figure("    of it waiting", done.waiting, latency or None, "latency of its requests")


def _pages(rooms: dict[int, list[int]]) -> int:
    return sum(math.ceil(len(files) / PAGE) for files in rooms.values())
