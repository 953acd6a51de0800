"""One API call as a handler gets it: its parameters, and the file or folder it is about."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeVar
from urllib.parse import parse_qsl

from reconciler.sandbox import responses, rights, texts
from reconciler.sandbox.dto import Dto
from reconciler.sandbox.responses import ModelError, Refused, Response
from reconciler.sandbox.state import State
from reconciler.sandbox.store import FileRow, FolderRow
from reconciler.sandbox.texts import Text
from reconciler.sandbox.values import EntryId, Json, Key, User

_SORTS = {"dateandtime": "DateAndTime", "az": "AZ"}

E = TypeVar("E", bound=IntEnum)


class _SortOrder(IntEnum):
    """``sortOrder`` (docspace.md 1.1)."""

    ASCENDING = 0
    DESCENDING = 1


class Query:
    """The parameters of one request, as ASP.NET binds them: names in any case, ranges, enums."""

    def __init__(self, text: str) -> None:
        """Parse a query string; the first value of a repeated parameter counts."""
        pairs = parse_qsl(text, keep_blank_values=True)
        self._values = {name.lower(): value for name, value in reversed(pairs)}

    def text(self, name: str, default: str = "") -> str:
        """Return the value of a parameter."""
        return self._values.get(name.lower(), default)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean. ModelError for anything else."""
        value = self.text(name).lower()
        if value not in ("", "true", "false"):
            raise _invalid(name, value)
        return default if not value else value == "true"

    def number(self, name: str, default: int) -> int:
        """Return an int32. ModelError for anything else."""
        value = self.text(name)
        if not value:
            return default
        number = int(value) if value.lstrip("-").isdecimal() else 2**31
        if not -(2**31) <= number < 2**31:
            raise _invalid(name, value)
        return number

    def moment(self, name: str) -> datetime | None:
        """Return a date, UTC without a zone. Refused for anything else."""
        text = self.text(name)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise responses.bad_argument(f"{name} is no date") from error
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    def page(self) -> tuple[int, int]:
        """Return (startIndex, count). ModelError for a count beyond 1 to 100."""
        count = self.number("count", 100)
        if not 1 <= count <= 100:
            raise ModelError("Count", "The field Count must be between 1 and 100.")
        start = self.number("startIndex", 0)
        if start < 0:
            raise responses.bad_argument(
                "Specified argument was out of the range of valid values. (Parameter 'from')",
                "System.ArgumentOutOfRangeException",
            )
        return start, count

    def choice(self, name: str, choices: type[E]) -> E:
        """Return a member given by name or number, 0 without one. ModelError for anything else."""
        value = self.text(name).lower() or "0"
        number = int(value) if value.isdecimal() else None
        for one in choices:
            if one == number or one.name.replace("_", "").lower() == value:
                return one
        raise _invalid(name, value)

    def sort(self) -> tuple[str | None, bool]:
        """Return (sortBy, descending); sortBy is None when missing or unknown.

        Without ``sortOrder`` the order is ascending (docspace.md 1.1).
        """
        named = _SORTS.get(self.text("sortBy").lower())
        return named, self.choice("sortOrder", _SortOrder) is _SortOrder.DESCENDING


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
    id: EntryId

    @property
    def person(self) -> User:
        """Return the user, or one without any right."""
        return self.user or self.state.anonymous

    @property
    def dto(self) -> Dto:
        """Return a builder of DTOs as this user sees them."""
        return Dto(self.state, self.person, self.base)

    def say(self, text: Text) -> str:
        """Return a message in the user's language."""
        return texts.say(text, self.person.culture)

    def respond(self, result: object, *, count: int = 1, total: int | None = None) -> Response:
        """Wrap a result in the envelope."""
        fields = self.query.text("fields")
        if fields and isinstance(result, dict):
            result = _only(result, fields.split(","))
        return responses.enveloped(result, self.method, self.url, count=count, total=total)

    def json(self) -> Json:
        """Return the body, names in lower case. ModelError when it is not a JSON object."""
        try:
            body = json.loads(self.body or b"{}")
        except ValueError:
            body = None
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
            raise responses.invalid(self.say(Text.NO_READ_FILE))
        return row

    def readable_folder(self, folder_id: EntryId) -> FolderRow:
        """Return the folder. Refused with 404 when it is gone, 403 when it may not be read."""
        store = self.state.store
        folder = store.folders.get(folder_id)
        if folder is None:
            raise self._missing(Text.FOLDER_NOT_FOUND)
        if self.user is None or not rights.role_in_folder(store, self.user, folder_id).reads:
            raise responses.invalid(self.say(Text.NO_READ_FOLDER))
        return folder

    def denied(self) -> Refused:
        """Return the plain refusal."""
        return responses.denied(self.say(Text.DENIED))

    def _missing(self, text: Text) -> Refused:
        """Return a 404, or a plain 403 to strangers."""
        return responses.not_found(self.say(text)) if self.user else self.denied()


def _invalid(name: str, value: str) -> ModelError:
    return ModelError(name[:1].upper() + name[1:], f"The value '{value}' is not valid.")


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
