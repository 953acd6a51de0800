"""A portal that can do no more than the tutorial needs: GET a file and PUT its comment."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.client import PAGE, DocSpace, Transport
from reconciler.errors import (
    ForbiddenError,
    PermanentError,
    PortalError,
    RouteMissingError,
    TransientError,
)
from reconciler.model import Absent, File, Section

API = "https://p.example/api/2.0/"
FILE, COMMENT = f"{API}files/file/13", f"{API}files/file/13/comment"
KEYS, PEOPLE, ROOMS, MINE = (
    f"{API}{path}" for path in ("keys/@self", "people/@self", "files/rooms", "files/@my")
)
NOW = datetime(2025, 11, 24, 9, 20, tzinfo=UTC)
TARGET = "Need Review"
Portal = responses.RequestsMock


@pytest.fixture
def docspace() -> Iterator[DocSpace]:
    """A client of that portal, with a clock that stands still."""
    with closing(Transport("https://p.example", "sk", clock=lambda: NOW)) as transport:
        yield DocSpace(transport)


def without_routes(portal: Portal, status: int = 404, body: str = "Cannot GET") -> None:
    """Remove all routes but those of files."""
    for url in (KEYS, PEOPLE, ROOMS, MINE, f"{API}files/7"):
        portal.get(url, body, status=status, content_type="text/html")


def shown(portal: Portal, comment: str = "", version: int = 1) -> None:
    """Answer with this file."""
    portal.get(FILE, json={"id": 13, "version": version, "comment": comment})


def seen(docspace: DocSpace) -> File:
    """Look at the file."""
    file = docspace.file(13)
    assert isinstance(file, File)
    return file


# A look.


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: {"response": f}], ids=["bare", "wrapped"])
@pytest.mark.parametrize(
    ("fields", "version"),
    [({"id": 13, "version": 4}, 4), ({"id": "13", "versionNumber": 3}, 3), ({"id": 13}, 1)],
)
def test_an_id_and_a_version_suffice(
    portal: Portal,
    docspace: DocSpace,
    wrap: Callable[[object], object],
    fields: Mapping[str, object],
    version: int,
) -> None:
    """An id and a version suffice, with the envelope or without it."""
    portal.get(FILE, json=wrap(fields))
    file = seen(docspace)
    assert (file.id, file.revision.version, file.created) == (13, version, None)


def test_a_file_without_a_date_has_the_answers(portal: Portal, docspace: DocSpace) -> None:
    """A file without a date has the answer's Date, or else our time."""
    portal.get(FILE, json={"id": 13}, headers={"Date": "Mon, 24 Nov 2025 08:00:00 GMT"})
    portal.get(FILE, json={"id": 13})
    assert seen(docspace).revision.updated == datetime(2025, 11, 24, 8, tzinfo=UTC)
    assert (seen(docspace).revision.updated, seen(docspace).read_at) == (NOW, None)


# A write.


@pytest.mark.parametrize(
    "answer",
    [
        {"comment": TARGET},
        {"id": 13, "version": 1, "comment": TARGET},
        {"response": {"comment": TARGET}},
        {"response": {"id": 13, "comment": TARGET}},
        {"response": TARGET},
    ],
)
def test_the_comment_in_the_answer_confirms_a_write(
    portal: Portal, docspace: DocSpace, answer: object
) -> None:
    """The comment in the answer confirms a write, in whatever form, without a second request."""
    portal.put(COMMENT, json=answer)
    assert docspace.set_comment(13, 1, TARGET) == TARGET
    assert docspace.requests == {"get": 0, "put": 1}


ANSWERS = [
    b"",
    b"OK",
    b"<html>Done</html>",
    b"{}",
    b"null",
    b"true",
    b'"Need Review"',
    b'{"response": null}',
    b'{"response": true}',
    b'{"response": "OK"}',
    b'{"response": {}}',
    b'{"id": 13, "comment": "Edited"}',
    b'{"success": true}',
]
any_answer = pytest.mark.parametrize("answer", ANSWERS)


@any_answer
@pytest.mark.parametrize("status", [200, 201, 204])
def test_another_answer_is_confirmed_by_a_look(
    portal: Portal, docspace: DocSpace, answer: bytes, status: int
) -> None:
    """A successful answer without the text is confirmed by a look."""
    portal.put(COMMENT, b"" if status == 204 else answer, status=status)
    shown(portal, TARGET)
    assert docspace.set_comment(13, 1, TARGET) == TARGET
    assert docspace.requests == {"get": 1, "put": 1}


@any_answer
@pytest.mark.parametrize(("comment", "version"), [("Edited", 1), ("Approved", 1), (TARGET, 2)])
def test_a_write_that_a_look_does_not_show_is_not_taken_for_one(
    portal: Portal, docspace: DocSpace, answer: bytes, comment: str, version: int
) -> None:
    """A write that the look does not show is not taken for stored: it failed, or a person was
    quicker, and another look decides.
    """
    portal.put(COMMENT, answer)
    shown(portal, comment, version)
    with pytest.raises(TransientError, match="not the comment"):
        docspace.set_comment(13, 1, TARGET)


