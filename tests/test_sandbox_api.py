"""Keys, scopes, rights and errors of the API (docspace.md 2, 5, 7)."""

import pytest

from reconciler.sandbox import EntryId
from tests.support_sandbox import NEWEST, Api, World, sample, shape

Json = dict[str, object]


@pytest.mark.parametrize(
    ("fid", "body", "status"),
    [
        (4711, {"version": 1}, 403),
        (1245, {"version": 2}, 403),
        (1245, {"version": 0}, 403),
        (2**31, {"version": 1}, 404),
        ("drive-9-%7Cnone", {"version": 1}, 404),
        (1245, {}, 400),
    ],
)
def test_comment_on_a_missing_file_or_version(
    world: World, fid: EntryId, body: Json, status: int
) -> None:
    """A file or version that is not there is 403, in the sample's words, and no version 400.

    An id that is no int32 goes to the controller of string ids, which says 404.
    """
    assert world.create() == 1245
    reply = world.api.put(f"files/file/{fid}/comment", body | {"comment": "x"})
    assert reply.status == status
    if status == 403:
        assert reply.json == sample("error_403_put_comment_missing_file.http.json")["body"]


def test_comment_on_a_locked_file(world: World) -> None:
    """A file locked by another refuses, with the sample's body; by oneself it does not."""
    fid = world.create()
    world.portal.lock(fid, by=world.admin)
    reply = world.api.comment(fid, 1, "x")
    assert (reply.status, reply.json) == (403, sample("error_403_locked.http.json")["body"])
    world.portal.unlock(fid, by=world.admin)
    world.portal.lock(fid, by=world.bot)
    assert world.api.comment(fid, 1, "x").status == 200


def test_empty_comment_is_stored_as_empty(world: World) -> None:
    """After an empty PUT the comment is "", not absent."""
    fid = world.create()
    world.api.comment(fid, 1, "")
    assert world.api.get(f"files/file/{fid}").response["comment"] == ""


def test_same_comment_publishes_again(world: World) -> None:
    """Writing the same comment is written and published as any other."""
    fid = world.create()
    for _ in range(2):
        world.api.comment(fid, 1, "Need Review")
    assert [one.trigger for one in world.portal.events[1:]] == ["file.updated"] * 2
    assert len(world.portal.comment_writes(fid)) == 2


def test_comment_on_an_old_version(world: World) -> None:
    """A comment for a version that is no longer current goes to that version, silently."""
    fid = world.create()
    world.portal.save(fid, by=world.ann)
    assert world.api.comment(fid, 1, "late").status == 200
    assert [one.comment for one in world.portal.versions(fid)] == ["late", "Edited"]


def test_comment_answer_is_cut(world: World) -> None:
    """The answer is the text cut to 255."""
    fid = world.create()
    assert world.api.comment(fid, 1, "x" * 300).response == "x" * 255


@pytest.mark.parametrize(
    ("access", "allowed"),
    [(9, True), (11, True), (10, False), (5, False), (6, False), (7, False), (2, False)],
)
def test_who_may_comment_in_a_room(world: World, access: int, allowed: bool) -> None:
    """EditHistory is for room managers and content creators, and tells what PUT will say."""
    fid = world.create()
    world.portal.invite(world.room, world.bot, access=access)
    shown = world.api.get(f"files/file/{fid}").response["security"]
    assert shown["EditHistory"] is allowed
    assert (world.api.comment(fid, 1, "x").status == 200) is allowed


def test_room_owner_may_comment(world: World) -> None:
    """A room's owner may, without being a member."""
    fid = world.create()
    assert world.as_user(world.admin).comment(fid, 1, "x").status == 200


def test_admin_outside_reads_but_may_not_comment(world: World) -> None:
    """A DocSpace admin reads every room, but no history; a comment gets the sample's 403."""
    fid = world.create()
    api = world.as_user(world.portal.add_user("Vi Sitor", kind="admin"))
    statuses = [api.get(f"files/file/{fid}{end}").status for end in ("", "/history")]
    assert statuses == [200, 403]
    assert api.comment(fid, 1, "x").json == sample("error_403_put_comment.http.json")["body"]


def test_stranger_may_not_read(world: World) -> None:
    """Somebody who is not in the room gets 403."""
    fid = world.create()
    api = world.as_user(world.portal.add_user("Eve"))
    assert api.get(f"files/file/{fid}").status == 403
    assert api.get(f"files/{world.room}").status == 403


