"""One API call as a handler sees it, and the way handlers find files and folders."""

import json
from dataclasses import dataclass

from reconciler.sandbox import rights, texts
from reconciler.sandbox.answers import (
    Answer,
    ApiError,
    ModelError,
    invalid,
    not_found,
    success,
)
from reconciler.sandbox.dto import Dto
from reconciler.sandbox.portal import Portal
from reconciler.sandbox.query import Query
from reconciler.sandbox.store import FileRow, FolderRow
from reconciler.sandbox.texts import Text
from reconciler.sandbox.values import EntryId, Key, Kind, User

ANONYMOUS = User("", "Anonymous", Kind.GUEST, "", "", texts.EPOCH)


@dataclass(frozen=True, slots=True)
class Call:
    """A request after authentication; ``id`` is what the route's ``{id}`` stood for."""

    portal: Portal
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
        """Return the user, or somebody without any right."""
        return self.user or ANONYMOUS

    @property
    def dto(self) -> Dto:
        """Return a builder of DTOs as this user sees them."""
        return Dto(self.portal, self.person, self.base)

    def say(self, text: Text) -> str:
        """Return a message in the user's language."""
        culture = self.user.culture if self.user else self.portal.culture
        return texts.say(text, culture)

    def answer(self, response: object, *, count: int = 1, total: int | None = None) -> Answer:
        """Wrap a result in the envelope."""
        fields = self.query.text("fields")
        if fields and isinstance(response, dict):
            response = _only(response, fields.split(","))
        return success(response, self.method, self.url, count=count, total=total)

    def json(self) -> dict[str, object]:
        """Return the body. ModelError when it is not a JSON object."""
        try:
            body = json.loads(self.body or b"{}")
        except ValueError as error:
            raise ModelError("$", "The JSON value could not be converted.") from error
        if not isinstance(body, dict):
            raise ModelError("$", "The JSON value could not be converted.")
        return {str(name).lower(): value for name, value in body.items()}

    def readable_file(self) -> FileRow:
        """Return the file. ApiError 404 when it is gone, 403 when it may not be read."""
        row = self.portal.store.files.get(self.id)
        if row is None:
            # The portal hides from strangers whether there is such a file.
            raise not_found(self.say(Text.FILE_NOT_FOUND)) if self.user else self.denied()
        if not rights.reads_file(self.portal.store, self.user, row):
            raise invalid(self.say(Text.NO_READ_FILE))
        return row

    def readable_folder(self, folder_id: EntryId) -> FolderRow:
        """Return the folder. ApiError 404 when it is gone, 403 when it may not be read."""
        folder = self.portal.store.folders.get(folder_id)
        if folder is None:
            raise not_found(self.say(Text.FOLDER_NOT_FOUND)) if self.user else self.denied()
        if not rights.reads_folder(self.portal.store, self.user, folder):
            raise invalid(self.say(Text.NO_READ_FOLDER))
        return folder

    def denied(self) -> ApiError:
        """Return the plain refusal."""
        return ApiError(403, self.say(Text.DENIED), "System.Security.SecurityException")


def _only(response: dict[str, object], fields: list[str]) -> dict[str, object]:
    """Keep the members named by ``?fields=a,b.c`` (docspace.md 2)."""
    kept: dict[str, object] = {}
    for name in {field.split(".")[0] for field in fields}:
        if name not in response:
            continue
        rest = [field.split(".", 1)[1] for field in fields if field.startswith(f"{name}.")]
        kept[name] = _inner(response[name], rest) if rest else response[name]
    return {name: kept[name] for name in response if name in kept}


def _inner(value: object, fields: list[str]) -> object:
    if isinstance(value, list):
        return [_inner(one, fields) for one in value]
    return _only(value, fields) if isinstance(value, dict) else value
