"""The steps that actions on files are made of, and what can be asked about files."""

from dataclasses import replace
from datetime import datetime, tzinfo

from reconciler.sandbox import dates, texts
from reconciler.sandbox.hooks import Hooks
from reconciler.sandbox.people import system_clock
from reconciler.sandbox.store import (
    ROOM_FOLDER_TYPES,
    FileRow,
    FolderRow,
    Section,
    Session,
    VersionRow,
)
from reconciler.sandbox.texts import Comment
from reconciler.sandbox.values import Clock, CommentWrite, EntryId, FileInfo, User


class Rows(Hooks):
    """Files as rows: new ones, new versions, overwritten versions."""

    def __init__(
        self,
        clock: Clock = system_clock,
        zone: tzinfo | None = None,
        culture: str = "en",
        *,
        round_dates: bool = True,
        poll_seconds: float = 0.0,
    ) -> None:
        """Start without files; ``store_forcesave`` is the portal's setting of that name."""
        super().__init__(clock, zone, culture, round_dates=round_dates, poll_seconds=poll_seconds)
        self.store_forcesave = False
        self._comments: dict[EntryId, list[CommentWrite]] = {}
        self._last_order = 0

    @property
    def next_id(self) -> int:
        """The id the next file gets; may be set back, so that ids are used again."""
        return self.store.next_file

    @next_id.setter
    def next_id(self, value: int) -> None:
        self.store.next_file = value

    def file(self, fid: EntryId) -> FileInfo:
        """Return a file's current version. KeyError when there is none."""
        with self.mutex:
            row = self.store.files[fid]
            return self._info(row, row.current)

    def versions(self, fid: EntryId) -> list[FileInfo]:
        """Return all versions of a file, oldest first."""
        with self.mutex:
            row = self.store.files[fid]
            return [self._info(row, version) for version in row.versions]

    def file_ids(self) -> list[EntryId]:
        """Return the ids of all files, trashed ones too."""
        with self.mutex:
            return list(self.store.files)

    def folder_updated(self, folder_id: EntryId) -> datetime:
        """Return a folder's date as the API would show it, in UTC."""
        with self.mutex:
            return self.store.folders[folder_id].updated

    def comment_writes(self, fid: EntryId) -> tuple[CommentWrite, ...]:
        """Return every comment written into the file's versions, by people, keys or unlocking."""
        with self.mutex:
            return tuple(self._comments.get(fid, ()))

    def folder_type(self, folder: FolderRow) -> int:
        """Return the number of a folder's type: section, room or plain (0)."""
        if folder.section is not None:
            return int(folder.section)
        return ROOM_FOLDER_TYPES.get(folder.room_type or 0, 0)

    def _new(self, folder_id: EntryId, title: str, by: User, size: int, comment: str) -> FileRow:
        now = self.now()
        number = self.store.next_file
        self.store.next_file += 1
        fid: EntryId = number
        if isinstance(folder_id, str):
            fid = f"{folder_id.split('-|')[0]}-|item{number}"
        kept = None if isinstance(fid, str) else comment
        version = VersionRow(1, 1, title, now, by.id, size, kept)
        row = FileRow(fid, folder_id, now, by.id, self._next_order(), [version])
        self.store.put_file(row)
        self.store.bump(row)
        return row

    def _version(self, row: FileRow, by: User, comment: str, size: int | None) -> None:
        if isinstance(row.id, str):
            self._overwrite(row, by, comment, size)
            return
        old = row.current
        row.versions.append(
            replace(
                old,
                version=old.version + 1,
                group=old.group + 1,
                modified=self.now(),
                modified_by=by.id,
                size=old.size + 37 if size is None else size,
                comment=comment,
                encrypted=False,
            )
        )
        row.session = None
        self._saved(row)

    def _overwrite(self, row: FileRow, by: User, comment: str, size: int | None) -> None:
        current = row.current
        current.modified = self.now()
        current.modified_by = by.id
        current.size = current.size + 37 if size is None else size
        current.comment = None if isinstance(row.id, str) else comment
        current.encrypted = False
        self._saved(row)

    def _saved(self, row: FileRow) -> None:
        self.store.touch(row.folder_id)
        self.store.bump(row)

    def _keeps(self, session: Session) -> bool:
        return session is Session.USER and self.store_forcesave

    def _titled(self, folder_id: EntryId, title: str) -> FileRow | None:
        rows = (self.store.files[fid] for fid in self.store.folders[folder_id].files)
        return next((row for row in rows if row.current.title == title), None)

    def _restored(self, comment: Comment, moment: datetime, by: User) -> str:
        written = texts.moment(dates.as_read(moment, self.zone), by.culture)
        return self.text(comment, by, written)

    def _next_order(self) -> int:
        self._last_order += 1
        return self._last_order

    def _info(self, row: FileRow, version: VersionRow) -> FileInfo:
        root = self.store.root(row.folder_id)
        return FileInfo(
            id=row.id,
            title=version.title,
            folder_id=row.folder_id,
            version=version.version,
            version_group=version.group,
            created=row.created,
            updated=max(row.created, version.modified),
            size=version.size,
            comment=version.comment,
            created_by=self.person(row.created_by),
            updated_by=self.person(version.modified_by),
            locked_by=self.person(row.locked_by) if row.locked_by else None,
            trashed=root.section is Section.TRASH,
            converting=row.id in self.store.converting,
            order=row.order,
        )
