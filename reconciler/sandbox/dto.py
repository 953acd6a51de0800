"""The JSON objects of the API, built from rows; null members are left out (docspace.md 2)."""

from datetime import datetime
from urllib.parse import quote

from reconciler.sandbox import dates, kinds, rights
from reconciler.sandbox.people import GUEST
from reconciler.sandbox.portal import Portal
from reconciler.sandbox.store import FileRow, FolderRow, Section, VersionRow
from reconciler.sandbox.values import User

Json = dict[str, object]

_PHOTO = "/static/images/default_user_photo_size_{0}.png"
_SHARE_RIGHTS: Json = {"PrimaryExternalLink": ["Editing", "Review", "Comment", "Read"]}


class Dto:
    """Builds DTOs as one user sees them, with links below one base URL.

    The caller holds the portal's lock. One builder serves one request: people are built once.
    """

    def __init__(self, portal: Portal, user: User, base: str) -> None:
        """Build for ``user``; ``base`` is like ``https://portal.example.com``."""
        self._portal = portal
        self._store = portal.store
        self._user = user
        self._base = base
        self._people: dict[str, Json] = {}
        self._standings: dict[object, rights.Standing] = {}

    def date(self, moment: datetime) -> str:
        """Write a date in the portal's zone."""
        return dates.api(moment, self._portal.zone)

    def employee(self, user_id: str) -> Json:
        """Return an ``EmployeeDto``."""
        known = self._people.get(user_id)
        if known is None:
            known = self._people[user_id] = self._employee(self._portal.person(user_id))
        return known

    def file(self, row: FileRow, version: VersionRow | None = None) -> Json:
        """Return a ``FileDto`` of a version, by default the current one."""
        shown = version or row.current
        third = isinstance(row.id, str)
        standing = self._standing(row)
        return {
            **self._file_head(row, shown),
            **self._provider(row.folder_id if third else None),
            "fileEntryType": 2,
            **self._locked(row),
            "id": row.id,
            "rootFolderId": self._store.root(row.folder_id).id,
            "canShare": standing.owner or standing.edits_history or standing.admin,
            "security": rights.file_security(
                standing, locked_by_other=row.locked_by not in (None, self._user.id)
            ),
            "availableShareRights": _SHARE_RIGHTS,
            "title": shown.title,
            **self._access(standing),
            "created": self.date(row.created),
            "createdBy": self.employee(row.created_by),
            "updated": self.date(max(row.created, shown.modified)),
            **self._place(row),
            "updatedBy": self.employee(shown.modified_by),
        }

    def folder(self, folder: FolderRow) -> Json:
        """Return a ``FolderDto`` of a root, a room or a plain folder."""
        standing = rights.in_folder(self._store, self._user, folder.id)
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
            "security": rights.folder_security(standing),
            "title": folder.title,
            **self._access(standing),
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
            part["folderType"] = self._portal.folder_type(step)
            parts.append(part)
        return parts

    def view_url(self, file_id: object) -> str:
        """Return where a file is downloaded."""
        shown = quote(str(file_id), safe="")
        return f"{self._base}/filehandler.ashx?action=download&fileid={shown}"

    def _file_head(self, row: FileRow, shown: VersionRow) -> Json:
        head: Json = {
            "folderId": row.folder_id,
            "version": shown.version,
            "versionGroup": shown.group,
            "contentLength": kinds.size_text(shown.size),
            "pureContentLength": shown.size,
            "fileStatus": self._status(row),
            "editingBy": {},
            "mute": False,
            "viewUrl": self.view_url(row.id),
            "webUrl": f"{self._base}/doceditor?fileid={quote(str(row.id), safe='')}"
            f"&version={shown.version}",
            "fileType": int(kinds.file_type(shown.title)),
            "fileExst": kinds.extension(shown.title),
        }
        if shown.comment is not None:
            head["comment"] = shown.comment
        if shown.encrypted:
            head["encrypted"] = True
        return head | {
            "thumbnailStatus": 1,
            "formFillingStatus": 0,
            "viewAccessibility": kinds.accessibility(shown.title),
        }

    def _status(self, row: FileRow) -> int:
        return (1 if row.session else 0) | (4 if row.id in self._store.converting else 0)

    def _locked(self, row: FileRow) -> Json:
        if row.locked_by is None:
            return {}
        if row.locked_by == self._user.id:
            return {"locked": True}
        return {"locked": True, "lockedBy": self._portal.person(row.locked_by).name}

    def _provider(self, folder_id: object) -> Json:
        folder = self._store.folders[folder_id] if isinstance(folder_id, str) else None
        if folder is None:
            return {}
        return {
            "providerItem": True,
            "providerKey": folder.provider_key,
            "providerId": folder.provider_id,
        }

    def _access(self, standing: rights.Standing) -> Json:
        return {
            "access": standing.shown_access,
            "shared": False,
            "sharedForUser": False,
            "sharedExternal": False,
            "parentShared": False,
            "shortWebUrl": "",
        }

    def _place(self, row: FileRow) -> Json:
        chain = self._store.ancestors(row.folder_id)
        section = chain[-1].section or Section.USER
        if section is Section.USER and chain[-1].created_by != self._user.id:
            section = Section.SHARE
        place: Json = {"rootFolderType": int(section)}
        room = next((folder for folder in chain if folder.room_type is not None), None)
        if room is not None:
            place["parentRoomType"] = self._portal.folder_type(room)
        return place

    def _folder_type(self, folder: FolderRow) -> Json:
        if folder.section is not None:
            return {"type": int(folder.section)}
        return {} if folder.room_type is None else {"roomType": folder.room_type}

    def _counts(self, folder: FolderRow) -> tuple[int, int]:
        below = self._store.subfolders(folder)
        return len(folder.files) + sum(len(one.files) for one in below), len(below)

    def _standing(self, row: FileRow) -> rights.Standing:
        if row.shares or row.current.encrypted:
            return rights.in_file(self._store, self._user, row)
        known = self._standings.get(row.folder_id)
        if known is None:
            known = rights.in_folder(self._store, self._user, row.folder_id)
            self._standings[row.folder_id] = known
        return known

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
