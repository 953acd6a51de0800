"""One API call as a handler gets it, with the look-up of files and folders."""

import json
from dataclasses import dataclass

from reconciler.sandbox import responses, rights, texts
from reconciler.sandbox.dto import Dto
from reconciler.sandbox.query import Query
from reconciler.sandbox.responses import ModelError, Refused, Response, invalid, not_found
from reconciler.sandbox.state import State
from reconciler.sandbox.store import FileRow, FolderRow
from reconciler.sandbox.texts import Text
from reconciler.sandbox.values import EntryId, Json, Key, Kind, User

NOBODY = User("", "Anonymous", Kind.GUEST, "", "", texts.EPOCH)


@dataclass(frozen=True, slots=True)
class Call:
    """A request after authentication; ``id`` is what the route's ``{id}`` stood for."""

    state: State
    method: str
    url: str
    base: str
    query: Query
    body: bytes
    user: User | None
    key: Key | None
    id: EntryId = ""

    @property
    def person(self) -> User:
        """Return the user, or one without any right."""
        return self.user or NOBODY

    @property
    def dto(self) -> Dto:
        """Return a builder of DTOs as this user sees them."""
        return Dto(self.state, self.person, self.base)

    def say(self, text: Text) -> str:
        """Return a message in the user's language."""
        return texts.say(text, self.user.culture if self.user else self.state.culture)

    def respond(self, result: object, *, count: int = 1, total: int | None = None) -> Response:
        """Wrap a result in the envelope."""
        fields = self.query.text("fields")
        if fields and isinstance(result, dict):
            result = _only(result, fields.split(","))
        return responses.success(result, self.method, self.url, count=count, total=total)

    def json(self) -> Json:
        """Return the body, names in lower case. ModelError when it is not a JSON object."""
        try:
            body = json.loads(self.body or b"{}")
        except ValueError as error:
            raise ModelError("$", "The JSON value could not be converted.") from error
        if not isinstance(body, dict):
            raise ModelError("$", "The JSON value could not be converted.")
        return {str(name).lower(): value for name, value in body.items()}

    def role(self, row: FileRow) -> rights.Role:
        """Return the role of the user for a file."""
        return rights.role_in_file(self.state.store, self.person, row)

    def readable_file(self) -> FileRow:
        """Return the file. Refused with 404 when it is gone, 403 when it may not be read."""
        row = self.state.store.files.get(self.id)
        if row is None:
            raise self._missing(Text.FILE_NOT_FOUND)
        if self.user is None or not self.role(row).reads:
            raise invalid(self.say(Text.NO_READ_FILE))
        return row

    def readable_folder(self, folder_id: EntryId) -> FolderRow:
        """Return the folder. Refused with 404 when it is gone, 403 when it may not be read."""
        store = self.state.store
        folder = store.folders.get(folder_id)
        if folder is None:
            raise self._missing(Text.FOLDER_NOT_FOUND)
        if self.user is None or not rights.role_in_folder(store, self.user, folder_id).reads:
            raise invalid(self.say(Text.NO_READ_FOLDER))
        return folder

    def denied(self) -> Refused:
        """Return the plain refusal."""
        return responses.denied(self.say(Text.DENIED))

    def _missing(self, text: Text) -> Refused:
        """Return a 404, or a plain 403 to strangers."""
        return not_found(self.say(text)) if self.user else self.denied()


def _only(value: object, fields: list[str]) -> object:
    """Keep the members named by ``?fields=a,b.c`` (docspace.md 2)."""
    if isinstance(value, list):
        return [_only(one, fields) for one in value]
    if not isinstance(value, dict):
        return value
    below: dict[str, list[str]] = {}
    for name, _, rest in (field.partition(".") for field in fields):
        below.setdefault(name, []).extend([rest] if rest else [])
    return {
        name: _only(one, below[name]) if below[name] else one
        for name, one in value.items()
        if name in below
    }
