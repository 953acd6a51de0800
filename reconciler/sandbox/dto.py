"""The JSON objects of the API, built from rows (docspace.md 2)."""

from datetime import datetime
from urllib.parse import quote

from reconciler.sandbox import dates, rights
from reconciler.sandbox.state import GUEST, State
from reconciler.sandbox.store import FileRow, FolderRow, Section, VersionRow
from reconciler.sandbox.values import EntryId, Json, User

_SPREADSHEET, _PRESENTATION, _DOCUMENT, _PDF = 5, 6, 7, 10
_TYPES = {
    ".csv": _SPREADSHEET,
    ".xlsx": _SPREADSHEET,
    ".odp": _PRESENTATION,
    ".pptx": _PRESENTATION,
    ".docx": _DOCUMENT,
    ".odt": _DOCUMENT,
    ".txt": _DOCUMENT,
    ".pdf": _PDF,
}
"""The ``fileType`` numbers of office files; all others are unknown (0) here."""

_EDITABLE = (".docx", ".xlsx", ".pptx", ".csv", ".txt")

_PHOTO = "/static/images/default_user_photo_size_{0}.png"
_SHARE_RIGHTS: Json = {"PrimaryExternalLink": ["Editing", "Review", "Comment", "Read"]}
_NOT_SHARED: Json = {
    "shared": False,
    "sharedForUser": False,
    "sharedExternal": False,
    "parentShared": False,
    "shortWebUrl": "",
}


def present(**members: object) -> Json:
    """Return an object without its null members, which the API leaves out (docspace.md 2)."""
    return {name: value for name, value in members.items() if value is not None}


