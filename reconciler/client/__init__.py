"""The DocSpace API over HTTP: frozen values and typed errors, without any decision.

A request goes from `docspace` (files and rooms) or `webhooks` (webhooks and their log) through
`transport`, which keeps to the limits of `rate_limiter`, to `connections`. The answer becomes a
value in `parse` or `listing`, or an error in `failures`. `account` finds out whether the key is the
cause of a refusal. `plain_request` sends requests to addresses other than the portal's.
"""

from reconciler.client.account import (
    NEEDED,
    READ_ALL,
    READ_ROOMS,
    READ_SELF,
    WRITE_ALL,
    Key,
    Person,
)
from reconciler.client.docspace import DocSpace
from reconciler.client.listing import PAGE, STEP, FilePage, Room, RoomPage
from reconciler.client.parse import Build
from reconciler.client.plain_request import Response, send_request
from reconciler.client.rate_limiter import RateLimiter
from reconciler.client.transport import Transport
from reconciler.client.webhooks import (
    MAX_NAME_LENGTH,
    FailedDeliveries,
    FailedDelivery,
    Webhook,
    WebhooksClient,
    portal_time,
)

__all__ = [
    "MAX_NAME_LENGTH",
    "NEEDED",
    "PAGE",
    "READ_ALL",
    "READ_ROOMS",
    "READ_SELF",
    "STEP",
    "WRITE_ALL",
    "Build",
    "DocSpace",
    "FailedDeliveries",
    "FailedDelivery",
    "FilePage",
    "Key",
    "Person",
    "RateLimiter",
    "Response",
    "Room",
    "RoomPage",
    "Transport",
    "Webhook",
    "WebhooksClient",
    "portal_time",
    "send_request",
]
