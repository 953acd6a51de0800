"""Reads a folder's files page by page, newest first, so that nothing is missed.

The portal orders by whole seconds without a tie-breaker, and rows move while pages are read
(docspace.md 1.1): a saved file moves to the top, a trashed one lets the rest move up. So pages
overlap by ten rows, and neighbours must share a file: else something lay between them. Where a
whole overlap carries one date, the ties may have changed places, and all rows that were covered
must have been seen. What does not hold is read a second time; if it still does not hold, the
caller keeps its old watermark and comes back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.client import PAGE, FilePage
from reconciler.model import File

STEP = 90
_OVERLAP = PAGE - STEP
_TRIES = 2


@dataclass
class _Pass:
    """What is known of a reading so far. ``ids`` are of both tries."""

    ids: set[int | str] = field(default_factory=set)
    previous: FilePage | None = None
    sound: bool = True
    tied: bool = False


def read_folder(
    fetch: Callable[[int], FilePage],
    back_to: datetime | None,
    use: Callable[[FilePage, Sequence[File]], None],
) -> bool:
    """Give ``use`` each page with the files that are new on it; return whether none is missed.

    The reading ends with the page whose last file is older than ``back_to`` (None: with the
    last page). A folder that is listed in an order of its own is read whole.
    """
    reading = _Pass()
    for _ in range(_TRIES):
        reading.previous, reading.sound, reading.tied = None, True, False
        _read_once(fetch, back_to, use, reading)
        if reading.sound:
            return True
    return False


def _read_once(
    fetch: Callable[[int], FilePage],
    back_to: datetime | None,
    use: Callable[[FilePage, Sequence[File]], None],
    reading: _Pass,
) -> None:
    start = 0
    while True:
        page = fetch(start)
        fresh = [file for file in page.files if file.id not in reading.ids]
        reading.ids.update(file.id for file in fresh)
        use(page, fresh)
        _check(page, reading)
        if _is_last(page, back_to):
            break
        reading.previous, start = page, start + STEP
    covered = page.start + len(page.files)
    if reading.tied and len(reading.ids) < covered:
        reading.sound = False


def _check(page: FilePage, reading: _Pass) -> None:
    """Files that are being converted are missing from their page: come back for them."""
    if page.dropped:
        reading.sound = False
    before = reading.previous
    if before is None or not page.files or not before.files:
        return
    common = {file.id for file in before.files} & {file.id for file in page.files}
    dates = {file.revision.updated for file in before.files[-_OVERLAP:]}
    if len(dates) == 1:
        reading.tied = True
    elif not common:
        reading.sound = False


def _is_last(page: FilePage, back_to: datetime | None) -> bool:
    if page.behind == 0:
        return True
    if page.indexing or back_to is None or not page.files:
        return False
    return page.files[-1].revision.updated < back_to
