"""The routes of webhooks: their settings, their log, manual retries (docspace.md 6).

Those that ask other hosts do so without the portal's lock.
"""

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from reconciler.sandbox import dates, webhooks
from reconciler.sandbox.addresses import check_address, check_answer
from reconciler.sandbox.calls import Call, Query
from reconciler.sandbox.dto import present
from reconciler.sandbox.responses import ModelError, Refused, Response, bad_argument, not_found
from reconciler.sandbox.store import WebhookConfig, WebhookLog
from reconciler.sandbox.texts import Text
from reconciler.sandbox.values import Json, Kind
from reconciler.triggers import TRIGGERS

_NAME_LENGTH = 50
_BITS = {str(bit): bit for bit in TRIGGERS.values()} | {"0": 0, "all": 0}
_TRIGGERS = {name.replace(".", ""): bit for name, bit in TRIGGERS.items()} | _BITS
_GROUPS = {1: 0, 2: 2, 4: 3, 8: 4, 16: 5}


def list_webhooks(call: Call) -> Response:
    """``GET settings/webhook``: own ones, for an admin all; never a secret."""
    own = _own_webhooks(call).values()
    return call.respond(
        [{"configs": _webhook_dto(call, one), "status": _status(call, one)} for one in own]
    )


def create_webhook(call: Call) -> Response:
    """``POST settings/webhook``: the URL must answer HEAD, the secret meet the password rules."""
    state = call.state
    wanted = _read_changes(
        call.json(), WebhookConfig(created_by=call.person.id, created_on=state.now())
    )
    check_address(state, wanted)
    with state.mutex:
        known = {(one.name, one.url) for one in state.webhooks.values()}
    if (wanted.name, wanted.url) in known:
        raise bad_argument(f"Webhook with {wanted.url} and this name already exists")
    check_answer(state, wanted.url)
    with state.mutex:
        return _store(call, replace(wanted, id=webhooks.new_webhook_id(state)))


def update_webhook(call: Call) -> Response:
    """``PUT settings/webhook``: replaces everything but a secret that is not given."""
    body = call.json()
    wanted = _read_changes(body, _find(call, body.get("id")))
    check_address(call.state, wanted)
    if wanted.enabled:
        check_answer(call.state, wanted.url)
    return _store_change(call, wanted)


def enable_webhook(call: Call) -> Response:
    """``PUT settings/webhook/enable``: on needs an answer to HEAD, off does not."""
    body = call.json()
    wanted = replace(_find(call, body.get("id")), enabled=bool(body.get("enabled")))
    if wanted.enabled:
        check_address(call.state, wanted)
        check_answer(call.state, wanted.url)
    return _store_change(call, wanted)


def delete_webhook(call: Call) -> Response:
    """``DELETE settings/webhook/{id}``: its log entries vanish from the log too."""
    found = _find(call, call.id)
    del call.state.webhooks[found.id]
    return call.respond(_webhook_dto(call, found))


def list_triggers(call: Call) -> Response:
    """``GET settings/webhook/triggers``: all names with their bits (shape as the SDK reads it)."""
    bits = {"*": 0, **TRIGGERS}
    shown = [{"name": name, "id": bit, "available": True} for name, bit in bits.items()]
    return call.respond(shown, count=len(shown))


def get_log(call: Call) -> Response:
    """``GET settings/webhooks/log``: id descending; date filters never find failures."""
    if call.person.kind is Kind.GUEST:
        raise call.denied()
    start, count = call.query.page()
    own = _own_webhooks(call)
    logs = [
        (own[log.config_id], log)
        for log in reversed(call.state.logs.values())
        if log.config_id in own and _matches(call.query, own[log.config_id], log)
    ]
    page = [_log_dto(config, log) for config, log in logs[start : start + count]]
    return call.respond(page, total=len(logs))


def retry_log(call: Call) -> Response:
    """``PUT settings/webhook/{id}/retry``: sent again under a new log id."""
    state, path = call.state, urllib.parse.urlsplit(call.url).path
    refused = state.limiter.retry(state.limits, call.person.id, path, state.clock())
    if refused:
        raise Refused(refused)
    log = state.logs.get(call.id) if isinstance(call.id, int) else None
    own = _own_webhooks(call)
    if log is None or log.config_id not in own:
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    again = state.logs[webhooks.retry_log(state, log.id)]
    return call.respond(_log_dto(own[log.config_id], again))


