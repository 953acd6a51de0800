"""Webhook deliveries, settings and the log (docspace.md 6)."""

import json
import threading
from typing import Any

import pytest

from reconciler.sandbox import EntryId, Network, Server
from reconciler.signature import HEADER, find_signing_key
from tests.support_sandbox import Receiver, World, receiver, served

SECRET = "Sample-Secret-1!"


Body = dict[str, Any]


def subscribe(world: World, endpoint: Receiver, **options: Any) -> int:
    """Add a webhook of the bot with quick retries."""
    world.portal.retry_seconds = (0, 0, 0, 0, 0)
    return world.portal.add_webhook(by=world.bot, url=endpoint.url, secret=SECRET, **options)


@pytest.fixture
def subscriber(world: World, endpoint: Receiver) -> Receiver:
    """The receiver of the bot's webhook 1, whose retries are quick."""
    subscribe(world, endpoint)
    return endpoint


def drained(world: World, *files: EntryId) -> None:
    """Let Ann save these files, by default a new one, and wait until all deliveries have ended."""
    for fid in files or [world.create()]:
        world.portal.save(fid, by=world.ann)
    assert world.server.drain()


def statuses(world: World) -> list[int]:
    """Return the statuses of all attempts to deliver."""
    return [one.status for one in world.portal.deliveries]


def event_ids(endpoint: Receiver) -> list[int]:
    """Return the ids of the events that arrived."""
    return [one["event"]["id"] for one in endpoint.events]


def test_signed_delivery(world: World, subscriber: Receiver) -> None:
    """An event is posted, signed over its raw bytes in upper-case hex."""
    drained(world, world.create("Vertrag für Ü.docx"))
    header = subscriber.headers[0][HEADER]
    digest = header.removeprefix("sha256=")
    assert find_signing_key(subscriber.bodies[0], header, [SECRET]) == 0
    assert digest == digest.upper()
    assert b"f\\u00FCr \\u00DC" in subscriber.bodies[0]
    assert "version" not in subscriber.events[0]["payload"]


def test_only_wanted_triggers(world: World, subscriber: Receiver) -> None:
    """A webhook gets only its triggers; with none named it gets all."""
    world.portal.save(world.create(), by=world.ann)
    subscribe(world, subscriber, triggers=())
    world.portal.upload(world.room, "Contract.docx", by=world.ann)
    assert world.server.drain()
    found = [(one["webhook"]["id"], one["event"]["trigger"]) for one in subscriber.events]
    assert sorted(found) == [(1, "file.updated"), (2, "file.uploaded")]


def test_only_files_the_creator_can_read(world: World, subscriber: Receiver) -> None:
    """A webhook gets no event of a file that its creator cannot read."""
    hidden = world.portal.add_room("Hidden", owner=world.admin)
    world.portal.save(world.portal.create(hidden, "a.docx", by=world.admin), by=world.admin)
    assert world.server.drain()
    assert subscriber.bodies == []


def test_target_and_switch(world: World, endpoint: Receiver) -> None:
    """A targetId limits a webhook to one file; a disabled one gets nothing."""
    first, second = world.create("a.docx"), world.create("b.docx")
    subscribe(world, endpoint, target_id=str(second))
    subscribe(world, endpoint, enabled=False)
    drained(world, first, second)
    assert [one["payload"]["id"] for one in endpoint.events] == [second]


def test_retries_keep_the_event_id(world: World, subscriber: Receiver) -> None:
    """Failures are retried five times: same event id, another body, signed anew."""
    subscriber.decide = lambda _: 503
    drained(world)
    counts = [one["webhook"].get("retryCount") for one in subscriber.events]
    assert (len(set(event_ids(subscriber))), counts) == (1, [None, 1, 2, 3, 4, 5])
    assert len({headers[HEADER] for headers in subscriber.headers}) == 6
    assert statuses(world) == [503] * 6


@pytest.mark.parametrize(
    "answers", [[500, 500, 200], [302, 204], *([410] * gone + [200] for gone in (1, 3, 5))], ids=str
)
def test_the_first_2xx_ends_the_retries(
    world: World, subscriber: Receiver, answers: list[int]
) -> None:
    """A redirect is not followed, and fewer than six 410 leave the webhook as it is."""
    subscriber.decide = lambda _: answers[len(subscriber.bodies) - 1]
    drained(world)
    assert statuses(world) == answers
    assert world.portal.webhooks[1].enabled


