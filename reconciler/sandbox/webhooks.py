"""Webhooks: their settings, the bodies of what is published, and the log (docspace.md 4.1, 6)."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.sandbox import dates, rights
from reconciler.sandbox.outbox import Job
from reconciler.sandbox.state import State
from reconciler.sandbox.store import FileRow, WebhookConfig, WebhookLog
from reconciler.sandbox.values import Delivery, EntryId, Event, Json, User
from reconciler.triggers import TRIGGERS

_GIVE_UP = timedelta(days=3)
"""A webhook that failed and had no success for this long is disabled."""

_ESCAPED = re.compile(r"\\u[0-9a-f]{4}|\\\\|\\\"|[<>&'+`]")


def add_webhook(
    state: State,
    *,
    by: User,
    url: str,
    secret: str,
    triggers: tuple[str, ...] = ("file.updated",),
    enabled: bool = True,
    target_id: str = "",
    name: str = "need-review",
    ssl: bool | None = None,
) -> int:
    """Add a webhook without asking its URL; no triggers means all.

    ``ssl`` asks for HTTPS; by default as the address says.
    """
    number = new_webhook_id(state)
    state.webhooks[number] = WebhookConfig(
        id=number,
        name=name,
        url=url,
        secret=secret,
        triggers=sum(TRIGGERS[trigger] for trigger in triggers),
        enabled=enabled,
        target_id=target_id,
        created_by=by.id,
        created_on=state.now(),
        ssl=url.startswith("https:") if ssl is None else ssl,
    )
    return number


def new_webhook_id(state: State) -> int:
    """Take the next free id of a webhook."""
    state.next_webhook_id += 1
    return state.next_webhook_id - 1


def publish(
    state: State,
    trigger: str,
    row: FileRow,
    by: User,
    *,
    content: Json | None = None,
    readers: frozenset[int] | None = None,
) -> None:
    """Publish an event about a file as the database holds it now.

    Only webhooks whose creator can read the file get it, or whose creator acts himself:
    ``readers``, when the file has meanwhile gone where they cannot. ``content`` is a payload
    other than the file.
    """
    at = state.whole_second()
    state.events.append(Event(trigger, row.id, by, at))
    if not state.webhooks:
        return
    entitled = find_readers(state, row) if readers is None else readers
    event: Json = {
        "createOn": dates.webhook(at),
        "createBy": by.id,
        "trigger": trigger,
        "triggerId": TRIGGERS[trigger],
    }
    for config in tuple(state.webhooks.values()):
        if config.id not in entitled and config.created_by != by.id:
            continue
        if config.wants(trigger, row.id):
            creator = state.person(config.created_by)
            payload = content or file_payload(state, row, creator)
            _log(state, config, trigger, row.id, event, payload)


def find_readers(state: State, row: FileRow) -> frozenset[int]:
    """Return the webhooks whose creator can read the file."""
    return frozenset(
        config.id
        for config in state.webhooks.values()
        if rights.role_in_file(state.store, state.person(config.created_by), row).reads
    )


def retry_log(state: State, log_id: int) -> int:
    """Send a log entry again by hand: a new id, the same event and payload."""
    old = state.logs[log_id]
    config = state.webhooks[old.config_id]
    return _log(state, config, old.trigger, old.file_id, old.event, old.payload)


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


def record_attempt(state: State, log: WebhookLog, status: int) -> None:
    """Record one attempt to deliver."""
    state.deliveries.append(Delivery(log.id, log.file_id, status, state.clock()))


def record_success(state: State, config: WebhookConfig) -> None:
    """Write a webhook back after a delivery that arrived."""
    _write_back(state, replace(config, last_success_on=state.whole_second()))


def record_failure(
    state: State, config: WebhookConfig, failure: str, failed_on: datetime, *, disable: bool
) -> None:
    """Write a webhook back after a delivery that failed for good."""
    enabled = config.enabled and not disable
    failed = replace(config, last_failure_on=failed_on, last_failure=failure, enabled=enabled)
    _write_back(state, failed)


def is_hopeless(state: State, config: WebhookConfig) -> bool:
    """Whether the last success, or the creation, is too long ago."""
    return state.clock() - (config.last_success_on or config.created_on) > _GIVE_UP


def _write_back(state: State, config: WebhookConfig) -> None:
    """Store a webhook as it was read before the delivery, with the outcome.

    Edits made meanwhile are lost, as on the real portal (docspace.md 6).
    """
    if config.id in state.webhooks:
        state.webhooks[config.id] = config


def _log(
    state: State, config: WebhookConfig, trigger: str, file_id: EntryId, event: Json, payload: Json
) -> int:
    """Add an entry to the log and queue its delivery; the network may lose or double it."""
    number = state.next_log_id
    state.next_log_id += 1
    log = WebhookLog(number, config.id, trigger, file_id, state.whole_second(), event, payload)
    log.body = body(log, config)
    state.logs[number] = log
    copies = state.outbox.copies()
    if not copies:
        record_attempt(state, log, 0)
    for _ in range(copies):
        state.outbox.put(Job(number))
    return number


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
