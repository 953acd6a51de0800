"""Listings: recursion, order, pages, pinned rooms and traps (docspace.md 1)."""

import pytest

from reconciler.sandbox.values import EntryId
from tests.support_sandbox import NEWEST, World


def ids(world: World, path: str) -> list[EntryId]:
    """Return the ids of the files a listing shows."""
    return [one["id"] for one in world.api.get(path).response["files"]]


def many(world: World, count: int) -> list[EntryId]:
    """Make files a second apart, oldest first."""
    made = []
    for number in range(count):
        world.clock.advance(1)
        made.append(world.create(f"{number:04}.docx"))
    return made


def test_filter_type_makes_it_recurse(world: World) -> None:
    """withSubFolders alone lists one level; with FilesOnly the whole subtree."""
    top = world.create()
    sub = world.portal.add_folder(world.room, "Drafts", by=world.ann)
    deep = world.portal.create(sub, "deep.docx", by=world.ann)
    assert ids(world, f"files/{world.room}?withSubFolders=true") == [top]
    assert set(ids(world, f"files/{world.room}?{NEWEST}")) == {top, deep}
    assert ids(world, f"files/{world.room}?filterType=1&withSubFolders=false") == [top]


def test_subfolders_are_the_default(world: World) -> None:
    """Without withSubFolders the listing recurses when a filter is given."""
    sub = world.portal.add_folder(world.room, "Drafts", by=world.ann)
    deep = world.portal.create(sub, "deep.docx", by=world.ann)
    assert ids(world, f"files/{world.room}?filterType=filesonly") == [deep]


def test_files_only_leaves_folders_out(world: World) -> None:
    """FilesOnly drops folders; applyFilterOption=Files does not."""
    world.portal.add_folder(world.room, "Drafts", by=world.ann)
    only = world.api.get(f"files/{world.room}?filterType=FilesOnly").response
    option = world.api.get(f"files/{world.room}?applyFilterOption=Files").response
    assert (only["folders"], only["total"]) == ([], 0)
    assert len(option["folders"]) == 1


def test_order_is_ascending_unless_told(world: World) -> None:
    """sortBy without sortOrder is ascending: oldest first."""
    made = many(world, 3)
    assert ids(world, f"files/{world.room}?sortBy=DateAndTime") == made
    assert ids(world, f"files/{world.room}?{NEWEST}") == made[::-1]


def test_sort_becomes_the_users_default(world: World) -> None:
    """A sort is remembered and used by the next request that names none."""
    many(world, 3)
    by_title = ids(world, f"files/{world.room}?sortBy=AZ&sortOrder=ascending")
    assert ids(world, f"files/{world.room}") == by_title


def test_pages_and_total(world: World) -> None:
    """startIndex and count cut pages; total is exact on each of them."""
    made = many(world, 25)
    first = world.api.get(f"files/{world.room}?{NEWEST}&count=10").response
    last = world.api.get(f"files/{world.room}?{NEWEST}&count=10&startIndex=20").response
    assert (first["count"], first["total"]) == (10, 25)
    assert [one["id"] for one in last["files"]] == made[4::-1]


@pytest.mark.parametrize(("step", "stable"), [(1, False), (0, True)])
def test_ties_change_places_between_requests(world: World, step: int, stable: bool) -> None:
    """Files of the same second come in another order at each request, so a page may miss one.

    With ``tie_step`` 0 the pages fit together.
    """
    world.portal.tie_step = step
    made = [world.create(f"{number}.docx") for number in range(10)]
    pages = [ids(world, f"files/{world.room}?{NEWEST}&count=5&startIndex={n}") for n in (0, 5)]
    assert (set(pages[0] + pages[1]) == set(made)) is stable
    assert set(ids(world, f"files/{world.room}?{NEWEST}")) == set(made)


def test_converting_files_are_left_out(world: World) -> None:
    """A file being converted is missing from its page and from that page's total."""
    made = many(world, 3)
    world.portal.start_converting(made[1])
    page = world.api.get(f"files/{world.room}?{NEWEST}").response
    assert (page["count"], page["total"]) == (2, 2)
    other = world.api.get(f"files/{world.room}?{NEWEST}&count=1").response
    assert (other["count"], other["total"]) == (1, 3)


