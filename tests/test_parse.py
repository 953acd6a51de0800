"""The portal's JSON as values: samples, dates, and anything else that a portal may send."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.client.account import Key, parse_key
from reconciler.client.parse import parse_date, parse_file, parse_room
from reconciler.formats import LAST_NUMBER
from reconciler.model import File, Revision, Section
from tests.support_samples import response

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
READ_AT = datetime(2025, 11, 24, 9, 20, tzinfo=UTC)


def with_changes(**changes: Any) -> dict[str, Any]:
    """Return the sample file with fields changed, and without those that become ``...``."""
    fields = response("get_file.json") | changes
    return {name: value for name, value in fields.items() if value is not ...}


# Files.


def test_the_sample_file_field_by_field() -> None:
    """The fields of the sample of GET file are read."""
    assert parse_file(response("get_file.json"), READ_AT) == File(
        id=1245,
        title="Contract.docx",
        created=datetime(2025, 11, 20, 9, 1, 10, tzinfo=UTC),
        revision=Revision(4, datetime(2025, 11, 24, 9, 15, 42, tzinfo=UTC), 24699),
        comment="Edited",
        section=Section.ROOMS,
        folder=610,
        updated_by="4a515a15-d4d6-4b8e-828e-e0586f18f3a3",
        updated_by_name="Ann Lee",
        room=None,
        provider=None,
        locked=False,
        editable=True,
        read_at=READ_AT,
    )


def test_the_room_is_what_the_caller_knows() -> None:
    """A file's room is the one of the caller, which listed it: the file does not name it."""
    assert parse_file(response("get_file.json"), None, room=610).room == 610


def test_every_listed_file_is_a_whole_file() -> None:
    """A listing's items are parsed like GET file; one of them is locked by another user."""
    files = [parse_file(item, None) for item in response("folder_content_files_only.json")["files"]]
    assert [(f.id, f.comment, f.locked) for f in files] == [
        (1245, "Edited", False),
        (1251, "Need Review", False),
        (1180, "Saved", True),
    ]


def test_every_version_of_the_history_is_a_file() -> None:
    """Each item of a file's history is parsed like a file."""
    assert [
        parse_file(item, None).revision.version for item in response("file_history_versions.json")
    ] == [4, 3]


def test_an_admin_who_is_no_member_may_not_comment() -> None:
    """`security.EditHistory` says whether the account may comment, which an administrator who is no
    member may not (docspace.md 5).
    """
    assert parse_file(response("get_file_admin_not_member.json"), None).editable is False


@pytest.mark.parametrize(
    ("security", "editable"),
    [({}, True), (None, True), ({"EditHistory": True}, True), ({"EditHistory": False}, False)],
)
def test_only_a_clear_no_is_a_no(security: object, editable: bool) -> None:
    """A missing right to comment does not count as a no; the PUT will show it."""
    assert parse_file(with_changes(security=security), None).editable is editable


@pytest.mark.parametrize(
    ("changes", "locked"),
    [
        ({}, False),
        ({"locked": True}, False),
        ({"locked": True, "lockedBy": "Ann Lee"}, True),
        ({"lockedBy": "Ann Lee"}, False),
    ],
)
def test_a_lock_of_our_own_is_no_lock(changes: dict[str, Any], locked: bool) -> None:
    """A lock of our own account is none: `lockedBy` is only sent for another user's."""
    assert parse_file(with_changes(**changes), None).locked is locked


def test_a_comment_that_was_never_set_is_empty() -> None:
    """A comment that was never set is omitted, and read as empty (docspace.md 9)."""
    assert parse_file(with_changes(comment=...), None).comment == ""


@pytest.mark.parametrize(
    ("number", "section"),
    [
        (3, Section.TRASH),
        (5, Section.PERSONAL),
        (6, Section.PERSONAL),
        (14, Section.ROOMS),
        (20, Section.ARCHIVE),
        (30, Section.TEMPLATES),
        (34, Section.AI_AGENTS),
        (99, Section.OTHER),
    ],
)
def test_the_section_is_the_root_folders_kind(number: int, section: Section) -> None:
    """The section is the kind of the root folder; an unknown number is another section."""
    assert parse_file(with_changes(rootFolderType=number), None).section is section


