"""The order and the pages of a folder's content (docspace.md 1.1, 1.2).

Theory: SQL sorts by one column without a tie-breaker and dates are whole seconds, so files of
one second come in any order, and in another one in the next request. Here each group of equal
rows is turned by one place more with every listing: a page boundary within a group repeats
one row and loses another, as it may happen on the real portal.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.sandbox import kinds, rights
from reconciler.sandbox.portal import Portal
from reconciler.sandbox.store import AI_ROOM, FileRow, FolderRow, Section, Store
from reconciler.sandbox.values import EntryId, User

FILES_ONLY, FOLDERS_ONLY = 1, 2
_KNOWLEDGE, _RESULTS = 5, 6

Sorter = Callable[[FileRow], tuple[object, ...]]

_SORTERS: dict[str, Sorter] = {
    "AZ": lambda row: (row.current.title.lower(),),
    "Size": lambda row: (row.current.size,),
    "Author": lambda row: (row.created_by,),
    "Type": lambda row: (kinds.extension(row.current.title),),
    "DateAndTimeCreation": lambda row: (row.created,),
    "CustomOrder": lambda row: (row.order,),
}


def _by_date(row: FileRow) -> tuple[object, ...]:
    return (row.current.modified,)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listing asks for; ``files_filter`` and ``folders_filter`` are filterType numbers."""

    filter_type: int = 0
    folders_filter: int = 0
    recursive: bool = True
    sort_by: str = "DateAndTime"
    descending: bool = True
    start: int = 0
    count: int = 100
    area: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page; ``total`` counts all pages, less the converting files of this one."""

    files: list[FileRow]
    folders: list[FolderRow]
    total: int


def content(portal: Portal, user: User, folder: FolderRow, wanted: Wanted) -> Page:
    """Return one page of a folder. The caller holds the lock and has checked the rights."""
    portal.listing_count += 1
    if folder.section is Section.ROOMS:
        return _rooms_root(portal, user, folder, wanted)
    folders = _folders(portal, folder, wanted)
    ids = _file_ids(portal, user, folder, wanted)
    shown = folders[wanted.start : wanted.start + wanted.count]
    skip = max(0, wanted.start - len(folders))
    key = _sorter(portal, folder, wanted)
    chosen = _window(portal, ids, key, skip, wanted.count - len(shown))
    kept = [row for row in chosen if row.id not in portal.store.converting]
    total = len(folders) + len(ids) - (len(chosen) - len(kept))
    return Page(kept, shown, total)


def room_list(user: User, rooms: list[FolderRow], wanted: Wanted) -> Page:
    """Return one page of rooms: those the user pinned come first, whatever their date."""
    ordered = _sorted_folders(rooms, wanted)
    ordered.sort(key=lambda room: user.id not in room.pinned)
    return Page([], ordered[wanted.start : wanted.start + wanted.count], len(rooms))


def visible_rooms(portal: Portal, user: User, root: FolderRow) -> list[FolderRow]:
    """Return a section's rooms the user sees: all for an admin, else own and joined ones."""
    rooms = [portal.store.folders[folder_id] for folder_id in root.folders]
    return [room for room in rooms if user.is_admin or _joined(portal.store, user, room)]


def _joined(store: Store, user: User, room: FolderRow) -> bool:
    standing = rights.in_folder(store, user, room.id)
    return standing.owner or standing.access not in (0, rights.RESTRICT)


def _folders(portal: Portal, folder: FolderRow, wanted: Wanted) -> list[FolderRow]:
    if wanted.folders_filter not in (0, FOLDERS_ONLY):
        return []
    if wanted.recursive and (wanted.filter_type or wanted.text):
        found = portal.store.subfolders(folder)
    else:
        found = [portal.store.folders[folder_id] for folder_id in folder.folders]
    if wanted.text:
        found = [one for one in found if wanted.text.lower() in one.title.lower()]
    return _sorted_folders(found, wanted)


def _file_ids(portal: Portal, user: User, folder: FolderRow, wanted: Wanted) -> list[EntryId]:
    """Return the sorted ids; withSubFolders alone does not recurse, a filter makes it."""
    if wanted.filter_type == FOLDERS_ONLY:
        return []
    room = portal.store.room(folder.id)
    if room and room.room_type == AI_ROOM and wanted.area not in (_KNOWLEDGE, _RESULTS):
        return []
    third = isinstance(folder.id, str)
    recursive = wanted.recursive and bool(wanted.filter_type or wanted.text) and not third
    if room and room.room_type == AI_ROOM:
        recursive = False
    ids = _ordered(portal, folder, wanted, recursive=recursive)
    if rights.in_folder(portal.store, user, folder.id).access == rights.FILL_FORMS:
        ids = [fid for fid in ids if _fillable(portal.store.files[fid], user)]
    return ids


