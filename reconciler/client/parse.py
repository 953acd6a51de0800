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
_MOST_NAME = 100


@dataclass(frozen=True)
class Key:
    """What the portal says of our API key. An empty set of permissions means all of them.

    ``expires`` is None for a key without an end, and for a token that is no API key.
    """

    owner: str
    owner_name: str
    permissions: frozenset[str]
    active: bool
    expires: datetime | None = None

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
    fields = fields_of(data, "file")
    security = fields.get("security")
    rights = security if isinstance(security, Mapping) else {}
    return File(
        id=id_of(fields, "id"),
        title=text_of(fields, "title"),
        created=parse_date(fields.get("created"), "created"),
        revision=Revision(
            version=number_of(fields, "version"),
            updated=parse_date(fields.get("updated"), "updated"),
            size=number_of(fields, "pureContentLength", 0),
        ),
        comment=text_of(fields, "comment", ""),
        section=_SECTIONS.get(number_of(fields, "rootFolderType"), Section.OTHER),
        folder=id_of(fields, "folderId"),
        updated_by=_person(fields.get("updatedBy")),
        updated_by_name=_name(fields.get("updatedBy")),
        room=room,
        provider=text_of(fields, "providerKey", "") or None,
        # A lock of our own has no lockedBy (docspace.md 5).
        locked=bool(fields.get("locked")) and "lockedBy" in fields,
        editable=rights.get("EditHistory", True) is not False,
        read_at=read_at,
    )


def parse_history(data: object) -> list[str]:
    """Return the comments of a file's versions, newest first (docspace.md 1.6)."""
    if not isinstance(data, list):
        raise ValueError("the versions are missing or no list")
    return [text_of(fields_of(version, "version"), "comment", "") for version in data]


def parse_key(data: object) -> Key:
    """Return the answer of keys/@self (docspace.md 7)."""
    fields = fields_of(data, "key")
    owner = fields_of(fields.get("createBy"), "createBy")
    granted, expires = fields.get("permissions"), fields.get("expiresAt")
    return Key(
        owner=text_of(owner, "id").lower(),
        owner_name=text_of(owner, "displayName", ""),
        permissions=frozenset(map(str, granted)) if isinstance(granted, list) else frozenset(),
        active=fields.get("isActive") is not False,
        expires=None if expires is None else parse_date(expires, "expiresAt"),
    )


def parse_person(data: object) -> Key:
    """Return the owner of a token that is no API key: people/@self tells no permissions."""
    fields = fields_of(data, "person")
    return Key(
        owner=text_of(fields, "id").lower(),
        owner_name=text_of(fields, "displayName", ""),
        permissions=frozenset(),
        active=True,
    )


def parse_room(data: object) -> int | None:
    """Return the room that a folder lies in, from its listing's path; None outside of rooms."""
    parts = fields_of(data, "folder").get("pathParts")
    if not isinstance(parts, list):
        raise ValueError("pathParts is missing")
    folders = [fields_of(part, "pathParts") for part in parts]
    rooms = [part["id"] for part in folders if "roomType" in part and is_number(part.get("id"))]
    if rooms:
        return int(rooms[0])
    inside = len(folders) > 1 and folders[0].get("folderType") == _ROOMS_ROOT
    return number_of(folders[1], "id") if inside else None


def _person(data: object) -> str:
    person = data.get("id") if isinstance(data, Mapping) else None
    return storable(person).lower() if isinstance(person, str) else ""


def _name(data: object) -> str:
    name = data.get("displayName") if isinstance(data, Mapping) else None
    return storable(name)[:_MOST_NAME] if isinstance(name, str) else ""


def fields_of(data: object, name: str) -> Mapping[str, Any]:
    """Return an object's fields. Raises ValueError that names what should be one."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{name} is missing or no object")
    return data


def id_of(fields: Mapping[str, Any], name: str) -> int | str:
    """Return an id: a number, or the text of third-party storage (docspace.md 8)."""
    value = fields.get(name)
    return storable(value) if isinstance(value, str) else number_of(fields, name)


def number_of(fields: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Return a whole number, ``default`` where the field is absent."""
    value = fields.get(name, default)
    if not is_number(value):
        raise ValueError(f"{name} is missing or no whole number")
    return int(value)


def text_of(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a text, ``default`` where the field is absent."""
    value = fields.get(name)
    value = default if value is None else value
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing or no text")
    return storable(value)