def test_a_third_party_file_has_text_for_ids() -> None:
    """A third-party file has text as ids and keeps its provider, so that it is refused."""
    fields = with_changes(id="drive-4-|1", folderId="drive-4-|0", providerKey="GoogleDrive")
    file = parse_file(fields, None)
    assert (file.id, file.folder, file.provider) == ("drive-4-|1", "drive-4-|0", "GoogleDrive")


def test_unknown_fields_are_ignored() -> None:
    """Unknown fields are ignored."""
    plain = parse_file(response("get_file.json"), None)
    assert parse_file(with_changes(novelty={"a": [1]}, id2=3), None) == plain


WRONG: list[Any] = [..., None, [], {}, True, 1.5, 2**64]


@pytest.mark.parametrize("name", ["id", "version"])
@pytest.mark.parametrize("value", [[], {}, True, 1.5, 2**64, "", "\u0667", "9" * 30])
def test_a_wrong_number_is_named(name: str, value: object) -> None:
    """A wrong number in a field that a write needs is an error that names it."""
    with pytest.raises(ValueError, match=f"^{name} is "):
        parse_file(with_changes(**{name: value}), None)


@pytest.mark.parametrize("value", [..., None])
def test_a_file_without_an_id_is_none(value: object) -> None:
    """A file without an id is an error."""
    with pytest.raises(ValueError, match=r"^id is "):
        parse_file(with_changes(id=value), None)


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({"version": "4"}, 4),
        ({"version": ..., "versionNumber": 3}, 3),
        ({"version": None, "versionNumber": "12"}, 12),
        ({"version": 5, "versionNumber": 3}, 5),
        ({"version": 0, "versionNumber": 3}, 3),
        ({"version": "x", "versionNumber": 3}, 3),
        ({"version": ...}, 1),
        ({"version": 0}, 1),
    ],
)
def test_the_version_is_told_in_more_than_one_way(changes: dict[str, Any], version: int) -> None:
    """The version is `version`, else `versionNumber`, else 1; digits in quotes are a number."""
    assert parse_file(with_changes(**changes), None).revision.version == version


def test_an_id_in_quotes_is_a_number() -> None:
    """An id in quotes is a number: a third party's id is never all digits (docspace.md 8)."""
    assert parse_file(with_changes(id="1245", folderId="610"), None) == parse_file(
        response("get_file.json"), None
    )


def test_a_file_of_an_id_alone_is_a_file_in_a_room() -> None:
    """A file with an id alone is a file in a room, as the tutorial needs."""
    assert parse_file({"id": 13}, READ_AT) == File(
        id=13,
        title="",
        created=None,
        revision=Revision(1, READ_AT, 0),
        comment="",
        section=Section.ROOMS,
        folder="",
        updated_by="",
        read_at=READ_AT,
    )


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [
        ("title", "title", ""),
        ("created", "created", None),
        ("rootFolderType", "section", Section.ROOMS),
        ("folderId", "folder", ""),
        ("updatedBy", "updated_by", ""),
        ("providerKey", "provider", None),
        ("locked", "locked", False),
        ("security", "editable", True),
    ],
)
def test_a_wrong_dispensable_field_is_as_if_missing(
    value: object, name: str, field: str, expected: object
) -> None:
    """A wrong value in an optional field is read as missing, so that the file is marked."""
    assert getattr(parse_file(with_changes(**{name: value}), None), field) == expected


@pytest.mark.parametrize("value", [*WRONG, "", "yesterday", "2025-11-24T09:15:42"])
def test_a_file_without_its_date_was_updated_when_it_was_shown(value: object) -> None:
    """A file without a date has the time of the answer, by the portal's clock or else by ours."""
    received = READ_AT + timedelta(seconds=3)
    fields = with_changes(updated=value)
    assert parse_file(fields, READ_AT, received=received).revision.updated == READ_AT
    assert parse_file(fields, None, received=received).revision.updated == received


