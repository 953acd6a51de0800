"""The time from a save to its comment, and its API calls, on a portal that answers slowly."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reconciler.sandbox import Portal
from tests.benchmarks.portals import TARGET, Place, served
from tests.benchmarks.receive import LoadSettings, Running, serving
from tests.benchmarks.table import Figure
from tests.daemon import SECRET, free_port
from tests.waiting import eventually, is_open

_RATE = 20  # updates a second
_FILES = 400
_BURST = 50  # events within a second
HERE = Path(__file__).parent
_pause = threading.Event().wait


@dataclass(frozen=True)
class Marked:
    """How long updates waited for their comment, in seconds, and the API calls for each."""

    p50: float
    p99: float
    calls: float


def figures(settings: LoadSettings) -> Iterator[Figure]:
    """Measure updates with reconciler and with the tutorial's script, and the echo of our own
    comment.
    """
    with served(4, _FILES, settings.latency, real_time=True) as place, reference(place) as address:
        slow = _measure(settings, place, address)
    with served(4, _FILES, settings.latency, real_time=True) as place, serving(place) as running:
        ours = _measure(settings, place, running.address)
    what = f"save to comment, {_RATE} updates/s, latency {settings.latency * 1000:g} ms: p50, s"
    yield Figure(what, ours.p50, slow.p50, "the tutorial without its echo", 1.2)
    yield Figure("  p99, s", ours.p99, slow.p99, "the tutorial without its echo", 1.3)
    yield Figure("  API calls per update, its echo included", ours.calls, 2, "floor", 1)
    with served(1, 4, settings.latency, real_time=True) as place, serving(place) as running:
        yield Figure(
            f"  API calls for {_BURST} events within a second", _burst(place, running), 3, "goal", 1
        )


def _measure(settings: LoadSettings, place: Place, address: str) -> Marked:
    number = max(round(_RATE * settings.seconds * 4), 4)
    files = [file for some in place.rooms.values() for file in some][:number]
    _subscribe(place, address)
    with place.asked() as asked:
        saved = _save(place, files)
        _wait(place, files)
        _pause(1.5)  # echoes that would cost something have cost it by now
    took = sorted(_marked_at(place.portal, file) - at for file, at in saved.items())
    calls = asked.looks.total() + asked.puts.total()
    return Marked(took[len(took) // 2], took[len(took) * 99 // 100], calls / len(saved))


def _burst(place: Place, running: Running) -> float:
    """Save a file once and reorder it again and again: each publishes an event."""
    (file, *_), *_ = place.rooms.values()
    _subscribe(place, running.address)
    with place.asked() as asked:
        place.portal.save(file, by=place.ann)
        for _ in range(_BURST - 1):
            place.portal.reorder(file, by=place.ann)
        _wait(place, [file])
        _pause(2.5)
    return float(asked.looks.total() + asked.puts.total())


@contextmanager
def reference(place: Place) -> Iterator[str]:
    """Run the tutorial's script within the block; yield the address of its webhook."""
    port = free_port()
    words = [str(port), place.server.url, place.key, place.bot.id]
    with subprocess.Popen([sys.executable, str(HERE / "reference.py"), *words]) as process:
        try:
            assert eventually(lambda: is_open(port))
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


def _subscribe(place: Place, address: str) -> None:
    """Register the webhook, and wait until a first sweep is over."""
    place.portal.add_webhook(by=place.ann, url=address, secret=SECRET)
    _pause(2)


def _save(place: Place, files: list[int]) -> dict[int, float]:
    """Save one file after the other at the given rate; return the times."""
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
