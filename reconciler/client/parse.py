"""The portal's JSON into values: unknown fields ignored, missing ones named.

Shapes: docspace.md 2, 3, 9. Every function raises ValueError that names the field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.model import File, Revision, Section, is_number, storable

# rootFolderType (docspace.md 9). 6, "shared with me", is another user's personal file.
_SECTIONS = {
    3: Section.TRASH,
    5: Section.PERSONAL,
    6: Section.PERSONAL,
    14: Section.ROOMS,
    20: Section.ARCHIVE,
    30: Section.TEMPLATES,
    34: Section.AI_AGENTS,
}
_ROOMS_ROOT = 14


@dataclass(frozen=True)
class Key:
    """What the portal says of our API key. An empty set of permissions means all of them."""

    owner: str
    owner_name: str
    permissions: frozenset[str]
    active: bool

    def lacks(self, *scopes: str) -> str | None:
        """Return the first of the alternatives when the key has none of them (docspace.md 5)."""
        granted = self.permissions
        wide = {"*"} | ({"*:read"} if scopes[0].endswith(":read") else {"*:write"})
        return None if not granted or granted & (wide | set(scopes)) else scopes[0]


def parse_date(text: object, name: str) -> datetime:
    """Return an ISO date with any number of fraction digits and any offset as aware UTC.

    The portal writes 7 digits and the tenant's offset (docspace.md 3); microseconds are kept.
    """
    if not isinstance(text, str):
        raise ValueError(f"{name} is missing")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no offset")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} is not a date with an offset: {text[:40]!r}") from error


def parse_file(data: object, read_at: datetime | None, room: int | None = None) -> File:
    """Return a FileDto as a File (docspace.md 9: nulls are omitted, enums are numbers)."""
    fields = _mapping(data, "file")
    security = fields.get("security")
    rights = security if isinstance(security, Mapping) else {}
    return File(
        id=_id(fields, "id"),
        title=_text(fields, "title"),
        created=parse_date(fields.get("created"), "created"),
        revision=Revision(
            version=_number(fields, "version"),
            updated=parse_date(fields.get("updated"), "updated"),
            size=_number(fields, "pureContentLength", 0),
        ),
        comment=_text(fields, "comment", ""),
        section=_SECTIONS.get(_number(fields, "rootFolderType"), Section.OTHER),
        folder=_id(fields, "folderId"),
        updated_by=_person(fields.get("updatedBy")),
        room=room,
        provider=_text(fields, "providerKey", "") or None,
        # A lock of our own has no lockedBy (docspace.md 5).
        locked=bool(fields.get("locked")) and "lockedBy" in fields,
        editable=rights.get("EditHistory", True) is not False,
        read_at=read_at,
    )


def parse_key(data: object) -> Key:
    """Return the answer of keys/@self (docspace.md 7)."""
    fields = _mapping(data, "key")
    owner = _mapping(fields.get("createBy"), "createBy")
    granted = fields.get("permissions")
    return Key(
        owner=_text(owner, "id").lower(),
        owner_name=_text(owner, "displayName", ""),
        permissions=frozenset(map(str, granted)) if isinstance(granted, list) else frozenset(),
        active=fields.get("isActive") is not False,
    )


def parse_room(data: object) -> int | None:
    """Return the room that a folder lies in, from its listing's path; None outside of rooms."""
    parts = _mapping(data, "folder").get("pathParts")
    if not isinstance(parts, list):
        raise ValueError("pathParts is missing")
    folders = [_mapping(part, "pathParts") for part in parts]
    rooms = [part["id"] for part in folders if "roomType" in part and is_number(part.get("id"))]
    if rooms:
        return int(rooms[0])
    inside = len(folders) > 1 and folders[0].get("folderType") == _ROOMS_ROOT
    return _number(folders[1], "id") if inside else None


def _person(data: object) -> str:
    person = data.get("id") if isinstance(data, Mapping) else None
    return storable(person).lower() if isinstance(person, str) else ""


def _mapping(data: object, name: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ValueError(f"{name} is missing or no object")
    return data


def _id(fields: Mapping[str, Any], name: str) -> int | str:
    value = fields.get(name)
    return storable(value) if isinstance(value, str) else _number(fields, name)


def _number(fields: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = fields.get(name, default)
    if not is_number(value):
        raise ValueError(f"{name} is missing or no whole number")
    return int(value)


def _text(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing or no text")
    return storable(value)
