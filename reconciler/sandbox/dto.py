"""The JSON objects of the API, built from rows; null members are left out (docspace.md 2)."""

from datetime import datetime
from urllib.parse import quote

from reconciler.sandbox import dates, file_types, rights
from reconciler.sandbox.state import GUEST, State
from reconciler.sandbox.store import FileRow, FolderRow, Section, VersionRow
from reconciler.sandbox.values import EntryId, User

Json = dict[str, object]

_PHOTO = "/static/images/default_user_photo_size_{0}.png"
_SHARE_RIGHTS: Json = {"PrimaryExternalLink": ["Editing", "Review", "Comment", "Read"]}


class Dto:
    """Builds DTOs as one user sees them, with links below one base URL.

    One builder serves one request: people are built once.
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

    def employee(self, user_id: str) -> Json:
        """Return an ``EmployeeDto``."""
        if user_id not in self._people:
            self._people[user_id] = self._employee(self._state.person(user_id))
        return self._people[user_id]

    def file(self, row: FileRow, version: VersionRow | None = None) -> Json:
        """Return a ``FileDto`` of a version, by default the current one."""
        shown = version or row.current
        third = isinstance(row.id, str)
        role = self._role(row)
        return {
            **self._file_head(row, shown),
            **self._provider(row.folder_id if third else None),
            "fileEntryType": 2,
            **self._locked(row),
            "id": row.id,
            "rootFolderId": self._store.root(row.folder_id).id,
            "canShare": role.owner or role.edits_history or role.admin,
            "security": rights.file_security(
                role, locked_by_other=row.locked_by not in (None, self._user.id)
            ),
            "availableShareRights": _SHARE_RIGHTS,
            "title": shown.title,
            **self._access(role),
            "created": self.date(row.created),
            "createdBy": self.employee(row.created_by),
            "updated": self.date(max(row.created, shown.modified)),
            **self._place(row),
            "updatedBy": self.employee(shown.modified_by),
        }

    def folder(self, folder: FolderRow) -> Json:
        """Return a ``FolderDto`` of a root, a room or a plain folder."""
        role = self._folder_role(folder.id)
        root = self._store.root(folder.id)
        files, folders = self._counts(folder)
        return {
            "parentId": folder.parent_id or 0,
            "filesCount": files,
            "foldersCount": folders,
            "new": 0,
            "mute": False,
            "tags": [],
            "pinned": self._user.id in folder.pinned,
            "private": folder.private,
            "indexing": folder.indexing,
            "denyDownload": False,
            **self._provider(folder.id if folder.provider_key else None),
            "fileEntryType": 1,
            **self._folder_type(folder),
            "id": folder.id,
            "rootFolderId": root.id,
            "canShare": True,
            "security": rights.folder_security(role),
            "title": folder.title,
            **self._access(role),
            "created": self.date(folder.created),
            "createdBy": self.employee(folder.created_by),
            "updated": self.date(folder.updated),
            "rootFolderType": int(root.section or 0),
            "updatedBy": self.employee(folder.modified_by),
        }

    def path_parts(self, folder: FolderRow) -> list[Json]:
        """Return the way from the section root to the folder."""
        parts = []
        for step in reversed(self._store.ancestors(folder.id)):
            part: Json = {"id": step.id, "title": step.title}
            if step.room_type is not None:
                part["roomType"] = step.room_type
            part["folderType"] = step.folder_type
            parts.append(part)
        return parts

    def _file_head(self, row: FileRow, shown: VersionRow) -> Json:
        file_id = quote(str(row.id), safe="")
        head: Json = {
            "folderId": row.folder_id,
            "version": shown.version,
            "versionGroup": shown.group,
            "contentLength": file_types.size_text(shown.size),
            "pureContentLength": shown.size,
            "fileStatus": self._status(row),
            "editingBy": {},
            "mute": False,
            "viewUrl": f"{self._base}/filehandler.ashx?action=download&fileid={file_id}",
            "webUrl": f"{self._base}/doceditor?fileid={file_id}&version={shown.version}",
            "fileType": int(file_types.file_type(shown.title)),
            "fileExst": file_types.extension(shown.title),
        }
        if shown.comment is not None:
            head["comment"] = shown.comment
        if shown.encrypted:
            head["encrypted"] = True
        return head | {
            "thumbnailStatus": 1,
            "formFillingStatus": 0,
            "viewAccessibility": file_types.accessibility(shown.title),
        }

    def _status(self, row: FileRow) -> int:
        return (1 if row.session else 0) | (4 if row.id in self._store.converting else 0)

    def _locked(self, row: FileRow) -> Json:
        if row.locked_by is None:
            return {}
        if row.locked_by == self._user.id:
            return {"locked": True}
        return {"locked": True, "lockedBy": self._state.person(row.locked_by).name}

    def _provider(self, folder_id: object) -> Json:
        folder = self._store.folders[folder_id] if isinstance(folder_id, str) else None
        if folder is None:
            return {}
        return {
            "providerItem": True,
            "providerKey": folder.provider_key,
            "providerId": folder.provider_id,
        }

    def _access(self, role: rights.Role) -> Json:
        return {
            "access": role.shown_access,
            "shared": False,
            "sharedForUser": False,
            "sharedExternal": False,
            "parentShared": False,
            "shortWebUrl": "",
        }

    def _place(self, row: FileRow) -> Json:
        root, room = self._store.root(row.folder_id), self._store.room(row.folder_id)
        section = root.section or Section.USER
        if section is Section.USER and root.created_by != self._user.id:
            section = Section.SHARE
        place: Json = {"rootFolderType": int(section)}
        if room is not None:
            place["parentRoomType"] = room.folder_type
        return place

    def _folder_type(self, folder: FolderRow) -> Json:
        if folder.section is not None:
            return {"type": int(folder.section)}
        return {} if folder.room_type is None else {"roomType": folder.room_type}

    def _counts(self, folder: FolderRow) -> tuple[int, int]:
        below = self._store.subfolders(folder)
        return len(folder.files) + sum(len(one.files) for one in below), len(below)

    def _role(self, row: FileRow) -> rights.Role:
        if row.shares or row.current.encrypted:
            return rights.role_in_file(self._store, self._user, row)
        return self._folder_role(row.folder_id)

    def _folder_role(self, folder_id: EntryId) -> rights.Role:
        if folder_id not in self._roles:
            role = rights.role_in_folder(self._store, self._user, folder_id)
            self._roles[folder_id] = role
        return self._roles[folder_id]

    def _employee(self, user: User) -> Json:
        first = user.name.split(" ")[0].lower()
        return {
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
