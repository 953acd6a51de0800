"""Rooms, folders and who is in them."""

import copy
from datetime import tzinfo

from reconciler.sandbox import rights
from reconciler.sandbox.people import People, system_clock
from reconciler.sandbox.store import ROOM_FOLDER_TYPES, SYSTEM, FolderRow, Section, Store
from reconciler.sandbox.values import Clock, EntryId, User

ROOMS_ROOT, ARCHIVE_ROOT, AGENTS_ROOT, TEMPLATES_ROOT = 2, 3, 4, 5
_SHARED_ROOTS = (
    (ROOMS_ROOT, "Rooms", Section.ROOMS),
    (ARCHIVE_ROOT, "Archive", Section.ARCHIVE),
    (AGENTS_ROOT, "AI agents", Section.AGENTS),
    (TEMPLATES_ROOT, "Room templates", Section.TEMPLATES),
)


class Rooms(People):
    """The folder tree of the portal."""

    def __init__(
        self,
        clock: Clock = system_clock,
        zone: tzinfo | None = None,
        culture: str = "en",
        *,
        round_dates: bool = True,
    ) -> None:
        """Start with the shared section roots; ``zone`` defaults to UTC+3.

        ``form_rooms_apart`` lists form rooms in ``@forms`` alone (docspace.md 10).
        """
        if zone is None:
            super().__init__(clock, culture=culture, round_dates=round_dates)
        else:
            super().__init__(clock, zone, culture, round_dates=round_dates)
        self.form_rooms_apart = False
        self._next_provider = 4
        now = self.now()
        for root_id, title, section in _SHARED_ROOTS:
            self.store.put_folder(
                FolderRow(root_id, None, title, now, SYSTEM, now, SYSTEM, section=section)
            )

    @property
    def next_folder_id(self) -> int:
        """The id the next folder or room gets; may be set."""
        return self.store.next_folder

    @next_folder_id.setter
    def next_folder_id(self, value: int) -> None:
        self.store.next_folder = value

    def add_room(
        self,
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
        with self.mutex:
            now = self.now()
            root = TEMPLATES_ROOT if template else ROOMS_ROOT
            room = FolderRow(self._free_folder_id(), root, title, now, owner.id, now, owner.id)
            room.room_type = room_type
            room.private = private
            room.indexing = indexing
            if third_party:
                room.provider_key, room.provider_id = "GoogleDrive", self._next_provider
                room.id = f"drive-{self._next_provider}"
                self._next_provider += 1
            self.store.put_folder(room)
            return room.id

    def add_folder(self, parent_id: EntryId, title: str, *, by: User) -> EntryId:
        """Add a folder below another; it does not raise the date of those above."""
        with self.mutex:
            parent = self.store.folders[parent_id]
            now = self.now()
            folder = FolderRow(self._free_folder_id(), parent_id, title, now, by.id, now, by.id)
            if isinstance(parent_id, str):
                folder.id = f"{parent_id.split('-|')[0]}-|folder{folder.id}"
                folder.provider_key, folder.provider_id = parent.provider_key, parent.provider_id
            self.store.put_folder(folder)
            return folder.id

    def invite(self, room: EntryId, user: User, *, access: int = rights.ROOM_MANAGER) -> None:
        """Give the user a role in a room; 0 takes it away."""
        with self.mutex:
            members = self.store.folders[room].members
            if access:
                members[user.id] = access
            else:
                members.pop(user.id, None)

    def pin(self, room: EntryId, user: User) -> None:
        """Pin a room for one user, whose room lists then begin with it."""
        with self.mutex:
            self.store.folders[room].pinned.add(user.id)

    def archive_room(self, room: EntryId) -> None:
        """Move a room with all its content to the archive."""
        with self.mutex:
            self.store.move_folder(self.store.folders[room], ARCHIVE_ROOT)

    def unarchive_room(self, room: EntryId) -> None:
        """Bring an archived room back."""
        with self.mutex:
            self.store.move_folder(self.store.folders[room], ROOMS_ROOT)

    def backup(self) -> Store:
        """Return a copy of all folders and files."""
        with self.mutex:
            return copy.deepcopy(self.store)

    def restore_backup(self, saved: Store) -> None:
        """Set all folders and files back to a backup: versions and ids go backwards.

        People stay as they are, so a backup must be younger than the last account.
        """
        with self.mutex:
            changes = self.store.changes
            self.store = copy.deepcopy(saved)
            self.store.changes = changes
            for folder in self.store.folders.values():
                self.store.changes += 1
                folder.changes = self.store.changes

    def _free_folder_id(self) -> int:
        found = self.store.next_folder
        self.store.next_folder += 1
        return found
