"""The folder and room routes (docspace.md 1)."""

from reconciler.sandbox import listing
from reconciler.sandbox.answers import Answer
from reconciler.sandbox.calls import Call
from reconciler.sandbox.listing import Page, Wanted
from reconciler.sandbox.query import AREAS, FILTERS, STORAGE
from reconciler.sandbox.rooms import ARCHIVE_ROOT, ROOMS_ROOT, TEMPLATES_ROOT
from reconciler.sandbox.store import FORM_ROOM, FolderRow

_ACTIVE, _ARCHIVE, _ANY, _TEMPLATES = 0, 1, 2, 4
_INTERNAL, _THIRD_PARTY = 1, 2
Json = dict[str, object]


def get_content(call: Call) -> Answer:
    """``GET files/{id}``: the content of a folder; subfolders by default (docspace.md 1.1)."""
    wanted = _wanted(call, recursive=call.query.flag("withSubFolders", default=True))
    return _content(call, call.readable_folder(call.id), wanted)


def get_my(call: Call) -> Answer:
    """``GET files/@my``: always with subfolders. Guests have none."""
    wanted = _wanted(call, recursive=True)
    if call.user is None or not call.portal.has_personal(call.user):
        raise call.denied()
    return _content(call, call.readable_folder(call.portal.personal(call.user)), wanted)


def get_rooms(call: Call) -> Answer:
    """``GET files/rooms``: not recursive, pinned rooms first (docspace.md 1.3).

    A portal that lists form rooms apart omits them, but for other areas than Active.
    """
    area = call.query.choice("searchArea", AREAS, 0)
    rooms = _rooms(call, _area_roots(area))
    if area == _ACTIVE and call.portal.form_rooms_apart:
        rooms = [room for room in rooms if room.room_type != FORM_ROOM]
    return _room_page(call, rooms, _area_roots(area)[0])


def _rooms(call: Call, roots: list[int]) -> list[FolderRow]:
    portal = call.portal
    return [
        room
        for root_id in roots
        for room in listing.visible_rooms(portal, call.person, portal.store.folders[root_id])
        if _matches(call, room)
    ]


def _room_page(call: Call, rooms: list[FolderRow], root: int) -> Answer:
    wanted = _wanted(call, recursive=False)
    page = listing.room_list(call.person, rooms, wanted)
    return call.answer(_body(call, call.portal.store.folders[root], page, wanted.start))


def _area_roots(area: int) -> list[int]:
    if area == _ARCHIVE:
        return [ARCHIVE_ROOT]
    if area == _TEMPLATES:
        return [TEMPLATES_ROOT]
    return [ROOMS_ROOT, ARCHIVE_ROOT] if area == _ANY else [ROOMS_ROOT]


def _matches(call: Call, room: FolderRow) -> bool:
    storage = call.query.choice("storageFilter", STORAGE, 0)
    third = room.provider_key is not None
    if (storage == _INTERNAL and third) or (storage == _THIRD_PARTY and not third):
        return False
    types = call.query.all("type")
    if types and str(room.room_type) not in types:
        return False
    return call.query.text("filterValue").lower() in room.title.lower()


def _wanted(call: Call, *, recursive: bool) -> Wanted:
    """Read the parameters; a sort that is valid becomes the user's default (docspace.md 1.1)."""
    start, count = call.query.page()
    files_filter = folders_filter = call.query.choice("filterType", FILTERS, 0)
    option = call.query.text("applyFilterOption").lower()
    if option == "files":
        # It clears the filter of folders instead of leaving them out.
        folders_filter = 0
    elif option == "folders":
        files_filter = 0
    sort_by, descending = call.query.sort()
    if sort_by is None:
        sort_by, descending = call.portal.default_sort.get(call.person.id, ("DateAndTime", True))
    elif call.user is not None:
        call.portal.default_sort[call.user.id] = (sort_by, descending)
    return Wanted(
        filter_type=files_filter,
        folders_filter=folders_filter,
        recursive=recursive,
        sort_by=sort_by,
        descending=descending,
        start=start,
        count=count,
        area=call.query.choice("searchArea", AREAS, 0),
        text=call.query.text("filterValue"),
    )


def _content(call: Call, folder: FolderRow, wanted: Wanted) -> Answer:
    return call.answer(_shown(call, folder, wanted))


def _shown(call: Call, folder: FolderRow, wanted: Wanted) -> Json:
    page = listing.content(call.portal, call.person, folder, wanted)
    return _body(call, folder, page, wanted.start)


def _body(call: Call, current: FolderRow, page: Page, start: int) -> Json:
    dto = call.dto
    return {
        "files": [dto.file(row) for row in page.files],
        "folders": [dto.folder(folder) for folder in page.folders],
        "current": dto.folder(current),
        "pathParts": dto.path_parts(current),
        "startIndex": start,
        "count": len(page.files) + len(page.folders),
        "total": page.total,
        "new": 0,
    }
