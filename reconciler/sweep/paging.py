"""Reads a folder's files page by page, newest first, so that nothing is missed.

The portal orders by whole seconds without a tie-breaker, and rows move while pages are read
(docspace.md 1.1): a saved file moves to the top, a trashed one lets the rest move up. So pages
overlap by ten rows. A file that was not on a page is no newer than the page's last file. If a file
newer than that last one is also on the next page, unchanged, all files not yet seen follow it, and
none was missed between the pages. If all files of the overlap have the same date, their order may
have changed: then every row of the pages must have been seen while the folder did not change. A
folder for which this does not hold is read a second time, and again as long as that finds missed
ties. If it still does not hold, the caller keeps its old watermark and reads the folder again
later. A file that is being converted on the only page of a folder cannot be noticed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.client import PAGE, STEP, FilePage
from reconciler.model import File

_MAX_EMPTY = 20  # pages in a row
_TRIES, _MAX_TRIES = 2, 6


@dataclass
class _Reading:
    """The progress of reading a folder. ``given`` are the files passed to the caller so far.

    ``seen`` are the files in the wanted period since the folder's ``state`` last changed.
    """

    given: set[int | str] = field(default_factory=set)
    seen: set[int | str] = field(default_factory=set)
    state: tuple[datetime, int] | None = None
    previous: FilePage | None = None
    complete: bool = True
    ambiguous_order: bool = False
    empty: int = 0


def read_folder(
    fetch: Callable[[int], FilePage],
    back_to: datetime | None,
    on_page: Callable[[FilePage, Sequence[File]], None],
) -> bool:
    """Call ``on_page`` with each page and its new files; return whether no file was missed.

    The last page is the one whose last file is older than ``back_to`` (None: the folder's last
    page). A folder with an order of its own is read completely.
    """
    reading = _Reading()
    for tries in range(1, _MAX_TRIES + 1):
        reading.previous, reading.complete, reading.ambiguous_order = None, True, False
        known = len(reading.given)
        _read_once(fetch, back_to, on_page, reading)
        found_more = reading.ambiguous_order and len(reading.given) > known
        if reading.complete or (tries >= _TRIES and not found_more):
            break
    return reading.complete


def _read_once(
    fetch: Callable[[int], FilePage],
    back_to: datetime | None,
    on_page: Callable[[FilePage, Sequence[File]], None],
    reading: _Reading,
) -> None:
    start = 0
    while True:
        page = fetch(start)
        fresh = [file for file in page.files if file.id not in reading.given]
        reading.given.update(file.id for file in fresh)
        on_page(page, fresh)
        _check(page, reading)
        wanted = _wanted_ids(page, back_to)
        _add_seen(page, wanted, reading)
        if _is_last(page, back_to):
            break
        if _is_endless(page, reading):
            reading.complete = False
            return
        reading.previous, start = page, start + STEP
    if reading.ambiguous_order and len(reading.seen) < page.start + len(wanted):
        reading.complete = False


def _is_endless(page: FilePage, reading: _Reading) -> bool:
    """Return whether the listing would never end: empty pages in a row, or the same page again."""
    if reading.previous is not None and page.files and page.files == reading.previous.files:
        return True
    reading.empty = 0 if page.files or page.broken else reading.empty + 1
    return reading.empty > _MAX_EMPTY


def _check(page: FilePage, reading: _Reading) -> None:
    """Note whether files are missing: those being converted, and those between two pages."""
    before = reading.previous
    reading.ambiguous_order |= page.indexing and before is not None
    if page.dropped or (before is not None and page.remaining == 0 and _rows(page) < _rows(before)):
        reading.complete = False
    elif before is not None and not _is_joined(before, page):
        if page.files and before.files and _date(page.files[0]) == _date(before.files[-1]):
            reading.ambiguous_order = True
        else:
            reading.complete = False


def _is_joined(before: FilePage, page: FilePage) -> bool:
    """Return whether no file can be missing between the two pages."""
    here = {(file.id, file.revision) for file in page.files}
    shared = [file for file in before.files if (file.id, file.revision) in here]
    return any(page.indexing or _date(file) != _date(before.files[-1]) for file in shared)


def _add_seen(page: FilePage, wanted: Sequence[int | str], reading: _Reading) -> None:
    state = (page.updated, _rows(page))
    if state != reading.state:
        reading.seen.clear()
    reading.state = state
    reading.seen.update(wanted)


def _wanted_ids(page: FilePage, back_to: datetime | None) -> list[int | str]:
    """Return the ids back to ``back_to``; files that lack a field have no known date."""
    files = page.files
    if back_to is not None and not page.indexing:
        files = tuple(file for file in files if _date(file) >= back_to)
    return [*(file.id for file in files), *page.broken]


def _rows(page: FilePage) -> int:
    """Return how many files the folder has, without those being converted on a last page."""
    shown = PAGE if page.remaining else len(page.files) + len(page.broken)
    return page.start + shown + page.remaining


def _is_last(page: FilePage, back_to: datetime | None) -> bool:
    if page.remaining == 0:
        return True
    if page.indexing or back_to is None or not page.files:
        return False
    return _date(page.files[-1]) < back_to


def _date(file: File) -> datetime:
    return file.revision.updated