def test_a_text_that_the_portal_changed_is_told(portal: Portal, docspace: DocSpace) -> None:
    """A stored text that differs from the sent one is reported."""
    portal.put(COMMENT, json={"response": "NEED REVIEW"})
    shown(portal, "NEED REVIEW")
    assert docspace.set_comment(13, 1, TARGET) == "NEED REVIEW"


@pytest.mark.parametrize("status", [400, 404, 405, 409])
def test_a_refused_write_stays_refused(portal: Portal, docspace: DocSpace, status: int) -> None:
    """A refused write stays refused; only after a 2xx a look follows."""
    portal.put(COMMENT, json={"error": {"message": "no"}}, status=status)
    with pytest.raises(PermanentError):
        docspace.set_comment(13, 1, TARGET)


# What is not there.


@pytest.mark.parametrize("status", [404, 405, 501])
def test_without_its_routes_the_keys_owner_is_unknown(
    portal: Portal, docspace: DocSpace, status: int
) -> None:
    """Without its routes the key's owner is unknown, but no scope is said to be missing."""
    without_routes(portal, status)
    key = docspace.key()
    assert (key.owner, key.active, key.missing_scope("files:write")) == ("", True, None)
    assert docspace.is_usable()


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize(
    "ask",
    [lambda d: d.rooms(count=1), lambda d: d.my_files(), lambda d: d.room_files(7)],
    ids=["rooms", "my_files", "room_files"],
)
def test_a_list_that_does_not_exist_is_missing(
    portal: Portal, docspace: DocSpace, ask: Callable[[DocSpace], Any], status: int
) -> None:
    """A missing list is no outage: files can be looked at."""
    without_routes(portal, status)
    shown(portal)
    seen(docspace)
    with pytest.raises(RouteMissingError) as caught:
        ask(docspace)
    assert caught.value.status == status


def test_a_list_that_is_refused_in_the_apis_words_is_missing(
    portal: Portal, docspace: DocSpace
) -> None:
    """A list that is refused in the API's format is missing, without another request."""
    portal.get(ROOMS, json={"error": {"message": "no such route"}}, status=404)
    with pytest.raises(RouteMissingError):
        docspace.rooms()
    assert docspace.requests == {"get": 1, "put": 0}


def test_a_list_that_only_the_keys_owner_is_known_beside_is_missing(
    portal: Portal, docspace: DocSpace
) -> None:
    """A list is missing if the key's owner is known: such a portal is not suspended."""
    portal.get(ROOMS, status=404)
    portal.get(KEYS, json={"createBy": {"id": "BOT"}})
    with pytest.raises(RouteMissingError):
        docspace.rooms()


def test_a_file_that_is_not_there_is_gone_where_another_is(
    portal: Portal, docspace: DocSpace
) -> None:
    """A file is gone if the portal still shows another that it has shown before."""
    without_routes(portal)
    shown(portal)
    portal.get(f"{API}files/file/14", "no such file", status=404)
    seen(docspace)
    assert docspace.file(14) is Absent.GONE


def test_the_file_that_was_seen_last_may_be_gone_too(portal: Portal, docspace: DocSpace) -> None:
    """If the file that was seen last is gone too, the one before it is asked for."""
    without_routes(portal)
    shown(portal)
    portal.get(f"{API}files/file/14", json={"id": 14})
    portal.get(f"{API}files/file/14", "no such file", status=404)
    seen(docspace)
    assert isinstance(docspace.file(14), File)
    assert docspace.file(14) is Absent.GONE


def test_where_no_file_was_ever_seen_none_is_gone(portal: Portal, docspace: DocSpace) -> None:
    """If no file was ever seen, none is gone: the portal may be suspended (docspace.md 2)."""
    without_routes(portal)
    portal.get(FILE, status=404)
    with pytest.raises(TransientError):
        docspace.file(13)


def test_where_nothing_is_there_any_more_the_portal_is_suspended(
    portal: Portal, docspace: DocSpace
) -> None:
    """If not even the file seen last is there, the portal is suspended, and nothing is gone."""
    without_routes(portal)
    shown(portal)
    portal.get(FILE, status=404)
    portal.get(f"{API}files/file/14", status=404)
    seen(docspace)
    for ask in (lambda: docspace.file(14), docspace.rooms, docspace.key):
        with pytest.raises(TransientError):
            ask()