def _fillable(row: FileRow, user: User) -> bool:
    return row.created_by == user.id or kinds.extension(row.current.title) == ".pdf"


def _ordered(
    portal: Portal, folder: FolderRow, wanted: Wanted, *, recursive: bool
) -> list[EntryId]:
    """Return sorted ids from the cache, which any change below the folder makes stale."""
    key = (
        folder.id,
        recursive,
        wanted.filter_type,
        wanted.sort_by,
        wanted.descending,
        wanted.text,
    )
    cached = portal.listings.get(key)
    if cached and cached[0] == folder.changes:
        return cached[1]
    files = portal.store.files
    ids = portal.store.subtree_files(folder) if recursive else list(folder.files)
    types = kinds.FILTER_TYPES.get(wanted.filter_type)
    if types:
        ids = [fid for fid in ids if kinds.file_type(files[fid].current.title) in types]
    if wanted.text:
        text = wanted.text.lower()
        ids = [fid for fid in ids if text in files[fid].current.title.lower()]
    sorter = _sorter(portal, folder, wanted)
    descending = wanted.descending and not _indexed(portal, folder)
    ids.sort(key=lambda fid: sorter(files[fid]), reverse=descending)
    portal.listings[key] = (folder.changes, ids)
    return ids


def _indexed(portal: Portal, folder: FolderRow) -> bool:
    room = portal.store.room(folder.id)
    return room is not None and room.indexing


def _sorter(portal: Portal, folder: FolderRow, wanted: Wanted) -> Sorter:
    """Return the sort key; a room with automatic indexing knows only its own order."""
    if _indexed(portal, folder):
        return _SORTERS["CustomOrder"]
    return _SORTERS.get(wanted.sort_by, _by_date)


def _window(
    portal: Portal, ids: list[EntryId], key: Sorter, start: int, count: int
) -> list[FileRow]:
    files = portal.store.files
    end = min(start + count, len(ids))
    turn = portal.tie_step * portal.listing_count
    found = []
    while start < end:
        low = high = start
        value = key(files[ids[start]])
        while low > 0 and key(files[ids[low - 1]]) == value:
            low -= 1
        while high < len(ids) and key(files[ids[high]]) == value:
            high += 1
        for place in range(start, min(high, end)):
            found.append(files[ids[low + (place - low + turn) % (high - low)]])
        start = min(high, end)
    return found


def _sorted_folders(folders: list[FolderRow], wanted: Wanted) -> list[FolderRow]:
    ordered = sorted(folders, key=lambda folder: folder.title.lower())
    if wanted.sort_by == "AZ":
        return ordered[::-1] if wanted.descending else ordered
    return sorted(ordered, key=lambda folder: folder.modified, reverse=wanted.descending)


def _rooms_root(portal: Portal, user: User, root: FolderRow, wanted: Wanted) -> Page:
    """List the section root: a filter for files finds nothing, without one all comes at once."""
    if wanted.folders_filter not in (0, FOLDERS_ONLY):
        return Page([], [], 0)
    rooms = visible_rooms(portal, user, root)
    if not wanted.recursive:
        return room_list(user, rooms, wanted)
    if not user.is_admin:
        rooms = [room for room in rooms if user.id in room.members]
    below = [folder for room in rooms for folder in portal.store.subfolders(room)]
    folders = [root, *_sorted_folders(rooms, wanted), *_sorted_folders(below, wanted)]
    files = [] if wanted.filter_type == FOLDERS_ONLY else _all_files(portal, user, rooms, wanted)
    shown = folders[wanted.start : wanted.start + wanted.count]
    skip = max(0, wanted.start - len(folders))
    rows = files[skip : skip + wanted.count - len(shown)]
    return Page(rows, shown, len(folders) + len(files))


def _all_files(portal: Portal, user: User, rooms: list[FolderRow], wanted: Wanted) -> list[FileRow]:
    """Return the files of all rooms; once per folder above them for those who are no admin."""
    ids: list[EntryId] = []
    for room in rooms:
        ids.extend(portal.store.subtree_files(room))
        if not user.is_admin:
            for folder in portal.store.subfolders(room):
                ids.extend(portal.store.subtree_files(folder))
    rows = sorted(
        (portal.store.files[fid] for fid in ids), key=lambda row: row.current.title.lower()
    )
    return sorted(rows, key=lambda row: row.current.modified, reverse=wanted.descending)
