"""The seeded portal, and a large one."""

from reconciler.sandbox import ManualClock, Portal, Server
from reconciler.sandbox.seed import populate
from tests.support_sandbox import NEWEST, Api, World, served


def test_bot_can_do_its_work() -> None:
    """The seeded bot sees both rooms and may comment on every file in them."""
    portal = Portal(ManualClock())
    seeded = populate(portal)
    with Server(portal) as server:
        api = Api(server.url, seeded.key)
        assert api.get("files/rooms").response["total"] == len(seeded.rooms)
        for fid in seeded.files:
            assert api.comment(fid, 1, "Need Review").status == 200


def test_one_key_of_the_bot_may_administer_webhooks() -> None:
    """One key of the bot may administer webhooks; the other has only the scopes for the work."""
    portal = Portal(ManualClock())
    seeded = populate(portal)
    with Server(portal) as server:
        asked = [
            Api(server.url, key).get("settings/webhook") for key in (seeded.key, seeded.wide_key)
        ]
    assert [answer.status for answer in asked] == [403, 200]


def test_big_portal(world: World) -> None:
    """A portal with twenty thousand files, created without events, can be listed."""
    rooms = [world.portal.add_room(f"Room {n}", owner=world.bot) for n in range(100)]
    for room in rooms:
        for number in range(200):
            world.portal.create(room, f"{number}.docx", by=world.bot, publish=False)
    page = world.api.get(f"files/{rooms[-1]}?{NEWEST}").response
    assert (page["count"], page["total"]) == (100, 200)
    assert world.portal.events == []


def test_server_can_be_entered_again() -> None:
    """A portal can be served again, with its state, after its server has ended."""
    with served() as world:
        fid = world.create()
    with Server(world.portal) as server:
        assert Api(server.url, world.api.key).get(f"files/file/{fid}").status == 200
