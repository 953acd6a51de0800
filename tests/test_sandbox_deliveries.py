"""Webhook deliveries, settings and the log (docspace.md 6)."""

import json
import threading
from typing import Any

import pytest

from reconciler.sandbox import Network, Server
from reconciler.signature import HEADER, matching_secret
from tests.test_sandbox_kit import Receiver, World, receiver, served

SECRET = "Sample-Secret-1!"


def hooked(world: World, hook: Receiver, **options: Any) -> int:
    """Add a webhook of the bot and make retries quick."""
    world.portal.retry_seconds = (0, 0, 0, 0, 0)
    return world.portal.add_webhook(by=world.bot, url=hook.url, secret=SECRET, **options)


def test_signed_delivery(world: World, hook: Receiver) -> None:
    """An event is posted, signed over its raw bytes in upper-case hex."""
    hooked(world, hook)
    world.portal.save(world.create("Vertrag für Ü.docx"), by=world.ann)
    assert world.server.drain()
    header = hook.headers[0][HEADER]
    digest = header.removeprefix("sha256=")
    assert matching_secret(hook.bodies[0], header, [SECRET]) == 0
    assert digest == digest.upper()
    assert b"f\\u00FCr \\u00DC" in hook.bodies[0]
    assert "version" not in hook.events[0]["payload"]


def test_only_wanted_triggers(world: World, hook: Receiver) -> None:
    """A webhook hears of its triggers only; with none named of all."""
    hooked(world, hook)
    fid = world.create()
    world.portal.save(fid, by=world.ann)
    hooked(world, hook, triggers=())
    world.portal.upload(world.room, "Contract.docx", by=world.ann)
    assert world.server.drain()
    heard = [(one["webhook"]["id"], one["event"]["trigger"]) for one in hook.events]
    assert sorted(heard) == [(1, "file.updated"), (2, "file.uploaded")]


def test_only_files_the_creator_can_read(world: World, hook: Receiver) -> None:
    """No event of a file that the webhook's creator cannot read."""
    hooked(world, hook)
    hidden = world.portal.add_room("Hidden", owner=world.admin)
    world.portal.save(world.portal.create(hidden, "a.docx", by=world.admin), by=world.admin)
    assert world.server.drain()
    assert hook.bodies == []


def test_target_and_switch(world: World, hook: Receiver) -> None:
    """A targetId limits a webhook to one file; a disabled one hears nothing."""
    first, second = world.create("a.docx"), world.create("b.docx")
    hooked(world, hook, target_id=str(second))
    hooked(world, hook, enabled=False)
    for fid in (first, second):
        world.portal.save(fid, by=world.ann)
    assert world.server.drain()
    assert [one["payload"]["id"] for one in hook.events] == [second]


def test_retries_keep_the_event_id(world: World, hook: Receiver) -> None:
    """Failures are retried five times: same event id, another body, signed anew."""
    hooked(world, hook)
    hook.decide = lambda _: 503
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    ids = {one["event"]["id"] for one in hook.events}
    counts = [one["webhook"].get("retryCount") for one in hook.events]
    signed = {headers[HEADER] for headers in hook.headers}
    assert (len(ids), counts) == (1, [None, 1, 2, 3, 4, 5])
    assert len(signed) == 6
    assert [one.status for one in world.portal.deliveries] == [503] * 6


def test_retry_that_succeeds(world: World, hook: Receiver) -> None:
    """The first 2xx ends the retries."""
    hooked(world, hook)
    hook.decide = lambda body: 200 if body["webhook"].get("retryCount") == 2 else 500
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert [one.status for one in world.portal.deliveries] == [500, 500, 200]


def test_redirects_are_failures(world: World, hook: Receiver) -> None:
    """A redirect is not followed."""
    hooked(world, hook)
    hook.decide = lambda body: 302 if "retryCount" not in body["webhook"] else 204
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert [one.status for one in world.portal.deliveries] == [302, 204]


def test_six_410_delete_the_webhook(world: World, hook: Receiver) -> None:
    """Gone means gone after the last retry: the webhook and its log disappear."""
    hooked(world, hook)
    hook.decide = lambda _: 410
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    full = world.as_user(world.bot)
    assert len(hook.bodies) == 6
    assert world.portal.webhooks == {}
    assert full.get("settings/webhooks/log").json["total"] == 0