def test_a_refusal_without_a_route_for_the_key_is_about_the_file(
    portal: Portal, docspace: DocSpace
) -> None:
    """A refusal without a route for the key is about the file: the key is not at fault."""
    without_routes(portal)
    portal.get(FILE, json={"error": {"message": "no"}}, status=403)
    portal.put(COMMENT, json={"error": {"message": "no"}}, status=403)
    assert docspace.file(13) is Absent.UNREADABLE
    with pytest.raises(ForbiddenError):
        docspace.set_comment(13, 1, TARGET)


# Lists.


def test_rooms_of_any_kind_are_asked_for(portal: Portal, docspace: DocSpace) -> None:
    """Rooms of any kind are requested: newer portals omit form rooms otherwise (docspace.md 10)."""
    portal.get(ROOMS, json={"response": {"folders": []}})
    docspace.rooms(count=1)
    docspace.rooms(start=90)
    for call, (start, count) in zip(portal.calls, ((0, 1), (90, PAGE)), strict=True):
        assert call.request.params == {  # type: ignore[attr-defined]
            "sortBy": "DateAndTime",
            "sortOrder": "descending",
            "searchArea": "Any",
            "storageFilter": "Internal",
            "startIndex": str(start),
            "count": str(count),
        }


@pytest.mark.parametrize(
    ("root", "section"),
    [
        ({"rootFolderType": 14}, Section.ROOMS),
        ({"rootFolderType": "20"}, Section.ARCHIVE),
        ({"rootFolderType": 30}, Section.TEMPLATES),
        ({"rootFolderType": 34}, Section.AI_AGENTS),
        ({"rootFolderType": 99}, Section.OTHER),
        ({"rootFolderType": "rooms"}, Section.ROOMS),
        ({}, Section.ROOMS),
    ],
)
def test_a_room_tells_its_root(
    portal: Portal, docspace: DocSpace, root: Mapping[str, object], section: Section
) -> None:
    """Only a room whose root is the rooms' root is active."""
    portal.get(ROOMS, json={"folders": [{"id": 7, **root}]})
    (room,) = docspace.rooms().rooms
    assert (room.section, room.active) == (section, section is Section.ROOMS)


def test_what_has_no_date_has_just_changed(portal: Portal, docspace: DocSpace) -> None:
    """A folder without a date counts as changed now, so that it is read."""
    portal.get(ROOMS, json={"folders": [{"id": 7}], "current": {"updated": "today"}})
    page = docspace.rooms()
    assert (page.updated, page.rooms[0].updated) == (NOW, NOW)


def test_my_documents_may_have_no_id(portal: Portal, docspace: DocSpace) -> None:
    """ "My documents" are read even without an id; 0 is no folder's id."""
    portal.get(MINE, json={"files": [{"id": 13}]})
    assert docspace.my_files().folder == 0


@pytest.mark.parametrize(
    ("fields", "number", "count", "behind"),
    [
        ({}, 1, PAGE, 0),
        ({}, PAGE - 1, PAGE, 0),
        ({}, PAGE, PAGE, 1),
        ({}, 1, 1, 1),
        ({}, 0, 1, 0),
        ({"total": None}, PAGE, PAGE, 1),
        ({"total": "many"}, PAGE, PAGE, 1),
        ({"total": "150"}, PAGE, PAGE, 50),
        ({"total": 100}, PAGE, PAGE, 0),
        ({"total": 120}, PAGE - 2, PAGE, 22),
    ],
)
def test_without_a_total_a_full_page_is_not_the_last(
    portal: Portal,
    docspace: DocSpace,
    fields: Mapping[str, object],
    number: int,
    count: int,
    behind: int,
) -> None:
    """Without a total a full page is not the last; a given total is trusted."""
    portal.get(MINE, json={"files": [{"id": n} for n in range(1, number + 1)], **fields})
    assert docspace.my_files(count=count).remaining == behind


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(
    content=st.fixed_dictionaries(
        {},
        optional={
            "current": JSON | st.dictionaries(st.sampled_from(["id", "updated", "indexing"]), JSON),
            "total": JSON,
            "files": JSON | st.lists(st.fixed_dictionaries({"id": st.integers(1, 99)})),
            "folders": JSON | st.lists(st.fixed_dictionaries({"id": st.integers(1, 99)})),
        },
    )
)
@settings(max_examples=150)
def test_any_list_is_a_page_or_a_portal_error(content: Mapping[str, Any]) -> None:
    """Any list is a page or a PortalError, whatever is missing or of another type."""
    with (
        responses.RequestsMock(assert_all_requests_are_fired=False) as portal,
        closing(DocSpace(Transport("https://p.example", "sk"))) as docspace,
    ):
        for url in (ROOMS, MINE):
            portal.get(url, json.dumps({"response": content}))
        for ask in (docspace.rooms, docspace.my_files):
            _page_or_error(ask)


def _page_or_error(ask: Callable[[], Any]) -> None:
    try:
        page = ask()
    except PortalError:
        return
    assert page.remaining >= 0
    assert page.updated.tzinfo is UTC
