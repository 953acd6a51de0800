"""The acts of people on files: the lower half of the table of docspace.md 4.2.

A comment is set, never carried over. ``publish`` sends the webhooks; some acts have none.
"""

from datetime import datetime

from reconciler.sandbox import dates, rights, texts, webhooks
from reconciler.sandbox.saves import add_version, new_file
from reconciler.sandbox.state import State
from reconciler.sandbox.store import FileRow, Section, VersionRow
from reconciler.sandbox.texts import Comment
from reconciler.sandbox.values import CommentWrite, EntryId, FileInfo, User


def file(state: State, fid: EntryId) -> FileInfo:
    """Return a file's current version. KeyError when there is none."""
    row = state.store.files[fid]
    return _file_info(state, row, row.current)


def versions(state: State, fid: EntryId) -> list[FileInfo]:
    """Return all versions of a file, oldest first."""
    row = state.store.files[fid]
    return [_file_info(state, row, version) for version in row.versions]


def file_ids(state: State) -> list[EntryId]:
    """Return the ids of all files, trashed ones too."""
    return list(state.store.files)


def comment_writes(state: State, fid: EntryId) -> tuple[CommentWrite, ...]:
    """Return every comment written into the file's versions, by people, keys or unlocking."""
    return tuple(state.comments.get(fid, ()))


def rename(state: State, fid: EntryId, title: str, *, by: User) -> None:
    """Give the current version another title: its date moves, no folder's does."""
    row = state.store.files[fid]
    row.current.title = title
    row.current.modified, row.current.modified_by = state.now(), by.id
    state.store.mark_changed(row.folder_id)
    webhooks.publish(state, "file.updated", row, by)


def comment(state: State, fid: EntryId, text: str, *, by: User, version: int | None = None) -> str:
    """Set a version's comment, also when it is the same; return it cut to 255 units.

    No date moves. MySQL loses what lies beyond the BMP (docspace.md 9). KeyError when there is
    no such version.
    """
    row = state.store.files[fid]
    found = row.current if version is None else row.version(version)
    if found is None:
        raise KeyError(version)
    cut = _cut(text)
    kept = "".join(char for char in cut if ord(char) <= 0xFFFF)
    write = CommentWrite(found.version, found.comment, kept, by, state.clock())
    state.comments.setdefault(fid, []).append(write)
    found.comment = kept
    webhooks.publish(state, "file.updated", row, by)
    return cut


def lock(state: State, fid: EntryId, *, by: User) -> None:
    """Lock a file: no date and no comment changes."""
    row = state.store.files[fid]
    row.locked_by = by.id
    webhooks.publish(state, "file.updated", row, by)


def unlock(state: State, fid: EntryId, *, by: User) -> None:
    """Unlock a file, which overwrites any comment with its own: two events."""
    row = state.store.files[fid]
    row.locked_by = None
    comment(state, fid, state.text(Comment.UNLOCKED, by), by=by)
    webhooks.publish(state, "file.updated", row, by)


def trash(state: State, fid: EntryId, *, by: User) -> None:
    """Put a file into the trash of the acting user: its date moves."""
    row = state.store.files[fid]
    readers = webhooks.find_readers(state, row)
    row.trashed_from = row.folder_id
    row.current.modified, row.current.modified_by = state.now(), by.id
    state.store.move_file(row, state.trash_roots[by.id])
    webhooks.publish(state, "file.trashed", row, by, readers=readers)


def restore(state: State, fid: EntryId, *, by: User, overwrite: EntryId | None = None) -> None:
    """Take a file out of the trash to where it was: no date moves.

    ``overwrite`` is a file there whose content it replaces, in a new version.
    """
    row = state.store.files[fid]
    if row.trashed_from is None:
        raise ValueError(f"file {fid} is not in the trash")
    row = _moved(state, row, row.trashed_from, by, overwrite)
    row.trashed_from = None
    webhooks.publish(state, "file.restored", row, by)


def delete(state: State, fid: EntryId, *, by: User) -> None:
    """Remove a file for good."""
    row = state.store.files[fid]
    webhooks.publish(state, "file.deleted", row, by)
    state.store.drop_file(row)


def move(
    state: State, fid: EntryId, folder_id: EntryId, *, by: User, overwrite: EntryId | None = None
) -> None:
    """Move a file, or its content over another file, which gets a new version."""
    row = _moved(state, state.store.files[fid], folder_id, by, overwrite)
    webhooks.publish(state, "file.moved", row, by)


