"""The values that the sandbox takes and returns: frozen dataclasses."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

EntryId = int | str
Json = dict[str, object]


class Kind(StrEnum):
    """The types of accounts of a DocSpace portal."""

    OWNER = "owner"
    ADMIN = "admin"
    ROOM_ADMIN = "room_admin"
    USER = "user"
    GUEST = "guest"


@dataclass(frozen=True, slots=True)
class User:
    """An account; the portal writes its texts for it in the language of ``culture``."""

    id: str
    name: str
    kind: Kind
    culture: str
    email: str
    registered: datetime

    @property
    def is_admin(self) -> bool:
        """Whether this is the owner or a DocSpace admin, who may read every room."""
        return self.kind in (Kind.OWNER, Kind.ADMIN)

    @property
    def may_own_rooms(self) -> bool:
        """Whether ownership of a room gives full access to it (docspace.md 5)."""
        return self.kind in (Kind.OWNER, Kind.ADMIN, Kind.ROOM_ADMIN)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key; it acts as the user who created it (docspace.md 5)."""

    id: str
    secret: str = field(repr=False)
    user_id: str
    permissions: tuple[str, ...]
    created: datetime
    expires: datetime | None
    active: bool = True
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One version of a file as the database holds it; dates are aware UTC."""

    id: EntryId
    title: str
    folder_id: EntryId
    version: int
    version_group: int
    created: datetime
    updated: datetime
    size: int
    comment: str | None
    updated_by: User
    locked_by: User | None
    trashed: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One API request; status 0 means that its connection was reset."""

    at: datetime
    method: str
    path: str
    status: int
    user_id: str | None
    file_id: EntryId | None


@dataclass(frozen=True, slots=True)
class Event:
    """One published event, whether or not a webhook listens."""

    trigger: str
    file_id: EntryId
    by: User
    at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver a log entry; status 0 means that no answer came."""

    log_id: int
    file_id: EntryId
    status: int
    at: datetime


@dataclass(frozen=True, slots=True)
class CommentWrite:
    """One comment written into a version, with the comment it replaced."""

    version: int
    before: str | None
    after: str
    by: User
    at: datetime


@dataclass(frozen=True, slots=True)
class Network:
    """The faults of webhook deliveries on their way; probabilities are per delivery.

    A dropped delivery is never sent and never retried, a duplicated one is sent twice,
    ``reorder`` takes waiting deliveries in a random order, ``delay`` is in seconds.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: bool = False
    delay: float = 0.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """The rate limits of docspace.md 2, per user; a self-hosted portal has them not ``enabled``."""

    per_minute: int = 1500
    reads: int = 50
    writes: int = 15
    writes_per_day: int = 10_000
    enabled: bool = True
