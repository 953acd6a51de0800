"""The portal's webhooks and the log of their deliveries (docspace.md 6).

``lastFailureOn`` and similar dates carry the server's offset with the portal's wall time, so the
offset is dropped: they are only shown and compared with each other. The true age of a log entry
is in the body of its delivery. Failures have no ``delivery`` date, so the log is paged by id. PUT
replaces everything, and ``ssl`` with an http address is refused.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from reconciler.client.account import READ_ALL, WRITE_ALL, Key, confirm
from reconciler.client.parse import fields_of, items_of, member_of, number_of, parse_date, text_of
from reconciler.client.transport import Answer, Transport
from reconciler.errors import ForbiddenError
from reconciler.triggers import TRIGGERS

LOG_PAGE = 100
_WEBHOOK, _TRIGGERS = "settings/webhook", "settings/webhook/triggers"
_LOG = "settings/webhooks/log"
_FAILURES = 1 + 4 + 8 + 16  # not sent, 3xx, 4xx, 5xx
MAX_NAME_LENGTH = 50  # UTF-16 units, as the portal counts them; a name is required (docspace.md 6)


@dataclass(frozen=True)
class Webhook:
    """One webhook of the portal, which never returns its secret; ``triggers`` 0 means all.

    ``failed_on`` and ``succeeded_on`` are times of the portal's wall clock, whose zone is not
    known (docspace.md 3): ISO without an offset, empty for never, to show and to compare only.
    """

    id: int
    name: str
    url: str
    enabled: bool
    triggers: int
    target: str
    creator: str
    creator_name: str
    ssl: bool = True
    failed_on: str = ""
    failure: str = ""
    succeeded_on: str = ""

    def missing_triggers(self, *names: str) -> tuple[str, ...]:
        """Return those of the triggers that it does not deliver."""
        if self.triggers == 0:
            return ()
        return tuple(name for name in names if not self.triggers & TRIGGERS.get(name, 0))

    @property
    def trigger_names(self) -> tuple[str, ...]:
        """The names of its events; ``*`` for all events, the bit of an unknown one."""
        if self.triggers == 0:
            return ("*",)
        names = [name for name, bit in TRIGGERS.items() if self.triggers & bit]
        unknown = self.triggers & ~sum(TRIGGERS.values())
        bits = [place for place in range(unknown.bit_length()) if unknown >> place & 1]
        return (*names, *(f"bit {place}" for place in bits))


@dataclass(frozen=True)
class FailedDelivery:
    """A delivery that failed, or was not sent yet (``status`` 0). ``body`` is its request's."""

    id: int
    status: int
    created: datetime | None
    body: bytes
    text: str


@dataclass(frozen=True)
class FailedDeliveries:
    """A page of failed deliveries, newest first; ``has_more`` where there may be older ones."""

    entries: tuple[FailedDelivery, ...]
    has_more: bool
    date: datetime | None


class WebhooksClient:
    """The webhooks of the portal. Every method raises PortalError by class.

    An account sees its own webhooks, an administrator all of them. POST, PUT and DELETE count
    toward the portal's daily limit.
    """

    def __init__(self, transport: Transport, key: Callable[[], Key]) -> None:
        """Use ``transport``; ``key`` is called after a 403: the key may lack a scope."""
        self._http, self._key = transport, key

    def all(self) -> tuple[Webhook, ...]:
        """Return every webhook that the key's account may see."""
        return self._get(_WEBHOOK).parsed(parse_webhooks)

    def create(self, name: str, url: str, secret: str, triggers: Iterable[str]) -> Webhook:
        """Create a webhook. The portal first sends HEAD to ``url``.

        Raises PermanentError (400) if it rejects the webhook, TransientError (500) if HEAD gets
        no answer.
        """
        body = _body(name, url, mask_of(triggers)) | {"secretKey": secret}
        answer = self._write(lambda: self._http.post(_WEBHOOK, body))
        return answer.parsed(parse_webhook)

    def set_secret(self, webhook: Webhook, secret: str) -> None:
        """Make ``webhook`` sign with ``secret`` from now on; its other fields stay as read."""
        body = _full_body(webhook) | {"secretKey": secret}
        self._write(lambda: self._http.put(_WEBHOOK, body))

    def set_enabled(self, webhook: Webhook, enabled: bool) -> None:
        """Enable a webhook, which the portal does if its address answers, or disable it.

        One with ``ssl`` at an http address would be refused: it is replaced as a whole, which
        keeps its secret.
        """
        body = _full_body(webhook) | {"enabled": enabled}
        route = f"{_WEBHOOK}/enable" if webhook.ssl == body["ssl"] else _WEBHOOK
        self._write(lambda: self._http.put(route, body))

    def remove(self, webhook: int) -> None:
        """Delete a webhook; the log of its deliveries goes with it."""
        self._write(lambda: self._http.delete(f"{_WEBHOOK}/{{id}}", id=webhook))

    def triggers(self) -> Mapping[str, int]:
        """Return the triggers that this portal offers, with their bits."""
        return self._get(_TRIGGERS).parsed(parse_triggers)

    def failures(self, webhook: int, start: int = 0) -> FailedDeliveries:
        """Return a page of the failed deliveries, newest first, by id."""
        params = {"configId": webhook, "groupStatus": _FAILURES, "count": LOG_PAGE}
        answer = self._get(_LOG, params | {"startIndex": start})
        return answer.parsed(lambda data: parse_failures(data, answer.date))

    def _get(self, route: str, params: Mapping[str, Any] | None = None) -> Answer:
        return self._send(READ_ALL, lambda: self._http.get(route, params))

    def _write(self, request: Callable[[], Answer]) -> Answer:
        return self._send(WRITE_ALL, request)

    def _send(self, scopes: tuple[str, ...], request: Callable[[], Answer]) -> Answer:
        """Send a request that needs one of the scopes."""
        try:
            return request()
        except ForbiddenError as error:
            confirm(error, scopes, self._key)
            raise


