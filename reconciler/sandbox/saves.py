"""The acts that save content: the upper half of the table of docspace.md 4.2.

They add a version or overwrite the current one; both raise the dates of all folders above.
"""

from dataclasses import replace

from reconciler.sandbox import webhooks
from reconciler.sandbox.state import GUEST, State
from reconciler.sandbox.store import FileRow, Session, VersionRow, id_below
from reconciler.sandbox.texts import Comment
from reconciler.sandbox.values import EntryId, Json, User
from reconciler.sandbox.webhooks import file_payload

_GROWTH = 37
"""The bytes that a save adds when no size is given."""


def create(
    state: State,
    folder_id: EntryId,
    title: str,
    *,
    by: User,
    size: int = 7000,
    publish: bool = True,
    comment: Comment = Comment.CREATED,
) -> EntryId:
    """Create a file; ``publish`` False skips the event, to fill big portals fast.

    ``comment`` is another one for a form's draft, for a file of DocuSign, or for a conversion.
    """
    row = new_file(state, folder_id, title, by, size, state.text(comment, by, title))
    if publish:
        webhooks.publish(state, "file.created", row, by)
    return row.id


def upload(
    state: State,
    folder_id: EntryId,
    title: str,
    *,
    by: User,
    size: int = 7000,
    simple: bool = False,
) -> EntryId:
    """Upload a file, over one of the same title if there is one: no file.updated either way.

    ``simple`` is the plain form upload, which publishes file.created as well.
    """
    comment = state.text(Comment.UPLOADED, by)
    row = state.store.titled(folder_id, title)
    if row:
        add_version(state, row, by, comment, size)
    else:
        row = new_file(state, folder_id, title, by, size, comment)
    webhooks.publish(state, "file.uploaded", row, by)
    if simple:
        webhooks.publish(state, "file.created", row, by)
    return row.id


def replace_content(state: State, fid: EntryId, *, by: User, size: int | None = None) -> None:
    """Upload through an edit session with keepVersion: the same version, new content."""
    row = state.store.files[fid]
    _overwrite(state, row, by, state.text(Comment.UPLOADED, by), size)
    webhooks.publish(state, "file.uploaded", row, by)


def save(
    state: State, fid: EntryId, *, by: User, size: int | None = None, encrypted: bool = False
) -> None:
    """Save from the editor at the end of a session, over a forcesave of it if any."""
    comments = _reasons(by, encrypted) or (Comment.EDITED,)
    _edit(state, fid, by, comments, size, encrypted=encrypted)


def forcesave(
    state: State,
    fid: EntryId,
    *,
    by: User,
    timer: bool = False,
    size: int | None = None,
    encrypted: bool = False,
) -> None:
    """Save while editing goes on: a version for the first, then the same one again."""
    last = Comment.AUTOSAVED if timer else Comment.SAVED
    session = Session.TIMER if timer else Session.USER
    comments = (*_reasons(by, encrypted), last)
    _edit(state, fid, by, comments, size, encrypted=encrypted, session=session)


def save_by_api(state: State, fid: EntryId, *, by: User, encrypted: bool = False) -> None:
    """Save through ``saveediting`` or ``update``."""
    comment = Comment.ENCRYPTED if encrypted else Comment.EDITED
    _edit(state, fid, by, (comment,), None, encrypted=encrypted)


def save_failed(state: State, fid: EntryId, *, by: User) -> None:
    """Lose the content of a save: a version with an error text, and no event."""
    row = state.store.files[fid]
    comments = (*_reasons(by, encrypted=False), Comment.SAVE_LOST)
    add_version(state, row, by, state.texts.join(comments, by.culture), row.current.size)


def submit_form(state: State, fid: EntryId, *, by: User) -> EntryId:
    """Fill a form in: a new file beside it, and form.submit instead of file.updated."""
    form = state.store.files[fid]
    title, size = f"{by.name} - {form.current.title}", form.current.size + _GROWTH
    text = state.text(Comment.FORM_SUBMITTED, by)
    row = new_file(state, form.folder_id, title, by, size, text)
    forms: Json = {
        "originalForm": file_payload(state, form, by),
        "submittedForm": file_payload(state, row, by),
    }
    webhooks.publish(state, "form.submit", row, by, content=forms)
    return row.id


def new_file(
    state: State, folder_id: EntryId, title: str, by: User, size: int, comment: str
) -> FileRow:
    """Add a file of one version; third-party storage gives it a string id and no comment."""
    store, now = state.store, state.now()
    fid = id_below(folder_id, "item", store.next_file)
    store.next_file += 1
    kept = None if isinstance(folder_id, str) else comment
    version = VersionRow(1, 1, title, now, by.id, size, kept)
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
    _overwrite(state, row, by, comment, size)


def _edit(
    state: State,
    fid: EntryId,
    by: User,
    comments: tuple[Comment, ...],
    size: int | None,
    *,
    encrypted: bool,
    session: Session | None = None,
) -> None:
    """Save over the version of an editing session, if there is one that may be replaced."""
    row = state.store.files[fid]
    text = state.texts.join(comments, by.culture)
    kept = row.session is Session.USER and state.store_forcesave
    if row.session is None or encrypted or kept:
        add_version(state, row, by, text, size)
    else:
        _overwrite(state, row, by, text, size)
    row.current.encrypted = encrypted
    row.session = session
    webhooks.publish(state, "file.updated", row, by)


def _overwrite(state: State, row: FileRow, by: User, comment: str, size: int | None = None) -> None:
    """Replace the content of the current version, dated now: all folders above get its date."""
    current = row.current
    current.modified, current.modified_by = state.now(), by.id
    current.size = current.size + _GROWTH if size is None else size
    current.comment = None if isinstance(row.id, str) else comment
    current.encrypted = False
    state.store.mark_changed(row.folder_id)
    state.store.raise_dates(row)


def _reasons(by: User, encrypted: bool) -> tuple[Comment, ...]:
    """Return what the comment of an editor's save begins with."""
    anonymous = (Comment.SAVE_ANONYMOUS,) if by.id == GUEST else ()
    return (*anonymous, Comment.EDITED_ENCRYPTED) if encrypted else anonymous
