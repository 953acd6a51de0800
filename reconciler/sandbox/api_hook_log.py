"""The webhook log and manual retries (docspace.md 6)."""

import urllib.parse
from datetime import UTC, datetime

from reconciler.sandbox import dates
from reconciler.sandbox.answers import Answer, Refused, bad_argument, not_found
from reconciler.sandbox.api_hooks import hooks_of
from reconciler.sandbox.calls import Call
from reconciler.sandbox.configs import TRIGGERS, Log
from reconciler.sandbox.registration import read_mask
from reconciler.sandbox.texts import Text
from reconciler.sandbox.values import Kind

Json = dict[str, object]

_GROUPS = {1: 0, 2: 2, 4: 3, 8: 4, 16: 5}


def get_log(call: Call) -> Answer:
    """``GET settings/webhooks/log``: id descending; date filters never find failures."""
    if call.person.kind is Kind.GUEST:
        raise call.denied()
    start, count = call.query.page()
    with call.portal.mutex:
        logs = [log for log in reversed(call.portal.logs.values()) if _wanted(call, log)]
        page = [_log(call, log) for log in logs[start : start + count]]
        return call.answer(page, total=len(logs))


def retry_one(call: Call) -> Answer:
    """``PUT settings/webhook/{id}/retry``: sent again under a new log id."""
    _meter(call)
    with call.portal.mutex:
        mine = {config.id for config in hooks_of(call)}
        log = call.portal.logs.get(call.id) if isinstance(call.id, int) else None
        if log is None or log.config_id not in mine:
            raise not_found(call.say(Text.FILE_NOT_FOUND))
        return call.answer(_log(call, call.portal.logs[call.portal.retry_log(log.id)]))


def _meter(call: Call) -> None:
    path = urllib.parse.urlsplit(call.url).path
    portal = call.portal
    refused = portal.meter.retry(portal.limits, call.person.id, path, portal.clock())
    if refused:
        raise Refused(Answer(429, b"", refused))


def _wanted(call: Call, log: Log) -> bool:
    config = call.portal.webhooks.get(log.config_id)
    if config is None or not (call.person.is_admin or config.created_by == call.person.id):
        return False
    query = call.query
    trigger = query.text("trigger")
    groups = query.number("groupStatus", 0)
    since, until = _moment(call, "deliveryFrom"), _moment(call, "deliveryTo")
    return (
        query.number("configId", log.config_id) == log.config_id
        and query.number("eventId", log.id) == log.id
        and query.text("hookUri", config.url) == config.url
        and query.text("userId", config.created_by) == config.created_by
        and (
            not trigger
            or read_mask(trigger if not trigger.isdecimal() else int(trigger))
            == TRIGGERS[log.trigger]
        )
        and (not groups or _grouped(log.status, groups))
        and (since is None or (log.delivery is not None and log.delivery >= since))
        and (until is None or (log.delivery is not None and log.delivery <= until))
    )


def _grouped(status: int, groups: int) -> bool:
    return any(groups & bit and status // 100 == hundred for bit, hundred in _GROUPS.items())


def _moment(call: Call, name: str) -> datetime | None:
    text = call.query.text(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_argument(f"{name} is no date") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _log(call: Call, log: Log) -> Json:
    shown: Json = {
        "id": log.id,
        "configName": call.portal.webhooks[log.config_id].name,
        "trigger": TRIGGERS[log.trigger],
        "creationTime": dates.webhook(log.created),
    }
    if log.request_headers is not None:
        shown["requestHeaders"] = log.request_headers
    shown["requestPayload"] = log.body
    if log.response_headers is not None:
        shown["responseHeaders"] = log.response_headers
    if log.response is not None:
        shown["responsePayload"] = log.response
    shown["status"] = log.status
    if log.delivery is not None:
        shown["delivery"] = dates.webhook(log.delivery)
    return shown
