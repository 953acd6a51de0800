"""Listings of rooms and files as values (docspace.md 1.1, 1.3).

A listing's own ``total`` leaves out the files of the page that are being converted, and so does
the page: what lies behind a page is ``total - start - len(items)``, whatever was dropped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.client.parse import fields_of, id_of, number_of, parse_date, parse_file, text_of
from reconciler.model import File

PAGE = 100  # the most that the portal gives (docspace.md 1.1)
_ROOMS = 14
_MAY_COMMENT = {0, 1, 9, 11}  # the owner's two, room manager, content creator


@dataclass(frozen=True)
class Room:
    """A room in a listing. ``updated`` is the last save anywhere inside (docspace.md 1.4).

    ``commentable`` says whether the key's account may comment on what lies in it: owners, room
    managers and content creators may (docspace.md 5). A single file may differ.
    """

    id: int | str
    title: str
    updated: datetime
    pinned: bool
    active: bool
    commentable: bool = True


@dataclass(frozen=True)
class Page:
    """One answer: the folder's id and date, what lies behind the page, and the portal's time.

    ``indexing`` says that the folder is listed in an order of its own (docspace.md 1.1);
    ``dropped`` that files of the page were left out because they are being converted.
    """

    folder: int | str
    updated: datetime
    indexing: bool
    start: int
    behind: int
    dropped: bool
    date: datetime | None


@dataclass(frozen=True)
class RoomPage(Page):
    """A page of rooms: pinned ones first, then newest first."""

    rooms: tuple[Room, ...]

    @property
    def total(self) -> int:
        """How many rooms there are."""
        return self.start + len(self.rooms) + self.behind


@dataclass(frozen=True)
class FilePage(Page):
    """A page of files. ``broken`` are the ids of files that lack a field."""

    files: tuple[File, ...]
    broken: tuple[int, ...]


def parse_rooms(data: object, start: int, date: datetime | None) -> RoomPage:
    """Return an answer of files/rooms. Raises ValueError that names what is missing."""
    folders = _items(data, "folders")
    rooms = tuple(map(_room, folders))
    return RoomPage(**_page(data, start, len(rooms), date), rooms=rooms)


def parse_files(data: object, start: int, date: datetime | None, room: int | None) -> FilePage:
    """Return an answer of files/{folderId}; a file that lacks a field is named, not fatal."""
    items = _items(data, "files")
    files, broken = _files(items, date, room)
    return FilePage(**_page(data, start, len(items), date), files=files, broken=broken)


def _files(
    items: Iterable[object], date: datetime | None, room: int | None
) -> tuple[tuple[File, ...], tuple[int, ...]]:
    files: list[File] = []
    broken: list[int] = []
    for item in items:
        try:
            files.append(parse_file(item, date, room))
        except ValueError:
            file_id = id_of(fields_of(item, "file"), "id")
            broken += [file_id] if isinstance(file_id, int) else []
    return tuple(files), tuple(broken)


def _room(data: object) -> Room:
    fields = fields_of(data, "room")
    return Room(
        id=id_of(fields, "id"),
        title=text_of(fields, "title", ""),
        updated=parse_date(fields.get("updated"), "updated"),
        pinned=fields.get("pinned") is True,
        active=number_of(fields, "rootFolderType", _ROOMS) == _ROOMS,
        commentable=_may_comment(fields),
    )


def _may_comment(fields: Mapping[str, Any]) -> bool:
    security = fields.get("security")
    barred = isinstance(security, Mapping) and security.get("Create") is False
    return not barred and fields.get("access", 0) in _MAY_COMMENT


def _page(data: object, start: int, length: int, date: datetime | None) -> dict[str, Any]:
    fields = fields_of(data, "response")
    current = fields_of(fields.get("current"), "current")
    behind = max(number_of(fields, "total") - start - length, 0)
    return {
        "folder": id_of(current, "id"),
        "updated": parse_date(current.get("updated"), "current.updated"),
        "indexing": current.get("indexing") is True,
        "start": start,
        "behind": behind,
        "dropped": length < PAGE and behind > 0,
        "date": date,
    }


def _items(data: object, name: str) -> list[object]:
    items = fields_of(data, "response").get(name)
    if not isinstance(items, list):
        raise ValueError(f"{name} is missing or no list")
    return items