def test_indexed_room_ignores_the_sort(world: World) -> None:
    """A room with automatic indexing lists by its own order."""
    room = world.portal.add_room("VDR", owner=world.bot, indexing=True, room_type=8)
    made = [world.portal.create(room, f"{n}.docx", by=world.bot) for n in range(3)]
    world.clock.advance(60)
    world.portal.save(made[1], by=world.bot)
    assert ids(world, f"files/{room}?{NEWEST}") == made


def test_ai_room_shows_no_files(world: World) -> None:
    """An AI room's root lists no files without a search area of its own."""
    room = world.portal.add_room("AI", owner=world.bot, room_type=9)
    made = world.portal.create(room, "a.docx", by=world.bot)
    assert ids(world, f"files/{room}?{NEWEST}") == []
    assert ids(world, f"files/{room}?{NEWEST}&searchArea=Knowledge") == [made]


def test_rooms_root_without_filter_loads_everything(world: World) -> None:
    """For an administrator the rooms root lists rooms, folders, then every file once."""
    world.api = world.as_user(world.admin)
    sub = world.portal.add_folder(world.room, "Drafts", by=world.ann)
    made = world.portal.create(sub, "deep.docx", by=world.ann)
    page = world.api.get("files/2").response
    assert [one["id"] for one in page["folders"]] == [2, world.room, sub]
    assert [one["id"] for one in page["files"]] == [made]
    rooms = world.api.get("files/2?withSubFolders=false").response
    assert [one["id"] for one in rooms["folders"]] == [world.room]


def test_rooms_root_repeats_files_for_others(world: World) -> None:
    """For a member the rooms root lists a file once per folder above it."""
    sub = world.portal.add_folder(world.room, "Drafts", by=world.ann)
    made = world.portal.create(sub, "deep.docx", by=world.ann)
    assert ids(world, "files/2") == [made, made]


def test_count_out_of_range(world: World) -> None:
    """A count beyond 1 to 100 is a model error, a negative startIndex an error body."""
    for count in (0, 101):
        reply = world.api.get(f"files/{world.room}?count={count}")
        assert (reply.status, reply.response["errors"].keys()) == (400, {"Count"})
    reply = world.api.get(f"files/{world.room}?startIndex=-1")
    assert reply.json["error"]["type"] == "System.ArgumentOutOfRangeException"


def test_pinned_rooms_come_first(world: World) -> None:
    """A room pinned by the key's user leads the list whatever its date."""
    world.clock.advance(60)
    newer = world.portal.add_room("Newer", owner=world.bot)
    world.portal.create(newer, "a.docx", by=world.bot)
    world.portal.pin(world.room, world.bot)
    path = "files/rooms?sortBy=DateAndTime&sortOrder=descending"
    found = world.api.get(path).response["folders"]
    assert [one["id"] for one in found] == [world.room, newer]
    assert [one["pinned"] for one in found] == [True, False]


def test_room_filters(world: World) -> None:
    """storageFilter and searchArea select rooms; the archive has its own root."""
    drive = world.portal.add_room("Drive", owner=world.bot, third_party=True)
    old = world.portal.add_room("Old", owner=world.bot)
    world.portal.archive_room(old)

    def rooms(query: str) -> list[EntryId]:
        return [one["id"] for one in world.api.get(f"files/rooms?{query}").response["folders"]]

    assert rooms("storageFilter=Internal") == [world.room]
    assert rooms("storageFilter=ThirdParty") == [drive]
    assert rooms("searchArea=Archive") == [old]


def roots(world: World, path: str) -> dict[EntryId, int]:
    """Return the rooms of a list with their rootFolderType."""
    found = world.api.get(path).response["folders"]
    return {one["id"]: one["rootFolderType"] for one in found}


def furnished(world: World) -> tuple[EntryId, EntryId, EntryId]:
    """Add a form room, an archived room and a template; return them."""
    form = world.portal.add_room("Forms", owner=world.bot, room_type=1)
    old = world.portal.add_room("Old", owner=world.bot)
    template = world.portal.add_room("Template", owner=world.bot, template=True)
    world.portal.archive_room(old)
    return form, old, template


