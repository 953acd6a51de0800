"""`python -m tests.benchmarks sweep`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import sweep


def main(words: Sequence[str] | None = None) -> None:
    """Run one benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("what", choices=["sweep"])
    parser.add_argument("--scale", type=float, default=1.0, help="of the portal (1: full size)")
    parser.add_argument("--latency", type=float, default=0.05, help="of the portal, in seconds")
    parser.add_argument("--profiles", type=Path, help="a folder: profile, and write there")
    given = parser.parse_args(words)
    sweep.run(sweep.Terms(given.scale, given.latency, given.profiles))


if __name__ == "__main__":
    main()