def test_six_410_delete_the_webhook(world: World, subscriber: Receiver) -> None:
    """After six answers 410 the webhook and its log are deleted."""
    subscriber.decide = lambda _: 410
    drained(world)
    assert (len(subscriber.bodies), world.portal.webhooks) == (6, {})
    assert world.full.get("settings/webhooks/log").json["total"] == 0


def test_a_timeout_never_disables(world: World, subscriber: Receiver) -> None:
    """A timeout never disables a webhook; its log entry has status 500."""
    world.portal.retry_seconds, world.portal.delivery_timeout = (), 0.05
    wake = threading.Event()
    subscriber.decide = lambda _: 200 if wake.wait(10) else 500
    world.clock.advance(days=30)
    drained(world)
    wake.set()
    assert world.portal.logs[1].status == 500
    assert world.portal.webhooks[1].last_failure is not None
    assert world.portal.webhooks[1].enabled


def resolve(host: str) -> list[str]:
    """Resolve only the host names of these tests."""
    if host not in ("127.0.0.1", "portal.example.com"):
        raise OSError(host)
    return ["127.0.0.1"]


@pytest.mark.parametrize(
    ("url", "ssl"),
    [
        ("http://[", False),
        ("http://127.0.0.1:99999/", False),
        ("nothing", False),
        ("http://nowhere.example.com/", False),
        ("http://portal.example.com/", True),
    ],
)
def test_an_address_at_fault_disables_its_webhook_at_once(
    world: World, subscriber: Receiver, url: str, ssl: bool
) -> None:
    """A webhook whose address is empty, has no host, or lacks required TLS is disabled at the first
    delivery without a retry; others are served.
    """
    world.portal.resolve = resolve
    number = world.portal.add_webhook(by=world.bot, url=url, secret=SECRET, ssl=ssl)
    drained(world)
    assert sorted(statuses(world)) == [0, 200]
    assert len(subscriber.bodies) == 1
    assert not world.portal.webhooks[number].enabled


@pytest.mark.parametrize("found", ["127.0.0.1", "10.1.2.3", "192.168.0.7", "169.254.1.1", "::1"])
def test_a_private_address_deletes_where_refused(
    world: World, subscriber: Receiver, found: str
) -> None:
    """Where private addresses are refused, a webhook that resolves to one is deleted."""
    world.portal.refuse_private_addresses = True
    world.portal.resolve = lambda _: [found]
    drained(world)
    assert (subscriber.bodies, world.portal.webhooks) == ([], {})


def test_the_log_entry_has_status_0_until_the_delivery_has_ended(
    world: World, subscriber: Receiver
) -> None:
    """Until the delivery has ended its log entry has status 0, like one that was never sent."""
    rows: list[tuple[int, bool]] = []

    def look(_: Body) -> int:
        log = world.portal.logs[1]
        rows.append((log.status, '"id":1,' in log.body.partition("payload")[0]))
        return 503

    subscriber.decide = look
    drained(world)
    assert rows == [(0, False)] * 6
    assert world.portal.logs[1].status == 503
    assert '"retryCount":5' in world.portal.logs[1].body


def test_a_batch_of_ten_holds_its_places_through_all_retries(
    world: World, subscriber: Receiver
) -> None:
    """The eleventh delivery waits until all of a batch of ten have ended."""
    world.portal.hold_deliveries()
    subscriber.decide = lambda body: 503 if body["event"]["id"] == 1 else 200
    fid = world.create()
    for _ in range(12):
        world.portal.save(fid, by=world.ann)
    world.portal.release_deliveries()
    assert world.server.drain()
    sent = event_ids(subscriber)
    assert sent.count(1) == 6
    assert set(sent[:15]) == set(range(1, 11))
    assert sorted(sent[15:]) == [11, 12]


def test_a_small_batch_holds_the_queue_as_well(world: World, subscriber: Receiver) -> None:
    """Events published while one delivery is retried wait for its end, also in a small batch."""
    fid = world.create()

    def save_once(body: Body) -> int:
        if len(subscriber.bodies) == 1:
            world.portal.save(fid, by=world.ann)
        return 503 if body["event"]["id"] == 1 else 200

    subscriber.decide = save_once
    drained(world, fid)
    assert event_ids(subscriber) == [1] * 6 + [2]


