"""The versions of files: a first one, another one, or the current one overwritten."""

from dataclasses import replace
from datetime import datetime

from reconciler.sandbox import dates, texts
from reconciler.sandbox.state import State
from reconciler.sandbox.store import FileRow, Section, VersionRow
from reconciler.sandbox.texts import Comment
from reconciler.sandbox.values import EntryId, FileInfo, User

GROWTH = 37
"""The bytes that a save adds when no size is given."""


def new_file(
    state: State, folder_id: EntryId, title: str, by: User, size: int, comment: str
) -> FileRow:
    """Add a file of one version; third-party storage gives it a string id and no comment."""
    store, now = state.store, state.now()
    number = store.next_file
    store.next_file += 1
    third = isinstance(folder_id, str)
    fid = f"{str(folder_id).split('-|')[0]}-|item{number}" if third else number
    version = VersionRow(1, 1, title, now, by.id, size, None if third else comment)
    row = FileRow(fid, folder_id, now, by.id, store.new_order(), [version])
    store.put_file(row)
    store.raise_dates(row)
    return row


def add_version(
    state: State, row: FileRow, by: User, comment: str, size: int | None = None
) -> None:
    """Add a version; third-party storage has only one, which it overwrites."""
    if not isinstance(row.id, str):
        old = row.current
        row.versions.append(replace(old, version=old.version + 1, group=old.group + 1))
        row.session = None
    overwrite(state, row, by, comment, size)


def overwrite(state: State, row: FileRow, by: User, comment: str, size: int | None = None) -> None:
    """Replace the content of the current version, dated now: all folders above get its date."""
    current = row.current
    current.modified, current.modified_by = state.now(), by.id
    current.size = current.size + GROWTH if size is None else size
    current.comment = None if isinstance(row.id, str) else comment
    current.encrypted = False
    state.store.mark_changed(row.folder_id)
    state.store.raise_dates(row)


def restored_text(state: State, comment: Comment, moment: datetime, by: User) -> str:
    """Return the comment of a restored version, which names that version's date."""
    local = dates.as_read(moment, state.zone)
    return state.text(comment, by, texts.moment(local, by.culture))


def file_info(state: State, row: FileRow, version: VersionRow) -> FileInfo:
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
        created_by=state.person(row.created_by),
        updated_by=state.person(version.modified_by),
        locked_by=state.person(row.locked_by) if row.locked_by else None,
        trashed=state.store.root(row.folder_id).section is Section.TRASH,
        converting=row.id in state.store.converting,
        order=row.order,
    )
