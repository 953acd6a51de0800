"""What people do with files: every row of the table of docspace.md 4.2.

Each action says, by what it calls, what it touches: ``_version`` adds a version, ``_overwrite``
replaces the current one, both raise the dates of all folders above; a comment is only ever
set, never carried over; ``publish`` is the webhook, and some actions have none.
"""

from reconciler.sandbox import rights
from reconciler.sandbox.saves import Saves
from reconciler.sandbox.store import FileRow
from reconciler.sandbox.texts import Comment
from reconciler.sandbox.values import CommentWrite, EntryId, User


class Files(Saves):
    """The actions of people, and of the portal on their behalf."""

    def rename(self, fid: EntryId, title: str, *, by: User) -> None:
        """Give the current version another title: its date moves, no folder's does."""
        with self.mutex:
            row = self.store.files[fid]
            row.current.title = title
            row.current.modified = self.now()
            row.current.modified_by = by.id
            self.store.touch(row.folder_id)
            self.publish("file.updated", row, by)

    def comment(self, fid: EntryId, text: str, *, by: User, version: int | None = None) -> str:
        """Set a version's comment, also when it is the same; return it cut to 255 units.

        No date moves. KeyError when there is no such version.
        """
        with self.mutex:
            row = self.store.files[fid]
            number = row.current.version if version is None else version
            found = next((one for one in row.versions if one.version == number), None)
            if found is None:
                raise KeyError(number)
            cut = _cut(text)
            kept = "".join(char for char in cut if ord(char) <= 0xFFFF)
            write = CommentWrite(number, found.comment, kept, by, self.clock())
            self._comments.setdefault(fid, []).append(write)
            found.comment = kept
            self.publish("file.updated", row, by)
            return cut

    def lock(self, fid: EntryId, *, by: User) -> None:
        """Lock a file: no date and no comment changes."""
        with self.mutex:
            row = self.store.files[fid]
            row.locked_by = by.id
            self.publish("file.updated", row, by)

    def unlock(self, fid: EntryId, *, by: User) -> None:
        """Unlock a file, which writes its own comment over any other: two events."""
        with self.mutex:
            row = self.store.files[fid]
            row.locked_by = None
            self.comment(fid, self.text(Comment.UNLOCKED, by), by=by)
            self.publish("file.updated", row, by)

    def trash(self, fid: EntryId, *, by: User) -> None:
        """Put a file into the trash of the acting user: its date moves."""
        with self.mutex:
            row = self.store.files[fid]
            readers = self.readers(row)
            row.trashed_from = row.folder_id
            row.current.modified = self.now()
            row.current.modified_by = by.id
            self.store.move_file(row, self.trash_of(by))
            self.publish("file.trashed", row, by, readers=readers)

    def restore(self, fid: EntryId, *, by: User, overwrite: EntryId | None = None) -> None:
        """Take a file out of the trash to where it was: no date moves.

        ``overwrite`` is a file there whose content it replaces, in a new version.
        """
        with self.mutex:
            row = self.store.files[fid]
            folder_id = row.trashed_from
            if folder_id is None:
                raise ValueError(f"file {fid} is not in the trash")
            if overwrite is not None:
                row = self._replace(overwrite, row, by)
            else:
                self.store.move_file(row, folder_id)
                row.trashed_from = None
            self.publish("file.restored", row, by)

    def delete(self, fid: EntryId, *, by: User) -> None:
        """Remove a file for good."""
        with self.mutex:
            row = self.store.files[fid]
            self.publish("file.deleted", row, by)
            self.store.drop_file(row)

    def move(
        self, fid: EntryId, folder_id: EntryId, *, by: User, overwrite: EntryId | None = None
    ) -> None:
        """Move a file, or its content over another file, which gets a new version."""
        with self.mutex:
            row = self.store.files[fid]
            if overwrite is not None:
                row = self._replace(overwrite, row, by)
            else:
                self.store.move_file(row, folder_id)
            self.publish("file.moved", row, by)

    def copy(
        self, fid: EntryId, folder_id: EntryId, *, by: User, overwrite: EntryId | None = None
    ) -> EntryId:
        """Copy a file to a new one, or over another file; return the target's id."""
        with self.mutex:
            source = self.store.files[fid].current
            if overwrite is None:
                text = self.text(Comment.COPIED, by)
                target = self._new(folder_id, source.title, by, source.size, text)
            else:
                target = self.store.files[overwrite]
                text = self.text(Comment.OVERWRITTEN, by)
                self._version(target, by, text, source.size)
            self.publish("file.copied", target, by)
            return target.id

    def convert(self, fid: EntryId, *, by: User) -> None:
        """Convert a file in place: a version, and no event."""
        with self.mutex:
            row = self.store.files[fid]
            self._version(row, by, self.text(Comment.CONVERTED, by, row.current.title), None)

    def restore_version(
        self, fid: EntryId, version: int, *, by: User, change: bool = False
    ) -> None:
        """Make an older version, or a single ``change`` of it, the newest, dated now."""
        comment = Comment.RESTORED_CHANGE if change else Comment.RESTORED_REVISION
        with self.mutex:
            row = self.store.files[fid]
            old = next(one for one in row.versions if one.version == version)
            self._version(row, by, self._restored(comment, old.modified, by), old.size)
            self.publish("file.updated", row, by)

    def complete_version(self, fid: EntryId, *, by: User) -> None:
        """Close the current version: another one of the same content, and no event."""
        with self.mutex:
            row = self.store.files[fid]
            current = row.current
            self._version(
                row,
                by,
                self._restored(Comment.RESTORED_REVISION, current.modified, by),
                current.size,
            )

    def continue_version(self, fid: EntryId, version: int) -> None:
        """Join a version to the one before: later groups move down, nothing else."""
        with self.mutex:
            for row in self.store.files[fid].versions:
                if row.version >= version:
                    row.group -= 1

    def delete_version(self, fid: EntryId, version: int, *, by: User) -> None:
        """Remove an older version. ValueError for the current one."""
        with self.mutex:
            row = self.store.files[fid]
            if version == row.current.version:
                raise ValueError("the current version cannot be deleted")
            row.versions = [one for one in row.versions if one.version != version]
            self.publish("file.updated", row, by)

    def reorder(self, fid: EntryId, *, by: User, order: int | None = None) -> None:
        """Change a file's place in an indexed room: no date moves."""
        with self.mutex:
            row = self.store.files[fid]
            row.order = self._next_order() if order is None else order
            self.store.touch(row.folder_id)
            self.publish("file.updated", row, by)

    def change_owner(self, fid: EntryId, new_owner: User, *, by: User) -> None:
        """Give a file to another user: a version of its own."""
        with self.mutex:
            row = self.store.files[fid]
            row.created_by = new_owner.id
            self._version(row, by, self.text(Comment.OWNER_CHANGED, by), row.current.size)
            self.publish("file.updated", row, by)

    def share(self, fid: EntryId, user: User, *, access: int = rights.EDITING) -> None:
        """Share one file with a user."""
        with self.mutex:
            row = self.store.files[fid]
            row.shares = {**(row.shares or {}), user.id: access}

    def start_converting(self, fid: EntryId) -> None:
        """Mark a file as being converted: listings leave it out (docspace.md 1.1)."""
        with self.mutex:
            self.store.converting.add(fid)

    def stop_converting(self, fid: EntryId) -> None:
        """End what ``start_converting`` began."""
        with self.mutex:
            self.store.converting.discard(fid)

    def _replace(self, fid: EntryId, source: FileRow, by: User) -> FileRow:
        """Put the content of ``source``, which goes, over a file; return that."""
        target = self.store.files[fid]
        self._version(target, by, self.text(Comment.OVERWRITTEN, by), source.current.size)
        self.store.drop_file(source)
        return target


def _cut(text: str) -> str:
    """Cut to 255 UTF-16 units, the way .NET counts characters."""
    return text.encode("utf-16-le", "surrogatepass")[:510].decode("utf-16-le", "ignore")
