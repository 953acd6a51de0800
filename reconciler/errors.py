"""The errors, one class for each reaction. They have fields, not text; `cli` makes messages."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import ClassVar


class ReconcilerError(Exception):
    """The base of all foreseen failures; any other exception is a bug.

    ``kind`` is its name in the log and in the ledger.
    """

    kind: ClassVar[str]


@dataclass
class ConfigError(ReconcilerError):
    """The configuration cannot be used. ``problems`` lists every one of them, ready to read."""

    kind = "config"

    problems: tuple[str, ...]

    def __str__(self) -> str:
        """Return one problem a line."""
        return "\n".join(self.problems)


class LedgerCause(Enum):
    """Why the ledger cannot be used; each cause has its own hint."""

    DAMAGED = "damaged"
    ANOTHER_PORTAL = "another_portal"
    DISK_FULL = "disk_full"
    UNREACHABLE = "unreachable"
    STATED = "stated"  # the message itself says what to do
    OTHER = "other"


@dataclass
class LedgerError(ReconcilerError):
    """The ledger cannot be read or written: full disk, missing rights, damage, newer schema."""

    kind = "ledger"

    detail: str
    cause: LedgerCause = LedgerCause.OTHER

    def __str__(self) -> str:
        """Return the detail."""
        return self.detail


@dataclass
class RoleHeldError(ReconcilerError):
    """Another process holds the role; ``holder`` names it, as "process 12 on host", if known."""

    kind = "role_held"

    role: str
    holder: str

    def __str__(self) -> str:
        """Return the role and its holder."""
        return f"the role {self.role} is held by {self.holder or 'another process'}"


class ShutdownRequested(ReconcilerError):
    """We were asked to stop. Work that has not begun is left for the next start."""

    kind = "shutdown"


@dataclass
class AddressInUseError(ReconcilerError):
    """The address to listen on cannot be bound. ``section`` of the configuration names it."""

    kind = "address_in_use"

    address: str
    detail: str
    section: str = "webhook"

    def __str__(self) -> str:
        """Return the address and the system's reason."""
        return f"cannot listen on {self.address}: {self.detail}"


@dataclass
class AddressUnreachableError(ReconcilerError):
    """The webhook's address does not answer as our receiver does. ``status`` None: no answer."""

    kind = "address_unreachable"

    address: str
    status: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        """Return the address and its answer."""
        summary = "no answer from" if self.status is None else f"status {self.status} from"
        return f"{summary} {self.address}{': ' if self.detail else ''}{self.detail}"


class UntrustedCertificateError(AddressUnreachableError):
    """The certificate at the webhook's address is not trusted here."""

    kind = "certificate_untrusted"


@dataclass
class WebhookExistsError(ReconcilerError):
    """The portal already has a webhook with this address."""

    kind = "webhook_exists"

    address: str
    id: int

    def __str__(self) -> str:
        """Return the webhook's id."""
        return f"webhook {self.id} has the address {self.address}"


@dataclass
class WebhookNotFoundError(ReconcilerError):
    """The portal shows no such webhook; ``known`` are the ids of those it shows."""

    kind = "webhook_not_found"

    wanted: str
    known: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return the webhook that was wanted, and the known ones."""
        listed = ", ".join(map(str, self.known)) or "none"
        return f"no webhook {self.wanted}; there are: {listed}"


@dataclass
class WebhookRejectedError(ReconcilerError):
    """The portal rejects the webhook; ``detail`` is the portal's message.

    ``status`` 400: for its address, secret or name; 500: the portal's own HEAD to the address got
    no answer (docspace.md 6).
    """

    kind = "webhook_rejected"

    address: str
    detail: str = ""
    status: int = 400

    def __str__(self) -> str:
        """Return the address and the portal's message."""
        if self.status == 400:
            return f"the portal rejects {self.address}: {self.detail}"
        return f"the portal gets no answer from {self.address}: it says {self.status} {self.detail}"


@dataclass
class PortalError(ReconcilerError):
    """A request to the portal failed. ``status`` is None where no answer came.

    ``route`` is the template, such as ``GET files/file/{id}``: no ids, nothing secret.
    ``key_number`` counts the keys that were used before the one that was refused.
    """

    kind = "portal"

    route: str
    status: int | None = None
    detail: str = ""
    key_number: int = field(default=0, kw_only=True, compare=False)

    @property
    def lacks_route(self) -> bool:
        """Whether the portal may have no such route, or not with this method (docspace.md 7)."""
        return self.status in {404, 405, 501}

    def __str__(self) -> str:
        """Return route, status and detail in one line."""
        status = "" if self.status is None else f" answered {self.status}"
        return f"{self.route}{status}{': ' if self.detail else ''}{self.detail}"


@dataclass
class TransientError(PortalError):
    """A failure that may pass and says nothing about the file: no connection, 5xx, 402, no JSON.

    ``retry_after`` is the pause that the answer asked for, counted from it, None for none.
    """

    kind = "transient"

    retry_after: timedelta | None = field(default=None)


@dataclass
class PermanentError(PortalError):
    """The same request will fail again: 400, 404, or an answer that lacks a field."""

    kind = "permanent"


@dataclass
class RouteMissingError(PermanentError):
    """The portal has no such route, or not with this method, while its other routes work."""

    kind = "route_missing"


@dataclass
class ForbiddenError(PortalError):
    """403 with a working key: it concerns this file or route (docspace.md 2, 5)."""

    kind = "forbidden"


@dataclass
class RateLimitedError(PortalError):
    """429. ``retry_after`` is the pause that the portal asked for, counted from its answer.

    It is None where none was asked for: the portal's short limits name no pause.
    """

    kind = "rate_limited"

    retry_after: timedelta | None = field(default=None)


@dataclass
class UnauthorizedError(PortalError):
    """The key is dead, or lacks ``scope``: nothing works until that is fixed."""

    kind = "unauthorized"

    scope: str = ""
