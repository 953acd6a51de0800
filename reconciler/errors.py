"""What can go wrong, by what is to be done about it. Fields, not text; `cli` finds the words."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import ClassVar


class ReconcilerError(Exception):
    """Any failure that this project foresees; anything else is a bug.

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
    """Why the ledger cannot be used, as far as something else is to be done about it."""

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
    """Another process holds the role; ``holder`` tells which, as it wrote itself down."""

    kind = "role_held"

    role: str
    holder: str

    def __str__(self) -> str:
        """Return who holds what."""
        return f"the role {self.role} is held by {self.holder or 'another process'}"


class ShutdownRequested(ReconcilerError):
    """We were asked to stop; what was not begun is left for the next start."""

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
    """The webhook's address does not answer as our receiver would; ``status`` None: nobody."""

    kind = "address_unreachable"

    address: str
    status: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        """Return what came from where."""
        summary = "nobody answers" if self.status is None else f"{self.status} is answered"
        return f"{summary} at {self.address}{': ' if self.detail else ''}{self.detail}"


class UntrustedCertificateError(AddressUnreachableError):
    """The certificate at the webhook's address is not trusted here."""

    kind = "certificate_untrusted"


@dataclass
class WebhookExistsError(ReconcilerError):
    """The portal has a webhook at this address already."""

    kind = "webhook_exists"

    address: str
    id: int

    def __str__(self) -> str:
        """Return the webhook's id."""
        return f"webhook {self.id} has the address {self.address}"


@dataclass
class WebhookNotFoundError(ReconcilerError):
    """The portal shows no such webhook; ``known`` are the ids of those that it shows."""

    kind = "webhook_not_found"

    wanted: str
    known: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return what was looked for, and what there is."""
        listed = ", ".join(map(str, self.known)) or "none"
        return f"no webhook {self.wanted}; there are: {listed}"


@dataclass
class WebhookRejectedError(ReconcilerError):
    """The portal does not take the webhook; ``detail`` are its words.

    ``status`` 400: its address, secret or name is not to its liking; 500: the portal's own
    question to the address got no answer (docspace.md 6).
    """

    kind = "webhook_rejected"

    address: str
    detail: str = ""
    status: int = 400

    def __str__(self) -> str:
        """Return the portal's words."""
        if self.status == 400:
            return f"the portal rejects {self.address}: {self.detail}"
        return f"the portal gets no answer from {self.address}: it says {self.status} {self.detail}"


@dataclass
class PortalError(ReconcilerError):
    """The portal did not do what it was asked. ``status`` is None where no answer came.

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
    """It may work later, and says nothing about the file: no connection, 5xx, 402, no JSON.

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
    """The portal has no such route, or not with this method, while others of its work."""

    kind = "route_missing"


@dataclass
class ForbiddenError(PortalError):
    """403 with a key that works: it is about this file or route (docspace.md 2, 5)."""

    kind = "forbidden"


@dataclass
class RateLimitedError(PortalError):
    """429. ``retry_after`` is the pause that the portal asked for, counted from its answer.

    It is None where none was asked for: the portal's short limits ask for nothing.
    """

    kind = "rate_limited"

    retry_after: timedelta | None = field(default=None)


@dataclass
class UnauthorizedError(PortalError):
    """The key is dead, or lacks ``scope``, which ``detail`` names: stop until it works."""

    kind = "unauthorized"

    scope: str = ""