def mask_of(names: Iterable[str]) -> int:
    """Return the bits of triggers. Raises KeyError for an unknown one."""
    return sum(TRIGGERS[name] for name in set(names))


def parse_webhooks(data: object) -> tuple[Webhook, ...]:
    """Return the answer of settings/webhook. Raises ValueError that names the missing field."""
    webhooks = items_of(data, "the webhooks are")
    return tuple(parse_webhook(fields_of(one, "webhook").get("configs")) for one in webhooks)


def parse_webhook(data: object) -> Webhook:
    """Return one webhook. Raises ValueError that names the missing field."""
    fields = fields_of(data, "configs")
    owner = member_of(fields, "createdBy")
    return Webhook(
        id=number_of(fields, "id"),
        name=text_of(fields, "name", ""),
        url=text_of(fields, "uri"),
        enabled=fields.get("enabled") is True,
        triggers=number_of(fields, "triggers", 0),
        target=text_of(fields, "targetId", ""),
        creator=text_of(owner, "id", "").lower(),
        creator_name=text_of(owner, "displayName", ""),
        ssl=fields.get("ssl") is not False,
        failed_on=wall_time(text_of(fields, "lastFailureOn", "")),
        failure=text_of(fields, "lastFailureContent", ""),
        succeeded_on=wall_time(text_of(fields, "lastSuccessOn", "")),
    )


def parse_triggers(data: object) -> Mapping[str, int]:
    """Return the available names with their bits; entries of another shape are left out."""
    return {
        one["name"]: one["id"]
        for one in items_of(data, "the triggers are")
        if isinstance(one, Mapping)
        and one.get("available") is not False
        and isinstance(one.get("name"), str)
        and type(one.get("id")) is int
    }


def parse_failures(data: object, date: datetime | None) -> FailedDeliveries:
    """Return a page of the log. Raises ValueError that names the missing field."""
    entries = items_of(data, "the log is")
    return FailedDeliveries(tuple(map(_failure, entries)), len(entries) >= LOG_PAGE, date)


def _failure(data: object) -> FailedDelivery:
    fields = fields_of(data, "log entry")
    body = text_of(fields, "requestPayload", "")
    return FailedDelivery(
        id=number_of(fields, "id"),
        status=number_of(fields, "status", 0),
        created=_created(body),
        body=body.encode(),
        text=text_of(fields, "responsePayload", ""),
    )


def _created(body: str) -> datetime | None:
    """Return the time of the event by its own body: the entry's date may be shifted."""
    try:
        return parse_date(json.loads(body)["event"]["createOn"], "createOn")
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def wall_time(text: str) -> str:
    """Return a date of a webhook without its offset, which may be the server's (docspace.md 3).

    Any other text is returned unchanged.
    """
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None).isoformat()
    except ValueError:
        return text


def portal_time(text: str) -> str:
    """Return a date of a webhook for display, with a note that it is by the portal's clock."""
    date, _, time = wall_time(text).partition("T")
    return f"{date} {time[:8]} by the portal's clock" if time else text


def _full_body(webhook: Webhook) -> dict[str, Any]:
    """Return every field, since a PUT resets missing ones."""
    body = _body(webhook.name, webhook.url, webhook.triggers)
    return body | {
        "id": webhook.id,
        "enabled": webhook.enabled,
        "ssl": webhook.ssl and body["ssl"],
        "targetId": webhook.target or None,
    }


def _body(name: str, url: str, triggers: int) -> dict[str, Any]:
    # ssl makes the portal verify the certificate; with an http address it is refused.
    secure = urlsplit(url).scheme == "https"
    return {"name": name, "uri": url, "enabled": True, "ssl": secure, "triggers": triggers}
