"""The files to review as a table, as text, as JSON and as comma-separated values."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.cli.options import json_text
from reconciler.formats import counted, document_url, length_of_time, shown
from reconciler.ledger.records import FileInReview

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # the beginnings of a formula in a spreadsheet
_FIELDS = (
    *("file_id", "title", "room_id", "room", "version", "saved_by", "saved_at", "marked_at"),
    *("since", "comment", "link"),
)


@dataclass(frozen=True)
class Reviews:
    """The files that wait, and those kept without a mark, at ``now``."""

    now: datetime
    portal: str
    waiting: Sequence[FileInReview]
    kept: Sequence[FileInReview]


def print_reviews(reviews: Reviews, console: Console | None = None) -> None:
    """Print the files: as tables on a terminal, a line each elsewhere."""
    # Titles come from the portal, so markup is off.
    console = console or Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.print(f"{counted(len(reviews.waiting))} need{'s' * (len(reviews.waiting) == 1)} review")
    _print(console, reviews, reviews.waiting, "waiting")
    if reviews.kept:
        were = "was" if len(reviews.kept) == 1 else "were"
        console.print(
            f"\n{counted(len(reviews.kept))} {were} kept for a person's comment on an update "
            "that was never marked"
        )
        _print(console, reviews, reviews.kept, "for")


def _print(console: Console, reviews: Reviews, files: Sequence[FileInReview], since: str) -> None:
    columns = {since: 9, "file": None, "room": 14, "ver.": 4}
    columns[f"saved ({reviews.now.astimezone():%Z})"] = 16
    if not files:
        return
    if not console.is_terminal:
        for one in files:
            console.print(
                "  ".join(("", *_cells(reviews, one), document_url(reviews.portal, one.file_id)))
            )
        return
    table = Table()
    for column, most in columns.items():
        table.add_column(column, overflow="fold", max_width=most)
    for one in files:
        waited, title, room, version, author, saved = _cells(reviews, one)
        link = document_url(reviews.portal, one.file_id)
        file = Text.assemble(title, "\n", (link, f"dim link {link}"))
        table.add_row(waited, file, *map(Text, (room, version, f"{author}\n{saved}")))
    console.print(table, soft_wrap=False)


def _cells(reviews: Reviews, one: FileInReview) -> list[str]:
    title = shown(one.title) or f"file {one.file_id}"
    return [
        _waited(reviews.now, one),
        f"{title}: {shown(one.comment)}" if one.comment else title,
        shown(one.room_title) or (f"room {one.room}" if one.room is not None else "-"),
        str(one.version),
        shown(one.author) or "-",
        f"{one.updated.astimezone():%Y-%m-%d %H:%M}",
    ]


def _waited(now: datetime, one: FileInReview) -> str:
    seconds = max(int((now - (one.since or one.updated)).total_seconds()), 0)
    return length_of_time(seconds)


def as_json(reviews: Reviews) -> str:
    """Return the files as one JSON object."""
    return json_text(
        {
            "now": reviews.now,
            "portal": reviews.portal,
            "waiting": [_fields(reviews, one) for one in reviews.waiting],
            "kept_unmarked": [_fields(reviews, one) for one in reviews.kept],
        }
    )


def write_csv(reviews: Reviews) -> None:
    """Print the files as comma-separated values; the column ``state`` has the list of each."""
    writer = csv.DictWriter(sys.stdout, ("state", *_FIELDS))
    writer.writeheader()
    for state, files in (("waiting", reviews.waiting), ("kept_unmarked", reviews.kept)):
        for one in files:
            cells = {name: _safe(value) for name, value in _fields(reviews, one).items()}
            writer.writerow({"state": state} | cells)


def _fields(reviews: Reviews, one: FileInReview) -> dict[str, object]:
    values = (
        one.file_id,
        one.title,
        one.room,
        one.room_title or None,
        one.version,
        one.author or None,
        one.updated,
        one.marked_at,
        one.since,
        one.comment or None,
        document_url(reviews.portal, one.file_id),
    )
    return dict(zip(_FIELDS, values, strict=True))


def _safe(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: titles come from the portal."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if not isinstance(value, str):
        return value
    text = shown(value)
    return f"'{text}" if value.startswith(_FORMULA) else text
