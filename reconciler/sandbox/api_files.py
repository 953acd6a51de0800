"""The ``files/file`` routes (docspace.md 2, 5)."""

from reconciler.sandbox import rights
from reconciler.sandbox.answers import Answer, ModelError, invalid, not_found
from reconciler.sandbox.calls import Call
from reconciler.sandbox.rights import FILL_FORMS
from reconciler.sandbox.store import FORM_ROOM, FileRow, Section
from reconciler.sandbox.texts import Text


def get_file(call: Call) -> Answer:
    """``GET files/file/{id}``: the current version, or ``?version=``."""
    row = call.readable_file()
    if _unstarted(call, row):
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    number = call.query.number("version", -1)
    version = next((one for one in row.versions if one.version == number), None)
    return call.answer(call.dto.file(row, version))


def get_history(call: Call) -> Answer:
    """``GET files/file/{id}/history``: all versions, newest first; count says 1."""
    row = call.readable_file()
    standing = rights.in_file(call.portal.store, call.person, row)
    security = rights.file_security(standing, locked_by_other=False)
    if not security["ReadHistory"]:
        raise invalid(call.say(Text.NO_READ_FILE))
    dto = call.dto
    return call.answer([dto.file(row, version) for version in reversed(row.versions)])


def put_comment(call: Call) -> Answer:
    """``PUT files/file/{id}/comment``: checks in the portal's order (docspace.md 5).

    A missing file or version is 403, not 404; an older version is changed silently; the
    answer is the text cut to 255, though MySQL also loses what lies beyond the BMP.
    """
    body = call.json()
    number = _version(body)
    text = body.get("comment")
    row = call.portal.store.files.get(call.id)
    if isinstance(call.id, str) and row is None:
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    if row is None or all(one.version != number for one in row.versions):
        raise invalid(call.say(Text.FILE_NOT_FOUND))
    if not rights.in_file(call.portal.store, call.person, row).edits_history:
        raise invalid(call.say(Text.NO_EDIT))
    if row.locked_by not in (None, call.person.id):
        raise invalid(call.say(Text.LOCKED))
    if call.portal.store.root(row.folder_id).section is Section.TRASH:
        raise invalid(call.say(Text.IN_TRASH))
    shown = text if isinstance(text, str) else ""
    return call.answer(call.portal.comment(row.id, shown, by=call.person, version=number))


def _unstarted(call: Call, row: FileRow) -> bool:
    """Whether this is a form nobody started, shown to one who may only fill (docspace.md 9)."""
    room = call.portal.store.room(row.folder_id)
    if room is None or room.room_type != FORM_ROOM or row.created_by == call.person.id:
        return False
    standing = rights.in_file(call.portal.store, call.person, row)
    return not standing.owner and standing.access == FILL_FORMS


def _version(body: dict[str, object]) -> int:
    number = body.get("version")
    if isinstance(number, bool) or not isinstance(number, int):
        raise ModelError("Version", _required("Version"))
    return number


def _required(member: str) -> str:
    """Return the message of a required member that is missing."""
    return f"The {member} field is required."
