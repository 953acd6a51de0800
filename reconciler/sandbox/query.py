"""Query parameters as ASP.NET binds them: case-insensitive names, ranges, enums."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from reconciler.sandbox.responses import ModelError, bad_argument

_AREAS = "active archive any recentbylinks templates knowledge resultstorage aiagents"
AREAS = {name: number for number, name in enumerate(_AREAS.split())}
FILTERS = {"none": 0, "filesonly": 1}
"""``filterType``: of the portal's many, those that lists of all files need (docspace.md 1.1)."""
STORAGE = {"none": 0, "internal": 1, "thirdparty": 2}
_DIRECTIONS = {"ascending": 0, "descending": 1}
_SORTS = {"dateandtime": "DateAndTime", "az": "AZ"}


class Query:
    """The parameters of one request."""

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
            raise bad_argument(f"{name} is no date") from error
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

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

    def choice(self, name: str, choices: Mapping[str, int]) -> int:
        """Return an enum given by name or number, 0 without one. ModelError for anything else."""
        value = self.text(name).lower() or "0"
        number = int(value) if value.isdecimal() else choices.get(value)
        if number is None or number not in choices.values():
            raise _invalid(name, value)
        return number

    def sort(self) -> tuple[str | None, bool]:
        """Return (sortBy, descending); sortBy is None when missing or unknown.

        Without ``sortOrder`` the order is ascending (docspace.md 1.1).
        """
        named = _SORTS.get(self.text("sortBy").lower())
        return named, bool(self.choice("sortOrder", _DIRECTIONS))


def _invalid(name: str, value: str) -> ModelError:
    return ModelError(name[:1].upper() + name[1:], f"The value '{value}' is not valid.")
