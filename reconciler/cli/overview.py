"""The overview as text, as tables on a terminal, and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.cli.options import json_text
from reconciler.diagnostics import Problem, file_hint
from reconciler.formats import counted, local_time, shown
from reconciler.ledger import Overview
from reconciler.ledger.records import BOUNDS, UnfinishedFile
from reconciler.model import EPOCH, Source

_DAYS, _SWEEPS = 7, 5


@dataclass(frozen=True)
class _Block:
    """A table: its title, the names of its columns, and its rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def print_overview(
    seen: Overview, problems: Sequence[Problem], limit: int, console: Console | None = None
) -> None:
    """Print the problems, then the numbers."""
    console = console or _console()
    for problem in problems:
        style = "bold red" if problem.is_blocking else "yellow"
        console.print(Text(f"WRONG: {shown(str(problem))}", style=style))
    if not problems:
        console.print(Text("All is well.", style="bold green"))
    for line in _lines(seen, limit):
        console.print(Text(line))
    for block in _blocks(seen):
        _print(console, block)


def print_files(found: Sequence[UnfinishedFile]) -> None:
    """Print the files that failed, were refused or wait, each with what to do."""
    console = _console()
    if found:
        _print(console, _unfinished(found, len(found)))
        for file in found:
            if hint := file_hint(file):
                console.print(Text(f"{file.file_id}: {hint}"))
    else:
        console.print("nothing failed, and nothing waits")


def as_json(seen: Overview, problems: Sequence[Problem], limit: int) -> str:
    """Return the overview as one JSON object."""
    return json_text(
        {
            "problems": [asdict(one) | {"blocking": one.is_blocking} for one in problems],
            "now": seen.now,
            "queue": asdict(seen.queue),
            "events": {"accepted": seen.accepted, "echoes": seen.echoes},
            "outcomes": [
                {"outcome": outcome, "reason": reason, "number": number}
                for (outcome, reason), number in sorted(seen.ended.items())
            ],
            "unfinished": seen.unfinished,
            "files": [asdict(one) for one in seen.files],
            "in_review": seen.in_review,
            "reviews": [asdict(one) for one in seen.reviews],
            "outages": [asdict(one) for one in seen.outages],
            "paused": {"until": seen.paused_until, "why": seen.paused_why},
            "backfill_until": seen.backfill_until,
            "writes": {"used": seen.written, "per_day": limit},
            "sweeps": [asdict(one) for one in seen.sweeps],
            "sweeping": seen.sweeping,
            "next_sweep": seen.next_sweep,
            "incomplete_folders": seen.incomplete_folders,
            "texts": [{"text": text, "number": number} for text, number in seen.texts],
            "latencies": {
                source.value: {
                    "number": latency.number,
                    "seconds": latency.seconds,
                    "up_to": latency.buckets,
                }
                for source, latency in seen.latencies.items()
            },
            "updates": [{"day": _day(day), **each} for day, each in seen.days.items()],
            "holders": {role.value: holder for role, holder in seen.holders.items()},
        }
    )


def files_as_json(found: Sequence[UnfinishedFile]) -> str:
    """Return the files that failed, were refused or wait as one JSON object."""
    return json_text({"files": [asdict(one) | {"hint": file_hint(one)} for one in found]})


def _lines(seen: Overview, limit: int) -> Iterator[str]:
    queue = seen.queue
    oldest = f", the oldest since {local_time(queue.oldest)}" if queue.oldest else ""
    following = f"; next {local_time(queue.next)}" if queue.next else ""
    backfill = f" ({queue.backfill} for a backfill)" if queue.backfill else ""
    yield f"queue      {counted(queue.depth)}{backfill}, {queue.due} due now{oldest}{following}"
    echoes = f"{seen.echoes} echoes of our own comments"
    yield f"accepted   {seen.accepted} events and listed files; {echoes}"
    yield f"review     {seen.in_review} to be reviewed"
    yield f"writes     {seen.written} of {limit} in 24 hours"
    if seen.backfill_until is not None:
        yield f"backfill   resumes at {local_time(seen.backfill_until)}"
    if seen.sweeps:
        last = seen.sweeps[0]
        coming = f"; next {local_time(seen.next_sweep)}" if seen.next_sweep and seen.serving else ""
        yield f"sweep      last {local_time(last.began)}, {last.requests} requests{coming}"
    if seen.sweeping is not None:
        yield f"sweep      under way since {local_time(seen.sweeping)}"
    for source, latency in seen.latencies.items():
        half, most = _within(latency.quantile(0.5)), _within(latency.quantile(0.95))
        yield f"latency    {source}: half {half}, 95 % {most} from save to comment"
    for role, holder in seen.holders.items():
        yield f"{role.value:10} {holder}"


def _within(seconds: int | None) -> str:
    return f"within {seconds} s" if seconds is not None else f"over {BOUNDS[-1]} s"


def _blocks(seen: Overview) -> Iterator[_Block]:
    if seen.files:
        yield _unfinished(seen.files, sum(seen.unfinished.values()))
    if seen.reviews:
        yield _Block(
            f"need review ({len(seen.reviews)} newest of {seen.in_review})",
            ("file", "title", "room", "saved by", "marked"),
            [
                (one.file_id, one.title, one.room_title or one.room, one.author, one.marked_at)
                for one in seen.reviews
            ],
        )
    if seen.days:
        yield _Block(
            "marked updates, by what detected them first",
            ("day", *(f"by {source.label}" for source in Source)),
            [
                (_day(day), *(each.get(source, 0) for source in Source))
                for day, each in islice(seen.days.items(), _DAYS)
            ],
        )
    if seen.ended:
        ended = [(*key, number) for key, number in sorted(seen.ended.items())]
        yield _Block("ended so far", ("outcome", "reason", "number"), ended)
    if seen.sweeps:
        yield _Block(
            "last sweeps",
            ("began", "seconds", "requests", "scanned", "enqueued", "error"),
            [
                (
                    one.began,
                    f"{one.seconds:.1f}",
                    one.requests,
                    one.scanned,
                    one.enqueued,
                    one.error,
                )
                for one in seen.sweeps[:_SWEEPS]
            ],
        )
    if seen.texts:
        yield _Block("texts that were kept", ("text", "number"), seen.texts)


def _unfinished(found: Sequence[UnfinishedFile], of: int) -> _Block:
    rows = [
        (one.file_id, one.title, one.outcome, one.reason, one.error, one.retry_at) for one in found
    ]
    title = f"failed, refused, waiting ({len(found)} of {of})"
    return _Block(title, ("file", "title", "outcome", "reason", "error", "next try"), rows)


def _console() -> Console:
    # Titles come from the portal, so markup is off.
    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def _print(console: Console, block: _Block) -> None:
    rows = [[_cell(value) for value in row] for row in block.rows]
    if not console.is_terminal:
        console.print(f"{block.title}: {', '.join(block.columns)}")
        for row in rows:
            console.print("  " + "  ".join(cell or "-" for cell in row))
        return
    table = Table(*block.columns, title=block.title, title_justify="left")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table, soft_wrap=False)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return local_time(value)
    return shown(str(value))


def _day(day: datetime) -> str:
    return "before" if day == EPOCH else f"{day:%Y-%m-%d}"
