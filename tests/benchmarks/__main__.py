"""`python -m tests.benchmarks`: everything in one table, or the parts that are named."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.benchmarks import marks, receive, shared, size, sweep
from tests.benchmarks.table import Figure, load, machine, show

Measured = Callable[[], Iterator[Figure]]


def main(words: Sequence[str] | None = None) -> None:
    """Run one benchmark, or all, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", help="what to measure (default: everything)")
    parser.add_argument("--scale", type=float, default=1.0, help="of portal and ledger (1: full)")
    parser.add_argument("--seconds", type=float, default=5.0, help="that each load lasts")
    parser.add_argument("--latency", type=float, default=0.05, help="of the portal, in seconds")
    parser.add_argument("--profiles", type=Path, help="a folder: profile the sweep, write there")
    given = parser.parse_args(words)
    load_settings = receive.LoadSettings(given.seconds, given.latency, given.scale)
    parts: dict[str, Measured] = {
        "receive": lambda: receive.figures(load_settings),
        "shared": lambda: shared.figures(load_settings),
        "marks": lambda: marks.figures(load_settings),
        "size": lambda: size.figures(load_settings),
        "sweep": lambda: sweep.figures(
            sweep.SweepSettings(given.scale, given.latency, given.profiles)
        ),
    }
    for name in set(given.what) - set(parts):
        parser.error(f"{name}: give one of {', '.join(parts)}")
    before = load()
    figures = [figure for name in given.what or parts for figure in parts[name]()]
    notes = [
        f"Machine: {machine()}; load {before} before, {load()} after.",
        f"Scale {given.scale:g}. The portal is the sandbox with its limits off; load, portal and "
        "daemon are processes of their own on this machine, with full durability.",
    ]
    show("Measured", notes, figures)


if __name__ == "__main__":
    main()
