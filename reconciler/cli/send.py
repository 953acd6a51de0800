"""A sample event, signed and posted as the portal would, and what to do about the answer."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from reconciler.client import Response, send_request
from reconciler.config.sections import Webhook
from reconciler.formats import shown
from reconciler.signature import HEADER, sign
from reconciler.triggers import TRIGGERS

_TIMEOUT = 30  # seconds
_AUTHOR = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3"


def sample_body(file: int, title: str, trigger: str, now: datetime) -> bytes:
    """Return a sample event as the portal writes it: no version, no comment (docspace.md 4.1)."""
    date = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "id": 1,
        "createOn": date,
        "createBy": _AUTHOR,
        "trigger": trigger,
        "triggerId": TRIGGERS.get(trigger, 0),
    }
    payload = {
        "id": file,
        "title": title,
        "createBy": _AUTHOR,
        "modifiedBy": _AUTHOR,
        "createOn": date,
        "modifiedOn": date,
        "rootFolderType": 14,
        "fileEntryType": 2,
    }
    webhook = {"id": 1, "name": "sample", "url": "", "triggers": [trigger]}
    return json.dumps({"event": event, "payload": payload, "webhook": webhook}).encode()


def receiver_address(webhook: Webhook) -> str:
    """Return the address at which our receiver is reached on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(webhook.host, webhook.host)  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{webhook.port}{webhook.path}"


def post(url: str, body: bytes, secret: str | None, ca_bundle: Path | None = None) -> Response:
    """Post the body, signed where there is a secret.

    Raises AddressUnreachableError, ConfigError.
    """
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if secret:
        headers[HEADER] = sign(body, secret)
    return send_request("POST", url, body, headers, ca_bundle=ca_bundle, timeout=_TIMEOUT)


def hints(response: Response) -> Iterator[str]:
    """Yield hints on an answer that refuses the event or redirects."""
    if 200 <= response.status < 300:
        return
    if response.proxy_note:
        yield f"It was asked{response.proxy_note}, which may have answered itself."
    if response.status == 401:
        yield (
            "The secret is not the receiver's: set DOCSPACE_WEBHOOK_SECRET or webhook.secret_file "
            "to the one that it has, or give it with --secret."
        )
    if 300 <= response.status < 400:
        there = shown(response.location) or "another address"
        yield (
            f"It redirects to {there}, and the portal follows no redirect: give that address "
            "itself, to the portal too."
        )
