"""The rows of the portal's database: folders, files, versions, webhooks and their log."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum, auto

from reconciler.sandbox.values import EntryId, Json
from reconciler.triggers import TRIGGERS


class Section(IntEnum):
    """``rootFolderType`` numbers (docspace.md 9)."""

    TRASH = 3
    USER = 5
    SHARE = 6
    ROOMS = 14
    ARCHIVE = 20
    TEMPLATES = 30
    AGENTS = 34


ROOM_FOLDER_TYPES = {1: 15, 2: 16, 5: 19, 6: 22, 8: 29, 9: 31}
"""``RoomType`` to the number of the folder type that rooms of it have."""

AI_ROOM = 9
FORM_ROOM = 1


class Session(Enum):
    """A forcesave that the next save of the same editing session overwrites."""

    TIMER = auto()
    USER = auto()


@dataclass(slots=True)
class VersionRow:
    """One version of a file: each has its own title, date and comment."""

    version: int
    group: int
    title: str
    modified: datetime
    modified_by: str
    size: int
    comment: str | None
    encrypted: bool = False


@dataclass(slots=True)
class FileRow:
    """A file; ``versions`` are ascending and never empty."""

    id: EntryId
    folder_id: EntryId
    created: datetime
    created_by: str
    order: int
    versions: list[VersionRow]
    locked_by: str | None = None
    session: Session | None = None
    trashed_from: EntryId | None = None
    shares: dict[str, int] = field(default_factory=dict)

    @property
    def current(self) -> VersionRow:
        """The newest version."""
        return self.versions[-1]

    def version(self, number: int) -> VersionRow | None:
        """Return a version by its number, or None."""
        return next((one for one in self.versions if one.version == number), None)


@dataclass(slots=True)
class FolderRow:
    """A section root, a room or a plain folder."""

    id: EntryId
    parent_id: EntryId | None
    title: str
    created: datetime
    created_by: str
    modified: datetime
    modified_by: str
    section: Section | None = None
    room_type: int | None = None
    indexing: bool = False
    private: bool = False
    provider_key: str | None = None
    provider_id: int | None = None
    folders: dict[EntryId, None] = field(default_factory=dict)
    files: dict[EntryId, None] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)
    last_change: int = 0

    @property
    def updated(self) -> datetime:
        """The later of creation and change, as the API shows it."""
        return max(self.created, self.modified)

    @property
    def folder_type(self) -> int:
        """The number of the folder's type: section, room or plain (0)."""
        return self.section or ROOM_FOLDER_TYPES.get(self.room_type or 0, 0)


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """One webhook (docspace.md 6); the defaults are those of members that a request leaves out."""

    created_by: str
    created_on: datetime
    id: int = 0
    name: str = ""
    url: str = ""
    secret: str = field(default="", repr=False)
    triggers: int = 0
    enabled: bool = False
    ssl: bool = False
    target_id: str = ""
    modified_by: str | None = None
    modified_on: datetime | None = None
    last_failure_on: datetime | None = None
    last_failure: str | None = None
    last_success_on: datetime | None = None

    @property
    def trigger_names(self) -> list[str]:
        """The names in the bit mask."""
        return [name for name, bit in TRIGGERS.items() if self.triggers & bit] or ["*"]

    def wants(self, trigger: str, target: EntryId) -> bool:
        """Whether an event of this kind about this entry is to be delivered."""
        return (
            self.enabled
            and (self.triggers == 0 or bool(self.triggers & TRIGGERS[trigger]))
            and self.target_id in ("", str(target))
        )


@dataclass(slots=True)
class WebhookLog:
    """One entry of the webhook log (docspace.md 6); ``status`` 0: not sent, or no answer."""

    id: int
    config_id: int
    trigger: str
    file_id: EntryId
    created: datetime
    event: Json
    payload: Json
    body: str = ""
    request_headers: str | None = None
    response_headers: str | None = None
    response: str | None = None
    status: int = 0
    delivery: datetime | None = None


def id_below(folder_id: EntryId, kind: str, number: int) -> EntryId:
    """Return the id of a new entry in a folder; third-party storage has strings (docspace.md 8)."""
    if isinstance(folder_id, str):
        return f"{folder_id.split('-|')[0]}-|{kind}{number}"
    return number


