"""The reviewer's view: files that wait, decided ones, and those kept without a mark."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from reconciler.admin.app import Page
from reconciler.admin.rendering import View, rendered
from reconciler.ledger import Ledger, ReviewFilter, ReviewState
from reconciler.ledger.records import ReviewPage, RoomInReview

PER_PAGE = 50
_RECENT_FILES = 10  # shown of those that were decided, or kept without a mark
_ROOMS = 12
_MAX_TEXT, _MAX_ID = 100, 2**31 - 1


@dataclass(frozen=True)
class Query:
    """The query of the page's address. ``page`` counts from 1."""

    text: str = ""
    room: int | None = None
    page: int = 1

    @property
    def is_narrowed(self) -> bool:
        """Whether only some of the files are wanted."""
        return bool(self.text) or self.room is not None

    def link(self, **changes: Any) -> str:
        """Return the address of the same list with these changes, from its first page."""
        wanted = replace(self, **{"page": 1} | changes)
        page = wanted.page if wanted.page > 1 else None
        values = {"q": wanted.text, "room": wanted.room, "page": page}
        given = {name: value for name, value in values.items() if value}
        return f"?{urlencode(given)}" if given else "review"


@dataclass(frozen=True)
class Review:
    """What the ledger holds for the view; ``in_review`` counts what waits in all rooms."""

    query: Query
    in_review: int
    waiting: ReviewPage
    rooms: tuple[RoomInReview, ...]
    decided: ReviewPage
    unmarked: ReviewPage

    @property
    def pages(self) -> int:
        """How many pages the list has."""
        return _pages(self.waiting)

    @property
    def first(self) -> int:
        """The number of the first file on the page."""
        return (self.query.page - 1) * PER_PAGE + 1

    @property
    def room_title(self) -> str:
        """The room that the list is narrowed to."""
        titles = [one.title for one in self.rooms if one.room == self.query.room]
        titles += [one.room_title for one in self.waiting.files]
        return next(iter(titles), "") or f"room {self.query.room}"


def parse_query(given: Mapping[str, str]) -> Query:
    """Return the query of an address; invalid parameters are ignored."""
    room = _number(given.get("room", ""))
    text = given.get("q", "").strip()[:_MAX_TEXT]
    return Query(text, room, _number(given.get("page", "")) or 1)


def read_reviews(ledger: Ledger, query: Query, in_review: int) -> Review:
    """Return what the view shows; a page after the last one is the last. Raises LedgerError."""
    reviews = ledger.reviews
    wanted = ReviewFilter(
        rooms=frozenset() if query.room is None else frozenset({query.room}), text=query.text
    )
    some = reviews.page(ReviewState.WAITING, wanted, PER_PAGE, (query.page - 1) * PER_PAGE)
    if query.page > _pages(some):
        return read_reviews(ledger, replace(query, page=_pages(some)), in_review)
    return Review(
        query=query,
        in_review=in_review,
        waiting=some,
        rooms=reviews.rooms(_ROOMS),
        decided=reviews.page(ReviewState.DECIDED, limit=_RECENT_FILES),
        unmarked=reviews.page(ReviewState.UNMARKED, limit=_RECENT_FILES),
    )


def _pages(found: ReviewPage) -> int:
    return max(-(-found.total // PER_PAGE), 1)


def review_page(view: View, data: Review) -> Page:
    """Return the view."""
    return rendered("review", view, {"data": data, "query": data.query})


def _number(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0
    return number if 0 < number <= _MAX_ID else None
