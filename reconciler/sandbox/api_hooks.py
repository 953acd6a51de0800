"""Webhook settings, the webhook log and manual retries (docspace.md 6)."""

import http.client
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from reconciler.sandbox import dates
from reconciler.sandbox.answers import Answer, Refused, bad_argument, not_found
from reconciler.sandbox.calls import Call
from reconciler.sandbox.configs import TRIGGERS, Config, Log
from reconciler.sandbox.texts import Text
from reconciler.sandbox.values import Kind

Json = dict[str, object]

_GROUPS = {1: 0, 2: 2, 4: 3, 8: 4, 16: 5}
_BITS = {str(bit): bit for bit in TRIGGERS.values()} | {"0": 0, "all": 0}
_NAMES = {name.replace(".", ""): bit for name, bit in TRIGGERS.items()} | _BITS


def list_hooks(call: Call) -> Answer:
    """``GET settings/webhook``: own ones, for an admin all; never a secret."""
    with call.portal.mutex:
        return call.answer(
            [{"configs": _config(call, one), "status": _status(call, one)} for one in _mine(call)]
        )


def create_hook(call: Call) -> Answer:
    """``POST settings/webhook``: the URL must answer HEAD, the secret be a fair password."""
    body = call.json()
    url, secret = str(body.get("uri", "")), str(body.get("secretkey", ""))
    _check_secret(secret)
    _check_url(url)
    with call.portal.mutex:
        number = call.portal.add_webhook(
            by=call.person,
            url=url,
            secret=secret,
            name=str(body.get("name", "")),
            enabled=bool(body.get("enabled", True)),
            target_id=str(body.get("targetid") or ""),
        )
        made = replace(
            call.portal.webhooks[number],
            triggers=_mask(body.get("triggers", 0)),
            ssl=bool(body.get("ssl", True)),
        )
        call.portal.webhooks[number] = made
        return call.answer(_config(call, made))


def update_hook(call: Call) -> Answer:
    """``PUT settings/webhook``: whatever is given is replaced."""
    body = call.json()
    found = _find(call, body.get("id"))
    url = str(body.get("uri") or found.url)
    secret = str(body.get("secretkey") or found.secret)
    _check_secret(secret)
    if body.get("enabled", found.enabled):
        _check_url(url)
    with call.portal.mutex:
        made = replace(
            found,
            name=str(body.get("name") or found.name),
            url=url,
            secret=secret,
            enabled=bool(body.get("enabled", found.enabled)),
            triggers=_mask(body.get("triggers", found.triggers)),
            ssl=bool(body.get("ssl", found.ssl)),
            target_id=str(body.get("targetid", found.target_id) or ""),
            modified_by=call.person.id,
            modified_on=call.portal.now(),
        )
        call.portal.webhooks[made.id] = made
        return call.answer(_config(call, made))


def enable_hook(call: Call) -> Answer:
    """``PUT settings/webhook/enable``: on needs an answer to HEAD, off does not."""
    body = call.json()
    found = _find(call, body.get("id"))
    enabled = bool(body.get("enabled", True))
    if enabled:
        _check_url(found.url)
    with call.portal.mutex:
        made = replace(
            found,
            enabled=enabled,
            modified_by=call.person.id,
            modified_on=call.portal.now(),
        )
        call.portal.webhooks[made.id] = made
        return call.answer(_config(call, made))


def delete_hook(call: Call) -> Answer:
    """``DELETE settings/webhook/{id}``: its log entries vanish from the log too."""
    with call.portal.mutex:
        found = _find(call, call.id)
        shown = _config(call, found)
        del call.portal.webhooks[found.id]
        return call.answer(shown)


def list_triggers(call: Call) -> Answer:
    """``GET settings/webhook/triggers``: all names with their bits (shape as the SDK reads it)."""
    shown = [
        {"name": name, "id": bit, "available": True} for name, bit in ({"*": 0} | TRIGGERS).items()
    ]
    return call.answer(shown, count=len(shown))


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
        return call.answer(_retry(call, [call.id])[0])


