"""Parses deliveries into events, from the receiver and from the portal's own log.

Also the ping, which the portal never sends: a signed delivery without a file, which tests
whether the receiver at an address knows a secret.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.formats import is_number, storable, whole_number
from reconciler.model import LAST_FILE_ID, Event

PING = "reconciler.ping"


def ping() -> bytes:
    """Return the body of a ping."""
    return json.dumps({"event": {"trigger": PING}, "payload": {}}).encode()


class IgnoredDelivery(Exception):
    """The delivery is authentic but needs nothing; the text is the reason."""


def parse_event(body: bytes, triggers: frozenset[str]) -> Event:
    """Return the delivery as an event (docspace.md 4.1). Raises IgnoredDelivery with the reason.

    `form.submit` carries two files; the submitted one is the file that changed.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise IgnoredDelivery("not_json") from error
    event, payload = _member(data, "event"), _member(data, "payload")
    trigger = event.get("trigger")
    if trigger == PING:
        raise IgnoredDelivery("ping")
    if not isinstance(trigger, str) or trigger not in triggers:
        raise IgnoredDelivery("trigger")
    if "submittedForm" in payload:
        payload = _member(payload, "submittedForm")
    return Event(
        id=event["id"] if is_number(event.get("id")) else 0,
        trigger=trigger,
        file=_file_id(payload),
        title=_text(payload.get("title")),
        author=_text(event.get("createBy")).lower(),
        modified=_date(payload.get("modifiedOn")),
    )


def _file_id(payload: Mapping[str, Any]) -> int:
    value = payload.get("id")
    file_id = whole_number(value)
    if (isinstance(value, str) and value and file_id is None) or payload.get("providerKey"):
        raise IgnoredDelivery("third_party")  # its comments cannot be set (docspace.md 8)
    if file_id is None or not 0 < file_id <= LAST_FILE_ID:
        raise IgnoredDelivery("file_id")
    return file_id


def _member(data: object, name: str) -> Mapping[str, Any]:
    member = data.get(name) if isinstance(data, Mapping) else None
    if not isinstance(member, Mapping):
        raise IgnoredDelivery(f"no_{name}")
    return member


def _text(value: object) -> str:
    return storable(value) if isinstance(value, str) else ""


def _date(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
