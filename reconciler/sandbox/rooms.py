"""Rooms and folders, the members of rooms, and backups of all."""

import copy
from datetime import datetime

from reconciler.sandbox import rights
from reconciler.sandbox.state import State
from reconciler.sandbox.store import ROOM_FOLDER_TYPES, FolderRow, Section, Store, id_below
from reconciler.sandbox.values import EntryId, User

_SYSTEM = "00000000-0000-0000-0000-000000000001"
"""The id that owns the shared section roots."""

ROOMS_ROOT, ARCHIVE_ROOT, AGENTS_ROOT, TEMPLATES_ROOT = 2, 3, 4, 5
_SHARED_ROOTS = (
    (ROOMS_ROOT, "Rooms", Section.ROOMS),
    (ARCHIVE_ROOT, "Archive", Section.ARCHIVE),
    (AGENTS_ROOT, "AI agents", Section.AGENTS),
    (TEMPLATES_ROOT, "Room templates", Section.TEMPLATES),
)


def add_shared_roots(state: State) -> None:
    """Add the roots of the sections that belong to nobody."""
    for root_id, title, section in _SHARED_ROOTS:
        add_root(state, title, section, _SYSTEM, root_id)


def add_root(
    state: State, title: str, section: Section, owner_id: str, root_id: int | None = None
) -> int:
    """Add the root of a section and return its id, by default the next free one."""
    number, now = root_id or state.store.new_folder_id(), state.now()
    root = FolderRow(number, None, title, now, owner_id, now, owner_id, section=section)
    state.store.put_folder(root)
    return number


def add_room(
    state: State,
    title: str,
    *,
    owner: User,
    indexing: bool = False,
    third_party: bool = False,
    room_type: int = 5,
    template: bool = False,
    private: bool = False,
) -> EntryId:
    """Add a room, or a template of one; an id of third-party storage is a string.

    In a ``private`` room members may not set comments (docspace.md 10).
    """
    if room_type not in ROOM_FOLDER_TYPES:
        raise ValueError(f"no such room type: {room_type}")
    number, now = state.store.new_folder_id(), state.now()
    room = FolderRow(
        id=f"drive-{number}" if third_party else number,
        parent_id=TEMPLATES_ROOT if template else ROOMS_ROOT,
        title=title,
        created=now,
        created_by=owner.id,
        modified=now,
        modified_by=owner.id,
        room_type=room_type,
        private=private,
        indexing=indexing,
        provider_key="GoogleDrive" if third_party else None,
        provider_id=number if third_party else None,
    )
    state.store.put_folder(room)
    return room.id


def add_folder(state: State, parent_id: EntryId, title: str, *, by: User) -> EntryId:
    """Add a folder below another; it does not raise the date of those above."""
    parent, now = state.store.folders[parent_id], state.now()
    folder_id = id_below(parent_id, "folder", state.store.new_folder_id())
    folder = FolderRow(folder_id, parent_id, title, now, by.id, now, by.id)
    folder.provider_key, folder.provider_id = parent.provider_key, parent.provider_id
    state.store.put_folder(folder)
    return folder.id


def invite(state: State, room: EntryId, user: User, *, access: int = rights.ROOM_MANAGER) -> None:
    """Give the user a role in a room; 0 takes it away."""
    members = state.store.folders[room].members
    if access:
        members[user.id] = access
    else:
        members.pop(user.id, None)


def pin(state: State, room: EntryId, user: User) -> None:
    """Pin a room for one user, whose room lists then begin with it."""
    state.store.folders[room].pinned.add(user.id)


def archive_room(state: State, room: EntryId) -> None:
    """Move a room with all its content to the archive."""
    state.store.move_folder(state.store.folders[room], ARCHIVE_ROOT)


def unarchive_room(state: State, room: EntryId) -> None:
    """Bring an archived room back."""
    state.store.move_folder(state.store.folders[room], ROOMS_ROOT)


def backup(state: State) -> Store:
    """Return a copy of all folders and files."""
    return copy.deepcopy(state.store)


def restore_backup(state: State, saved: Store) -> None:
    """Set all folders and files back to a backup: versions and ids go backwards.

    People stay as they are, so a backup must be younger than the last account.
    """
    state.store = copy.deepcopy(saved)
    state.listings.clear()


def folder_updated(state: State, folder_id: EntryId) -> datetime:
    """Return a folder's date as the API would show it, in UTC."""
    return state.store.folders[folder_id].updated
