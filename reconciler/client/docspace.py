"""Which request answers which question. One method a question; values in, values out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from typing import Any, TypeVar

from reconciler.client.listing import PAGE, FilePage, RoomPage, parse_files, parse_rooms
from reconciler.client.parse import (
    Key,
    parse_file,
    parse_history,
    parse_key,
    parse_person,
    parse_room,
)
from reconciler.client.transport import Answer, Transport
from reconciler.errors import Forbidden, Permanent, PortalError, Transient, Unauthorised
from reconciler.model import Absent, File

_T = TypeVar("_T")
READ = ("files:read", "files:write")
WRITE = ("files:write",)
ROOMS = ("rooms:read", "rooms:write")
_NOT_A_KEY = {403, 404}
_SAMPLED_ROOMS = 5
_NEWEST = {"sortBy": "DateAndTime", "sortOrder": "descending"}
_EVERY_ROOM = {"searchArea": "Any", "storageFilter": "Internal"}  # docspace.md 10
_DEEP = {"filterType": "FilesOnly", "withSubFolders": "true"}


class DocSpace:
    """The portal as this project needs it. Every method raises PortalError by class."""

    def __init__(self, transport: Transport) -> None:
        """Use ``transport`` for every request."""
        self._http = transport

    @property
    def requests(self) -> dict[str, int]:
        """How many requests went out so far: ``{"get": n, "put": n}``, all writes as put."""
        told = {"get": 0, "put": 0}
        for (method, _, _), number in self._http.requests().items():
            told["get" if method == "GET" else "put"] += number
        return told

    def requests_by_route(self) -> Mapping[tuple[str, str, str], int]:
        """Return how many requests there were by method, route (no ids) and status."""
        return self._http.requests()

    def requests_here(self) -> int:
        """Return how many requests the thread that asks has made."""
        return self._http.requests_here()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def look_and_write(self) -> AbstractContextManager[None]:
        """Wait, before the look, for all that a look and its write need of the minute.

        The API has no compare-and-swap: the shorter between look and write, the better.
        """
        return self._http.pace.prepaid(2)

    def file(self, file_id: int) -> File | Absent:
        """Return the file as it is now, or why there is none to see.

        A dead key is treated as an anonymous visitor here and answered 403 (docspace.md 2),
        so a 403 is confirmed first.
        """
        route = "files/file/{id}"
        try:
            answer = self._http.get(route, f"files/file/{file_id}")
        except Forbidden as error:
            self._confirm(error, READ)
            return Absent.UNREADABLE
        except (Permanent, Transient) as error:
            if error.status != 404:
                raise
            if isinstance(error, Transient):
                self._confirm(error, READ)
            return Absent.GONE
        return parsed(f"GET {route}", lambda: parse_file(answer.response, answer.date))

    def set_comment(self, file_id: int, version: int, comment: str) -> str:
        """Set the comment of one version and return the text that the portal stored.

        Raises Forbidden for a file that is gone, locked, trashed or not ours to comment:
        the portal answers 403 to all of them (docspace.md 5).
        """
        route = "files/file/{id}/comment"
        body = {"version": version, "comment": comment}
        try:
            answer = self._http.put(route, f"files/file/{file_id}/comment", body)
        except Forbidden as error:
            self._confirm(error, WRITE)
            raise
        if not isinstance(answer.response, str):
            raise Transient(f"PUT {route}", 200, "the answer is not the comment")
        return answer.response

    def key(self) -> Key:
        """Return what the portal says of our key: whose it is and what it may do.

        keys/@self knows API keys alone; of any other token people/@self tells the owner
        (docspace.md 7).
        """
        try:
            answer = self._http.get("keys/@self", "keys/@self")
        except (Forbidden, Permanent, Transient) as error:
            if error.status not in _NOT_A_KEY:
                raise
            answer = self._http.get("people/@self", "people/@self")
            return parsed("GET people/@self", lambda: parse_person(answer.response))
        return parsed("GET keys/@self", lambda: parse_key(answer.response))

    def is_usable(self) -> bool:
        """Return whether the key works and has the scopes that we need. Raises PortalError."""
        key = self.key()
        return key.active and not any(key.lacks(*scopes) for scopes in (READ, WRITE, ROOMS))

    def now(self) -> datetime | None:
        """Return the portal's own clock, None when it sends no Date."""
        return self._http.get("keys/@self", "keys/@self").date

    def room_of(self, folder_id: int) -> int | None:
        """Return the room that the folder lies in, None outside of the rooms or unreadable.

        No sortBy is sent: the portal would keep it as the user's own (docspace.md 1.1).
        """
        route = "files/{folderId}"
        params = {"count": 1, "filterType": "FilesOnly", "withSubFolders": "false"}
        try:
            answer = self._listing(route, f"files/{folder_id}", params, READ)
        except Forbidden:
            return None
        return parsed(f"GET {route}", lambda: parse_room(answer.response))

    def rooms(self, start: int = 0, count: int = PAGE) -> RoomPage:
        """Return a page of rooms, pinned ones first, then newest first (docspace.md 1.3).

        `Page.updated` is the last save in any internal room (docspace.md 1.4).
        """
        params = _NEWEST | _EVERY_ROOM | {"startIndex": start, "count": count}
        answer = self._listing("files/rooms", "files/rooms", params, ROOMS)
        return parsed("GET files/rooms", lambda: parse_rooms(answer.response, start, answer.date))

    def room_files(self, room: int, start: int = 0, count: int = PAGE) -> FilePage:
        """Return a page of all files in a room, newest first.

        Only with a filterType does the portal look into folders (docspace.md 1.1).
        """
        params = _NEWEST | _DEEP | {"startIndex": start, "count": count}
        answer = self._listing("files/{folderId}", f"files/{room}", params, READ)
        return parsed(
            "GET files/{folderId}", lambda: parse_files(answer.response, start, answer.date, room)
        )

    def sample_comments(self, file_id: int) -> Iterator[str]:
        """Yield comments of the file's older versions, then of the newest files of some rooms.

        Each answer is asked for when it is wanted; what the portal does not have or does not
        show yields nothing. Older versions keep their comments (docspace.md 4.2).
        """
        with suppress(Forbidden, Permanent):
            yield from self._history(file_id)
        with suppress(Forbidden, Permanent):
            for room in self.rooms(count=_SAMPLED_ROOMS).rooms:
                if isinstance(room.id, int):
                    yield from (file.comment for file in self.room_files(room.id).files)

    def _history(self, file_id: int) -> list[str]:
        route = "files/file/{id}/history"
        answer = self._listing(route, f"files/file/{file_id}/history", {}, READ)
        return parsed(f"GET {route}", lambda: parse_history(answer.response))

    def my_files(self, start: int = 0, count: int = PAGE) -> FilePage:
        """Return a page of all files in "My documents" of the key's owner, newest first."""
        params = _NEWEST | {"filterType": "FilesOnly", "startIndex": start, "count": count}
        answer = self._listing("files/@my", "files/@my", params, READ)
        return parsed(
            "GET files/@my", lambda: parse_files(answer.response, start, answer.date, None)
        )

    def _listing(
        self, route: str, path: str, params: dict[str, Any], scopes: tuple[str, ...]
    ) -> Answer:
        """Exchange; a 403 is confirmed, since a dead key is a stranger here (docspace.md 2)."""
        try:
            return self._http.get(route, path, params)
        except Forbidden as error:
            self._confirm(error, scopes)
            raise

    def _confirm(self, error: PortalError, scopes: tuple[str, ...]) -> None:
        """Return when the key works and has one of the scopes, so that ``error`` is the file's.

        Raises Unauthorised for a dead key or a missing scope, Transient when the portal
        refuses even this: an address filter, a restore under way, a suspended portal.
        """
        confirm(error, scopes, self.key)


def confirm(error: PortalError, scopes: tuple[str, ...], ask: Callable[[], Key]) -> None:
    """Return when the key works and has one of the scopes, so that ``error`` is not the key's.

    Raises Unauthorised for a dead key or a missing scope, Transient when the portal refuses
    even to say whose key it is.
    """
    try:
        key = ask()
    except Unauthorised:
        raise
    except (Forbidden, Permanent) as refusal:
        raise Transient(error.route, error.status, "the portal refuses everything") from refusal
    missing = key.lacks(*scopes)
    if missing:
        detail = f"the API key lacks the scope {missing}"
        raise Unauthorised(error.route, error.status, detail, missing) from error
    if not key.active:
        raise Unauthorised(error.route, error.status, "the key is disabled") from error


def parsed(route: str, parse: Callable[[], _T]) -> _T:
    try:
        return parse()
    except ValueError as error:
        raise Permanent(route, 200, f"unexpected answer: {error}") from error