def retry_many(call: Call) -> Answer:
    """``PUT settings/webhook/retry`` with ``ids``."""
    _meter(call)
    ids = call.json().get("ids")
    with call.portal.mutex:
        return call.answer(_retry(call, ids if isinstance(ids, list) else []))


def _meter(call: Call) -> None:
    path = urllib.parse.urlsplit(call.url).path
    portal = call.portal
    refused = portal.meter.retry(portal.limits, call.person.id, path, portal.clock())
    if refused:
        raise Refused(Answer(429, b"", refused))


def _retry(call: Call, ids: Iterable[object]) -> list[Json]:
    shown = []
    mine = {config.id for config in _mine(call)}
    for number in ids:
        log = call.portal.logs.get(number) if isinstance(number, int) else None
        if log is None or log.config_id not in mine:
            raise not_found(call.say(Text.FILE_NOT_FOUND))
        shown.append(_log(call, call.portal.logs[call.portal.retry_log(log.id)]))
    return shown


def _mine(call: Call) -> list[Config]:
    hooks = call.portal.webhooks.values()
    return [one for one in hooks if call.person.is_admin or one.created_by == call.person.id]


def _find(call: Call, number: object) -> Config:
    with call.portal.mutex:
        found = next((one for one in _mine(call) if one.id == number), None)
    if found is None:
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    return found


def _check_secret(secret: str) -> None:
    """Refuse a secret that the portal's password policy would."""
    if not 8 <= len(secret) <= 50 or not re.fullmatch(r"[!-~]+", secret):
        raise bad_argument("Password does not meet the requirements")


def _check_url(url: str) -> None:
    """Ask the URL with HEAD; only 2xx will do, redirects are not followed."""
    if not 200 <= _head(url) < 300:
        raise bad_argument(f"Webhook with {url} is not available")


def _head(url: str) -> int:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return 0
    secure = parts.scheme == "https"
    factory = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = factory(parts.hostname, parts.port, timeout=10)
    try:
        connection.request(
            "HEAD", urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        )
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _mask(value: object) -> int:
    """Read triggers given as a number, a name or a list of them."""
    if isinstance(value, list):
        return sum(_mask(one) for one in value)
    if isinstance(value, int):
        return value
    name = str(value).replace(".", "").lower()
    if name not in _NAMES:
        raise bad_argument(f"no such trigger: {value}")
    return _NAMES[name]


def _config(call: Call, config: Config) -> Json:
    zone, dto = call.portal.zone, call.dto
    shown: Json = {
        "id": config.id,
        "name": config.name,
        "uri": config.url,
        "enabled": config.enabled,
        "ssl": config.ssl,
        "triggers": config.triggers,
        "targetId": config.target_id,
        "createdBy": dto.employee(config.created_by),
        "createdOn": dates.config(config.created_on, zone),
    }
    if config.modified_by and config.modified_on:
        shown["modifiedBy"] = dto.employee(config.modified_by)
        shown["modifiedOn"] = dates.config(config.modified_on, zone)
    if config.last_failure_on:
        shown["lastFailureOn"] = dates.config(config.last_failure_on, zone)
        shown["lastFailureContent"] = config.last_failure
    if config.last_success_on:
        shown["lastSuccessOn"] = dates.config(config.last_success_on, zone)
    return shown


def _status(call: Call, config: Config) -> int:
    """Return the status of the entry with the newest delivery: failures have none."""
    logs = [one for one in call.portal.logs.values() if one.config_id == config.id]
    delivered = [(one.delivery, one.id, one.status) for one in logs if one.delivery]
    return max(delivered)[2] if delivered else 0


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
            or _mask(trigger if not trigger.isdecimal() else int(trigger)) == TRIGGERS[log.trigger]
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
