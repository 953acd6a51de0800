"""The sandbox's answers look like the samples, name by name."""

import json
from typing import Any

import pytest

from reconciler.sandbox.outbox import Job
from reconciler.sandbox.store import WebhookLog
from reconciler.sandbox.webhooks import body, record_success
from reconciler.signature import sign
from tests.support_sandbox import BOT, NEWEST, Receiver, World, sample, shape, utc


def edited_contract(world: World) -> Any:
    """Make the file of the samples: version 4, saved by Ann at 12:15:42 local time."""
    fid = world.create()
    world.clock.set(utc("2025-11-24T09:15:42"))
    for size in (1000, 2000, 24_699):
        world.portal.save(fid, by=world.ann, size=size)
    return fid


def shown(world: World, path: str) -> Any:
    """GET a path, with the sample's host in place of the server's."""
    text = world.api.get(path).body.decode()
    return json.loads(text.replace(world.server.url, "https://portal.example.com"))


def test_file(world: World) -> None:
    """GET file equals the sample, members and values."""
    edited_contract(world)
    assert shown(world, "files/file/1245") == sample("get_file.json")


def test_file_for_admin_who_is_no_member(world: World) -> None:
    """An admin outside the room sees the file with access 3 and without EditHistory."""
    edited_contract(world)
    world.portal.invite(world.room, world.bot, access=0)
    visitor = world.portal.add_user("Vi Sitor", kind="admin")
    world.api.key = world.portal.add_key(visitor)
    expected = sample("get_file_admin_not_member.json")
    assert shown(world, "files/file/1245") == expected


def test_put_comment(world: World) -> None:
    """PUT comment answers the text in the envelope of the sample."""
    fid = edited_contract(world)
    reply = world.api.comment(fid, 4, "Need Review")
    text = reply.body.decode().replace(world.server.url, "https://portal.example.com")
    assert json.loads(text) == sample("put_comment.json")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"files/610?{NEWEST}", "folder_content_files_only.json"),
        ("files/rooms?sortBy=DateAndTime&sortOrder=descending", "rooms_list.json"),
        (f"files/2?{NEWEST}", "rooms_root_filesonly_TRAP_empty.json"),
        ("files/file/1245/history", "file_history_versions.json"),
        ("keys/@self", "keys_self.json"),
    ],
)
def test_members(world: World, path: str, name: str) -> None:
    """The answer has the sample's members, on all levels."""
    edited_contract(world)
    world.api.get("people/@self")
    assert shape(world.api.get(path).json) == shape(sample(name))


def test_locked_file(world: World) -> None:
    """A file locked by another shows lockedBy as a name, and the sample's members."""
    fid = edited_contract(world)
    world.portal.lock(fid, by=world.admin)
    expected = sample("folder_content_files_only.json")["response"]["files"][-1]
    found = shown(world, f"files/file/{fid}")["response"]
    assert (shape(found), found["security"]) == (shape(expected), expected["security"])


def test_rights_in_a_room(world: World) -> None:
    """A room list shows the rights of a member as the sample does."""
    lists = (world.api.get("files/rooms").json, sample("rooms_list.json"))
    found, expected = (one["response"]["folders"][-1]["security"] for one in lists)
    assert found == expected


def test_rooms_root_with_files_only(world: World) -> None:
    """The rooms root with FilesOnly answers an empty page."""
    edited_contract(world)
    assert world.api.get(f"files/2?{NEWEST}").response["total"] == 0


def test_history(world: World) -> None:
    """The version history is newest first and says count 1 for all of it."""
    edited_contract(world)
    found = world.api.get("files/file/1245/history").json
    assert [one["version"] for one in found["response"]] == [4, 3, 2, 1]
    assert found["count"] == 1


def test_people_self(world: World) -> None:
    """GET people/@self has the sample's members and roles."""
    found = shown(world, "people/@self")
    expected = sample("people_self.json")
    expected["response"]["registrationDate"] = found["response"]["registrationDate"]
    assert found == expected


def test_build(world: World) -> None:
    """GET settings/version/build without a key equals the sample."""
    world.api.key = None
    assert shown(world, "settings/version/build") == sample("settings_version_build.json")


def test_webhook_list_and_log(world: World, hook: Receiver) -> None:
    """The webhook list and the log of a delivered event have the samples' members."""
    world.portal.add_webhook(by=world.bot, url=hook.url, secret="Sample-Secret-1!")
    edited_contract(world)
    assert world.server.drain()
    listed = world.full.get("settings/webhook").json
    expected = sample("webhook_configs.json")
    for name in ("lastFailureOn", "lastFailureContent"):
        del expected["response"][0]["configs"][name]
    assert shape(listed) == shape(expected)
    log = world.full.get("settings/webhooks/log").json
    assert shape(log) == shape(sample("webhooks_log_all.json"))


def log_of_samples(world: World, *, creator_member: bool) -> WebhookLog:
    """Publish the event of the samples to a webhook that is held back."""
    world.portal.hold_deliveries()
    fid = edited_contract(world)
    world.portal.next_webhook_id, world.portal.next_log_id = 7, 90_211
    by = world.bot if creator_member else world.admin
    url = "https://bot.example.com/docspace"
    world.portal.add_webhook(by=by, url=url, secret="Sample-Secret-1!")
    if creator_member:
        world.portal.next_log_id = 90_212
        world.clock.set(utc("2025-11-24T09:15:50"))
        world.portal.comment(fid, "Need Review", by=world.bot)
    else:
        world.clock.advance(1)
        world.portal.reorder(fid, by=world.ann)
    return next(iter(world.portal.logs.values()))


@pytest.mark.parametrize(
    ("name", "creator_member"),
    [("webhook_file_updated", False), ("webhook_file_updated_own_comment_echo", True)],
)
def test_webhook_bytes(world: World, name: str, creator_member: bool) -> None:
    """Body and signature of an event equal the sample's, byte by byte.

    The echo of a comment, to a webhook of a member, carries that member's access.
    """
    expected = sample(f"{name}.http.json")
    log = log_of_samples(world, creator_member=creator_member)
    sent = body(log, world.portal.webhooks[7], Job(log.id, attempt=1))
    assert sent == expected["rawBody"]
    assert (json.loads(sent)["event"]["createBy"] == BOT) is creator_member
    signature = sign(sent.encode(), expected["secret"])
    assert signature == expected["headers"]["x-docspace-signature-256"]


def test_webhook_bytes_of_retry(world: World) -> None:
    """A retry's body equals the sample's: same event id, the failure added."""
    job = Job(90_211, attempt=3)
    job.failed_on, job.retry_on = utc("2025-11-24T09:15:45"), utc("2025-11-24T09:15:48")
    job.failure = "Response status code does not indicate success: 503 (Service Unavailable)."
    log = log_of_samples(world, creator_member=False)
    world.clock.set(utc("2025-11-24T08:59:01"))
    record_success(world.portal, world.portal.webhooks[7])
    sent = body(log, world.portal.webhooks[7], job)
    assert sent == sample("webhook_file_updated_retry.http.json")["rawBody"]


def test_never_sent_log_entry(world: World) -> None:
    """Before its first attempt a log entry's payload lacks the event's id."""
    expected = sample("webhooks_log_failures.json")["response"][0]["requestPayload"]
    assert log_of_samples(world, creator_member=False).body == expected
