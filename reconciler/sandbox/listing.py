"""The order and the pages of a folder's content (docspace.md 1.1, 1.2).

Theory: SQL sorts by one column without a tie-breaker and dates are whole seconds, so files of
one second come in any order, and in another one in the next request. Here each group of equal
rows is turned by one place more with every listing: a page boundary within a group repeats
one row and loses another, as it may happen on the real portal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from reconciler.sandbox import rights
from reconciler.sandbox.state import State
from reconciler.sandbox.store import AI_ROOM, FileRow, FolderRow, Section
from reconciler.sandbox.values import EntryId, User

_SortKey = Callable[[FileRow], object]


class SearchArea(IntEnum):
    """``searchArea`` numbers (docspace.md 1.1)."""

    ACTIVE = 0
    ARCHIVE = 1
    ANY = 2
    RECENT_BY_LINKS = 3
    TEMPLATES = 4
    KNOWLEDGE = 5
    RESULT_STORAGE = 6
    AI_AGENTS = 7


@dataclass(frozen=True, slots=True)
class ListingQuery:
    """What a listing asks for.

    ``files_only`` is filterType=FilesOnly; ``keeps_folders`` is applyFilterOption=Files, which
    clears the filter of folders instead of leaving them out.
    """

    files_only: bool
    keeps_folders: bool
    recursive: bool
    sort_by: str
    descending: bool
    start: int
    count: int
    area: SearchArea

    @property
    def shows_folders(self) -> bool:
        """Whether folders are on the page."""
        return self.keeps_folders or not self.files_only


@dataclass(frozen=True, slots=True)
class Page:
    """One page; ``total`` counts all pages, less the converting files of this one."""

    files: list[FileRow]
    folders: list[FolderRow]
    total: int


def folder_page(state: State, user: User, folder: FolderRow, query: ListingQuery) -> Page:
    """Return one page of a folder. The caller has checked the rights."""
    state.listing_count += 1
    if folder.section is Section.ROOMS:
        return _rooms_root(state, user, folder, query)
    folders = _folders(state, folder, query)
    ids = _file_ids(state, user, folder, query)
    shown, skip, count = _folders_first(folders, query)
    chosen = _window(state, ids, _sort_key(state, folder, query), skip, count)
    kept = [row for row in chosen if row.id not in state.store.converting]
    return Page(kept, shown, len(folders) + len(ids) - (len(chosen) - len(kept)))


def room_page(user: User, rooms: list[FolderRow], query: ListingQuery) -> Page:
    """Return one page of rooms: those the user pinned come first, whatever their date."""
    ordered = _sorted_folders(rooms, query)
    ordered.sort(key=lambda room: user.id not in room.pinned)
    return Page([], ordered[query.start : query.start + query.count], len(rooms))


def visible_rooms(state: State, user: User, root: FolderRow) -> list[FolderRow]:
    """Return the rooms that the user sees: all for an admin, else own and joined ones."""
    rooms = [state.store.folders[folder_id] for folder_id in root.folders]
    return [
        room
        for room in rooms
        if user.is_admin or rights.role_in_folder(state.store, user, room.id).is_member
    ]


def _folders(state: State, folder: FolderRow, query: ListingQuery) -> list[FolderRow]:
    if not query.shows_folders:
        return []
    if query.recursive and query.files_only:
        return _sorted_folders(state.store.subfolders(folder), query)
    return _sorted_folders([state.store.folders[one] for one in folder.folders], query)


def _file_ids(state: State, user: User, folder: FolderRow, query: ListingQuery) -> list[EntryId]:
    """Return the sorted ids; withSubFolders alone does not recurse, a filter makes it."""
    room = state.store.room(folder.id)
    in_ai_room = room is not None and room.room_type == AI_ROOM
    if in_ai_room and query.area not in (SearchArea.KNOWLEDGE, SearchArea.RESULT_STORAGE):
        return []
    third_party = isinstance(folder.id, str)
    recursive = query.recursive and query.files_only and not third_party and not in_ai_room
    ids = _ordered(state, folder, query, recursive=recursive)
    if rights.role_in_folder(state.store, user, folder.id).access == rights.FILL_FORMS:
        ids = [fid for fid in ids if _is_fillable(state.store.files[fid], user)]
    return ids


def _is_fillable(row: FileRow, user: User) -> bool:
    return row.created_by == user.id or row.current.title.lower().endswith(".pdf")


def _ordered(
    state: State, folder: FolderRow, query: ListingQuery, *, recursive: bool
) -> list[EntryId]:
    """Return sorted ids from the cache, which any change below the folder makes stale."""
    key = (folder.id, recursive, query.sort_by, query.descending)
    cached = state.listings.get(key)
    if cached and cached[0] == folder.last_change:
        return cached[1]
    ids = state.store.subtree_files(folder) if recursive else list(folder.files)
    rows = [state.store.files[fid] for fid in ids]
    descending = query.descending and not _is_indexed(state, folder)
    rows.sort(key=_sort_key(state, folder, query), reverse=descending)  # type: ignore[arg-type]
    ids = [row.id for row in rows]
    state.listings[key] = (folder.last_change, ids)
    return ids


def _is_indexed(state: State, folder: FolderRow) -> bool:
    room = state.store.room(folder.id)
    return room is not None and room.indexing


def _sort_key(state: State, folder: FolderRow, query: ListingQuery) -> _SortKey:
    """Return the sort key; a room with automatic indexing knows only its own order."""
    if _is_indexed(state, folder):
        return lambda row: row.order
    if query.sort_by == "AZ":
        return lambda row: row.current.title.lower()
    return lambda row: row.current.modified


def _window(
    state: State, ids: list[EntryId], key: _SortKey, start: int, count: int
) -> list[FileRow]:
    """Return the rows of a page, each group of equal keys turned by the number of listings."""
    files = state.store.files
    end = min(start + count, len(ids))
    turn = state.tie_step * state.listing_count
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


def _sorted_folders(folders: list[FolderRow], query: ListingQuery) -> list[FolderRow]:
    ordered = sorted(folders, key=lambda folder: folder.title.lower())
    if query.sort_by == "AZ":
        return ordered[::-1] if query.descending else ordered
    return sorted(ordered, key=lambda folder: folder.modified, reverse=query.descending)


def _folders_first(
    folders: list[FolderRow], query: ListingQuery
) -> tuple[list[FolderRow], int, int]:
    """Return the folders of a page, and how many files come before it and are on it."""
    shown = folders[query.start : query.start + query.count]
    return shown, max(0, query.start - len(folders)), query.count - len(shown)


def _rooms_root(state: State, user: User, root: FolderRow, query: ListingQuery) -> Page:
    """List the section root: a filter for files finds nothing, without one all comes at once.

    All but admins get each file once for every folder above it.
    """
    if not query.shows_folders:
        return Page([], [], 0)
    rooms = visible_rooms(state, user, root)
    if not query.recursive:
        return room_page(user, rooms, query)
    if not user.is_admin:
        rooms = [room for room in rooms if user.id in room.members]
    below = [folder for room in rooms for folder in state.store.subfolders(room)]
    folders = [root, *_sorted_folders(rooms, query), *_sorted_folders(below, query)]
    files = _all_files(state, rooms if user.is_admin else [*rooms, *below], query)
    shown, skip, count = _folders_first(folders, query)
    return Page(files[skip : skip + count], shown, len(folders) + len(files))


def _all_files(state: State, tops: list[FolderRow], query: ListingQuery) -> list[FileRow]:
    """Return the files in and below the folders; again for each of them that a file is below."""
    store = state.store
    rows = [store.files[fid] for top in tops for fid in store.subtree_files(top)]
    rows.sort(key=lambda row: row.current.title.lower())
    return sorted(rows, key=lambda row: row.current.modified, reverse=query.descending)
