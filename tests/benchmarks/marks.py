"""From a save to its comment, and what that costs in API calls, on a portal that answers slowly."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from reconciler.sandbox import Portal
from tests.benchmarks.portals import TARGET, Place, served
from tests.benchmarks.receive import Running, Terms, serving
from tests.benchmarks.table import Figure
from tests.daemon import SECRET

_RATE = 20  # updates a second
_FILES = 400
_MOST = 15  # writes at once that the portal takes from one account (docspace.md 2)
_UNPACED = {"RECONCILER_LIMITS__REQUESTS_PER_MINUTE": "100000"}  # pacing is not what is measured
_pause = threading.Event().wait


def figures(terms: Terms) -> Iterator[Figure]:
    """Measure the way of an update, and of the echo of our own comment."""
    what = f"save to comment, {_RATE} updates/s, latency {terms.latency * 1000:g} ms"
    yield from _saved(terms, what, {})
    what = f"the same, with limits.concurrent_reads and _writes = {_MOST}"
    names = ("RECONCILER_LIMITS__CONCURRENT_READS", "RECONCILER_LIMITS__CONCURRENT_WRITES")
    yield from _saved(terms, what, dict.fromkeys(names, str(_MOST)))


def _saved(terms: Terms, what: str, more: dict[str, str]) -> Iterator[Figure]:
    number = max(round(_RATE * terms.seconds * 4), 4)
    with served(4, _FILES, terms.latency, real_time=True) as place:
        files = [file for some in place.rooms.values() for file in some][:number]
        with serving(place, more | _UNPACED) as running:
            _settle(place, running)
            with place.asked() as asked:
                saved = _save(place, files)
                _wait(place, files)
                _pause(1.5)  # echoes that would cost something have cost it by now
    took = sorted(_marked_at(place.portal, file) - at for file, at in saved.items())
    yield Figure(f"{what}: p50, s", took[len(took) // 2], 1.2, "goal", 1)
    yield Figure("  p99, s", took[len(took) * 99 // 100], 1.6, "goal", 1)
    calls = asked.looks.total() + asked.puts.total()
    yield Figure("  API calls per update, its echo included", calls / len(saved), 2, "floor", 1)


def _settle(place: Place, running: Running) -> None:
    """Subscribe once the first sweep is over."""
    place.portal.add_webhook(by=place.ann, url=running.address, secret=SECRET)
    _pause(2)


def _save(place: Place, files: list[int]) -> dict[int, float]:
    """Save one file after the other at the given rate; return when."""
    saved = {}
    begin = datetime.now(UTC).timestamp()
    for number, file in enumerate(dict.fromkeys(files)):
        _pause(max(begin + number / _RATE - datetime.now(UTC).timestamp(), 0))
        place.portal.save(file, by=place.ann)
        saved[file] = datetime.now(UTC).timestamp()
    return saved


def _wait(place: Place, files: list[int]) -> None:
    for _ in range(600):
        if all(place.comment(file) == TARGET for file in files):
            return
        _pause(0.1)
    raise RuntimeError("not every update was marked within a minute")


def _marked_at(portal: Portal, file: int) -> float:
    return portal.comment_writes(file)[-1].at.timestamp()
