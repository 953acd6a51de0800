"""What the portal asks of a webhook before it takes it (docspace.md 6)."""

import socket
from typing import Any

import pytest

from tests.test_sandbox_kit import Api, Receiver, Reply, World, receiver, served

SECRET = "Sample-Secret-1!"


def body(hook: Receiver, **changes: object) -> dict[str, object]:
    """Return a body that the portal takes, with changes; None leaves a member out."""
    whole = {"name": "n", "uri": hook.url, "secretKey": SECRET, "enabled": True} | changes
    return {name: value for name, value in whole.items() if value is not None}


def create(world: World, hook: Receiver, **changes: object) -> Reply:
    """Create a webhook."""
    return full(world).send("POST", "settings/webhook", body(hook, **changes))


def full(world: World) -> Api:
    """Return a client that may administer."""
    return world.as_user(world.bot)


def test_a_webhook_is_created(world: World, hook: Receiver) -> None:
    """The secret is never shown."""
    made = create(world, hook, triggers=512)
    assert (made.status, made.response["triggers"], made.response["enabled"]) == (200, 512, True)
    assert SECRET.encode() not in full(world).get("settings/webhook").body


def test_what_is_absent_is_off(world: World, hook: Receiver) -> None:
    """Without `enabled` it is disabled, without `ssl` plain, without triggers for all."""
    made = create(world, hook, enabled=None).response
    assert (made["enabled"], made["ssl"], made["triggers"]) == (False, False, 0)


@pytest.mark.parametrize(
    ("secret", "status"),
    [
        ("Short-1", 400),
        ("Eight-1!", 200),
        ("S" * 30, 200),
        ("S" * 31, 400),
        ("with a blank", 400),
        ("Schlüssel-Ü-1!", 400),
        ("", 400),
        (None, 400),
    ],
)
def test_secrets_have_8_to_30_plain_characters(
    world: World, hook: Receiver, secret: str | None, status: int
) -> None:
    """The portal's password policy judges them."""
    assert create(world, hook, secretKey=secret).status == status


@pytest.mark.parametrize(
    ("name", "status"), [("n" * 50, 200), ("n" * 51, 400), ("", 400), ("  ", 400), (None, 400)]
)
def test_a_name_has_at_most_50_characters(
    world: World, hook: Receiver, name: str | None, status: int
) -> None:
    """It is required."""
    assert create(world, hook, name=name).status == status


def test_name_and_address_are_unique_together(world: World, hook: Receiver) -> None:
    """One of them may be the same."""
    assert create(world, hook).status == 200
    assert create(world, hook).status == 400
    assert create(world, hook, name="other").status == 200
    assert create(world, hook, uri=hook.url + "/other").status == 200


def test_ssl_needs_https(world: World, hook: Receiver) -> None:
    """`ssl: true` with http:// is refused, at creation and at a change."""
    assert create(world, hook, ssl=True).status == 400
    number = create(world, hook).response["id"]
    changed = full(world).put("settings/webhook", body(hook, id=number, ssl=True))
    assert changed.status == 400


@pytest.mark.parametrize(("head", "status"), [(204, 200), (302, 400), (404, 400), (503, 400)])
def test_the_address_must_answer_head_well(
    world: World, hook: Receiver, head: int, status: int
) -> None:
    """Anything but 2xx is refused with 400; redirects are not followed."""
    hook.head = head
    assert create(world, hook).status == status


def test_no_listener_is_500() -> None:
    """A HEAD that is refused is caught nowhere."""
    with receiver() as gone:
        pass
    with served() as world:
        assert create(world, gone).status == 500


def test_no_answer_is_500(world: World) -> None:
    """Nor is one that takes too long."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world.portal.head_timeout = 0.1
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert create(world, Receiver(url)).status == 500


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://127.0.0.1/",
        "no address",
        "https:///path",
        "http://[",
        "http://a:99999/",
        f"http://{'a' * 70}.b/",
    ],
)
def test_an_address_must_be_one(world: World, url: str) -> None:
    """400 for anything else."""
    assert create(world, Receiver(url)).status == 400


@pytest.mark.parametrize("found", [["127.0.0.1"], ["10.0.0.1"], ["93.184.216.34", "192.168.1.1"]])
def test_private_addresses_are_refused_where_told(
    world: World, hook: Receiver, found: list[str]
) -> None:
    """Also when only one of a host's addresses is private."""
    world.portal.refuse_private_addresses = True
    world.portal.resolve = lambda _: found
    assert create(world, hook).status == 400
    world.portal.resolve = lambda _: ["93.184.216.34"]
    assert create(world, hook).status == 200


@pytest.mark.parametrize(
    ("value", "mask"),
    [(2**35, 2**35), (["FormFilledOut", "form.stopped"], 3 << 29), ("AgentDeleted", 2**33)],
)
def test_all_triggers_are_known(world: World, hook: Receiver, value: Any, mask: int) -> None:
    """By bit, by name, by several names."""
    assert create(world, hook, triggers=value).response["triggers"] == mask


def test_a_change_replaces_everything(world: World, hook: Receiver) -> None:
    """What is absent becomes its default; the secret alone is kept."""
    number = create(world, hook, triggers=512, targetId="7").response["id"]
    wanted = {"id": number, "name": "m", "uri": hook.url}
    changed = full(world).put("settings/webhook", wanted).response
    assert (changed["enabled"], changed["ssl"], changed["triggers"]) == (False, False, 0)
    assert (changed["targetId"], changed["name"]) == ("", "m")
    assert world.portal.webhooks[number].secret == SECRET


@pytest.mark.parametrize("missing", ["name", "uri"])
def test_a_change_needs_name_and_address(world: World, hook: Receiver, missing: str) -> None:
    """As a creation does."""
    number = create(world, hook).response["id"]
    wanted = body(hook, id=number, **{missing: None})
    assert full(world).put("settings/webhook", wanted).status == 400


def test_a_change_may_bring_another_secret(world: World, hook: Receiver) -> None:
    """It is judged as the first one was."""
    number = create(world, hook).response["id"]
    for secret, status in (("Another-Secret-2!", 200), ("S" * 31, 400)):
        wanted = body(hook, id=number, secretKey=secret)
        assert full(world).put("settings/webhook", wanted).status == status
    assert world.portal.webhooks[number].secret == "Another-Secret-2!"


def test_switching_on_needs_an_answer_and_off_does_not(world: World, hook: Receiver) -> None:
    """PUT enable asks the address with HEAD."""
    number = create(world, hook).response["id"]
    hook.head = 503
    switch = "settings/webhook/enable"
    off = full(world).put(switch, {"id": number, "enabled": False})
    on = full(world).put(switch, {"id": number, "enabled": True})
    assert (off.status, on.status) == (200, 400)
    assert not world.portal.webhooks[number].enabled


def test_a_webhook_is_deleted(world: World, hook: Receiver) -> None:
    """It is no longer listed."""
    number = create(world, hook).response["id"]
    assert full(world).send("DELETE", f"settings/webhook/{number}").status == 200
    assert full(world).get("settings/webhook").response == []
