"""What the portal asks of a webhook before it takes it (docspace.md 6)."""

import http.client
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.sandbox.addresses import find_fault
from reconciler.sandbox.answers import ApiError, ModelError, bad_argument
from reconciler.sandbox.configs import TRIGGERS
from reconciler.sandbox.portal import Portal

NAME_LENGTH = 50
_BITS = {str(bit): bit for bit in TRIGGERS.values()} | {"0": 0, "all": 0}
_NAMES = {name.replace(".", ""): bit for name, bit in TRIGGERS.items()} | _BITS


@dataclass(frozen=True, slots=True)
class Wanted:
    """A webhook as a request wants it: what is absent there is its default, in a PUT as well.

    ``secret`` may be empty in a PUT, which then keeps the old one.
    """

    name: str
    url: str
    secret: str
    enabled: bool
    ssl: bool
    triggers: int
    target_id: str


def read_wanted(body: Mapping[str, object]) -> Wanted:
    """Read the body of POST and PUT. ModelError and ApiError for what the portal refuses."""
    return Wanted(
        name=_required(body, "Name", NAME_LENGTH),
        url=_required(body, "Uri"),
        secret=str(body.get("secretkey") or ""),
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
    if name not in _NAMES:
        raise bad_argument(f"no such trigger: {value}")
    return _NAMES[name]


def check_secret(secret: str) -> None:
    """Refuse a secret that the portal's password policy would."""
    if not 8 <= len(secret) <= 30 or not re.fullmatch(r"[!-~]+", secret):
        raise bad_argument("Password does not meet the requirements")


def check_address(portal: Portal, url: str, *, ssl: bool) -> None:
    """Refuse an address that nothing may be sent to."""
    fault = find_fault(
        url, ssl=ssl, resolve=portal.resolve, refuse_private=portal.refuse_private_addresses
    )
    if fault is not None:
        raise bad_argument(fault.value)


def check_answer(portal: Portal, url: str) -> None:
    """Ask the address with HEAD; only 2xx will do, redirects are not followed.

    An error is answered 400; no answer within ten seconds is caught nowhere, so it is 500.
    """
    try:
        status = _head(url, portal.head_timeout)
    except (OSError, http.client.HTTPException) as error:
        raise ApiError(500, str(error), "System.Net.Http.HttpRequestException") from error
    if not 200 <= status < 300:
        raise bad_argument(f"Webhook with {url} is not available")


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


def _head(url: str, timeout: float) -> int:
    parts = urllib.parse.urlsplit(url)
    secure = parts.scheme == "https"
    factory = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = factory(parts.hostname or "", parts.port, timeout=timeout)
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        connection.request("HEAD", target)
        return connection.getresponse().status
    finally:
        connection.close()