def _own_webhooks(call: Call) -> dict[int, WebhookConfig]:
    """Return the webhooks that the caller may see, by their ids: own ones, an admin all."""
    found, person = call.state.webhooks.values(), call.person
    return {one.id: one for one in found if person.is_admin or one.created_by == person.id}


def _find(call: Call, number: object) -> WebhookConfig:
    with call.state.mutex:
        found = _own_webhooks(call).get(number) if isinstance(number, int) else None
    if found is None:
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    return found


def _store_change(call: Call, config: WebhookConfig) -> Response:
    by, at = call.person.id, call.state.now()
    with call.state.mutex:
        return _store(call, replace(config, modified_by=by, modified_on=at))


def _store(call: Call, config: WebhookConfig) -> Response:
    call.state.webhooks[config.id] = config
    return call.respond(_webhook_dto(call, config))


def _read_changes(body: Mapping[str, object], config: WebhookConfig) -> WebhookConfig:
    """Return a webhook as the body of POST or PUT changes it: what is absent is its default.

    Only a secret that is absent stays. ModelError and Refused for what the portal refuses.
    """
    if body.get("secretkey") or not config.secret:
        _check_secret(str(body.get("secretkey") or ""))
    return replace(
        config,
        name=_required(body, "Name", _NAME_LENGTH),
        url=_required(body, "Uri"),
        secret=str(body.get("secretkey") or config.secret),
        enabled=bool(body.get("enabled")),
        ssl=bool(body.get("ssl")),
        triggers=_read_mask(body.get("triggers", 0)),
        target_id=str(body.get("targetid") or ""),
    )


def _check_secret(secret: str) -> None:
    """Refuse a secret that the portal's password policy would (docspace.md 6)."""
    if not re.fullmatch(r"[!-~]{8,30}", secret):
        raise bad_argument("Password does not meet the requirements")


def _required(body: Mapping[str, object], member: str, length: int | None = None) -> str:
    value = str(body.get(member.lower()) or "").strip()
    if not value:
        raise ModelError(member, f"The {member} field is required.")
    if length is not None and len(value) > length:
        raise ModelError(
            member,
            f"The field {member} must be a string or array type with a maximum length of "
            f"'{length}'.",
        )
    return value


def _read_mask(value: object) -> int:
    """Read triggers given as a number, a name or a list of them."""
    if isinstance(value, list):
        return sum(_read_mask(one) for one in value)
    if isinstance(value, int):
        return value
    name = str(value).replace(".", "").lower()
    if name not in _TRIGGERS:
        raise bad_argument(f"no such trigger: {value}")
    return _TRIGGERS[name]


def _webhook_dto(call: Call, config: WebhookConfig) -> Json:
    zone, dto = call.state.zone, call.dto

    def date(moment: datetime | None) -> str | None:
        return dates.config(moment, zone) if moment else None

    return present(
        id=config.id,
        name=config.name,
        uri=config.url,
        enabled=config.enabled,
        ssl=config.ssl,
        triggers=config.triggers,
        targetId=config.target_id,
        createdBy=dto.employee(config.created_by),
        createdOn=date(config.created_on),
        modifiedBy=dto.employee(config.modified_by) if config.modified_by else None,
        modifiedOn=date(config.modified_on),
        lastFailureOn=date(config.last_failure_on),
        lastFailureContent=config.last_failure,
        lastSuccessOn=date(config.last_success_on),
    )


def _status(call: Call, config: WebhookConfig) -> int:
    """Return the status of the entry with the newest delivery: failures have none."""
    logs = [one for one in call.state.logs.values() if one.config_id == config.id]
    delivered = [(one.delivery, one.id, one.status) for one in logs if one.delivery]
    return max(delivered)[2] if delivered else 0


def _matches(query: Query, config: WebhookConfig, log: WebhookLog) -> bool:
    trigger, groups = query.text("trigger"), query.number("groupStatus", 0)
    mask = _read_mask(int(trigger) if trigger.isdecimal() else trigger or log.trigger)
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


def _log_dto(config: WebhookConfig, log: WebhookLog) -> Json:
    return present(
        id=log.id,
        configName=config.name,
        trigger=TRIGGERS[log.trigger],
        creationTime=dates.webhook(log.created),
        requestHeaders=log.request_headers,
        requestPayload=log.body,
        responseHeaders=log.response_headers,
        responsePayload=log.response,
        status=log.status,
        delivery=None if log.delivery is None else dates.webhook(log.delivery),
    )
