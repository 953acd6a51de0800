"""The table of routes: the scope that each needs, and its handler (docspace.md 2, 5)."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.sandbox import api_files, api_self, api_webhooks
from reconciler.sandbox.calls import Call
from reconciler.sandbox.responses import Response
from reconciler.sandbox.values import EntryId

Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One route. ``scope`` None means that any key will do; ``anonymous`` that none is needed.

    ``waits`` marks handlers that ask other hosts: they take the portal's lock themselves.
    """

    method: str
    path: str
    scope: str | None
    handler: Handler
    anonymous: bool = False
    waits: bool = False


_READ, _WRITE = "files:read", "files:write"
_ALL, _ALL_WRITE = "*:read", "*:write"

ROUTES = (
    Route("GET", "files/file/{id}", _READ, api_files.get_file, anonymous=True),
    Route("GET", "files/file/{id}/history", _READ, api_files.get_history, anonymous=True),
    Route("PUT", "files/file/{id}/comment", _WRITE, api_files.put_comment),
    Route("GET", "files/rooms", "rooms:read", api_files.get_rooms),
    Route("GET", "files/@my", _READ, api_files.get_my),
    Route("GET", "files/{id}", _READ, api_files.get_content, anonymous=True),
    Route("GET", "people/@self", "accounts.self:read", api_self.get_self),
    Route("GET", "keys/@self", None, api_self.get_key),
    Route("GET", "settings/version/build", _ALL, api_self.get_build, anonymous=True),
    Route("GET", "settings/webhook", _ALL, api_webhooks.list_webhooks),
    Route("POST", "settings/webhook", _ALL_WRITE, api_webhooks.create_webhook, waits=True),
    Route("PUT", "settings/webhook", _ALL_WRITE, api_webhooks.update_webhook, waits=True),
    Route("PUT", "settings/webhook/enable", _ALL_WRITE, api_webhooks.enable_webhook, waits=True),
    Route("GET", "settings/webhook/triggers", _ALL, api_webhooks.list_triggers),
    Route("PUT", "settings/webhook/{id}/retry", _ALL_WRITE, api_webhooks.retry_log),
    Route("DELETE", "settings/webhook/{id}", _ALL_WRITE, api_webhooks.delete_webhook),
    Route("GET", "settings/webhooks/log", _ALL, api_webhooks.get_log),
)

_PATTERNS = tuple(
    (route, re.compile(re.escape(route.path).replace(r"\{id\}", "([^/]+)"))) for route in ROUTES
)


def find(method: str, path: str) -> tuple[Route, EntryId] | None:
    """Return the route of a path below the prefix, and its id if it has one."""
    for route, pattern in _PATTERNS:
        match = pattern.fullmatch(path) if route.method == method else None
        if match:
            return route, _entry_id(match.group(1)) if match.groups() else ""
    return None


def _entry_id(text: str) -> EntryId:
    """Read an int32; anything else belongs to the controller of string ids."""
    if re.fullmatch(r"-?[0-9]{1,10}", text) and -(2**31) <= int(text) < 2**31:
        return int(text)
    return text