class Dto:
    """Builds DTOs as one user sees them, with links below one base URL.

    One builder serves one request: people and roles are found once.
    """

    def __init__(self, state: State, user: User, base: str) -> None:
        """Build for ``user``; ``base`` is like ``https://portal.example.com``."""
        self._state = state
        self._store = state.store
        self._user = user
        self._base = base
        self._people: dict[str, Json] = {}
        self._roles: dict[EntryId, rights.Role] = {}

    def date(self, moment: datetime) -> str:
        """Write a date in the portal's zone."""
        return dates.api(moment, self._state.zone)

    def file(self, row: FileRow, version: VersionRow | None = None) -> Json:
        """Return a ``FileDto`` of a version, by default the current one."""
        role, shown = self._role(row), version or row.current
        folder, room = self._store.folders[row.folder_id], self._store.room(row.folder_id)
        locker = None if row.locked_by == self._user.id else row.locked_by
        return present(
            **self._version(row, shown),
            folderId=row.folder_id,
            fileStatus=bool(row.session) | 4 * (row.id in self._store.converting),
            editingBy={},
            mute=False,
            thumbnailStatus=1,
            formFillingStatus=0,
            fileEntryType=2,
            providerItem=True if folder.provider_key else None,
            providerKey=folder.provider_key,
            providerId=folder.provider_id,
            locked=True if row.locked_by else None,
            lockedBy=self._state.person(locker).name if locker else None,
            id=row.id,
            rootFolderId=self._store.root(row.folder_id).id,
            rootFolderType=self._section(row),
            parentRoomType=room.folder_type if room else None,
            canShare=role.owner or role.edits_history or role.admin,
            security=rights.file_security(role, locked_by_other=locker is not None),
            availableShareRights=_SHARE_RIGHTS,
            access=role.shown_access,
            **_NOT_SHARED,
            created=self.date(row.created),
            createdBy=self.employee(row.created_by),
        )

    def folder(self, folder: FolderRow) -> Json:
        """Return a ``FolderDto`` of a root, a room or a plain folder."""
        role, root = self._folder_role(folder.id), self._store.root(folder.id)
        below = self._store.subfolders(folder)
        return present(
            parentId=folder.parent_id or 0,
            filesCount=sum(len(one.files) for one in (folder, *below)),
            foldersCount=len(below),
            new=0,
            mute=False,
            tags=[],
            pinned=self._user.id in folder.pinned,
            private=folder.private,
            indexing=folder.indexing,
            denyDownload=False,
            providerItem=True if folder.provider_key else None,
            providerKey=folder.provider_key,
            providerId=folder.provider_id,
            fileEntryType=1,
            type=folder.section,
            roomType=folder.room_type,
            id=folder.id,
            rootFolderId=root.id,
            canShare=True,
            security=rights.folder_security(role),
            title=folder.title,
            access=role.shown_access,
            **_NOT_SHARED,
            created=self.date(folder.created),
            createdBy=self.employee(folder.created_by),
            updated=self.date(folder.updated),
            rootFolderType=root.section,
            updatedBy=self.employee(folder.modified_by),
        )

    def path_parts(self, folder: FolderRow) -> list[Json]:
        """Return the way from the section root to the folder."""
        return [
            present(
                id=step.id, title=step.title, roomType=step.room_type, folderType=step.folder_type
            )
            for step in reversed(self._store.ancestors(folder.id))
        ]

    def employee(self, user_id: str) -> Json:
        """Return an ``EmployeeDto``."""
        if user_id not in self._people:
            user = self._state.person(user_id)
            first = user.name.split(" ")[0].lower()
            self._people[user_id] = {
                "id": user.id,
                "displayName": user.name,
                "avatar": _PHOTO.format("48-48"),
                "avatarOriginal": _PHOTO.format("200-200"),
                "avatarMax": _PHOTO.format("200-200"),
                "avatarMedium": _PHOTO.format("48-48"),
                "avatarSmall": _PHOTO.format("32-32"),
                "profileUrl": f"{self._base}/accounts/people/filter?search={quote(first)}",
                "hasAvatar": False,
                "isAnonim": user.id == GUEST,
            }
        return self._people[user_id]

    def _version(self, row: FileRow, shown: VersionRow) -> Json:
        """Return the members of a ``FileDto`` that differ from version to version."""
        file_id, ext = quote(str(row.id), safe=""), _extension(shown.title)
        return {
            "version": shown.version,
            "versionGroup": shown.group,
            "title": shown.title,
            "comment": shown.comment,
            "encrypted": shown.encrypted or None,
            "contentLength": _size_text(shown.size),
            "pureContentLength": shown.size,
            "viewUrl": f"{self._base}/filehandler.ashx?action=download&fileid={file_id}",
            "webUrl": f"{self._base}/doceditor?fileid={file_id}&version={shown.version}",
            "fileType": _TYPES.get(ext, 0),
            "fileExst": ext,
            "viewAccessibility": _accessibility(ext),
            "updated": self.date(max(row.created, shown.modified)),
            "updatedBy": self.employee(shown.modified_by),
        }

    def _section(self, row: FileRow) -> Section:
        """Return the section of a file; other people's documents are shared (docspace.md 9)."""
        root = self._store.root(row.folder_id)
        section = root.section or Section.USER
        foreign = section is Section.USER and root.created_by != self._user.id
        return Section.SHARE if foreign else section

    def _role(self, row: FileRow) -> rights.Role:
        if row.shares or row.current.encrypted:
            return rights.role_in_file(self._store, self._user, row)
        return self._folder_role(row.folder_id)

    def _folder_role(self, folder_id: EntryId) -> rights.Role:
        if folder_id not in self._roles:
            role = rights.role_in_folder(self._store, self._user, folder_id)
            self._roles[folder_id] = role
        return self._roles[folder_id]


def _extension(title: str) -> str:
    """Return the extension with its dot, lower case; empty without one."""
    dot = title.rfind(".")
    return title[dot:].lower() if dot >= 0 else ""


def _accessibility(ext: str) -> dict[str, bool]:
    """Return ``viewAccessibility``: how the web client can open files of an extension."""
    return {
        "ImageView": False,
        "MediaView": False,
        "WebView": ext in _TYPES,
        "WebEdit": ext in _EDITABLE,
        "WebReview": ext == ".docx",
        "WebCustomFilterEditing": ext == ".xlsx",
        "WebRestrictedEditing": ext == ".docx",
        "WebComment": ext in (".docx", ".xlsx", ".pptx"),
        "MustConvert": ext in _TYPES and ext not in (*_EDITABLE, ".pdf"),
    }


def _size_text(size: int) -> str:
    """Write a size as ``contentLength`` does: 24.12 KB."""
    amount, unit = float(size), "bytes"
    for larger in ("KB", "MB", "GB", "TB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.2f}".rstrip("0").rstrip(".") + f" {unit}"
