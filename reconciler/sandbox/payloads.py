"""The bodies of webhooks: the event, the file as its payload, the webhook (docspace.md 4.1)."""

import json
import re
from collections.abc import Mapping

from reconciler.sandbox import dates, rights
from reconciler.sandbox.outbox import Job
from reconciler.sandbox.state import State
from reconciler.sandbox.store import FileRow, WebhookConfig, WebhookLog
from reconciler.sandbox.values import Json, User

_ESCAPED = re.compile(r"\\u[0-9a-f]{4}|\\\\|\\\"|[<>&'+`]")


def file_payload(state: State, row: FileRow, creator: User) -> Json:
    """Return a file as the webhook's ``creator`` sees it: the declared base type only.

    Members of default values are omitted.
    """
    store, current = state.store, row.current
    root, third = store.root(row.folder_id), isinstance(row.id, str)
    room, access = store.room(row.folder_id), rights.role_in_file(store, creator, row).access
    place: Json = {
        "folderIdDisplay": row.folder_id,
        "rootId": room.id if third and room else root.id,
    }
    users: Json = {"securityByUsers": {}}
    shown: Json = {
        "id": row.id,
        "parentId": row.folder_id,
        **(place | users if third else users | place),
        "title": current.title,
        "createBy": row.created_by,
        "modifiedBy": current.modified_by,
    }
    if third:
        provider = store.folders[row.folder_id]
        shown |= {"providerId": provider.provider_id, "providerKey": provider.provider_key}
    shown |= {
        "createOn": dates.webhook(row.created, state.zone),
        "modifiedOn": dates.webhook(current.modified, state.zone),
        "rootFolderType": int(root.section or 0),
        "rootCreateBy": row.created_by if third else root.created_by,
        "fileEntryType": 2,
    }
    return shown | {"access": access} if access and not third else shown


def body(log: WebhookLog, config: WebhookConfig, job: Job | None = None) -> str:
    """Return the body of one attempt; without a job, that of an entry never sent."""
    event = {"id": log.id, **log.event} if job else log.event
    shown: Json = {
        "id": config.id,
        "name": config.name,
        "url": config.url,
        "triggers": config.trigger_names,
    }
    if job and job.failed_on:
        shown |= {"lastFailureOn": dates.webhook(job.failed_on), "lastFailureContent": job.failure}
        if config.last_success_on:
            # MySQL returns it without a kind, so it loses its Z (docspace.md 3).
            shown["lastSuccessOn"] = dates.webhook(config.last_success_on)[:-1]
        shown["retryCount"] = job.attempt - 1
        if job.retry_on:
            shown["retryOn"] = dates.webhook(job.retry_on)
    return _escaped_json({"event": event, "payload": log.payload, "webhook": shown})


def _escaped_json(value: Mapping[str, object]) -> str:
    """Write JSON as System.Text.Json does in webhook bodies.

    Its default encoder escapes every non-ASCII character and those with a meaning in HTML, in
    upper-case hex: the signature is over exactly these bytes (docspace.md 9).
    """
    return _ESCAPED.sub(_escape, json.dumps(value, separators=(",", ":")))


def _escape(match: re.Match[str]) -> str:
    found = match.group()
    if found == "\\\\":
        return found
    if found == '\\"':
        return "\\u0022"
    if found.startswith("\\u"):
        return "\\u" + found[2:].upper()
    return f"\\u{ord(found):04X}"
