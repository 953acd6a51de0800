"""ONLYOFFICE's own SDK reads the sandbox's answers over real HTTP.

Three things about docspace_api_sdk 3.7.0 that are not the sandbox's doing:
- it sends no credentials to routes that also work without (GET file, GET folder content),
  because their operations name no security scheme, so the key goes in as a default header;
- it reads files and folders of a listing as ``FileEntryBaseDto``, which has no id;
- it models dates as an object, and keeps the string the portal sends as its ``utc_time``.
Importing it warns about members named ``copy``.
"""

import importlib
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from reconciler.triggers import TRIGGERS
from tests.support_sandbox import BOT, NEWEST, Receiver, World

SECRET = "Sample-Secret-1!"
_NAMES = {
    "FilesApi": "files.files_api",
    "FoldersApi": "files.folders_api",
    "OperationsApi": "files.operations_api",
    "RoomsApi": "rooms.rooms_api",
    "ApiKeysApi": "api_keys.api_keys_api",
    "ProfilesApi": "people.profiles_api",
    "WebhooksApi": "settings.webhooks_api",
}


def sdk() -> Any:
    """Import the SDK."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return importlib.import_module("docspace_api_sdk")


@pytest.fixture
def api(world: World) -> Iterator[Any]:
    """Return a factory of the SDK's APIs, with a key of the bot's with the usual permissions."""
    package = sdk()
    configuration = package.Configuration(host=world.server.url)
    with package.ApiClient(configuration) as made:
        made.set_default_header("Authorization", f"Bearer {world.api.key}")

        def make(name: str) -> Any:
            module = importlib.import_module(f"docspace_api_sdk.api.{_NAMES[name]}")
            return getattr(module, name)(made)

        yield make
        made.rest_client.pool_manager.clear()


def test_file(world: World, api: Any) -> None:
    """A file is read with its version, comment, rights and date."""
    found = api("FilesApi").get_file_info(world.create()).response
    assert (found.id, found.version, found.comment) == (1245, 1, "Created")
    assert found.security.edit_history is True
    assert found.updated.utc_time == datetime.fromisoformat("2025-11-20T12:01:10+03:00")


def test_locked_file(world: World, api: Any) -> None:
    """A lock of somebody else is read with the name."""
    fid = world.create()
    world.portal.lock(fid, by=world.admin)
    found = api("FilesApi").get_file_info(fid).response
    assert (found.locked, found.locked_by) == (True, "Portal Admin")


def test_folder_content(world: World, api: Any) -> None:
    """A listing is read with its total and its current folder."""
    world.create()
    found = api("FoldersApi").get_folder_by_folder_id(610).response
    assert (found.total, found.count, found.current.id) == (1, 1, 610)
    assert [one.title for one in found.files] == ["Contract.docx"]
    assert world.api.get(f"files/610?{NEWEST}").response["total"] == 1


def test_my_documents(world: World, api: Any) -> None:
    """@my is read."""
    found = api("FoldersApi").get_my_folder().response
    assert found.current.id == world.portal.personal(world.bot)


def test_rooms(world: World, api: Any) -> None:
    """The list of rooms is read."""
    found = api("RoomsApi").get_rooms_folder().response
    assert ([one.title for one in found.folders], found.current.id) == (["Legal"], 2)


def test_key(world: World, api: Any) -> None:
    """The key's own record is read."""
    found = api("ApiKeysApi").get_api_key().response
    assert found.permissions == ["files:read", "files:write", "rooms:read", "accounts.self:read"]
    assert str(found.create_by.id) == BOT


def test_self(world: World, api: Any) -> None:
    """The account is read."""
    found = api("ProfilesApi").get_self_profile().response
    assert (str(found.id), found.is_room_admin) == (BOT, True)


def test_comment(world: World, api: Any) -> None:
    """A comment is written through the SDK and its answer read."""
    fid = world.create()
    body = sdk().UpdateComment(version=1, comment="Need Review")
    found = api("OperationsApi").update_file_comment(fid, body)
    assert found.response == "Need Review"
    assert world.portal.file(fid).comment == "Need Review"


def test_webhooks(world: World, endpoint: Receiver, api: Any) -> None:
    """Webhooks are created, listed, logged, retried and removed through the SDK."""
    key = world.portal.keys[world.api.key or ""]
    world.portal.keys[key.secret] = replace(key, permissions=())
    webhooks = api("WebhooksApi")
    wanted = {"name": "n", "uri": endpoint.url, "secretKey": SECRET, "enabled": True}
    body = sdk().CreateWebhooksConfigRequestsDto.from_dict({**wanted, "triggers": 512})
    number = webhooks.create_webhook(body).response.id
    world.portal.save(world.create(), by=world.ann)
    assert world.server.drain()
    assert webhooks.retry_webhook(1).response.id == 2
    assert world.server.drain()
    assert webhooks.get_tenant_webhooks().response[0].configs.id == number
    assert [one.status for one in webhooks.get_webhooks_logs().response] == [200, 200]
    assert webhooks.get_webhook_triggers().response[0].name == "*"
    assert webhooks.remove_webhook(number).response.id == number


def test_triggers() -> None:
    """Every trigger of the SDK has the bit that it has here; the last five are newer than it."""
    bits = {name.replace(".", ""): bit for name, bit in TRIGGERS.items()}
    theirs = {one.name.lower(): one.value for one in sdk().WebhookTrigger}
    assert theirs.pop("all") == 0
    assert theirs.items() <= bits.items()
    assert len(bits) == len(theirs) + 5