def copy(
    state: State, fid: EntryId, folder_id: EntryId, *, by: User, overwrite: EntryId | None = None
) -> EntryId:
    """Copy a file to a new one, or over another file; return the target's id."""
    source = state.store.files[fid].current
    if overwrite is None:
        text = state.text(Comment.COPIED, by)
        target = new_file(state, folder_id, source.title, by, source.size, text)
    else:
        target = state.store.files[overwrite]
        add_version(state, target, by, state.text(Comment.OVERWRITTEN, by), source.size)
    webhooks.publish(state, "file.copied", target, by)
    return target.id


def convert(state: State, fid: EntryId, *, by: User) -> None:
    """Convert a file in place: a version, and no event."""
    row = state.store.files[fid]
    add_version(state, row, by, state.text(Comment.CONVERTED, by, row.current.title))


def restore_version(
    state: State, fid: EntryId, version: int, *, by: User, change: bool = False
) -> None:
    """Make an older version, or a single ``change`` of it, the newest, dated now."""
    comment = Comment.RESTORED_CHANGE if change else Comment.RESTORED_REVISION
    row = state.store.files[fid]
    old = next(one for one in row.versions if one.version == version)
    add_version(state, row, by, _restored_text(state, comment, old.modified, by), old.size)
    webhooks.publish(state, "file.updated", row, by)


def complete_version(state: State, fid: EntryId, *, by: User) -> None:
    """Close the current version: another one of the same content, and no event."""
    row = state.store.files[fid]
    text = _restored_text(state, Comment.RESTORED_REVISION, row.current.modified, by)
    add_version(state, row, by, text, row.current.size)


def continue_version(state: State, fid: EntryId, version: int) -> None:
    """Join a version to the one before: later groups move down, nothing else."""
    for one in state.store.files[fid].versions:
        if one.version >= version:
            one.group -= 1


def delete_version(state: State, fid: EntryId, version: int, *, by: User) -> None:
    """Remove an older version. ValueError for the current one."""
    row = state.store.files[fid]
    if version == row.current.version:
        raise ValueError("the current version cannot be deleted")
    row.versions = [one for one in row.versions if one.version != version]
    webhooks.publish(state, "file.updated", row, by)


def reorder(state: State, fid: EntryId, *, by: User) -> None:
    """Put a file last in an indexed room: no date moves."""
    row = state.store.files[fid]
    row.order = state.store.new_order()
    state.store.mark_changed(row.folder_id)
    webhooks.publish(state, "file.updated", row, by)


def change_owner(state: State, fid: EntryId, new_owner: User, *, by: User) -> None:
    """Give a file to another user: a version of its own."""
    row = state.store.files[fid]
    row.created_by = new_owner.id
    add_version(state, row, by, state.text(Comment.OWNER_CHANGED, by), row.current.size)
    webhooks.publish(state, "file.updated", row, by)


def share(state: State, fid: EntryId, user: User) -> None:
    """Share one file with a user, who may edit it."""
    state.store.files[fid].shares[user.id] = rights.EDITING


def start_converting(state: State, fid: EntryId) -> None:
    """Mark a file as being converted: listings leave it out (docspace.md 1.1)."""
    state.store.converting.add(fid)


def stop_converting(state: State, fid: EntryId) -> None:
    """End what ``start_converting`` began."""
    state.store.converting.discard(fid)


def _moved(
    state: State, row: FileRow, folder_id: EntryId, by: User, overwrite: EntryId | None
) -> FileRow:
    """Move a file; or put its content over another file and drop it. Return what remains."""
    if overwrite is None:
        state.store.move_file(row, folder_id)
        return row
    target = state.store.files[overwrite]
    add_version(state, target, by, state.text(Comment.OVERWRITTEN, by), row.current.size)
    state.store.drop_file(row)
    return target


def _cut(text: str) -> str:
    """Cut to 255 UTF-16 units, the way .NET counts characters."""
    return text.encode("utf-16-le", "surrogatepass")[:510].decode("utf-16-le", "ignore")


def _restored_text(state: State, comment: Comment, moment: datetime, by: User) -> str:
    """Return the comment of a restored version, which names that version's date."""
    local = dates.as_read(moment, state.zone)
    return state.text(comment, by, texts.moment(local, by.culture))


def _file_info(state: State, row: FileRow, version: VersionRow) -> FileInfo:
    """Return one version of a file as the database holds it."""
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
        updated_by=state.person(version.modified_by),
        locked_by=state.person(row.locked_by) if row.locked_by else None,
        trashed=state.store.root(row.folder_id).section is Section.TRASH,
    )
