"""One daemon on PostgreSQL, and three that share its database, each with its own deliveries."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from tests import postgres
from tests.benchmarks.receive import Load, LoadSettings, offer, serving
from tests.benchmarks.table import Figure

_DAEMONS = 3
_FILES = 2000


def figures(settings: LoadSettings) -> Iterator[Figure]:
    """Measure how much they accept together; nothing if there is no server."""
    if postgres.binaries() is None:
        return
    with serving() as running:
        sqlite = offer(running.address, settings)
    with postgres.server() as server:
        one, *_ = _together(server.url, settings, 1)
        several = _together(server.url, settings, _DAEMONS)
    together, slowest = sum(load.rate for load in several), max(load.p99 for load in several)
    yield Figure("accepts/s, one daemon on PostgreSQL", one.rate, sqlite.rate, "on SQLite")
    yield Figure(f"accepts/s, {_DAEMONS} daemons together", together, one.rate, "one")
    yield Figure("  their p99, ms", slowest, one.p99, "one's")


def _together(place: str, settings: LoadSettings, daemons: int) -> list[Load]:
    """Run so many daemons on one database, and send deliveries to all of them."""
    with ExitStack() as opened:
        address = opened.enter_context(postgres.database(place))
        running = [
            opened.enter_context(serving(more={"RECONCILER_STATE__URL": address}))
            for _ in range(daemons)
        ]
        loads = [
            partial(
                offer,
                one.address,
                settings,
                files=range(1 + number * _FILES, 1 + (number + 1) * _FILES),
            )
            for number, one in enumerate(running)
        ]
        with ThreadPoolExecutor(daemons) as pool:
            return list(pool.map(lambda load: load(), loads))
