"""The routes of files, folders and rooms (docspace.md 1, 2, 5)."""

from enum import IntEnum

from reconciler.sandbox import files, listing, rights
from reconciler.sandbox.calls import Call
from reconciler.sandbox.listing import ListingQuery, Page, SearchArea
from reconciler.sandbox.responses import ModelError, Response, invalid, not_found
from reconciler.sandbox.rooms import ARCHIVE_ROOT, ROOMS_ROOT, TEMPLATES_ROOT
from reconciler.sandbox.store import FORM_ROOM, FileRow, FolderRow, Section
from reconciler.sandbox.texts import Text

_AREA_ROOTS = {
    SearchArea.ARCHIVE: (ARCHIVE_ROOT,),
    SearchArea.TEMPLATES: (TEMPLATES_ROOT,),
    SearchArea.ANY: (ROOMS_ROOT, ARCHIVE_ROOT),
}
"""The roots of the rooms in an area; the active rooms where none is named."""


class _FilterType(IntEnum):
    """Of the portal's many, those that lists of all files need (docspace.md 1.1)."""

    NONE = 0
    FILES_ONLY = 1


class _StorageFilter(IntEnum):
    """Which rooms to list by their storage (docspace.md 1.3)."""

    NONE = 0
    INTERNAL = 1
    THIRD_PARTY = 2


def get_file(call: Call) -> Response:
    """``GET files/file/{id}``: the current version, or ``?version=``."""
    row = call.readable_file()
    if _is_hidden_form(call, row):
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    return call.respond(call.dto.file(row, row.version(call.query.number("version", -1))))


def get_history(call: Call) -> Response:
    """``GET files/file/{id}/history``: all versions, newest first; count says 1."""
    row, dto = call.readable_file(), call.dto
    if not rights.file_security(call.role(row), locked_by_other=False)["ReadHistory"]:
        raise invalid(call.say(Text.NO_READ_FILE))
    return call.respond([dto.file(row, version) for version in reversed(row.versions)])


def put_comment(call: Call) -> Response:
    """``PUT files/file/{id}/comment``: checks in the portal's order (docspace.md 5).

    A missing file or version is 403, not 404; an older version is changed silently; the
    response is the text cut to 255, though MySQL also loses what lies beyond the BMP.
    """
    body, store = call.json(), call.state.store
    number, text = body.get("version"), body.get("comment")
    if isinstance(number, bool) or not isinstance(number, int):
        raise ModelError("Version", "The Version field is required.")
    row = store.files.get(call.id)
    if row is None and isinstance(call.id, str):
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    if row is None or row.version(number) is None:
        raise invalid(call.say(Text.FILE_NOT_FOUND))
    if not call.role(row).edits_history:
        raise invalid(call.say(Text.NO_EDIT))
    if row.locked_by not in (None, call.person.id):
        raise invalid(call.say(Text.LOCKED))
    if store.root(row.folder_id).section is Section.TRASH:
        raise invalid(call.say(Text.IN_TRASH))
    shown = text if isinstance(text, str) else ""
    return call.respond(files.comment(call.state, row.id, shown, by=call.person, version=number))


def get_content(call: Call) -> Response:
    """``GET files/{id}``: the content of a folder; subfolders by default (docspace.md 1.1)."""
    query = _query(call, recursive=call.query.flag("withSubFolders", default=True))
    return _content(call, call.readable_folder(call.id), query)


def get_my(call: Call) -> Response:
    """``GET files/@my``: always with subfolders. Guests have none."""
    query = _query(call, recursive=True)
    root = call.state.personal_roots.get(call.person.id)
    if root is None:
        raise call.denied()
    return _content(call, call.readable_folder(root), query)


def get_rooms(call: Call) -> Response:
    """``GET files/rooms``: not recursive, pinned rooms first (docspace.md 1.3).

    A portal that lists form rooms apart omits them, but for other areas than Active.
    """
    state, storage = call.state, call.query.choice("storageFilter", _StorageFilter)
    query = _query(call, recursive=False)
    roots = [state.store.folders[one] for one in _AREA_ROOTS.get(query.area, (ROOMS_ROOT,))]
    rooms = [room for root in roots for room in listing.visible_rooms(state, call.person, root)]
    if storage is not _StorageFilter.NONE:
        third_party = storage is _StorageFilter.THIRD_PARTY
        rooms = [room for room in rooms if bool(room.provider_key) is third_party]
    if query.area is SearchArea.ACTIVE and state.form_rooms_apart:
        rooms = [room for room in rooms if room.room_type != FORM_ROOM]
    return _respond(call, roots[0], listing.room_page(call.person, rooms, query), query)


def _is_hidden_form(call: Call, row: FileRow) -> bool:
    """Whether this is a form nobody started, shown to one who may only fill (docspace.md 9)."""
    room = call.state.store.room(row.folder_id)
    if room is None or room.room_type != FORM_ROOM or row.created_by == call.person.id:
        return False
    role = call.role(row)
    return not role.owner and role.access == rights.FILL_FORMS


def _query(call: Call, *, recursive: bool) -> ListingQuery:
    """Read the parameters; a sort that is valid becomes the user's default (docspace.md 1.1)."""
    start, count = call.query.page()
    defaults = call.state.default_sort
    sort_by, descending = call.query.sort()
    if sort_by is None:
        sort_by, descending = defaults.get(call.person.id, ("DateAndTime", True))
    elif call.user is not None:
        defaults[call.user.id] = (sort_by, descending)
    return ListingQuery(
        files_only=call.query.choice("filterType", _FilterType) is _FilterType.FILES_ONLY,
        keeps_folders=call.query.text("applyFilterOption").lower() == "files",
        recursive=recursive,
        sort_by=sort_by,
        descending=descending,
        start=start,
        count=count,
        area=call.query.choice("searchArea", SearchArea),
    )


def _content(call: Call, folder: FolderRow, query: ListingQuery) -> Response:
    page = listing.folder_page(call.state, call.person, folder, query)
    return _respond(call, folder, page, query)


def _respond(call: Call, current: FolderRow, page: Page, query: ListingQuery) -> Response:
    dto = call.dto
    return call.respond(
        {
            "files": [dto.file(row) for row in page.files],
            "folders": [dto.folder(folder) for folder in page.folders],
            "current": dto.folder(current),
            "pathParts": dto.path_parts(current),
            "startIndex": query.start,
            "count": len(page.files) + len(page.folders),
            "total": page.total,
            "new": 0,
        }
    )