def test_the_queue_may_be_polled(world: World, subscriber: Receiver) -> None:
    """A polled queue sends what waits at the next poll."""
    world.portal.poll_seconds = 0.05
    fid = world.create()
    for _ in range(2):
        drained(world, fid)
    assert len(subscriber.bodies) == 2


def test_a_stopped_portal_goes_on_where_it_was(endpoint: Receiver) -> None:
    """A delivery between two attempts when the portal stops is in the queue at the next start."""
    called = threading.Event()

    def refuse(_: Body) -> int:
        called.set()
        return 503

    with served() as world:
        subscribe(world, endpoint)
        world.portal.retry_seconds = (600,)
        endpoint.decide = refuse
        world.portal.save(world.create(), by=world.ann)
        assert called.wait(10)
    endpoint.decide = lambda _: 200
    with Server(world.portal) as server:
        assert server.drain()
    assert [one["webhook"].get("retryCount") for one in endpoint.events] == [None, 1]


def test_own_acts_are_published_without_the_right_to_read(
    world: World, subscriber: Receiver
) -> None:
    """An event of the creator's own acts is published without a check of the right to read."""
    fid = world.create()
    world.portal.invite(world.room, world.bot, access=0)
    for person in (world.ann, world.bot):
        world.portal.save(fid, by=person)
    assert world.server.drain()
    assert [one["event"]["createBy"] for one in subscriber.events] == [world.bot.id]


def test_anonymous_saves_are_delivered(world: World, subscriber: Receiver) -> None:
    """For an anonymous save, the author of event and version is the portal's guest."""
    world.portal.forcesave(world.create(), by=world.portal.anonymous)
    assert world.server.drain()
    (event,) = subscriber.events
    guest = "712d9ec3-5d2b-4b13-824f-71f00191dcca"
    assert (event["event"]["createBy"], event["payload"]["modifiedBy"]) == (guest, guest)


@pytest.mark.parametrize(("days", "enabled"), [(2.9, True), (3.1, False)])
def test_disabled_after_three_days_without_success(
    world: World, subscriber: Receiver, days: float, enabled: bool
) -> None:
    """A failure disables a webhook whose last success or creation is over three days old."""
    subscriber.decide = lambda _: 500
    world.clock.advance(days=days)
    drained(world)
    assert world.portal.webhooks[1].enabled is enabled


def test_edits_during_a_delivery_are_reverted(world: World, subscriber: Receiver) -> None:
    """The webhook read before a delivery is written back after it, over what was changed."""
    switch = {"id": 1, "enabled": False}
    subscriber.decide = lambda _: world.full.put("settings/webhook/enable", switch).status
    drained(world)
    assert statuses(world) == [200]
    assert world.portal.webhooks[1].enabled is True


def test_payload_is_read_when_published(world: World, subscriber: Receiver) -> None:
    """The payload shows the file as it was when the event was published."""
    world.portal.hold_deliveries()
    fid = world.create("old.docx")
    world.portal.save(fid, by=world.ann)
    world.portal.rename(fid, "new.docx", by=world.ann)
    world.portal.release_deliveries()
    assert world.server.drain()
    assert sorted(one["payload"]["title"] for one in subscriber.events) == ["new.docx", "old.docx"]


def test_held_deliveries_wait(world: World, subscriber: Receiver) -> None:
    """Held deliveries stay in the queue until they are released."""
    world.portal.hold_deliveries()
    world.portal.save(world.create(), by=world.ann)
    assert not world.server.drain(timeout=0.01)
    world.portal.release_deliveries()
    assert world.server.drain()
    assert len(subscriber.bodies) == 1


@pytest.mark.parametrize(
    ("network", "arrived", "recorded"),
    [(Network(drop=1.0), [], [0]), (Network(duplicate=1.0), [1, 1], [200, 200])],
    ids=["dropped", "duplicated"],
)
def test_a_network_may_lose_or_double_deliveries(
    world: World, subscriber: Receiver, network: Network, arrived: list[int], recorded: list[int]
) -> None:
    """A dropped delivery is never sent and has status 0; a duplicated one has the same event id."""
    world.portal.network = network
    drained(world)
    assert (event_ids(subscriber), statuses(world)) == (arrived, recorded)


def test_reordered_network(world: World, subscriber: Receiver) -> None:
    """A network that reorders delivers everything, in another order."""
    world.portal.network = Network(reorder=True, seed=3)
    world.portal.hold_deliveries()
    fid = world.create()
    for _ in range(30):
        world.portal.save(fid, by=world.ann)
    world.portal.release_deliveries()
    assert world.server.drain()
    assert sorted(event_ids(subscriber)) == list(range(1, 31))
    assert event_ids(subscriber) != list(range(1, 31))