@pytest.mark.parametrize("value", [0, False, 7, 1.5, [], ["Approved"], {}, {"text": "Approved"}])
def test_a_comment_that_is_no_text_is_not_empty(value: object) -> None:
    """A comment that is no text is not read as empty, since it may have a meaning."""
    assert parse_file(with_changes(comment=value), None).comment == "(no text)"


@pytest.mark.parametrize("data", [None, [], "x", 1, True])
def test_what_is_no_object_is_no_file(data: object) -> None:
    """A value that is no object is neither a file nor a key nor a folder."""
    for parse in (lambda d: parse_file(d, None), parse_key, parse_room):
        with pytest.raises(ValueError, match="is missing or no object"):
            parse(data)


def test_texts_that_no_database_holds_are_made_storable() -> None:
    """NUL and lone surrogates in title and comment are replaced, for every database."""
    file = parse_file(with_changes(title="a\0b", comment="\ud800"), None)
    assert (file.title, file.comment) == ("a?b", "?")


@given(data=JSON)
def test_any_json_is_a_value_or_a_value_error(data: Any) -> None:
    """For any JSON the parsers return a value or raise ValueError."""
    for parse in (lambda d: parse_file(d, None), parse_key, parse_room):
        _parse(parse, data)


@given(changes=st.dictionaries(st.sampled_from(sorted(response("get_file.json"))), JSON))
def test_any_change_to_a_file_is_a_value_or_a_value_error(changes: dict[str, Any]) -> None:
    """A file that is parsed can be stored: numbers fit, texts can be encoded, times are UTC."""
    file = _parse(lambda d: parse_file(d, None), with_changes(**changes))
    if isinstance(file, File):
        assert all(abs(n) <= LAST_NUMBER for n in (file.revision.version, file.revision.size))
        assert file.revision.updated.tzinfo is UTC
        f"{file.id}{file.title}{file.comment}{file.folder}{file.updated_by}".encode()


@given(
    fields=st.dictionaries(st.sampled_from(sorted(response("get_file.json"))), JSON),
    number=st.integers(1, LAST_NUMBER).flatmap(lambda n: st.sampled_from([n, str(n)])),
)
def test_an_id_and_a_version_always_make_a_file(fields: dict[str, Any], number: int | str) -> None:
    """An id and a version always make a file, whatever the other fields are."""
    file = parse_file(fields | {"id": number, "version": number}, None)
    assert (file.id, file.revision.version) == (int(number), int(number))


@given(parts=JSON | st.lists(st.fixed_dictionaries({}, optional={"id": JSON, "roomType": JSON})))
def test_any_path_is_a_room_or_none_or_a_value_error(parts: Any) -> None:
    """A room is a number or none; any other path raises ValueError."""
    assert isinstance(_parse(parse_room, {"pathParts": parts}), int | None)


@given(changes=st.dictionaries(st.sampled_from(["createBy", "permissions", "isActive"]), JSON))
def test_any_change_to_a_key_is_a_value_or_a_value_error(changes: dict[str, Any]) -> None:
    """A changed key, with permissions of any type, is a value or raises ValueError."""
    assert isinstance(_parse(parse_key, response("keys_self.json") | changes), Key | None)


def _parse(parse: Any, data: Any) -> Any:
    try:
        return parse(data)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either end is right
        return None


# Dates.


@given(
    moment=st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001 - wall time
    minutes=st.integers(-14 * 60, 14 * 60),
    digit=st.integers(0, 9),
)
def test_seven_digits_and_any_offset(moment: datetime, minutes: int, digit: int) -> None:
    """A date with seven fractional digits and any offset is UTC; the seventh is dropped."""
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{moment.isoformat(timespec='microseconds')}{digit}{sign}{hours:02}:{rest:02}"
    expected = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    found = parse_date(text, "updated")
    assert (found, found.tzinfo) == (expected, UTC)


