"""A DocSpace portal in memory, served over HTTP on the loopback interface.

A request goes ``server -> api (route, fault, key, rate limits, scope) -> api_* -> state``. An
act of a person goes ``portal -> files, saves, rooms, people -> state``, and what it publishes
``webhooks -> outbox -> sender``. It follows DocSpace 3.7.2 as `reconciler/docs/docspace.md`
describes it, traps included; the demo and the tests use it instead of a live portal.
"""

from reconciler.sandbox.dates import ManualClock
from reconciler.sandbox.faults import Fault, FaultKind
from reconciler.sandbox.portal import Portal
from reconciler.sandbox.server import Server
from reconciler.sandbox.texts import Comment, Comments
from reconciler.sandbox.values import (
    CommentWrite,
    Delivery,
    EntryId,
    Event,
    FileInfo,
    Kind,
    Limits,
    Network,
    Request,
    User,
)

__all__ = [
    "Comment",
    "CommentWrite",
    "Comments",
    "Delivery",
    "EntryId",
    "Event",
    "Fault",
    "FaultKind",
    "FileInfo",
    "Kind",
    "Limits",
    "ManualClock",
    "Network",
    "Portal",
    "Request",
    "Server",
    "User",
]
