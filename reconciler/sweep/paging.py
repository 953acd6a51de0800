"""Reads a folder's files page by page, newest first, so that nothing is missed.

The portal orders by whole seconds without a tie-breaker, and rows move while pages are read
(docspace.md 1.1): a saved file moves to the top, a trashed one lets the rest move up. So pages
overlap by ten rows. What was not on a page is no newer than its last file; if one that is newer
than that stands unchanged on the next page, all of it comes behind that one, and nothing lay
between the pages. Where the whole overlap carries one date, the ties may have changed places:
then all rows that were covered must have been seen while the folder did not change. What does not
hold is read a second time, and once more as long as that brings ties that were missed; if it still
does not hold, the caller keeps its old watermark and comes back. What is being converted on the
only page of a folder cannot be noticed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.client import PAGE, STEP, FilePage
from reconciler.model import File

_MAX_EMPTY = 20
_TRIES, _MAX_TRIES = 2, 6


@dataclass
class _Reading:
    """What is known so far. ``given`` are the files of both tries that were passed on.

    ``seen`` are those that are not too old, since the folder's ``state`` was last another.
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
    use: Callable[[FilePage, Sequence[File]], None],
) -> bool:
    """Give ``use`` each page with the files that are new on it; return whether none is missed.

    The reading ends with the page whose last file is older than ``back_to`` (None: with the
    last page). A folder that is listed in an order of its own is read whole.
    """
    reading = _Reading()
    for tries in range(1, _MAX_TRIES + 1):
        reading.previous, reading.complete, reading.ambiguous_order = None, True, False
        known = len(reading.given)
        _read_once(fetch, back_to, use, reading)
        found_more = reading.ambiguous_order and len(reading.given) > known
        if reading.complete or (tries >= _TRIES and not found_more):
            break
    return reading.complete


def _read_once(
    fetch: Callable[[int], FilePage],
    back_to: datetime | None,
    use: Callable[[FilePage, Sequence[File]], None],
    reading: _Reading,
) -> None:
    start = 0
    while True:
        page = fetch(start)
        fresh = [file for file in page.files if file.id not in reading.given]
        reading.given.update(file.id for file in fresh)
        use(page, fresh)
        _check(page, reading)
        young = _young(page, back_to)
        _remember(page, young, reading)
        if _is_last(page, back_to):
            break
        if _makes_no_sense(page, reading):
            reading.complete = False
            return
        reading.previous, start = page, start + STEP
    if reading.ambiguous_order and len(reading.seen) < page.start + len(young):
        reading.complete = False


def _makes_no_sense(page: FilePage, reading: _Reading) -> bool:
    """Many empty pages in a row, or the same one again: a listing that would never end."""
    if reading.previous is not None and page.files and page.files == reading.previous.files:
        return True
    reading.empty = 0 if page.files or page.broken else reading.empty + 1
    return reading.empty > _MAX_EMPTY


def _check(page: FilePage, reading: _Reading) -> None:
    """Files that are being converted are missing from their page: come back for them."""
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
    """Whether everything that may have been on neither page must be on this one."""
    here = {(file.id, file.revision) for file in page.files}
    shared = [file for file in before.files if (file.id, file.revision) in here]
    return any(page.indexing or _date(file) != _date(before.files[-1]) for file in shared)


def _remember(page: FilePage, young: Sequence[int | str], reading: _Reading) -> None:
    state = (page.updated, _rows(page))
    if state != reading.state:
        reading.seen.clear()
    reading.state = state
    reading.seen.update(young)


def _young(page: FilePage, back_to: datetime | None) -> list[int | str]:
    """Return the rows that are wanted; of those that lack a field the date is not known."""
    files = page.files
    if back_to is not None and not page.indexing:
        files = tuple(file for file in files if _date(file) >= back_to)
    return [*(file.id for file in files), *page.broken]


def _rows(page: FilePage) -> int:
    """Return how many files the folder has; of a last page, less those being converted on it."""
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