@pytest.mark.parametrize("gone", [1, 3, 5])
def test_fewer_410_do_not(world: World, hook: Receiver, gone: int) -> None:
    """A receiver that comes to its senses keeps its webhook."""
    number = hooked(world, hook)
    hook.decide = lambda _: 410 if len(hook.bodies) <= gone else 200
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert world.portal.webhooks[number].enabled
    assert [one.status for one in world.portal.deliveries] == [410] * gone + [200]


def test_a_timeout_never_disables(world: World, hook: Receiver) -> None:
    """However long ago the last success is; the log has status 500."""
    number = hooked(world, hook)
    world.portal.retry_seconds, world.portal.delivery_timeout = (), 0.1
    wake = threading.Event()

    def hang(_: dict[str, Any]) -> int:
        wake.wait(10)
        return 200

    hook.decide = hang
    world.clock.advance(days=30)
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    wake.set()
    assert world.portal.logs[1].status == 500
    assert world.portal.webhooks[number].last_failure is not None
    assert world.portal.webhooks[number].enabled


def nowhere(host: str) -> list[str]:
    """Know no host."""
    raise OSError(host)


def test_a_host_without_address_disables_at_once(world: World, hook: Receiver) -> None:
    """Nothing is sent, and nothing tried again."""
    number = hooked(world, hook)
    world.portal.resolve = nowhere
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert (hook.bodies, len(world.portal.deliveries)) == ([], 1)
    assert not world.portal.webhooks[number].enabled


@pytest.mark.parametrize("url", ["http://[", "http://127.0.0.1:99999/", "nothing"])
def test_an_address_that_is_none_harms_no_other(world: World, hook: Receiver, url: str) -> None:
    """The webhook is disabled, and the others are delivered to."""
    number = world.portal.add_webhook(by=world.bot, url=url, secret=SECRET)
    hooked(world, hook)
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert len(hook.bodies) == 1
    assert not world.portal.webhooks[number].enabled


def test_http_with_ssl_disables_at_once(world: World, hook: Receiver) -> None:
    """An address without TLS that must have it gets nothing."""
    number = hooked(world, hook, ssl=True)
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert hook.bodies == []
    assert not world.portal.webhooks[number].enabled


@pytest.mark.parametrize("found", ["127.0.0.1", "10.1.2.3", "192.168.0.7", "169.254.1.1", "::1"])
def test_a_private_address_deletes_where_refused(world: World, hook: Receiver, found: str) -> None:
    """It is told by what the host resolves to, when it is sent."""
    hooked(world, hook)
    world.portal.refuse_private_addresses = True
    world.portal.resolve = lambda _: [found]
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert (hook.bodies, world.portal.webhooks) == ([], {})


def test_what_is_under_way_has_status_0_in_the_log(world: World, hook: Receiver) -> None:
    """Until the delivery has ended, its row is one that was never sent."""
    hooked(world, hook)
    rows: list[tuple[int, bool]] = []

    def look(_: dict[str, Any]) -> int:
        log = world.portal.logs[1]
        rows.append((log.status, '"id":1,' in log.body.partition("payload")[0]))
        return 503

    hook.decide = look
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert rows == [(0, False)] * 6
    assert world.portal.logs[1].status == 503
    assert '"retryCount":5' in world.portal.logs[1].body


def test_a_batch_of_ten_holds_its_places_through_all_retries(world: World, hook: Receiver) -> None:
    """The eleventh delivery waits until all ten have ended, though nine did long ago."""
    hooked(world, hook)
    world.portal.hold_deliveries()
    hook.decide = lambda body: 503 if body["event"]["id"] == 1 else 200
    fid = world.create()
    for _ in range(12):
        world.portal.save(fid, by=world.ann)
    world.portal.release_deliveries()
    assert world.server.drain()
    sent = [one["event"]["id"] for one in hook.events]
    assert sent.count(1) == 6
    assert set(sent[:15]) == set(range(1, 11))
    assert sorted(sent[15:]) == [11, 12]


def test_a_small_batch_holds_the_queue_as_well(world: World, hook: Receiver) -> None:
    """What is published while one delivery is tried again waits for its end."""
    hooked(world, hook)
    fid = world.create()

    def save_once(body: dict[str, Any]) -> int:
        if len(hook.bodies) == 1:
            world.portal.save(fid, by=world.ann)
        return 503 if body["event"]["id"] == 1 else 200

    hook.decide = save_once
    world.portal.save(fid, by=world.ann)
    assert world.server.drain()
    assert [one["event"]["id"] for one in hook.events] == [1] * 6 + [2]


