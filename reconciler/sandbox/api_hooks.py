"""Webhook settings (docspace.md 6)."""

from dataclasses import replace

from reconciler.sandbox import dates
from reconciler.sandbox.answers import Answer, bad_argument, not_found
from reconciler.sandbox.calls import Call
from reconciler.sandbox.configs import TRIGGERS, Config
from reconciler.sandbox.registration import (
    Wanted,
    check_address,
    check_answer,
    check_secret,
    read_wanted,
)
from reconciler.sandbox.texts import Text

Json = dict[str, object]


def list_hooks(call: Call) -> Answer:
    """``GET settings/webhook``: own ones, for an admin all; never a secret."""
    with call.portal.mutex:
        return call.answer(
            [
                {"configs": _config(call, one), "status": _status(call, one)}
                for one in hooks_of(call)
            ]
        )


def create_hook(call: Call) -> Answer:
    """``POST settings/webhook``: the URL must answer HEAD, the secret be a fair password."""
    wanted = read_wanted(call.json())
    check_secret(wanted.secret)
    check_address(call.portal, wanted.url, ssl=wanted.ssl)
    if any((one.name, one.url) == (wanted.name, wanted.url) for one in _all(call)):
        raise bad_argument(f"Webhook with {wanted.url} and this name already exists")
    check_answer(call.portal, wanted.url)
    with call.portal.mutex:
        number = call.portal.add_webhook(by=call.person, url=wanted.url, secret=wanted.secret)
        return _stored(call, _changed(call.portal.webhooks[number], wanted))


def update_hook(call: Call) -> Answer:
    """``PUT settings/webhook``: replaces everything but a secret that is not given."""
    body = call.json()
    found, wanted = _find(call, body.get("id")), read_wanted(body)
    if wanted.secret:
        check_secret(wanted.secret)
    check_address(call.portal, wanted.url, ssl=wanted.ssl)
    if wanted.enabled:
        check_answer(call.portal, wanted.url)
    return _stored(call, _signed_off(call, _changed(found, wanted)))


def enable_hook(call: Call) -> Answer:
    """``PUT settings/webhook/enable``: on needs an answer to HEAD, off does not."""
    body = call.json()
    found = _find(call, body.get("id"))
    enabled = bool(body.get("enabled"))
    if enabled:
        check_address(call.portal, found.url, ssl=found.ssl)
        check_answer(call.portal, found.url)
    return _stored(call, _signed_off(call, replace(found, enabled=enabled)))


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


def hooks_of(call: Call) -> list[Config]:
    """Return the webhooks that the caller may see: own ones, an admin all."""
    hooks = call.portal.webhooks.values()
    return [one for one in hooks if call.person.is_admin or one.created_by == call.person.id]


def _find(call: Call, number: object) -> Config:
    with call.portal.mutex:
        found = next((one for one in hooks_of(call) if one.id == number), None)
    if found is None:
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    return found


def _all(call: Call) -> list[Config]:
    with call.portal.mutex:
        return list(call.portal.webhooks.values())


def _changed(config: Config, wanted: Wanted) -> Config:
    return replace(
        config,
        name=wanted.name,
        url=wanted.url,
        secret=wanted.secret or config.secret,
        enabled=wanted.enabled,
        ssl=wanted.ssl,
        triggers=wanted.triggers,
        target_id=wanted.target_id,
    )


def _signed_off(call: Call, config: Config) -> Config:
    return replace(config, modified_by=call.person.id, modified_on=call.portal.now())


def _stored(call: Call, config: Config) -> Answer:
    with call.portal.mutex:
        call.portal.webhooks[config.id] = config
        return call.answer(_config(call, config))


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