def test_z_is_an_offset() -> None:
    """Z is read as the offset zero, as the portal writes it."""
    assert parse_date("2025-11-24T09:15:42.0000000Z", "x") == datetime(
        2025, 11, 24, 9, 15, 42, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("first", "second", "hours"),
    [
        ("2025-10-26T02:30:00.0000000+02:00", "2025-10-26T02:30:00.0000000+01:00", 1),
        ("2025-03-30T01:30:00.0000000+01:00", "2025-03-30T02:30:00.0000000+02:00", 0),
    ],
    ids=["the autumn hour that comes twice", "one revision in winter's and in summer's time"],
)
def test_the_offset_says_which_instant_it_is(first: str, second: str, hours: int) -> None:
    """The offset determines the instant, not the local time."""
    assert parse_date(second, "x") - parse_date(first, "x") == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text",
    [
        None,
        0,
        "",
        "2025-11-24T09:15:42",
        "2025-11-24",
        "24.11.2025",
        "2025-02-30T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "\ud800",
        "x" * 10_000,
    ],
)
def test_what_is_no_instant_names_its_field(text: object) -> None:
    """A date without an offset is an error that names its field, with a short message."""
    with pytest.raises(ValueError, match=r"^updated is ") as caught:
        parse_date(text, "updated")
    assert len(str(caught.value)) < 120


@given(text=st.text())
def test_any_text_is_a_date_or_a_value_error(text: str) -> None:
    """Any text is a date or raises ValueError."""
    assert isinstance(_parse(lambda t: parse_date(t, "updated"), text), datetime | None)


# The key.


def test_the_sample_key() -> None:
    """The sample key's owner and permissions are read."""
    scopes = {"files:read", "files:write", "rooms:read", "accounts.self:read"}
    assert parse_key(response("keys_self.json")) == Key(
        owner="b2a7c6d0-8d3f-4f0e-9a5a-1d0f5c1e7a11",
        owner_name="Review Bot",
        permissions=frozenset(scopes),
        active=True,
    )


@pytest.mark.parametrize(
    ("granted", "asked", "lacking"),
    [
        (set(), ("files:write",), None),
        ({"*"}, ("files:write",), None),
        ({"*:write"}, ("files:write",), None),
        ({"*:read"}, ("files:write",), "files:write"),
        ({"*:read"}, ("files:read", "files:write"), None),
        ({"files:read"}, ("files:write",), "files:write"),
        ({"files:write"}, ("files:read", "files:write"), None),
        ({"rooms:read"}, ("files:read", "files:write"), "files:read"),
    ],
)
def test_a_scope_is_granted_by_itself_or_by_a_wider_one(
    granted: set[str], asked: tuple[str, ...], lacking: str | None
) -> None:
    """A scope is granted by itself or a wider one; an empty list means all (docspace.md 5)."""
    assert Key("o", "", frozenset(granted), True).missing_scope(*asked) == lacking


def test_a_disabled_key_is_not_active() -> None:
    """A key is disabled only if `isActive` is false."""
    assert parse_key(response("keys_self.json") | {"isActive": False}).active is False


# The room.


def test_the_room_of_a_sample_listing() -> None:
    """The room of a listing is the part of its path that has a room's type."""
    assert parse_room(response("folder_content_files_only.json")) == 610


@pytest.mark.parametrize(
    ("parts", "room"),
    [
        ([], None),
        ([{"id": 5, "folderType": 5}, {"id": 9}], None),
        ([{"id": 2, "folderType": 14}], None),
        ([{"id": 2, "folderType": 14}, {"id": 610}, {"id": 615}], 610),
        ([{"id": 2, "folderType": 14}, {"id": 610, "roomType": 5}, {"id": 615}], 610),
    ],
)
def test_the_room_is_below_the_rooms_root(parts: list[Any], room: int | None) -> None:
    """Only a path below the rooms' root has a room."""
    assert parse_room({"pathParts": parts}) == room


def test_a_listing_without_its_path_is_an_error() -> None:
    """A listing without its path is an error: an unknown room must not count as no room."""
    with pytest.raises(ValueError, match="pathParts is missing"):
        parse_room({"files": []})
