"""The checks of a webhook before the portal takes it (docspace.md 6)."""

import http.client
import re
from collections.abc import Mapping
from dataclasses import replace

from reconciler.sandbox.addresses import connect, find_fault
from reconciler.sandbox.responses import ModelError, Refused, bad_argument, failure
from reconciler.sandbox.state import State
from reconciler.sandbox.store import WebhookConfig
from reconciler.triggers import TRIGGERS

NAME_LENGTH = 50
_BITS = {str(bit): bit for bit in TRIGGERS.values()} | {"0": 0, "all": 0}
_TRIGGERS = {name.replace(".", ""): bit for name, bit in TRIGGERS.items()} | _BITS


def read_changes(body: Mapping[str, object], config: WebhookConfig) -> WebhookConfig:
    """Return a webhook as the body of POST or PUT changes it: what is absent is its default.

    Only a secret that is absent stays. ModelError and Refused for what the portal refuses.
    """
    if body.get("secretkey") or not config.secret:
        _check_secret(str(body.get("secretkey") or ""))
    return replace(
        config,
        name=_required(body, "Name", NAME_LENGTH),
        url=_required(body, "Uri"),
        secret=str(body.get("secretkey") or config.secret),
        enabled=bool(body.get("enabled")),
        ssl=bool(body.get("ssl")),
        triggers=read_mask(body.get("triggers", 0)),
        target_id=str(body.get("targetid") or ""),
    )


def read_mask(value: object) -> int:
    """Read triggers given as a number, a name or a list of them."""
    if isinstance(value, list):
        return sum(read_mask(one) for one in value)
    if isinstance(value, int):
        return value
    name = str(value).replace(".", "").lower()
    if name not in _TRIGGERS:
        raise bad_argument(f"no such trigger: {value}")
    return _TRIGGERS[name]


def check_address(state: State, config: WebhookConfig) -> None:
    """Refuse an address that nothing may be sent to."""
    fault = find_fault(config, state.resolve, refuse_private=state.refuse_private_addresses)
    if fault is not None:
        raise bad_argument(fault.value)


def check_answer(state: State, url: str) -> None:
    """Ask the address with HEAD; only 2xx will do, redirects are not followed.

    An error is answered 400, no answer within ten seconds 500: the portal does not catch it.
    """
    connection, target = connect(url, state.head_timeout, state.trusted)
    try:
        connection.request("HEAD", target)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        kind = "System.Net.Http.HttpRequestException"
        raise Refused(failure(500, str(error), kind)) from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise bad_argument(f"Webhook with {url} is not available")


def _check_secret(secret: str) -> None:
    """Refuse a secret that the portal's password policy would."""
    if not 8 <= len(secret) <= 30 or not re.fullmatch(r"[!-~]+", secret):
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
