"""The account that the key acts as, and what the key may do (docspace.md 5, 7)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.client.parse import date_of, fields_of, text_of, text_or_empty
from reconciler.errors import (
    ForbiddenError,
    PermanentError,
    PortalError,
    TransientError,
    UnauthorizedError,
)

# Any one scope of a group is enough.
READ_FILES = ("files:read", "files:write")
WRITE_FILES = ("files:write",)
READ_ROOMS = ("rooms:read", "rooms:write")
READ_SELF = ("accounts.self:read", "accounts.self:write")
READ_ALL = ("*:read", "*:write")
WRITE_ALL = ("*:write",)
NEEDED = (READ_FILES, WRITE_FILES, READ_ROOMS)
"""What marking needs. READ_SELF is for the key's account, READ_ALL and WRITE_ALL for webhooks."""


@dataclass(frozen=True)
class Person:
    """The account that the key acts as."""

    id: str
    name: str
    guest: bool
    admin: bool


@dataclass(frozen=True)
class Key:
    """Our API key, as the portal describes it. An empty set of permissions means all of them.

    ``owner`` is empty where the portal has no route for it. ``expires`` is None for a key
    without an end, and for a token that is no API key.
    """

    owner: str
    owner_name: str
    permissions: frozenset[str]
    active: bool
    expires: datetime | None = None

    def missing_scope(self, *scopes: str) -> str | None:
        """Return the first of alternative scopes if the key has none of them (docspace.md 5)."""
        granted = self.permissions
        wide = {"*"} | ({"*:read"} if scopes[0].endswith(":read") else {"*:write"})
        return None if not granted or granted & (wide | set(scopes)) else scopes[0]


def parse_key(data: object) -> Key:
    """Return the answer of keys/@self. Raises ValueError that names the missing field."""
    fields = fields_of(data, "key")
    owner = fields_of(fields.get("createBy"), "createBy")
    granted = fields.get("permissions")
    return Key(
        owner=text_of(owner, "id").lower(),
        owner_name=text_or_empty(owner.get("displayName")),
        permissions=frozenset(map(str, granted)) if isinstance(granted, list) else frozenset(),
        active=fields.get("isActive") is not False,
        expires=date_of(fields, "expiresAt"),
    )


def parse_person(data: object) -> Person:
    """Return the answer of people/@self. Raises ValueError that names the missing field."""
    fields = fields_of(data, "person")
    return Person(
        id=text_of(fields, "id").lower(),
        name=text_or_empty(fields.get("displayName")),
        guest=fields.get("isVisitor") is True,
        admin=fields.get("isAdmin") is True or fields.get("isOwner") is True,
    )


def confirm(error: PortalError, scopes: tuple[str, ...], ask: Callable[[], Key]) -> Key:
    """Return the key if it works and has one of the scopes: then ``error`` is not about the key.

    Raises UnauthorizedError for a dead key or a missing scope, TransientError when the portal
    refuses even the request about the key.
    """
    try:
        key = ask()
    except (ForbiddenError, PermanentError) as refusal:
        raise TransientError(
            error.route, error.status, "the portal refuses everything"
        ) from refusal
    missing = key.missing_scope(*scopes)
    if missing:
        detail = f"the API key lacks the scope {missing}"
        raise UnauthorizedError(error.route, error.status, detail, missing) from error
    if not key.active:
        raise UnauthorizedError(error.route, error.status, "the key is disabled") from error
    return key