def test_the_queue_may_be_polled() -> None:
    """What waits is found at the next look."""
    with served(poll_seconds=0.1) as world, receiver() as hook:
        hooked(world, hook)
        fid = world.create()
        for _ in range(2):
            world.portal.save(fid, by=world.ann)
            assert world.server.drain()
        assert len(hook.bodies) == 2


def test_a_stopped_portal_goes_on_where_it_was() -> None:
    """A delivery between two attempts is in the queue of the next start."""
    with receiver() as hook:
        with served() as world:
            hooked(world, hook)
            world.portal.retry_seconds = (600,)
            called = threading.Event()

            def refuse(_: dict[str, Any]) -> int:
                called.set()
                return 503

            hook.decide = refuse
            world.portal.save(world.create(), by=world.ann)
            assert called.wait(10)
        hook.decide = lambda _: 200
        with Server(world.portal) as server:
            assert server.drain()
        assert [one["webhook"].get("retryCount") for one in hook.events] == [None, 1]


def test_own_acts_are_heard_without_the_right_to_read(world: World, hook: Receiver) -> None:
    """The creator's right to read is asked for what others do only."""
    hooked(world, hook)
    fid = world.create()
    world.portal.invite(world.room, world.bot, access=0)
    world.portal.save(fid, by=world.ann)
    world.portal.save(fid, by=world.bot)
    assert world.server.drain()
    assert [one["event"]["createBy"] for one in hook.events] == [world.bot.id]


def test_anonymous_saves_are_delivered(world: World, hook: Receiver) -> None:
    """Author of event and version is the portal's guest."""
    hooked(world, hook)
    world.portal.forcesave(world.create(), by=world.portal.anonymous)
    assert world.server.drain()
    (event,) = hook.events
    guest = "712d9ec3-5d2b-4b13-824f-71f00191dcca"
    assert (event["event"]["createBy"], event["payload"]["modifiedBy"]) == (guest, guest)


@pytest.mark.parametrize(("days", "enabled"), [(2.9, True), (3.1, False)])
def test_disabled_after_three_days_without_success(
    world: World, hook: Receiver, days: float, enabled: bool
) -> None:
    """A failure disables a webhook whose last success or creation is over three days old."""
    number = hooked(world, hook)
    hook.decide = lambda _: 500
    world.clock.advance(days=days)
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert world.portal.webhooks[number].enabled is enabled


def test_edits_during_a_delivery_are_reverted(world: World, hook: Receiver) -> None:
    """The webhook read before a delivery is written back after it, over what was changed."""
    number = hooked(world, hook)

    def disable(body: dict[str, Any]) -> int:
        full.put("settings/webhook/enable", {"id": number, "enabled": False})
        return 200

    full = world.as_user(world.bot)
    hook.decide = disable
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert world.portal.webhooks[number].enabled is True


def test_payload_is_read_when_published(world: World, hook: Receiver) -> None:
    """The payload shows the file as it was when the event was published."""
    hooked(world, hook)
    world.portal.hold_deliveries()
    fid = world.create("old.docx")
    world.portal.save(fid, by=world.ann)
    world.portal.rename(fid, "new.docx", by=world.ann)
    world.portal.release_deliveries()
    assert world.server.drain()
    assert sorted(one["payload"]["title"] for one in hook.events) == ["new.docx", "old.docx"]


def test_held_deliveries_wait(world: World, hook: Receiver) -> None:
    """Held deliveries stay in the queue until they are released."""
    hooked(world, hook)
    world.portal.hold_deliveries()
    world.portal.save(world.create(), by=world.ann)
    assert not world.server.drain(timeout=0.01)
    world.portal.release_deliveries()
    assert world.server.drain()
    assert len(hook.bodies) == 1


def test_dropped_deliveries_are_never_sent(world: World, hook: Receiver) -> None:
    """A network that drops everything delivers nothing; the log has status 0."""
    hooked(world, hook)
    world.portal.network = Network(drop=1.0)
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert hook.bodies == []
    assert [one.status for one in world.portal.deliveries] == [0]


def test_duplicated_deliveries_arrive_twice(world: World, hook: Receiver) -> None:
    """A duplicated delivery has the same event id."""
    hooked(world, hook)
    world.portal.network = Network(duplicate=1.0)
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert [one["event"]["id"] for one in hook.events] == [1, 1]


