"""The requests about files, rooms, the key and the portal: one method each, values in and out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, TypeVar

from reconciler.client.account import (
    NEEDED,
    READ_FILES,
    READ_ROOMS,
    WRITE_FILES,
    Key,
    Person,
    confirm,
    parse_key,
    parse_person,
)
from reconciler.client.listing import (
    PAGE,
    STEP,
    FilePage,
    Room,
    RoomPage,
    parse_files,
    parse_rooms,
)
from reconciler.client.parse import Build, parse_build, parse_file, parse_history, parse_room
from reconciler.client.transport import KEY_REPLACED, Answer, Transport
from reconciler.errors import (
    ForbiddenError,
    PermanentError,
    PortalError,
    RouteMissingError,
    TransientError,
)
from reconciler.formats import LAST_NUMBER
from reconciler.model import Absent, File

_T = TypeVar("_T")
_NOT_FOUND = 404
_FILE, _COMMENT = "files/file/{id}", "files/file/{id}/comment"
_FOLDER, _ROOMS, _MINE = "files/{folderId}", "files/rooms", "files/@my"
_SAMPLED_ROOMS = 5
_NEWEST = {"sortBy": "DateAndTime", "sortOrder": "descending"}
# Newer portals list form rooms apart unless asked for any; archived ones come along (10).
_ANY_ROOM = {"searchArea": "Any", "storageFilter": "Internal"}
_RECURSIVE = {"filterType": "FilesOnly", "withSubFolders": "true"}


class DocSpace:
    """The part of the portal's API that this project needs. Every method raises PortalError."""

    def __init__(self, transport: Transport) -> None:
        """Use ``transport`` for every request."""
        self._http = transport
        self._seen: tuple[int, ...] = ()  # the last two files that were found by a look

    @property
    def requests(self) -> dict[str, int]:
        """How many requests were sent so far: ``{"get": n, "put": n}``, all writes as put."""
        counts = {"get": 0, "put": 0}
        for (method, _, _), number in self._http.requests().items():
            counts["get" if method == "GET" else "put"] += number
        return counts

    def requests_by_route(self) -> Mapping[tuple[str, str, str], int]:
        """Return how many requests there were by method, route (no ids) and status."""
        return self._http.requests()

    def thread_requests(self) -> int:
        """Return how many requests the calling thread has made."""
        return self._http.thread_requests()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def reserve_look_and_write(self) -> AbstractContextManager[None]:
        """Wait before a look until the minute has room for the look and its write.

        The API has no compare-and-swap, so the time between look and write must be short.
        """
        return self._http.rate_limiter.reserve_look_and_write()

    def file(self, file_id: int) -> File | Absent:
        """Return the file as it is now, or why the portal shows none.

        The portal treats a dead key as an anonymous visitor here and answers 403 (docspace.md 2),
        so a 403 is confirmed first.
        """
        try:
            file = self._look(file_id)
        except ForbiddenError as error:
            self._confirm(error, READ_FILES)
            return Absent.UNREADABLE
        except (PermanentError, TransientError) as error:
            if error.status != _NOT_FOUND:
                raise
            if isinstance(error, TransientError):
                self._confirm_gone(error)
            return Absent.GONE
        self._seen = (file_id, *(one for one in self._seen[:2] if one != file_id))[:2]
        return file

    def _look(self, file_id: int) -> File:
        answer = self._http.get(_FILE, id=file_id)
        return _parsed(answer, lambda data: parse_file(data, answer.date, received=answer.received))

    def _confirm_gone(self, error: TransientError) -> None:
        """Return where only the file is gone. Raises ``error`` or another PortalError else.

        A suspended portal answers 404 to everything (docspace.md 2). A portal without a route
        about the key answers 404 there too: then only another file shows the difference.
        """
        key = self._confirm(error, READ_FILES)
        if not key.owner and not self._seen:
            raise error

    def set_comment(self, file_id: int, version: int, comment: str) -> str:
        """Set the comment of one version and return the text that the portal stored.

        The portal answers with the text. Any other answer is confirmed by its ``comment``, or by
        a look. Raises ForbiddenError for a file that is gone, locked, trashed or may not be
        commented: the portal answers 403 to all of these (docspace.md 5). Raises TransientError
        where it is unknown whether the text was stored.
        """
        body = {"version": version, "comment": comment}
        try:
            answer = self._http.put(_COMMENT, body, any_answer=True, id=file_id)
        except ForbiddenError as error:
            self._confirm(error, WRITE_FILES)
            raise
        answered = answer.response
        if isinstance(answered, Mapping) and answered.get("comment") == comment:
            return comment
        # The portal answers with the text as it cut it (docspace.md 2); "OK" is not a stored text.
        if isinstance(answered, str) and answered and comment.startswith(answered):
            return answered
        return self._stored(file_id, version, comment, answered)

    def _stored(self, file_id: int, version: int, comment: str, answered: object) -> str:
        """Return the comment if a look finds it on that version. Raises PortalError."""
        file = self.file(file_id)
        if (
            isinstance(file, File)
            and file.revision.version == version
            and file.comment in (comment, answered)
        ):
            return file.comment
        raise TransientError(
            f"PUT {_COMMENT}", 200, "the answer is not the comment, and the file does not carry it"
        )

    def build(self) -> Build:
        """Return the version, asked without the key: a key of few scopes would be refused."""
        answer = self._http.get_anonymously("settings/version/build")
        return answer.parsed(lambda data: parse_build(data, answer.date))

    def person(self) -> Person:
        """Return the account that the key acts as; needs the scope accounts.self:read."""
        return _parsed(self._http.get("people/@self"), parse_person)

    def key(self) -> Key:
        """Return the owner and the scopes of our key.

        keys/@self knows only API keys; for any other token people/@self names the owner
        (docspace.md 7). Where neither route exists the owner stays unknown. Raises TransientError
        where known files are gone too: the portal is suspended.
        """
        try:
            answer = self._http.get("keys/@self")
        except (ForbiddenError, PermanentError, TransientError) as error:
            if not isinstance(error, ForbiddenError) and not error.lacks_route:
                raise
            return self._owner(error)
        return _parsed(answer, parse_key)

    def _owner(self, refusal: PortalError) -> Key:
        try:
            person = self.person()
        except (PermanentError, TransientError) as error:
            if not error.lacks_route:
                raise
            if isinstance(refusal, ForbiddenError):
                raise refusal from error
            self._check_seen_files()
            return Key("", "", frozenset(), active=True)
        return Key(person.id, person.name, frozenset(), active=True)

    def _check_seen_files(self) -> None:
        """Raise TransientError when every recently seen file is gone: the portal is suspended."""
        failed: TransientError | None = None
        for file_id in self._seen:
            try:
                self._look(file_id)
            except (ForbiddenError, PermanentError):
                return
            except TransientError as error:
                failed = error
            else:
                return
        if failed is not None:
            raise failed

    def is_usable(self) -> bool:
        """Return whether the key works and has the scopes that we need. Raises PortalError."""
        key = self.key()
        return key.active and not any(key.missing_scope(*scopes) for scopes in NEEDED)

    def room_of(self, folder_id: int) -> int | None:
        """Return the room of a folder, None where it is in no room or not readable.

        No sortBy is sent: the portal would store it as the user's preference (docspace.md 1.1).
        """
        params = {"count": 1, "filterType": "FilesOnly", "withSubFolders": "false"}
        try:
            answer = self._listing(_FOLDER, params, folderId=folder_id)
        except ForbiddenError:
            return None
        return _parsed(answer, parse_room)

    def rooms(self, start: int = 0, count: int = PAGE) -> RoomPage:
        """Return a page of rooms, pinned ones first, then newest first (docspace.md 1.3).

        Archived rooms are among them, marked by their section. `Page.updated` is the last save in
        any internal room that is not archived (docspace.md 1.4).
        """
        params = _NEWEST | _ANY_ROOM | {"startIndex": start, "count": count}
        answer = self._listing(_ROOMS, params, READ_ROOMS)
        return _parsed(answer, lambda _: parse_rooms(answer, start, count))

    def all_rooms(
        self, until: Callable[[Room], bool] = lambda _: False, most: int = LAST_NUMBER
    ) -> list[Room]:
        """Return the rooms, pinned ones first, then newest first, page by page.

        The last page is the one with a room for which ``until`` is true, or with the ``most``th
        room. Pinned rooms come first whatever their date (docspace.md 1.3), so ``until`` is not
        asked about them.
        """
        found: dict[int | str, Room] = {}
        for start in range(0, most, STEP):
            page, before = self.rooms(start), len(found)
            found |= {room.id: room for room in page.rooms}
            reached = any(until(room) for room in page.rooms if not room.pinned)
            # A page that brings nothing new is the last one of a portal that pages otherwise.
            if reached or page.remaining == 0 or len(found) == before:
                break
        return list(found.values())

    def room_files(self, room: int, start: int = 0, count: int = PAGE) -> FilePage:
        """Return a page of all files in a room, newest first.

        The portal reads subfolders only with a filterType (docspace.md 1.1).
        """
        params = _NEWEST | _RECURSIVE | {"startIndex": start, "count": count}
        answer = self._listing(_FOLDER, params, folderId=room)
        return _parsed(answer, lambda _: parse_files(answer, start, count, room))

    def sample_comments(self, file_id: int | None = None) -> Iterator[str]:
        """Yield comments of the file's older versions, then of the newest files of some rooms and
        of "My documents".

        Each request is sent when its comments are needed. Routes that are missing or forbidden
        yield nothing. Older versions keep their comments (docspace.md 4.2).
        """
        if file_id is not None:
            with suppress(ForbiddenError, PermanentError):
                yield from self._history(file_id)
        with suppress(ForbiddenError, PermanentError):
            for room in self.rooms(count=_SAMPLED_ROOMS).rooms:
                if isinstance(room.id, int):
                    yield from (file.comment for file in self.room_files(room.id).files)
        with suppress(ForbiddenError, PermanentError):
            yield from (file.comment for file in self.my_files().files)

    def _history(self, file_id: int) -> list[str]:
        answer = self._listing("files/file/{id}/history", {}, id=file_id)
        return answer.parsed(parse_history)

    def my_files(self, start: int = 0, count: int = PAGE) -> FilePage:
        """Return a page of all files in "My documents" of the key's owner, newest first."""
        params = _NEWEST | {"filterType": "FilesOnly", "startIndex": start, "count": count}
        answer = self._listing(_MINE, params)
        return _parsed(answer, lambda _: parse_files(answer, start, count, None))

    def _listing(
        self,
        route: str,
        params: Mapping[str, Any],
        scopes: tuple[str, ...] = READ_FILES,
        **ids: int,
    ) -> Answer:
        """GET a listing. A 403 is confirmed: a dead key counts as anonymous here (docspace.md 2).

        Raises RouteMissingError where the portal has no such route. That is no outage: looks may
        work all the same. A folder that is gone raises PermanentError.
        """
        try:
            return self._http.get(route, params, **ids)
        except ForbiddenError as error:
            self._confirm(error, scopes)
            raise
        except (PermanentError, TransientError) as error:
            if error.status != _NOT_FOUND or (isinstance(error, PermanentError) and ids):
                raise
            if isinstance(error, TransientError):
                self._confirm(error, scopes)
            raise RouteMissingError(
                error.route, error.status, "this portal has no such list"
            ) from error

    def _confirm(self, error: PortalError, scopes: tuple[str, ...]) -> Key:
        """Return the key if it works and has one of the scopes: then ``error`` is about the file.

        Raises UnauthorizedError for a dead key or a missing scope, TransientError when the portal
        refuses even this (an address filter, a restore under way, a suspended portal), or when the
        key was replaced meanwhile: the refusal concerned the former key.
        """
        key = confirm(error, scopes, self.key)
        if error.key_number != self._http.key_number:
            raise TransientError(error.route, error.status, KEY_REPLACED) from error
        return key


def _parsed(answer: Answer, parse: Callable[[Any], _T]) -> _T:
    """Parse an answer. One without the envelope may be another server's: a TransientError."""
    try:
        return answer.parsed(parse)
    except PermanentError as error:
        if answer.enveloped:
            raise
        detail = f"the answer lacks response: is this a DocSpace portal? {error.detail}"
        raise TransientError(answer.route, 200, detail) from error
