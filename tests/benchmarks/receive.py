"""How many deliveries per second are written to disk and answered, compared with waitress alone."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from reconciler.demo.tutorial import tutorial_script
from reconciler.ledger import Ledger
from reconciler.model import Event
from reconciler.sandbox import Network
from tests.benchmarks.portals import Place, served
from tests.benchmarks.table import Figure
from tests.daemon import SECRET, environment, free_port
from tests.waiting import eventually, is_open

HERE = Path(__file__).parent
NOBODY = "http://127.0.0.1:9"  # a portal that is down: nothing is done but accepting
_THREADS = 8  # webhook.threads
_DISK = 0.0016  # seconds more for each commit: a consumer's SSD
_FEW, _MANY = 10, 100  # connections; a portal sends ten deliveries at once (docspace.md 6)
_ENOUGH = 12  # threads for all of them
_DUE = 100_000


@dataclass(frozen=True)
class LoadSettings:
    """How many seconds each load lasts, the portal's latency, and the share of the full size."""

    seconds: float = 5.0
    latency: float = 0.05
    scale: float = 1.0


@dataclass(frozen=True)
class Running:
    """A daemon's process and the address of its webhook."""

    pid: int
    address: str


@dataclass(frozen=True)
class Load:
    """The result of a load: answers per second, milliseconds, and how often each status was
    answered.
    """

    rate: float
    p50: float
    p99: float
    codes: dict[str, int]


def figures(settings: LoadSettings) -> Iterator[Figure]:
    """Measure everything about accepting deliveries."""
    with ceiling() as address:
        most = offer(address, settings)
    with serving() as running:
        bad = offer(running.address, settings, good=False)
        few = offer(running.address, settings)
        many = offer(running.address, settings, connections=_MANY)
    yield Figure(
        "durable accepts/s, 10 connections", few.rate, most.rate, "waitress empty", least=0.6
    )
    yield Figure("  their p99, ms", few.p99, 10, "goal", 1)
    yield Figure("  with 100 connections", many.rate, few.rate, "with 10", least=0.8)
    yield Figure("bad signatures refused/s", bad.rate, most.rate, "waitress empty", least=0.8)
    wrong = _others(few, "200") + _others(many, "200") + _others(bad, "401")
    yield Figure("  answers of another kind", wrong, 0, "goal", 1)
    yield from _beside_the_tutorial(settings)
    yield from _on_a_slow_disk(settings)
    yield from _with_much_due(settings)


def _beside_the_tutorial(settings: LoadSettings) -> Iterator[Figure]:
    with served(5, 200, settings.latency) as place:
        place.portal.network = Network(drop=1.0)  # no echoes: with them the tutorial never ends
        files = [file for some in place.rooms.values() for file in some]
        with tutorial_script(place.server.url, place.key) as address:
            slow = offer(address, settings, files=files)
        with serving(place) as running:
            fast = offer(running.address, settings, files=files)
    what = f"accepts/s, portal latency {settings.latency * 1000:g} ms"
    yield Figure(what, fast.rate, slow.rate, "the tutorial", least=10)


def _on_a_slow_disk(settings: LoadSettings) -> Iterator[Figure]:
    with ceiling(commits=True) as address:
        each = offer(address, settings)
    what = f"accepts/s, commits slowed by {_DISK * 1000:g} ms"
    slow = {"BENCHMARK_COMMIT_SECONDS": str(_DISK)}
    enough = {"RECONCILER_WEBHOOK__THREADS": str(_ENOUGH)}
    for name, more in ((what, slow), (f"  with webhook.threads = {_ENOUGH}", slow | enough)):
        with serving(more=more, module="tests.benchmarks.slow") as running:
            shared = offer(running.address, settings)
        yield Figure(name, shared.rate, each.rate, "a commit each", least=3)


def _with_much_due(settings: LoadSettings) -> Iterator[Figure]:
    number = max(round(_DUE * settings.scale), 1)
    with serving(due=number) as running:
        met = offer(running.address, settings)
        peak = peak_memory(running.pid)
    yield Figure(f"accept p99 with {number:,} due and no portal, ms", met.p99, 50, "goal", 1)
    yield Figure("  peak memory, MB", peak, 100, "goal", 1)


def offer(
    url: str,
    settings: LoadSettings,
    *,
    connections: int = _FEW,
    good: bool = True,
    files: Sequence[int] = range(1, 2001),
) -> Load:
    """Send deliveries from another process on all connections."""
    given = {
        "url": url,
        "secret": SECRET,
        "good": good,
        "files": list(files),
        "connections": connections,
        "seconds": settings.seconds,
    }
    command = [sys.executable, str(HERE / "load.py"), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    met = json.loads(done.stdout)
    return Load(met["rate"], met["p50"] * 1000, met["p99"] * 1000, met["codes"])


@contextmanager
def ceiling(*, commits: bool = False) -> Iterator[str]:
    """Run a reference within the block; yield its address."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        more = [folder, SECRET, str(_DISK)] if commits else []
        words = [sys.executable, str(HERE / "ceiling.py"), str(port), str(_THREADS), *more]
        with subprocess.Popen(words) as process:
            try:
                assert eventually(lambda: is_open(port))
                yield f"http://127.0.0.1:{port}/hook"
            finally:
                process.kill()


@contextmanager
def serving(
    place: Place | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
    due: int = 0,
    module: str = "reconciler",
) -> Iterator[Running]:
    """Run the daemon within the block, with so many files due."""
    with tempfile.TemporaryDirectory() as folder:
        url, key = (place.server.url, place.key) if place else (NOBODY, "key")
        environ = environment(url, key, Path(folder), free_port(), **more)
        if due:
            fill(environ["RECONCILER_STATE__URL"], url, due)
        with _begun(module, environ, Path(folder)) as running:
            yield running


@contextmanager
def _begun(module: str, environ: dict[str, str], folder: Path) -> Iterator[Running]:
    """Start a daemon as a user does, so that it shares nothing with other processes."""
    command = [sys.executable, "-m", module, "serve"]
    with (folder / "serve.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, env=environ, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    with process:
        line = process.stdout.readline()
        try:
            if not line.startswith("listening on "):
                raise RuntimeError((folder / "serve.log").read_text("utf-8"))
            yield Running(process.pid, line.removeprefix("listening on ").strip())
        finally:
            process.kill()


def fill(state: str, portal: str, number: int) -> None:
    """Make so many files due."""
    ledger = Ledger(state, portal)
    now = datetime.now(UTC)
    events = (
        Event(n, "file.updated", n, f"Report {n}.docx", "ann", now) for n in range(1, number + 1)
    )
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda event: ledger.record(event, now), events))
    ledger.close()


def _others(met: Load, code: str) -> int:
    return sum(number for seen, number in met.codes.items() if seen != code)


def peak_memory(pid: int) -> float:
    """Return the peak memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ValueError(pid)