def test_unreachable_receiver(world: World) -> None:
    """A refused connection is status 0, with the reason in the log."""
    with receiver() as gone:
        pass
    subscribe(world, gone)
    world.portal.retry_seconds = ()
    drained(world)
    log = world.full.get("settings/webhooks/log").response[0]
    assert (log["status"], "delivery" in log) == (0, False)
    assert log["responsePayload"].startswith("Connection refused")


@pytest.fixture
def filled_log(world: World, subscriber: Receiver) -> Receiver:
    """Make one failure (log 1) and one success (log 2)."""
    world.portal.retry_seconds = ()
    subscriber.decide = lambda body: 503 if body["event"]["id"] == 1 else 200
    fid = world.create()
    for _ in range(2):
        drained(world, fid)
    return subscriber


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [2, 1]),
        ("groupStatus=29", [1]),
        ("groupStatus=2", [2]),
        ("groupStatus=16", [1]),
        ("eventId=1", [1]),
        ("trigger=512", [2, 1]),
        ("trigger=FileUpdated", [2, 1]),
        ("trigger=256", []),
        ("deliveryFrom=2025-01-01T00:00:00Z", [2]),
        ("deliveryTo=2030-01-01T00:00:00Z", [2]),
        ("count=1", [2]),
        ("configId=9", []),
    ],
)
@pytest.mark.usefixtures("filled_log")
def test_log_filters(world: World, query: str, ids: list[int]) -> None:
    """The log is newest first; date filters never find failures."""
    reply = world.full.get(f"settings/webhooks/log?{query}").json
    assert [one["id"] for one in reply["response"]] == ids
    assert reply["count"] == 1


@pytest.mark.usefixtures("filled_log")
def test_log_belongs_to_the_creator(world: World) -> None:
    """A user sees the log of own webhooks, an administrator of all."""
    assert world.as_user(world.ann).get("settings/webhooks/log").json["total"] == 0
    assert world.as_user(world.admin).get("settings/webhooks/log").json["total"] == 2


def test_manual_retry_has_a_new_id(world: World, filled_log: Receiver) -> None:
    """A manual retry is a new log entry with the same event date and payload."""
    world.clock.advance(3600)
    world.full.put("settings/webhook/1/retry")
    assert world.server.drain()
    first, _, again = filled_log.events
    assert again["event"] == {**first["event"], "id": 3}
    assert again["payload"] == first["payload"]


def test_triggers_by_api(world: World) -> None:
    """The trigger names come with their bits."""
    found = world.full.get("settings/webhook/triggers").response
    bits = {one["name"]: one["id"] for one in found}
    assert (bits["file.updated"], bits["*"]) == (512, 0)
    assert (bits["form.filled.out"], bits["folder.downloaded"]) == (2**29, 2**35)


def test_trashing_is_announced_to_those_who_could_read(world: World, endpoint: Receiver) -> None:
    """file.trashed reaches the webhook of a member, with the trash as the root."""
    subscribe(world, endpoint, triggers=("file.trashed",))
    world.portal.trash(world.create(), by=world.ann)
    assert world.server.drain()
    assert endpoint.events[0]["payload"]["rootFolderType"] == 3


def test_third_party_payload(world: World, endpoint: Receiver) -> None:
    """A third-party file's payload has string ids and its provider."""
    subscribe(world, endpoint)
    drive = world.portal.add_room("Drive", owner=world.bot, third_party=True)
    world.portal.save(world.portal.create(drive, "Plan.docx", by=world.bot), by=world.bot)
    assert world.server.drain()
    payload = endpoint.events[0]["payload"]
    assert (payload["id"][:6], payload["rootId"]) == ("drive-", drive)
    assert payload["providerKey"] == "GoogleDrive"


def test_form_payload(world: World, endpoint: Receiver) -> None:
    """form.submit carries the form and the filled copy."""
    subscribe(world, endpoint, triggers=("form.submit",))
    form = world.create("form.pdf")
    made = world.portal.submit_form(form, by=world.ann)
    assert world.server.drain()
    payload = json.loads(endpoint.bodies[0])["payload"]
    found = (payload["originalForm"]["id"], payload["submittedForm"]["id"])
    assert found == (form, made)
