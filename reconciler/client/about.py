"""What the portal says of itself and of the account that the key acts as (docspace.md 7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.client.docspace import parsed
from reconciler.client.parse import fields_of, text_of
from reconciler.client.transport import Transport


@dataclass(frozen=True)
class Build:
    """The version of the portal and its clock, None when it sends no Date."""

    docspace: str
    date: datetime | None


@dataclass(frozen=True)
class Person:
    """The account that the key acts as."""

    id: str
    name: str
    guest: bool
    admin: bool


class About:
    """Questions to the portal about itself. Every method raises PortalError by class."""

    def __init__(self, transport: Transport) -> None:
        """Use ``transport`` for every request."""
        self._http = transport

    def build(self) -> Build:
        """Ask, as nobody, for the version: with a key of few scopes it would be refused."""
        route = "settings/version/build"
        answer = self._http.get_as_nobody(route, route)
        return parsed(f"GET {route}", lambda: parse_build(answer.response, answer.date))

    def person(self) -> Person:
        """Ask who the key acts as; needs the scope accounts.self:read."""
        answer = self._http.get("people/@self", "people/@self")
        return parsed("GET people/@self", lambda: parse_self(answer.response))


def parse_build(data: object, date: datetime | None) -> Build:
    """Return the answer of settings/version/build. Raises ValueError when it is none."""
    fields: Mapping[str, object] = fields_of(data, "build")
    return Build(text_of(fields, "docSpace", ""), date)


def parse_self(data: object) -> Person:
    """Return the answer of people/@self. Raises ValueError that names what is missing."""
    fields = fields_of(data, "person")
    return Person(
        id=text_of(fields, "id").lower(),
        name=text_of(fields, "displayName", ""),
        guest=fields.get("isVisitor") is True,
        admin=fields.get("isAdmin") is True or fields.get("isOwner") is True,
    )
