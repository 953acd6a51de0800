"""Sign a sample event as the portal would, post it, and tell the answer."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.signature import HEADER, sign


@dataclass(frozen=True)
class Sample:
    """What the sample event says."""

    file: int
    title: str = "Contract.docx"
    trigger: str = "file.updated"
    author: str = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3"


def body_of(sample: Sample, now: datetime) -> bytes:
    """Return the body as the portal writes it: no version, no comment (docspace.md 4.1)."""
    date = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "id": 1,
        "createOn": date,
        "createBy": sample.author,
        "trigger": sample.trigger,
        "triggerId": 512,
    }
    payload = {
        "id": sample.file,
        "title": sample.title,
        "createBy": sample.author,
        "modifiedBy": sample.author,
        "createOn": date,
        "modifiedOn": date,
        "rootFolderType": 14,
        "fileEntryType": 2,
    }
    webhook = {"id": 1, "name": "sample", "url": "", "triggers": [sample.trigger]}
    return json.dumps({"event": event, "payload": payload, "webhook": webhook}).encode()


def post(url: str, body: bytes, secret: str | None) -> tuple[int, str]:
    """Post the body, signed where there is a secret; return status and answer.

    Raises OSError when nobody answers.
    """
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if secret:
        headers[HEADER] = sign(body, secret)
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - the scheme was checked
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read(65536).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(65536).decode("utf-8", "replace")
