"""The portal's checks of a webhook at its registration (docspace.md 6)."""

import socket
from typing import Any

import pytest

from tests.support_sandbox import Receiver, Reply, World, receiver, served

SECRET = "Sample-Secret-1!"


def body(endpoint: Receiver, **changes: object) -> dict[str, object]:
    """Return a valid body with changes; None omits a member."""
    whole = {
        "name": "n",
        "uri": endpoint.url,
        "secretKey": SECRET,
        "enabled": True,
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def create(world: World, endpoint: Receiver, **changes: object) -> Reply:
    """Create a webhook."""
    return world.full.send("POST", "settings/webhook", body(endpoint, **changes))


def test_a_webhook_is_created(world: World, endpoint: Receiver) -> None:
    """A created webhook never shows its secret."""
    made = create(world, endpoint, triggers=512)
    assert (made.status, made.response["triggers"], made.response["enabled"]) == (200, 512, True)
    assert SECRET.encode() not in world.full.get("settings/webhook").body


def test_what_is_absent_is_off(world: World, endpoint: Receiver) -> None:
    """Without `enabled` a webhook is disabled, without `ssl` plain, without triggers for all."""
    made = create(world, endpoint, enabled=None).response
    assert (made["enabled"], made["ssl"], made["triggers"]) == (False, False, 0)


TAKEN = [("secretKey", "Eight-1!"), ("secretKey", "S" * 30), ("name", "n" * 50)]
REFUSED = [
    *(
        ("secretKey", one)
        for one in ("Short-1", "S" * 31, "with a blank", "Schlüssel-Ü-1!", "", None)
    ),
    *(("name", one) for one in ("n" * 51, "", "  ", None)),
    *(("uri", one) for one in ("", "ftp://127.0.0.1/", "no address", "https:///path", "http://[")),
    *(("uri", one) for one in ("http://a:99999/", f"http://{'a' * 70}.b/", None)),
    ("ssl", True),
]


@pytest.mark.parametrize(
    ("member", "value", "status"),
    [*((*one, 200) for one in TAKEN), *((*one, 400) for one in REFUSED)],
)
def test_what_a_webhook_must_be(
    world: World, endpoint: Receiver, member: str, value: object, status: int
) -> None:
    """A webhook needs a valid secret, a name of at most 50, an address, and TLS for ssl."""
    assert create(world, endpoint, **{member: value}).status == status


def test_name_and_address_are_unique_together(world: World, endpoint: Receiver) -> None:
    """Name and address must be unique together; one of them may be repeated."""
    assert create(world, endpoint).status == 200
    assert create(world, endpoint).status == 400
    assert create(world, endpoint, name="other").status == 200
    assert create(world, endpoint, uri=endpoint.url + "/other").status == 200


@pytest.mark.parametrize(("head", "status"), [(204, 200), (302, 400), (404, 400), (503, 400)])
def test_the_address_must_answer_head_well(
    world: World, endpoint: Receiver, head: int, status: int
) -> None:
    """An answer to HEAD other than 2xx is refused with 400, and redirects are not followed."""
    endpoint.head = head
    assert create(world, endpoint).status == status


def test_no_listener_is_500() -> None:
    """A refused connection of HEAD is answered 500."""
    with receiver() as gone:
        pass
    with served() as world:
        assert create(world, gone).status == 500


def test_no_answer_is_500(world: World) -> None:
    """A HEAD without an answer in time is answered 500."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world.portal.head_timeout = 0.1
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert create(world, Receiver(url)).status == 500


@pytest.mark.parametrize("found", [["127.0.0.1"], ["10.0.0.1"], ["93.184.216.34", "192.168.1.1"]])
def test_private_addresses_are_refused_where_told(
    world: World, endpoint: Receiver, found: list[str]
) -> None:
    """Where private addresses are refused, one private address of a host is enough."""
    world.portal.refuse_private_addresses = True
    world.portal.resolve = lambda _: found
    assert create(world, endpoint).status == 400
    world.portal.resolve = lambda _: ["93.184.216.34"]
    assert create(world, endpoint).status == 200


@pytest.mark.parametrize(
    ("value", "mask"),
    [(2**35, 2**35), (["FormFilledOut", "form.stopped"], 3 << 29), ("AgentDeleted", 2**33)],
)
def test_all_triggers_are_known(world: World, endpoint: Receiver, value: Any, mask: int) -> None:
    """Triggers are accepted by bit, by name, and by several names."""
    assert create(world, endpoint, triggers=value).response["triggers"] == mask


def test_a_change_replaces_everything(world: World, endpoint: Receiver) -> None:
    """A change sets absent members to their defaults, except the secret."""
    number = create(world, endpoint, triggers=512, targetId="7").response["id"]
    wanted = {"id": number, "name": "m", "uri": endpoint.url}
    changed = world.full.put("settings/webhook", wanted).response
    assert (changed["enabled"], changed["ssl"], changed["triggers"]) == (False, False, 0)
    assert (changed["targetId"], changed["name"]) == ("", "m")
    assert world.portal.webhooks[number].secret == SECRET


@pytest.mark.parametrize("change", [{"name": None}, {"uri": None}, {"ssl": True}], ids=str)
def test_a_change_is_checked_as_a_creation(
    world: World, endpoint: Receiver, change: dict[str, object]
) -> None:
    """A change needs name and address, and TLS for ssl, like a creation."""
    wanted = body(endpoint, id=create(world, endpoint).response["id"], **change)
    assert world.full.put("settings/webhook", wanted).status == 400


def test_a_change_may_bring_another_secret(world: World, endpoint: Receiver) -> None:
    """A new secret in a change must meet the same rules."""
    number = create(world, endpoint).response["id"]
    for secret, status in (("Another-Secret-2!", 200), ("S" * 31, 400)):
        wanted = body(endpoint, id=number, secretKey=secret)
        assert world.full.put("settings/webhook", wanted).status == status
    assert world.portal.webhooks[number].secret == "Another-Secret-2!"


def test_switching_on_needs_an_answer_and_off_does_not(world: World, endpoint: Receiver) -> None:
    """Enabling a webhook sends HEAD to its address; disabling does not."""
    number = create(world, endpoint).response["id"]
    endpoint.head = 503
    switch = "settings/webhook/enable"
    off = world.full.put(switch, {"id": number, "enabled": False})
    on = world.full.put(switch, {"id": number, "enabled": True})
    assert (off.status, on.status) == (200, 400)
    assert not world.portal.webhooks[number].enabled


def test_a_webhook_is_deleted(world: World, endpoint: Receiver) -> None:
    """A deleted webhook is no longer listed."""
    number = create(world, endpoint).response["id"]
    assert world.full.send("DELETE", f"settings/webhook/{number}").status == 200
    assert world.full.get("settings/webhook").response == []