@pytest.mark.parametrize("apart", [False, True])
def test_any_area_brings_form_rooms_and_the_archive(world: World, apart: bool) -> None:
    """searchArea=Any lists form rooms and the archive, recognised by its root."""
    form, old, _ = furnished(world)
    world.portal.form_rooms_apart = apart
    found = roots(world, "files/rooms?searchArea=Any")
    assert found == {world.room: 14, form: 14, old: 20}


def test_any_area_has_the_rooms_root_as_current(world: World) -> None:
    """With searchArea=Any the current folder also has the date of the last save in a room."""
    found = world.api.get("files/rooms?searchArea=Any&count=1").response
    assert (found["current"]["id"], len(found["folders"]), found["total"]) == (2, 1, 1)


@pytest.mark.parametrize(("area", "root"), [("Archive", 20), ("Templates", 30)])
def test_archive_and_templates_are_areas_of_their_own(world: World, area: str, root: int) -> None:
    """The areas of the archive and of templates list only their own rooms."""
    _, old, template = furnished(world)
    found = roots(world, f"files/rooms?searchArea={area}")
    assert found == {{20: old, 30: template}[root]: root}


def test_form_rooms_may_be_listed_apart(world: World) -> None:
    """With form rooms listed separately, the list of active rooms omits them."""
    form, _, _ = furnished(world)
    assert roots(world, "files/rooms") == {world.room: 14, form: 14}
    world.portal.form_rooms_apart = True
    assert roots(world, "files/rooms") == {world.room: 14}
    assert roots(world, "files/rooms?searchArea=Active") == {world.room: 14}


def test_files_of_templates_take_no_comment(world: World) -> None:
    """Files of templates can be read, not commented."""
    _, _, template = furnished(world)
    fid = world.portal.create(template, "a.docx", by=world.bot)
    assert world.api.get(f"files/file/{fid}").response["rootFolderType"] == 30
    assert world.api.comment(fid, 1, "x").status == 403


def test_others_see_their_rooms_only(world: World) -> None:
    """A member sees own and joined rooms, an administrator all."""
    hidden = world.portal.add_room("Hidden", owner=world.admin)
    mine = [one["id"] for one in world.api.get("files/rooms").response["folders"]]
    everything = world.as_user(world.admin).get("files/rooms").response["folders"]
    assert mine == [world.room]
    assert {one["id"] for one in everything} == {world.room, hidden}


def test_current_of_rooms_tells_the_last_save(world: World) -> None:
    """response.current of the room list carries the date of the last save in any room."""
    fid = world.create()
    world.clock.advance(3600)
    world.portal.save(fid, by=world.ann)
    current = world.api.get("files/rooms?count=1").response["current"]
    assert current["updated"] == "2025-11-20T13:01:10.0000000+03:00"


def test_my_documents(world: World) -> None:
    """@my lists subfolders with a filter, and nothing from the trash."""
    root = world.portal.personal(world.bot)
    sub = world.portal.add_folder(root, "Sub", by=world.bot)
    kept = world.portal.create(sub, "kept.docx", by=world.bot)
    gone = world.portal.create(root, "gone.docx", by=world.bot)
    world.portal.trash(gone, by=world.bot)
    assert ids(world, "files/@my?filterType=FilesOnly") == [kept]


def test_fields_trim_the_answer(world: World) -> None:
    """?fields= keeps only the named members."""
    world.create()
    found = world.api.get(f"files/{world.room}?fields=total,files.id").response
    assert found == {"files": [{"id": 1245}], "total": 1}


def test_form_filler_sees_forms_and_own_files(world: World) -> None:
    """A member with FillForms sees PDF forms and own files only."""
    world.portal.invite(world.room, world.bot, access=7)
    world.create()
    form = world.create("form.pdf")
    assert ids(world, f"files/{world.room}?{NEWEST}") == [form]


def test_listing_follows_changes(world: World) -> None:
    """A cached order is never stale: save, move and trash show at once."""
    first, second = many(world, 2)
    path = f"files/{world.room}?{NEWEST}"
    assert ids(world, path) == [second, first]
    world.clock.advance(5)
    world.portal.save(first, by=world.ann)
    assert ids(world, path) == [first, second]
    world.portal.trash(first, by=world.ann)
    assert ids(world, path) == [second]
