"""The routes of folders and rooms (docspace.md 1)."""

from reconciler.sandbox import listing
from reconciler.sandbox.calls import AREAS, FILTERS, STORAGE, Call
from reconciler.sandbox.listing import ListingQuery, Page
from reconciler.sandbox.responses import Response
from reconciler.sandbox.rooms import ARCHIVE_ROOT, ROOMS_ROOT, TEMPLATES_ROOT
from reconciler.sandbox.store import FORM_ROOM, FolderRow

_ACTIVE, _ARCHIVE, _ANY, _TEMPLATES = 0, 1, 2, 4
_AREA_ROOTS = {
    _ARCHIVE: (ARCHIVE_ROOT,),
    _TEMPLATES: (TEMPLATES_ROOT,),
    _ANY: (ROOMS_ROOT, ARCHIVE_ROOT),
}
_INTERNAL, _THIRD_PARTY = 1, 2


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
    state, area = call.state, call.query.choice("searchArea", AREAS)
    storage = call.query.choice("storageFilter", STORAGE)
    roots = [state.store.folders[one] for one in _AREA_ROOTS.get(area, (ROOMS_ROOT,))]
    rooms = [
        room
        for root in roots
        for room in listing.visible_rooms(state, call.person, root)
        if storage != (_INTERNAL if room.provider_key else _THIRD_PARTY)
    ]
    if area == _ACTIVE and state.form_rooms_apart:
        rooms = [room for room in rooms if room.room_type != FORM_ROOM]
    query = _query(call, recursive=False)
    return _respond(call, roots[0], listing.room_page(call.person, rooms, query), query)


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
        files_only=bool(call.query.choice("filterType", FILTERS)),
        keeps_folders=call.query.text("applyFilterOption").lower() == "files",
        recursive=recursive,
        sort_by=sort_by,
        descending=descending,
        start=start,
        count=count,
        area=call.query.choice("searchArea", AREAS),
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