@dataclass(slots=True)
class Store:
    """All folders and files, and the next free ids."""

    folders: dict[EntryId, FolderRow] = field(default_factory=dict)
    files: dict[EntryId, FileRow] = field(default_factory=dict)
    converting: set[EntryId] = field(default_factory=set)
    next_file: int = 1000
    next_folder: int = 10
    last_order: int = 0
    last_change: int = 0

    def new_folder_id(self) -> int:
        """Take the next free id of a folder."""
        self.next_folder += 1
        return self.next_folder - 1

    def new_order(self) -> int:
        """Take the next place in the order of indexed rooms."""
        self.last_order += 1
        return self.last_order

    def ancestors(self, folder_id: EntryId) -> list[FolderRow]:
        """Return the folder and all above it, the section root last."""
        found = []
        step: EntryId | None = folder_id
        while step is not None:
            folder = self.folders[step]
            found.append(folder)
            step = folder.parent_id
        return found

    def root(self, folder_id: EntryId) -> FolderRow:
        """Return the section root the folder lies in."""
        return self.ancestors(folder_id)[-1]

    def room(self, folder_id: EntryId) -> FolderRow | None:
        """Return the room the folder is or lies in, or None."""
        return next((f for f in self.ancestors(folder_id) if f.room_type is not None), None)

    def put_folder(self, folder: FolderRow) -> None:
        """Add a folder below its parent."""
        self.folders[folder.id] = folder
        if folder.parent_id is not None:
            self.folders[folder.parent_id].folders[folder.id] = None
        self.mark_changed(folder.id)

    def put_file(self, row: FileRow) -> None:
        """Add a file to its folder."""
        self.files[row.id] = row
        self.folders[row.folder_id].files[row.id] = None
        self.mark_changed(row.folder_id)

    def move_file(self, row: FileRow, folder_id: EntryId) -> None:
        """Put a file into another folder."""
        del self.folders[row.folder_id].files[row.id]
        self.mark_changed(row.folder_id)
        row.folder_id = folder_id
        self.folders[folder_id].files[row.id] = None
        self.mark_changed(folder_id)

    def move_folder(self, folder: FolderRow, parent_id: EntryId) -> None:
        """Move a folder below another parent."""
        if folder.parent_id is not None:
            del self.folders[folder.parent_id].folders[folder.id]
            self.mark_changed(folder.parent_id)
        folder.parent_id = parent_id
        self.folders[parent_id].folders[folder.id] = None
        self.mark_changed(folder.id)

    def drop_file(self, row: FileRow) -> None:
        """Remove a file for good."""
        del self.folders[row.folder_id].files[row.id]
        del self.files[row.id]
        self.converting.discard(row.id)
        self.mark_changed(row.folder_id)

    def mark_changed(self, folder_id: EntryId) -> None:
        """Mark the listings of the folder and of all above it as changed."""
        self.last_change += 1
        for folder in self.ancestors(folder_id):
            folder.last_change = self.last_change

    def raise_dates(self, row: FileRow) -> None:
        """Raise the date of all ancestors to that of a saved file (docspace.md 1.4)."""
        if isinstance(row.folder_id, str):
            return
        for folder in self.ancestors(row.folder_id):
            folder.modified = row.current.modified
            folder.modified_by = row.current.modified_by

    def titled(self, folder_id: EntryId, title: str) -> FileRow | None:
        """Return the file of a title in a folder, or None."""
        rows = (self.files[fid] for fid in self.folders[folder_id].files)
        return next((row for row in rows if row.current.title == title), None)

    def subfolders(self, folder: FolderRow) -> list[FolderRow]:
        """Return every folder below, depth first."""
        children = [self.folders[child_id] for child_id in folder.folders]
        return [one for child in children for one in (child, *self.subfolders(child))]

    def subtree_files(self, folder: FolderRow) -> list[EntryId]:
        """Return the ids of all files in the folder and below."""
        return [fid for one in (folder, *self.subfolders(folder)) for fid in one.files]
