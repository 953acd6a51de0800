"""Listings of rooms and files as values (docspace.md 1.1, 1.3).

A listing's own ``total`` leaves out the files of the page that are being converted, and so does
the page: ``total - start - len(items)`` entries follow a page, whatever was dropped. Without a
total every full page counts as followed by another. An entry without a date counts as changed now.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.client.parse import (
    date_of,
    fields_of,
    id_of,
    items_of,
    member_of,
    optional_id,
    parse_file,
    section_of,
    text_or_empty,
)
from reconciler.client.transport import Answer
from reconciler.formats import whole_number
from reconciler.model import File, Section

PAGE = 100  # the most that the portal gives (docspace.md 1.1)
STEP = 90  # pages overlap, since rows move while they are read
_MAY_COMMENT = {0, 1, 9, 11}  # the owner's two, room manager, content creator


@dataclass(frozen=True)
class Room:
    """A room in a listing. ``updated`` is the last save anywhere inside (docspace.md 1.4).

    ``commentable`` is whether the key's account may comment on its files: owners, room managers
    and content creators may (docspace.md 5). A single file may differ. ``section`` is
    its root: archived rooms and templates are listed too (docspace.md 10).
    """

    id: int | str
    title: str
    updated: datetime
    pinned: bool
    section: Section = Section.ROOMS
    commentable: bool = True

    @property
    def active(self) -> bool:
        """Whether its files are reviewed: it is no archived room, template or AI agent."""
        return self.section is Section.ROOMS


@dataclass(frozen=True)
class Page:
    """One answer: the folder's id and date, the number of entries after it, and the portal's time.

    ``folder`` is 0 where it is unknown, ``remaining`` is 1 where it is only known that there may be
    more. ``indexing`` is whether the folder has an order of its own (docspace.md 1.1), ``dropped``
    whether files of the page were left out because they are being converted.
    """

    folder: int | str
    updated: datetime
    indexing: bool
    start: int
    remaining: int
    dropped: bool
    date: datetime | None


@dataclass(frozen=True)
class RoomPage(Page):
    """A page of rooms: pinned ones first, then newest first."""

    rooms: tuple[Room, ...]

    @property
    def total(self) -> int:
        """How many rooms there are."""
        return self.start + len(self.rooms) + self.remaining


@dataclass(frozen=True)
class FilePage(Page):
    """A page of files. ``broken`` are the ids of files that lack a field."""

    files: tuple[File, ...]
    broken: tuple[int, ...]


def parse_rooms(answer: Answer, start: int, count: int = PAGE) -> RoomPage:
    """Return an answer of files/rooms. Raises ValueError that names the missing field."""
    folders = _items(answer, "folders")
    rooms = tuple(_room(folder, answer.received) for folder in folders)
    return RoomPage(**_page(answer, start, len(rooms), count), rooms=rooms)


def parse_files(answer: Answer, start: int, count: int, room: int | None) -> FilePage:
    """Return an answer of files/{folderId}; a file that lacks a field is listed as broken."""
    items = _items(answer, "files")
    files, broken = _files(items, answer, room)
    return FilePage(**_page(answer, start, len(items), count), files=files, broken=broken)


def _files(
    items: Iterable[object], answer: Answer, room: int | None
) -> tuple[tuple[File, ...], tuple[int, ...]]:
    files: list[File] = []
    broken: list[int] = []
    for item in items:
        try:
            files.append(parse_file(item, answer.date, room, answer.received))
        except ValueError:
            file_id = id_of(fields_of(item, "file"), "id")
            broken += [file_id] if isinstance(file_id, int) else []
    return tuple(files), tuple(broken)


def _room(data: object, received: datetime) -> Room:
    fields = fields_of(data, "room")
    return Room(
        id=id_of(fields, "id"),
        title=text_or_empty(fields.get("title")),
        updated=date_of(fields, "updated") or received,
        pinned=fields.get("pinned") is True,
        section=section_of(fields),
        commentable=_may_comment(fields),
    )


def _may_comment(fields: Mapping[str, Any]) -> bool:
    barred = member_of(fields, "security").get("Create") is False
    access = whole_number(fields.get("access"))
    return not barred and (access is None or access in _MAY_COMMENT)


def _page(answer: Answer, start: int, length: int, count: int) -> dict[str, Any]:
    fields = fields_of(answer.response, "response")
    current = member_of(fields, "current")
    total = whole_number(fields.get("total"))
    remaining = int(length >= count) if total is None else max(total - start - length, 0)
    return {
        "folder": optional_id(current, "id", 0),
        "updated": date_of(current, "updated") or answer.received,
        "indexing": current.get("indexing") is True,
        "start": start,
        "remaining": remaining,
        "dropped": length < count and remaining > 0,
        "date": answer.date,
    }


def _items(answer: Answer, name: str) -> list[object]:
    return items_of(fields_of(answer.response, "response").get(name), f"{name} is")
