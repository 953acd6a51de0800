"""Parses the portal's JSON, as leniently as the tutorial reads it (docspace.md 9).

Only the id and a version of a file are required. Any other field that is missing or has a wrong
type gets a default with which the file is still marked and a person's comment is still kept.
Unknown fields are ignored. Shapes: docspace.md 2, 3, 9. Every function raises ValueError that names
the required field it lacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.formats import storable, whole_number
from reconciler.model import EPOCH, File, Revision, Section

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
_MAX_NAME = 100
_NO_TEXT = "(no text)"  # in place of a comment of another type, which is not empty


@dataclass(frozen=True)
class Build:
    """The version of the portal and its clock, None when it sends no Date."""

    docspace: str
    date: datetime | None


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


def date_of(fields: Mapping[str, Any], name: str) -> datetime | None:
    """Return a date, None where it is missing or unreadable."""
    try:
        return parse_date(fields.get(name), name)
    except ValueError:
        return None


def parse_file(
    data: object, read_at: datetime | None, room: int | None = None, received: datetime = EPOCH
) -> File:
    """Return a FileDto as a File (docspace.md 9: nulls are omitted, enums are numbers).

    ``read_at`` is the answer's own date; without it a file that lacks ``updated`` gets
    ``received``, our time of the answer. ``room`` is the listed folder, which is no room if the
    file lies in "My documents".
    """
    fields = fields_of(data, "file")
    author, section = member_of(fields, "updatedBy"), section_of(fields)
    return File(
        id=id_of(fields, "id"),
        title=text_or_empty(fields.get("title")),
        created=date_of(fields, "created"),
        revision=Revision(
            version=_version(fields),
            updated=date_of(fields, "updated") or read_at or received,
            size=whole_number(fields.get("pureContentLength")) or 0,
        ),
        comment=_comment(fields.get("comment")),
        section=section,
        folder=optional_id(fields, "folderId", ""),
        updated_by=text_or_empty(author.get("id")).lower(),
        updated_by_name=text_or_empty(author.get("displayName"))[:_MAX_NAME],
        room=None if section is Section.PERSONAL else room,
        provider=text_or_empty(fields.get("providerKey")) or None,
        # A lock of our own has no lockedBy (docspace.md 5).
        locked=fields.get("locked") is True and fields.get("lockedBy") is not None,
        editable=member_of(fields, "security").get("EditHistory") is not False,
        read_at=read_at,
    )


def parse_history(data: object) -> list[str]:
    """Return the comments of a file's versions, newest first (docspace.md 1.6)."""
    versions = items_of(data, "the versions are")
    return [text_of(fields_of(version, "version"), "comment", "") for version in versions]


def section_of(fields: Mapping[str, Any]) -> Section:
    """Return the section of an entry; one without a section is in a room."""
    root = whole_number(fields.get("rootFolderType"))
    return Section.ROOMS if root is None else _SECTIONS.get(root, Section.OTHER)


def _version(fields: Mapping[str, Any]) -> int:
    """Return the version, by either name; 1 where there is none. Raises ValueError."""
    given = [fields[name] for name in ("version", "versionNumber") if fields.get(name) is not None]
    numbers = [number for one in given if (number := whole_number(one)) is not None]
    if given and not numbers:
        raise ValueError("version is no whole number")
    return next((number for number in numbers if number > 0), 1)


def _comment(value: object) -> str:
    if value is None or isinstance(value, str):
        return text_or_empty(value)
    return _NO_TEXT


def parse_build(data: object, date: datetime | None) -> Build:
    """Return the answer of settings/version/build (docspace.md 7)."""
    return Build(text_of(fields_of(data, "build"), "docSpace", ""), date)


def parse_room(data: object) -> int | None:
    """Return the room of a folder, from its listing's path; None outside of rooms."""
    fields = fields_of(data, "folder")
    current, parts = member_of(fields, "current"), fields.get("pathParts")
    if "roomType" in current:
        return number_of(current, "id")
    if not isinstance(parts, list):
        raise ValueError("pathParts is missing")
    folders = [fields_of(part, "pathParts") for part in parts]
    rooms = [whole_number(part.get("id")) for part in folders if "roomType" in part]
    if (room := next((one for one in rooms if one is not None), None)) is not None:
        return room
    inside = len(folders) > 1 and folders[0].get("folderType") == _ROOMS_ROOT
    return number_of(folders[1], "id") if inside else None


def text_or_empty(value: object) -> str:
    """Return a text, an empty one for a value of another type."""
    return storable(value) if isinstance(value, str) else ""


def fields_of(data: object, name: str) -> Mapping[str, Any]:
    """Return an object's fields. Raises ValueError with ``name`` for anything else."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{name} is missing or no object")
    return data


def member_of(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the fields of an object in an object, none where there is no such object."""
    member = fields.get(name)
    return member if isinstance(member, Mapping) else {}


def items_of(data: object, subject: str) -> list[Any]:
    """Return a list. Raises ValueError with its ``subject``, such as "the log is"."""
    if not isinstance(data, list):
        raise ValueError(f"{subject} missing or no list")
    return data


def id_of(fields: Mapping[str, Any], name: str) -> int | str:
    """Return an id: a number, or the text of third-party storage (docspace.md 8)."""
    value = fields.get(name)
    if isinstance(value, str) and value and not value.isdigit():
        return storable(value)
    return number_of(fields, name)


def optional_id(fields: Mapping[str, Any], name: str, default: int | str) -> int | str:
    """Return an id, ``default`` where there is none."""
    try:
        return id_of(fields, name)
    except ValueError:
        return default


def number_of(fields: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Return a whole number, ``default`` where the field is absent."""
    number = whole_number(fields.get(name, default))
    if number is None:
        raise ValueError(f"{name} is missing or no whole number")
    return number


def text_of(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a text, ``default`` where the field is absent."""
    value = fields.get(name)
    value = default if value is None else value
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing or no text")
    return storable(value)
