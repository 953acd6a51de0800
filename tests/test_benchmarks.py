"""The benchmarks run and print; how fast they are is not tested."""

import pytest

from tests import postgres
from tests.benchmarks.__main__ import main


def test_the_sweeps_benchmark_runs_and_its_counts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """The sweep's benchmark runs at a hundredth of its size, and no count exceeds its goal."""
    main(["sweep", "--scale", "0.01", "--latency", "0"])
    table = capsys.readouterr().out
    for words in ("Machine: ", "idle sweep, 10 rooms", "files changed in", "peak memory, MB"):
        assert words in table
    assert "backfill of 1,000 marked files, second time" in table
    assert "MISSED" not in table, table


@pytest.mark.parametrize(
    ("what", "words"),
    [
        pytest.param(
            "receive",
            [
                "durable accepts/s",
                "100 connections",
                "tutorial",
                "slowed by",
                "webhook.threads = 12",
                "no portal",
            ],
            marks=pytest.mark.long,
        ),
        (
            "marks",
            ["save to comment", "p99, s", "calls per update", "50 events within"],
        ),
        pytest.param(
            *("shared", ["one daemon on PostgreSQL", "3 daemons together"]), marks=pytest.mark.long
        ),
        pytest.param(
            *("size", ["accepts with 1,000 files", "claims with", "reconciler status"]),
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_other_benchmarks_run_and_print(
    what: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The other benchmarks run for a moment and print their table, whatever the times."""
    if what == "shared":
        postgres.needed(own=True)
    main([what, "--scale", "0.001", "--seconds", "0.1"])
    table = capsys.readouterr().out
    assert [word for word in words if word not in table] == []
