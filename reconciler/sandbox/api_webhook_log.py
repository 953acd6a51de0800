"""The webhook log and manual retries (docspace.md 6)."""

import urllib.parse
from datetime import datetime

from reconciler.sandbox import dates, webhooks
from reconciler.sandbox.api_webhooks import own_webhooks
from reconciler.sandbox.calls import Call
from reconciler.sandbox.configs import TRIGGERS, Config, Log
from reconciler.sandbox.dto import Json, present
from reconciler.sandbox.query import Query
from reconciler.sandbox.registration import read_mask
from reconciler.sandbox.responses import Refused, Response, not_found
from reconciler.sandbox.texts import Text
from reconciler.sandbox.values import Kind

_GROUPS = {1: 0, 2: 2, 4: 3, 8: 4, 16: 5}


def get_log(call: Call) -> Response:
    """``GET settings/webhooks/log``: id descending; date filters never find failures."""
    if call.person.kind is Kind.GUEST:
        raise call.denied()
    start, count = call.query.page()
    own = {one.id: one for one in own_webhooks(call)}
    logs = [
        (own[log.config_id], log)
        for log in reversed(call.state.logs.values())
        if log.config_id in own and _matches(call.query, own[log.config_id], log)
    ]
    page = [_dto(config, log) for config, log in logs[start : start + count]]
    return call.respond(page, total=len(logs))


def retry(call: Call) -> Response:
    """``PUT settings/webhook/{id}/retry``: sent again under a new log id."""
    state, path = call.state, urllib.parse.urlsplit(call.url).path
    refused = state.limiter.retry(state.limits, call.person.id, path, state.clock())
    if refused:
        raise Refused(Response(429, b"", refused))
    log = state.logs.get(call.id) if isinstance(call.id, int) else None
    own = {one.id: one for one in own_webhooks(call)}
    if log is None or log.config_id not in own:
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    again = state.logs[webhooks.retry_log(state, log.id)]
    return call.respond(_dto(own[log.config_id], again))


def _matches(query: Query, config: Config, log: Log) -> bool:
    trigger, groups = query.text("trigger"), query.number("groupStatus", 0)
    mask = read_mask(int(trigger) if trigger.isdecimal() else trigger or log.trigger)
    return (
        query.number("configId", config.id) == config.id
        and query.number("eventId", log.id) == log.id
        and query.text("hookUri", config.url) == config.url
        and query.text("userId", config.created_by) == config.created_by
        and mask == TRIGGERS[log.trigger]
        and (not groups or _is_in(groups, log.status))
        and _is_between(query.moment("deliveryFrom"), log.delivery, query.moment("deliveryTo"))
    )


def _is_in(groups: int, status: int) -> bool:
    return any(groups & bit and status // 100 == hundred for bit, hundred in _GROUPS.items())


def _is_between(since: datetime | None, at: datetime | None, until: datetime | None) -> bool:
    if at is None:
        return since is None and until is None
    return (since is None or at >= since) and (until is None or at <= until)


def _dto(config: Config, log: Log) -> Json:
    return present(
        {
            "id": log.id,
            "configName": config.name,
            "trigger": TRIGGERS[log.trigger],
            "creationTime": dates.webhook(log.created),
            "requestHeaders": log.request_headers,
            "requestPayload": log.body,
            "responseHeaders": log.response_headers,
            "responsePayload": log.response,
            "status": log.status,
            "delivery": None if log.delivery is None else dates.webhook(log.delivery),
        }
    )