def test_personal_files(world: World) -> None:
    """Own documents may be commented; shared ones with Editing, as SHARE (docspace.md 9)."""
    fid = world.portal.create(world.portal.personal(world.ann), "a.docx", by=world.ann)
    assert world.as_user(world.ann).comment(fid, 1, "x").status == 200
    assert world.api.get(f"files/file/{fid}").status == 403
    world.portal.share(fid, world.bot)
    assert world.api.get(f"files/file/{fid}").response["rootFolderType"] == 6
    assert world.api.comment(fid, 1, "x").status == 200


@pytest.mark.parametrize("private", ["room", "file"])
def test_comments_on_private_files_are_the_owners(world: World, private: str) -> None:
    """On an encrypted file, or in a private room, only the room's owner may set comments."""
    room = world.portal.add_room("P", owner=world.admin, private=private == "room")
    world.portal.invite(room, world.bot)
    fid = world.portal.create(room, "a.docx", by=world.admin)
    world.portal.save(fid, by=world.admin, encrypted=private == "file")
    shown = world.api.get(f"files/file/{fid}").response
    assert (shown["security"]["EditHistory"], shown.get("encrypted")) == (
        False,
        True if private == "file" else None,
    )
    assert world.api.comment(fid, 2, "x").status == 403
    assert world.as_user(world.admin).comment(fid, 2, "x").status == 200


def test_an_anonymous_author_is_shown_as_one(world: World) -> None:
    """isAnonim tells who saved by a link."""
    fid = world.create()
    world.portal.save(fid, by=world.portal.anonymous)
    shown = world.api.get(f"files/file/{fid}").response
    assert (shown["updatedBy"]["isAnonim"], shown["createdBy"]["isAnonim"]) == (True, False)
    assert shown["updatedBy"]["id"] == "712d9ec3-5d2b-4b13-824f-71f00191dcca"


@pytest.mark.parametrize(("place", "section"), [("trash", 3), ("archive", 20)])
def test_no_comment_in_trash_and_archive(world: World, place: str, section: int) -> None:
    """Files in the own trash and in archived rooms can be read, not commented."""
    fid = world.create()
    if place == "trash":
        world.portal.trash(fid, by=world.bot)
    else:
        world.portal.archive_room(world.room)
    shown = world.api.get(f"files/file/{fid}").response
    assert (shown["rootFolderType"], shown["security"]["EditHistory"]) == (section, False)
    assert world.api.comment(fid, 1, "x").status == 403


def test_another_persons_trash_is_closed(world: World) -> None:
    """A file somebody else trashed cannot be read: 403."""
    fid = world.create()
    world.portal.trash(fid, by=world.ann)
    assert world.api.get(f"files/file/{fid}").status == 403


def test_deleted_file_is_404(world: World) -> None:
    """A file that is gone is 404, with the sample's body."""
    reply = world.api.get("files/file/4711")
    assert (reply.status, reply.json) == (404, sample("error_404_get_file.http.json")["body"])


def test_third_party_file(world: World) -> None:
    """A third-party file is read by its string id, shows its provider and refuses comments."""
    drive = world.portal.add_room("Drive", owner=world.bot, third_party=True)
    fid = str(world.portal.create(drive, "Plan.docx", by=world.bot)).replace("|", "%7C")
    shown = world.api.get(f"files/file/{fid}").response
    assert isinstance(shown["id"], str)
    assert (shown["providerItem"], shown["providerKey"]) == (True, "GoogleDrive")
    assert "comment" not in shown
    assert world.api.comment(fid, 1, "x").status == 403


def dead_key(world: World, how: str) -> str | None:
    """Return a key that does not work, or none."""
    key = world.api.key or ""
    if how == "disabled":
        world.portal.disable_key(key)
    expired = world.portal.add_key(world.bot, expires=world.clock())
    return {"unknown": "sk-unknown", "none": None, "expired": expired}.get(how, key)


@pytest.mark.parametrize("how", ["unknown", "none", "expired", "disabled"])
def test_dead_key(world: World, how: str) -> None:
    """A dead key is 401 without a body, but 403 with one on anonymous routes."""
    fid = world.create()
    api = Api(world.server.url, dead_key(world, how))
    for path in ("people/@self", "keys/@self", "files/rooms", "files/@my"):
        assert (api.get(path).status, api.get(path).body) == (401, b"")
    assert api.comment(fid, 1, "x").status == 401
    for path in (f"files/file/{fid}", f"files/{world.room}?{NEWEST}"):
        reply = api.get(path)
        assert reply.status == 403
        assert reply.json["error"]["type"] == "System.InvalidOperationException"


