"""How content comes into files: the upper half of the table of docspace.md 4.2."""

from reconciler.sandbox.people import GUEST
from reconciler.sandbox.rows import Rows
from reconciler.sandbox.store import FileRow, Session
from reconciler.sandbox.texts import Comment
from reconciler.sandbox.values import EntryId, User

GROWTH = 37
"""The bytes a save adds when no size is given."""


class Saves(Rows):
    """Files are created, uploaded and edited, also by ``anonymous`` people."""

    def create(
        self,
        folder_id: EntryId,
        title: str,
        *,
        by: User,
        size: int = 7000,
        publish: bool = True,
        comment: Comment = Comment.CREATED,
    ) -> EntryId:
        """Create a file; ``publish`` False skips event and log, to fill big portals fast.

        ``comment`` is another one for a form's draft, what DocuSign made, or a conversion.
        """
        with self.mutex:
            row = self._new(folder_id, title, by, size, self.text(comment, by, title))
            if publish:
                self.publish("file.created", row, by)
            return row.id

    def upload(
        self,
        folder_id: EntryId,
        title: str,
        *,
        by: User,
        size: int = 7000,
        simple: bool = False,
    ) -> EntryId:
        """Upload a file, over one of the same title if there is one: then no file.updated.

        ``simple`` is the plain form upload, which publishes file.created as well.
        """
        with self.mutex:
            comment = self.text(Comment.UPLOADED, by)
            row = self._titled(folder_id, title)
            if row:
                self._version(row, by, comment, size)
            else:
                row = self._new(folder_id, title, by, size, comment)
            self.publish("file.uploaded", row, by)
            if simple:
                self.publish("file.created", row, by)
            return row.id

    def replace_content(self, fid: EntryId, *, by: User, size: int | None = None) -> None:
        """Upload through an edit session with keepVersion: the same version, new content."""
        with self.mutex:
            row = self.store.files[fid]
            self._overwrite(row, by, self.text(Comment.UPLOADED, by), size)
            self.publish("file.uploaded", row, by)

    def save(
        self, fid: EntryId, *, by: User, size: int | None = None, encrypted: bool = False
    ) -> None:
        """Save from the editor at the end of a session, over a forcesave of it if any."""
        with self.mutex:
            row = self.store.files[fid]
            comments = _reasons(by, encrypted) or (Comment.EDITED,)
            self._edit(row, by, comments, size, encrypted=encrypted)
            row.session = None
            self.publish("file.updated", row, by)

    def forcesave(
        self,
        fid: EntryId,
        *,
        by: User,
        timer: bool = False,
        size: int | None = None,
        encrypted: bool = False,
    ) -> None:
        """Save while editing goes on: a version for the first, then the same one again."""
        with self.mutex:
            row = self.store.files[fid]
            last = Comment.AUTOSAVED if timer else Comment.SAVED
            self._edit(row, by, (*_reasons(by, encrypted), last), size, encrypted=encrypted)
            row.session = Session.TIMER if timer else Session.USER
            self.publish("file.updated", row, by)

    def save_by_api(
        self, fid: EntryId, *, by: User, size: int | None = None, encrypted: bool = False
    ) -> None:
        """Save through ``saveediting`` or ``update``, which the action log never shows."""
        with self.mutex:
            row = self.store.files[fid]
            comment = Comment.ENCRYPTED if encrypted else Comment.EDITED
            self._edit(row, by, (comment,), size, encrypted=encrypted)
            row.session = None
            self.publish("file.updated", row, by)

    def save_failed(self, fid: EntryId, *, by: User) -> None:
        """Lose the content of a save: a version with an error text, and no event."""
        with self.mutex:
            row = self.store.files[fid]
            comments = (*_reasons(by, encrypted=False), Comment.SAVE_LOST)
            self._version(row, by, self.texts.join(comments, by.culture), row.current.size)

    def submit_form(self, fid: EntryId, *, by: User) -> EntryId:
        """Fill a form in: a new file beside it, and form.submit instead of file.updated."""
        with self.mutex:
            form = self.store.files[fid]
            title = f"{by.name} - {form.current.title}"
            text = self.text(Comment.FORM_SUBMITTED, by)
            row = self._new(form.folder_id, title, by, form.current.size + GROWTH, text)
            payload: dict[str, object] = {
                "originalForm": self.payload(form, by),
                "submittedForm": self.payload(row, by),
            }
            self.publish("form.submit", row, by, payload=payload)
            return row.id

    def _edit(
        self,
        row: FileRow,
        by: User,
        comments: tuple[Comment, ...],
        size: int | None,
        *,
        encrypted: bool,
    ) -> None:
        """Save over the version of an editing session, if there is one that may be replaced."""
        text = self.texts.join(comments, by.culture)
        if row.session is None or encrypted or self._keeps(row.session):
            self._version(row, by, text, size)
        else:
            self._overwrite(row, by, text, size)
        row.current.encrypted = encrypted


def _reasons(by: User, encrypted: bool) -> tuple[Comment, ...]:
    """Return what the editor's save says before anything else."""
    anonymous = (Comment.SAVE_ANONYMOUS,) if by.id == GUEST else ()
    return (*anonymous, Comment.EDITED_ENCRYPTED) if encrypted else anonymous
