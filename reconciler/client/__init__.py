"""DocSpace over HTTP, in our words: frozen values out, typed errors up, no decision made.

`transport` exchanges requests over `connections` and translates errors with `failures`,
`rate_limiter` keeps them below the limits, `parse` and `listing` turn its JSON into values,
`docspace` says which request answers which question about files, `known_portal` whether the
portal's own texts are known, `webhooks` about webhooks and their log, `about` about the portal
itself, and `scopes` what a key needs for each. `exchange` asks addresses that are not the portal's.
"""

from reconciler.client.about import About, Build, Person
from reconciler.client.docspace import DocSpace
from reconciler.client.exchange import Response, exchange
from reconciler.client.known_portal import knows_portal
from reconciler.client.listing import PAGE, FilePage, Room, RoomPage
from reconciler.client.parse import Key
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
    "PAGE",
    "About",
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
    "exchange",
    "knows_portal",
    "portal_time",
]
