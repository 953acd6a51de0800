"""The geometry of the charts. Pure: numbers in, coordinates out; the template draws them.

A chart is a row of columns, and a column is a stack of bars, all in units of the drawing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from reconciler.ledger.records import BOUNDS, LatencyHistogram
from reconciler.model import EPOCH, Source

DAYS = 14
DETECTED_BY = (Source.WEBHOOK, Source.LOG, Source.SWEEP)  # from the bottom of a stack to its top
_WIDTH, _HIGH, _LOW, _TOP = 336.0, 104.0, 52.0, 14.0
_MAX_SLOT = 48.0  # the width of a column with its gap: a few columns are aligned left
_GAP = 0.24  # of a slot
_WARN_FROM = 0.8  # of a limit
_MIN_BAR = 2.0  # a bar of one among thousands must be visible
_LABELS = ("1s", "2s", "5s", "10s", "30s", "1m", "5m", "15m", "1h", "6h", "1d", "more")


@dataclass(frozen=True)
class Bar:
    """One rectangle; ``kind`` is its style."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """A stack of bars over its label; ``caption`` has the same as text."""

    x: float
    width: float
    label: str
    caption: str
    bars: tuple[Bar, ...]

    @property
    def middle(self) -> float:
        """The x coordinate of the label."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Chart:
    """A row of columns; ``most`` is the number of the highest one."""

    columns: tuple[Column, ...]
    most: int
    height: float
    width: float = _WIDTH


@dataclass(frozen=True)
class Meter:
    """How much of a limit is used: ``filled`` of 100; ``level`` is its colour."""

    filled: float
    level: str


def meter(used: int, limit: int) -> Meter:
    """Return the meter of a limit; any use is visible."""
    share = used / max(limit, 1)
    level = "bad" if share >= 1 else "warn" if share >= _WARN_FROM else "good"
    return Meter(min(max(share * 100, _MIN_BAR), 100.0) if used else 0.0, level)


@dataclass(frozen=True)
class Day:
    """The updates of one day; ``day`` is None for the sum of all older days."""

    day: datetime | None
    counts: Mapping[Source, int]

    @property
    def name(self) -> str:
        """The day, for people."""
        return "before" if self.day is None else f"{self.day:%Y-%m-%d}"

    def by(self, source: Source) -> int:
        """Return how many ``source`` detected first."""
        return self.counts.get(source, 0)


def last_days(days: Mapping[datetime, Mapping[Source, int]], now: datetime) -> tuple[Day, ...]:
    """Return the last days, the newest first, but none before the first update."""
    today = EPOCH + (now - EPOCH) // timedelta(days=1) * timedelta(days=1)
    wanted = [today - timedelta(days=back) for back in range(DAYS)]
    first = min(days, default=today)
    return tuple(Day(day, days.get(day, {})) for day in wanted if day >= min(first, today))


def older(days: Mapping[datetime, Mapping[Source, int]], shown: Sequence[Day]) -> Day:
    """Return the sum of all days that are not shown."""
    apart = {one.day for one in shown}
    counts = Counter[Source]()
    for day, each in days.items():
        if day not in apart:
            counts.update(each)
    return Day(None, counts)


def days_chart(days: Sequence[Day]) -> Chart:
    """Draw the days, the newest at the right, by what detected the updates first."""
    shown = list(reversed(days))
    stacks = [[(source.value, day.by(source)) for source in DETECTED_BY] for day in shown]
    captions = [
        f"{day.name}: {', '.join(f'{day.by(one)} by {one.label}' for one in DETECTED_BY)}"
        for day in shown
    ]
    labels = [f"{day.day:%d}" if day.day else "" for day in shown]
    return _chart(stacks, labels, captions, _HIGH)


def latency_chart(source: Source, latency: LatencyHistogram) -> Chart:
    """Draw the numbers of updates by their latency."""
    numbers = [latency.buckets.get(bound, 0) for bound in (*BOUNDS, 0)]
    captions = [
        f"{number} longer than a day" if label == "more" else f"{number} from {above} to {label}"
        for (above, label), number in zip(pairwise(("0s", *_LABELS)), numbers, strict=True)
    ]
    return _chart([[(source.value, number)] for number in numbers], _LABELS, captions, _LOW)


def _chart(
    stacks: Sequence[Sequence[tuple[str, int]]],
    labels: Sequence[str],
    captions: Sequence[str],
    height: float,
) -> Chart:
    most = max((sum(number for _, number in stack) for stack in stacks), default=0)
    slot = min(_WIDTH / max(len(stacks), 1), _MAX_SLOT)
    columns = tuple(
        Column(
            x=round(slot * (number + _GAP / 2), 2),
            width=round(slot * (1 - _GAP), 2),
            label=label,
            caption=caption,
            bars=tuple(_bars(stack, most, height)),
        )
        for number, (stack, label, caption) in enumerate(zip(stacks, labels, captions, strict=True))
    )
    return Chart(columns, most, height)


def _bars(stack: Sequence[tuple[str, int]], most: int, base: float) -> Iterator[Bar]:
    counted = [(kind, number) for kind, number in stack if number]
    room = base - _TOP - _MIN_BAR * (len(counted) - 1)
    for kind, number in counted:
        height = max(room * number / most, _MIN_BAR)
        base -= height
        yield Bar(kind, round(base, 2), round(height, 2))
