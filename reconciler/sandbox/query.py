"""Query parameters as ASP.NET binds them: case-insensitive names, ranges, enums."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from reconciler.sandbox.answers import ModelError, bad_argument

FILTERS = {
    "none": 0,
    "filesonly": 1,
    "foldersonly": 2,
    "documentsonly": 3,
    "presentationsonly": 4,
    "spreadsheetsonly": 5,
    "imagesonly": 7,
    "byuser": 8,
    "bydepartment": 9,
    "archiveonly": 10,
    "byextension": 11,
    "mediaonly": 12,
    "pdf": 22,
    "pdfform": 23,
    "virtualdatarooms": 24,
    "diagramsonly": 25,
    "airooms": 26,
}
AREAS = {
    "active": 0,
    "archive": 1,
    "any": 2,
    "recentbylinks": 3,
    "templates": 4,
    "knowledge": 5,
    "resultstorage": 6,
    "aiagents": 7,
}
STORAGE = {"none": 0, "internal": 1, "thirdparty": 2}
_DIRECTIONS = {"ascending": 0, "descending": 1}
_SORTS = (
    "DateAndTime",
    "AZ",
    "Size",
    "Author",
    "Type",
    "New",
    "DateAndTimeCreation",
    "RoomType",
    "Tags",
    "Room",
    "CustomOrder",
    "LastOpened",
    "UsedSpace",
)
_SORT_NAMES = {name.lower(): name for name in _SORTS}


class Query:
    """The parameters of one request."""

    def __init__(self, text: str) -> None:
        """Parse a query string."""
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            self._values.setdefault(name.lower(), []).append(value)

    def text(self, name: str, default: str = "") -> str:
        """Return the first value of a parameter."""
        return self._values.get(name.lower(), [default])[0]

    def all(self, name: str) -> list[str]:
        """Return every value of a repeatable parameter."""
        return self._values.get(name.lower(), [])

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean. ModelError for anything else."""
        value = self.text(name).lower()
        if value not in ("", "true", "false"):
            raise ModelError(_title(name), f"The value '{value}' is not valid.")
        return default if not value else value == "true"

    def number(self, name: str, default: int) -> int:
        """Return an int32. ModelError for anything else."""
        value = self.text(name)
        if not value:
            return default
        number = int(value) if value.lstrip("-").isdecimal() else 2**31
        if not -(2**31) <= number < 2**31:
            raise ModelError(_title(name), f"The value '{value}' is not valid.")
        return number

    def page(self) -> tuple[int, int]:
        """Return (startIndex, count). ModelError for a count beyond 1 to 100."""
        count = self.number("count", 100)
        if not 1 <= count <= 100:
            raise ModelError("Count", "The field Count must be between 1 and 100.")
        start = self.number("startIndex", 0)
        if start < 0:
            raise bad_argument(
                "Specified argument was out of the range of valid values. (Parameter 'from')",
                "System.ArgumentOutOfRangeException",
            )
        return start, count

    def choice(self, name: str, choices: Mapping[str, int], default: int) -> int:
        """Return an enum given by name or number. ModelError for anything else."""
        value = self.text(name)
        if not value:
            return default
        found = choices.get(value.lower())
        if found is None and value.isdecimal():
            found = int(value)
        if found is None or found not in choices.values():
            raise ModelError(_title(name), f"The value '{value}' is not valid.")
        return found

    def sort(self) -> tuple[str | None, bool]:
        """Return (sortBy, descending); sortBy is None when missing or unknown.

        Without ``sortOrder`` the order is ascending (docspace.md 1.1).
        """
        named = _SORT_NAMES.get(self.text("sortBy").lower())
        return named, bool(self.choice("sortOrder", _DIRECTIONS, 0))


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]