def test_unreachable_receiver(world: World) -> None:
    """A refused connection is status 0, with the reason in the log."""
    with receiver() as gone:
        pass
    world.portal.retry_seconds = ()
    world.portal.add_webhook(by=world.bot, url=gone.url, secret=SECRET)
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    log = world.as_user(world.bot).get("settings/webhooks/log").response[0]
    assert (log["status"], "delivery" in log) == (0, False)
    assert log["responsePayload"].startswith("Connection refused")


def filled_log(world: World, hook: Receiver) -> None:
    """Make one failure (log 1) and one success (log 2)."""
    hooked(world, hook)
    world.portal.retry_seconds = ()
    hook.decide = lambda body: 503 if body["event"]["id"] == 1 else 200
    fid = world.create()
    for _ in range(2):
        world.portal.save(fid, by=world.ann)
        assert world.server.drain()


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
def test_log_filters(world: World, hook: Receiver, query: str, ids: list[int]) -> None:
    """The log is newest first; date filters never find failures."""
    filled_log(world, hook)
    reply = world.as_user(world.bot).get(f"settings/webhooks/log?{query}").json
    assert [one["id"] for one in reply["response"]] == ids
    assert reply["count"] == 1


def test_log_belongs_to_the_creator(world: World, hook: Receiver) -> None:
    """Users see the log of their own webhooks, admins of all."""
    filled_log(world, hook)
    assert world.as_user(world.ann).get("settings/webhooks/log").json["total"] == 0
    assert world.as_user(world.admin).get("settings/webhooks/log").json["total"] == 2


def test_manual_retry_has_a_new_id(world: World, hook: Receiver) -> None:
    """A manual retry is a new log entry with the same event date and payload."""
    filled_log(world, hook)
    world.clock.advance(3600)
    world.as_user(world.bot).put("settings/webhook/1/retry")
    assert world.server.drain()
    first, _, again = hook.events
    assert again["event"] == {**first["event"], "id": 3}
    assert again["payload"] == first["payload"]


def test_triggers_by_api(world: World) -> None:
    """The trigger names come with their bits."""
    found = world.as_user(world.bot).get("settings/webhook/triggers").response
    bits = {one["name"]: one["id"] for one in found}
    assert (bits["file.updated"], bits["*"]) == (512, 0)
    assert (bits["form.filled.out"], bits["folder.downloaded"]) == (2**29, 2**35)


def test_trashing_is_announced_to_those_who_could_read(world: World, hook: Receiver) -> None:
    """file.trashed reaches the webhook of a member, with the trash as the root."""
    hooked(world, hook, triggers=("file.trashed",))
    world.portal.trash(world.create(), by=world.ann)
    assert world.server.drain()
    assert hook.events[0]["payload"]["rootFolderType"] == 3


def test_third_party_payload(world: World, hook: Receiver) -> None:
    """A third-party file's payload has string ids and its provider."""
    hooked(world, hook)
    drive = world.portal.add_room("Drive", owner=world.bot, third_party=True)
    world.portal.save(world.portal.create(drive, "Plan.docx", by=world.bot), by=world.bot)
    assert world.server.drain()
    payload = hook.events[0]["payload"]
    assert (payload["id"][:6], payload["rootId"]) == ("drive-", drive)
    assert payload["providerKey"] == "GoogleDrive"


def test_form_payload(world: World, hook: Receiver) -> None:
    """form.submit carries the form and the filled copy."""
    hooked(world, hook, triggers=("form.submit",))
    form = world.create("form.pdf")
    made = world.portal.submit_form(form, by=world.ann)
    assert world.server.drain()
    payload = json.loads(hook.bodies[0])["payload"]
    found = (payload["originalForm"]["id"], payload["submittedForm"]["id"])
    assert found == (form, made)


def test_reordered_network(world: World, hook: Receiver) -> None:
    """A network that reorders delivers everything, in another order."""
    hooked(world, hook)
    world.portal.network = Network(reorder=True, seed=3)
    world.portal.hold_deliveries()
    fid = world.create()
    for _ in range(30):
        world.portal.save(fid, by=world.ann)
    world.portal.release_deliveries()
    assert world.server.drain()
    ids = [one["event"]["id"] for one in hook.events]
    assert sorted(ids) == list(range(1, 31))
    assert ids != sorted(ids)
