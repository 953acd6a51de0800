"""The routes of webhook settings (docspace.md 6).

Those that ask other hosts do so without the portal's lock.
"""

from dataclasses import replace
from datetime import datetime

from reconciler.sandbox import dates, webhooks
from reconciler.sandbox.calls import Call
from reconciler.sandbox.configs import TRIGGERS, Config
from reconciler.sandbox.dto import Json, present
from reconciler.sandbox.registration import (
    check_address,
    check_answer,
    read_changes,
)
from reconciler.sandbox.responses import Response, bad_argument, not_found
from reconciler.sandbox.texts import Text


def list_webhooks(call: Call) -> Response:
    """``GET settings/webhook``: own ones, for an admin all; never a secret."""
    own = own_webhooks(call)
    return call.respond([{"configs": _dto(call, one), "status": _status(call, one)} for one in own])


def create_webhook(call: Call) -> Response:
    """``POST settings/webhook``: the URL must answer HEAD, the secret be a fair password."""
    state = call.state
    wanted = read_changes(call.json(), Config(created_by=call.person.id, created_on=state.now()))
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
    wanted = read_changes(body, _find(call, body.get("id")))
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
    return call.respond(_dto(call, found))


def list_triggers(call: Call) -> Response:
    """``GET settings/webhook/triggers``: all names with their bits (shape as the SDK reads it)."""
    bits = {"*": 0} | TRIGGERS
    shown = [{"name": name, "id": bit, "available": True} for name, bit in bits.items()]
    return call.respond(shown, count=len(shown))


def own_webhooks(call: Call) -> list[Config]:
    """Return the webhooks that the caller may see: own ones, an admin all."""
    found, person = call.state.webhooks.values(), call.person
    return [one for one in found if person.is_admin or one.created_by == person.id]


def _find(call: Call, number: object) -> Config:
    with call.state.mutex:
        found = next((one for one in own_webhooks(call) if one.id == number), None)
    if found is None:
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    return found


def _store_change(call: Call, config: Config) -> Response:
    by, at = call.person.id, call.state.now()
    with call.state.mutex:
        return _store(call, replace(config, modified_by=by, modified_on=at))


def _store(call: Call, config: Config) -> Response:
    call.state.webhooks[config.id] = config
    return call.respond(_dto(call, config))


def _dto(call: Call, config: Config) -> Json:
    zone, dto = call.state.zone, call.dto

    def date(moment: datetime | None) -> str | None:
        return dates.config(moment, zone) if moment else None

    return present(
        {
            "id": config.id,
            "name": config.name,
            "uri": config.url,
            "enabled": config.enabled,
            "ssl": config.ssl,
            "triggers": config.triggers,
            "targetId": config.target_id,
            "createdBy": dto.employee(config.created_by),
            "createdOn": date(config.created_on),
            "modifiedBy": dto.employee(config.modified_by) if config.modified_by else None,
            "modifiedOn": date(config.modified_on),
            "lastFailureOn": date(config.last_failure_on),
            "lastFailureContent": config.last_failure,
            "lastSuccessOn": date(config.last_success_on),
        }
    )


def _status(call: Call, config: Config) -> int:
    """Return the status of the entry with the newest delivery: failures have none."""
    logs = [one for one in call.state.logs.values() if one.config_id == config.id]
    delivered = [(one.delivery, one.id, one.status) for one in logs if one.delivery]
    return max(delivered)[2] if delivered else 0