def test_enabled_key_works_again(world: World) -> None:
    """A key that is enabled again is accepted."""
    world.portal.disable_key(world.api.key or "")
    world.portal.enable_key(world.api.key or "")
    assert world.api.get("keys/@self").status == 200


@pytest.mark.parametrize(
    ("permissions", "path", "allowed"),
    [
        (("files:read",), "files/{room}", True),
        (("files:write",), "files/{room}", True),
        (("rooms:read",), "files/{room}", False),
        (("files:read",), "files/rooms", False),
        (("rooms:write",), "files/rooms", True),
        (("files:read",), "people/@self", False),
        (("accounts.self:read",), "people/@self", True),
        (("files:read",), "keys/@self", True),
        (("files:read",), "settings/webhook", False),
        (("*:read",), "settings/webhook", True),
        (("*",), "settings/webhook", True),
        ((), "settings/webhook", True),
        (("*:read",), "files/rooms", True),
    ],
)
def test_scopes(world: World, permissions: tuple[str, ...], path: str, allowed: bool) -> None:
    """Each route needs its own scope."""
    api = world.as_user(world.bot, *permissions)
    reply = api.get(path.format(room=world.room))
    assert reply.status == (200 if allowed else 403)


def test_comment_needs_files_write(world: World) -> None:
    """files:read is not enough to write; the 403 has no body."""
    reply = world.as_user(world.bot, "files:read").comment(world.create(), 1, "x")
    assert (reply.status, reply.body) == (403, b"")


def test_narrow_key_on_anonymous_route(world: World) -> None:
    """A key too narrow gets problem+json where no key would be answered."""
    reply = world.api.get("settings/version/build")
    assert reply.json == sample("error_403_scope_or_status.http.json")["body"]
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert Api(world.server.url, None).get("settings/version/build").status == 200


def test_date_header_is_the_portals_clock(world: World) -> None:
    """Answers are dated by the portal."""
    assert world.api.get("keys/@self").headers["Date"] == "Thu, 20 Nov 2025 09:01:10 GMT"


def test_form_filler_cannot_get_an_unstarted_form(world: World) -> None:
    """In a form filling room a member with FillForms gets 404 for the form itself."""
    room = world.portal.add_room("Forms", owner=world.admin, room_type=1)
    world.portal.invite(room, world.bot, access=7)
    form = world.portal.create(room, "form.pdf", by=world.admin)
    assert world.api.get(f"files/file/{form}").status == 404


def test_guest_has_no_key_and_no_documents(world: World) -> None:
    """Guests cannot create keys."""
    guest = world.portal.add_user("Gus", kind="guest")
    with pytest.raises(ValueError, match="guest"):
        world.portal.add_key(guest)
    with pytest.raises(KeyError):
        world.portal.personal(guest)


def test_journal(world: World) -> None:
    """Requests are noted with route, status, user and file."""
    fid = world.create()
    world.api.comment(fid, 1, "x")
    noted = world.portal.requests[-1]
    assert noted.path == "PUT files/file/{id}/comment"
    assert (noted.status, noted.user_id, noted.file_id) == (200, world.bot.id, fid)
    assert world.portal.count("PUT") == 1
    world.portal.requests.clear()
    assert world.portal.requests == []


def test_person_between_look_and_write(world: World) -> None:
    """on_request runs before the answer, without the lock, so that somebody can act first."""
    fid = world.create()

    def act(method: str, route: str, file_id: object) -> None:
        if route.endswith("comment") and file_id == fid:
            world.portal.comment(fid, "Approved", by=world.ann)

    world.portal.on_request = act
    world.api.comment(fid, 1, "Need Review")
    writes = world.portal.comment_writes(fid)
    assert [one.before for one in writes] == ["Created", "Approved"]


def test_unknown_route(world: World) -> None:
    """A route there is none of is 404."""
    assert world.api.get("files/nothing/here/at/all").status == 404


def test_error_language(world: World) -> None:
    """Error messages are in the language of the key's user."""
    uwe = world.portal.add_user("Uwe", culture="de")
    body = world.as_user(uwe).get("files/file/4711").json
    assert body["error"]["message"] == "Die angefragte Datei wurde nicht gefunden"


def test_model_error_shape(world: World) -> None:
    """A count of 500 gives the sample's body."""
    found = shape(world.api.get(f"files/{world.room}?count=500").json)
    assert found == shape(sample("error_400_count_range.http.json")["body"])
