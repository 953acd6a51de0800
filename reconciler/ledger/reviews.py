"""Queries the files to review, those a person decided on, and those kept unmarked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, FromClause, Row, Select, and_, func, or_, select

from reconciler.ledger.records import FileInReview, ReviewPage, RoomInReview
from reconciler.ledger.store.schema import (
    DECIDED,
    PLACE,
    UNMARKED,
    WAITING,
    files,
    rooms,
)
from reconciler.ledger.store.store import Store


class ReviewState(Enum):
    """A list of files: its condition and order."""

    condition: Any
    newest_first: bool

    WAITING = ("waiting", WAITING, False)
    """Files that carry our comment, the longest wait first."""
    DECIDED = ("decided", DECIDED, True)
    """Files whose comment a person replaced or emptied, the latest first."""
    UNMARKED = ("kept_unmarked", UNMARKED, True)
    """Files kept for a person's comment on a version that was never marked, the latest first."""

    def __new__(cls, name: str, condition: Any, newest_first: bool) -> "ReviewState":
        """Keep the name as the value; the rest are attributes."""
        state = object.__new__(cls)
        state._value_, state.condition, state.newest_first = name, condition, newest_first
        return state


@dataclass(frozen=True)
class ReviewFilter:
    """Selects files of a list; an empty field restricts nothing.

    They lie in one of ``rooms``, are in the list since ``before`` or longer, were saved by somebody
    with ``author`` in the name, have ``text`` in the title or in that name, and were marked last
    after ``marked[0]`` and not after ``marked[1]``.
    """

    rooms: frozenset[int] = frozenset()
    before: datetime | None = None
    author: str = ""
    text: str = ""
    marked: tuple[datetime, datetime] | None = None

    def conditions(self) -> Iterator[Any]:
        """Yield the conditions of a row."""
        if self.rooms:
            yield PLACE.in_(self.rooms)
        if self.before is not None:
            yield files.c.comment_since <= self.before
        if self.marked is not None:
            yield and_(files.c.marked_at > self.marked[0], files.c.marked_at <= self.marked[1])
        if self.author:
            yield _contains(files.c.author, self.author)
        if self.text:
            yield or_(_contains(files.c.name, self.text), _contains(files.c.author, self.text))


class Reviews:
    """The files to review. Each call is one short transaction; all raise LedgerError."""

    def __init__(self, store: Store) -> None:
        """Share the ledger's store."""
        self._store = store

    def page(
        self,
        state: ReviewState,
        wanted: ReviewFilter = ReviewFilter(),
        limit: int | None = None,
        offset: int = 0,
    ) -> ReviewPage:
        """Return files of a state, from ``offset`` on no more than ``limit``, and the total."""
        found = select(files).where(state.condition, *wanted.conditions())

        def job(c: Connection) -> ReviewPage:
            total = c.execute(found.with_only_columns(func.count(), maintain_column_froms=True))
            some = _ordered(found, files, state.newest_first).limit(limit).offset(offset)
            page = _with_rooms(c, some, state.newest_first)
            return ReviewPage(page, int(total.scalar_one()))

        return self._store.read(job)

    def rooms(self, limit: int) -> tuple[RoomInReview, ...]:
        """Return the rooms with the most files that need review, where the room is known."""
        number = func.count()
        each = select(PLACE.label("place"), number.label("number")).where(WAITING).group_by(PLACE)
        places = each.subquery()
        found = select(rooms.c.id, rooms.c.title, places.c.number).join(
            places, places.c.place == rooms.c.id
        )
        most = found.order_by(places.c.number.desc(), rooms.c.id).limit(limit)
        return self._store.read(
            lambda c: tuple(
                RoomInReview(row.id, row.title or "", row.number) for row in c.execute(most)
            )
        )


def newest_reviews(c: Connection, limit: int) -> tuple[FileInReview, ...]:
    """Return the files that began to wait for review last."""
    newest = _ordered(select(files).where(WAITING), files, newest_first=True)
    return _with_rooms(c, newest.limit(limit), newest_first=True)


def _ordered(found: Select[Any], table: FromClause, newest_first: bool) -> Select[Any]:
    by = (table.c.comment_since, table.c.id)
    return found.order_by(*(column.desc() if newest_first else column for column in by))


def _with_rooms(c: Connection, found: Select[Any], newest_first: bool) -> tuple[FileInReview, ...]:
    some = found.subquery()
    lies_in = rooms.c.id == func.coalesce(some.c.room, some.c.folder)
    columns = (some, rooms.c.id.label("listed"), rooms.c.title.label("room_title"))
    with_rooms = select(*columns).join_from(some, rooms, lies_in, isouter=True)
    rows = c.execute(_ordered(with_rooms, some, newest_first))
    return tuple(map(_in_review, rows))


def _in_review(row: Row[Any]) -> FileInReview:
    return FileInReview(
        file_id=row.id,
        title=row.name,
        version=row.settled_version,
        updated=row.settled_updated,
        marked_at=row.marked_at,
        author=row.author or "",
        room=row.room if row.room is not None else row.listed,
        room_title=row.room_title or "",
        since=row.comment_since,
        comment=row.comment,
    )


def _contains(column: Any, words: str) -> Any:
    """Return the condition that a text has these words, in any case: SQLite folds only ASCII."""
    forms = {words, words.lower(), words.upper(), words.title(), words.capitalize()}
    return or_(*(column.icontains(form, autoescape=True) for form in sorted(forms)))
