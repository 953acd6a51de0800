"""The portal's database and its settings, on which the functions of the other modules work.

They assume that the caller holds ``mutex``; `Portal` takes it for its callers.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from reconciler.sandbox import dates
from reconciler.sandbox.dates import Clock, system_clock
from reconciler.sandbox.faults import Faults
from reconciler.sandbox.outbox import Outbox
from reconciler.sandbox.rate_limiter import RateLimiter
from reconciler.sandbox.store import Store, WebhookConfig, WebhookLog
from reconciler.sandbox.texts import Comment, Comments
from reconciler.sandbox.values import (
    CommentWrite,
    Delivery,
    EntryId,
    Event,
    Key,
    Kind,
    Limits,
    Request,
    User,
)

GUEST = "712d9ec3-5d2b-4b13-824f-71f00191dcca"
"""The id of people without an account, who come by a link (docspace.md 4.2)."""

_NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""The date of accounts that never registered."""

_ZONE = timezone(timedelta(hours=3))

Hook = Callable[[str, str, EntryId | None], None]
"""Called with the method, the route and the file id of a request."""

Resolve = Callable[[str], Sequence[str]]
"""Returns the IP addresses of a host. Raises OSError when there are none."""


def resolve(host: str) -> list[str]:
    """Ask the system for the IP addresses of a host."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None)]


@dataclass(eq=False)
class State:
    """The data of the portal, and its settings, which may be changed at any time.

    ``culture`` is the default language of people. ``round_dates`` False cuts the
    fractions of dates instead of rounding them (docspace.md 3). ``poll_seconds`` is how often
    the queue of deliveries is looked at (0: at once), ``retry_seconds`` the waits before its
    retries. ``latency`` delays every API answer (seconds), ``down`` resets every connection.
    ``tie_step`` is by how many places files of the same second change places from one listing
    to the next (0: stable). ``form_rooms_apart`` omits form rooms from the list of active rooms
    (docspace.md 10), ``refuse_private_addresses`` takes no webhook to them, ``trusted`` has the
    authorities that certificates of webhooks are verified with (None: the system's),
    ``resolve`` returns the IP addresses of a host. A delivery is given up after
    ``delivery_timeout`` seconds, the check of a new webhook's address after ``head_timeout``.
    ``on_request`` runs before an answer is computed, ``on_answer`` after its effect and before
    it is sent; neither holds the lock.
    """

    clock: Clock = system_clock
    zone: tzinfo = _ZONE
    culture: str = "en"
    _: KW_ONLY
    texts: Comments = field(default_factory=Comments)
    round_dates: bool = True
    poll_seconds: float = 0.0
    retry_seconds: tuple[float, ...] = (1, 2, 4, 8, 16)
    limits: Limits = field(default_factory=Limits)
    latency: float = 0.0
    down: bool = False
    tie_step: int = 1
    form_rooms_apart: bool = False
    store_forcesave: bool = False
    refuse_private_addresses: bool = False
    trusted: ssl.SSLContext | None = None
    resolve: Resolve = resolve
    delivery_timeout: float = 100.0
    head_timeout: float = 10.0
    on_request: Hook | None = None
    on_answer: Hook | None = None

    mutex: threading.RLock = field(default_factory=threading.RLock)
    limiter: RateLimiter = field(default_factory=RateLimiter)
    faults: Faults = field(default_factory=Faults)
    outbox: Outbox = field(default_factory=Outbox)
    store: Store = field(default_factory=Store)
    users: dict[str, User] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    personal_roots: dict[str, int] = field(default_factory=dict)
    trash_roots: dict[str, int] = field(default_factory=dict)
    webhooks: dict[int, WebhookConfig] = field(default_factory=dict)
    logs: dict[int, WebhookLog] = field(default_factory=dict)
    next_webhook_id: int = 1
    next_log_id: int = 1
    default_sort: dict[str, tuple[str, bool]] = field(default_factory=dict)
    listings: dict[tuple[object, ...], tuple[int, list[EntryId]]] = field(default_factory=dict)
    listing_count: int = 0
    requests: list[Request] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    comments: dict[EntryId, list[CommentWrite]] = field(default_factory=dict)

    @property
    def anonymous(self) -> User:
        """The user who stands for people without an account or key, in the portal's language."""
        return User(GUEST, "Anonymous", Kind.GUEST, self.culture, "", _NEVER)

    def now(self) -> datetime:
        """Return the clock's time as the database would store it."""
        return dates.stored(self.clock(), rounded=self.round_dates)

    def whole_second(self) -> datetime:
        """Return the clock's time cut to the second, as webhooks and their log carry it."""
        return self.clock().replace(microsecond=0)

    def text(self, comment: Comment, by: User, value: str = "") -> str:
        """Return a comment that the portal writes, in the user's language."""
        return self.texts.say(comment, by.culture, value)

    def person(self, user_id: str) -> User:
        """Return an account, or the system account for ids of the portal's own."""
        if user_id == GUEST:
            return self.anonymous
        known = self.users.get(user_id)
        return known or User(user_id, "System", Kind.ADMIN, self.culture, "", self.now())
