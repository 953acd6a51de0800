"""The ``files/file`` routes (docspace.md 2, 5)."""

from reconciler.sandbox import files, rights
from reconciler.sandbox.calls import Call
from reconciler.sandbox.responses import ModelError, Response, invalid, not_found
from reconciler.sandbox.store import FORM_ROOM, FileRow, Section
from reconciler.sandbox.texts import Text


def get_file(call: Call) -> Response:
    """``GET files/file/{id}``: the current version, or ``?version=``."""
    row = call.readable_file()
    if _is_hidden_form(call, row):
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    return call.respond(call.dto.file(row, row.version(call.query.number("version", -1))))


def get_history(call: Call) -> Response:
    """``GET files/file/{id}/history``: all versions, newest first; count says 1."""
    row, dto = call.readable_file(), call.dto
    if not rights.file_security(call.role(row), locked_by_other=False)["ReadHistory"]:
        raise invalid(call.say(Text.NO_READ_FILE))
    return call.respond([dto.file(row, version) for version in reversed(row.versions)])


def put_comment(call: Call) -> Response:
    """``PUT files/file/{id}/comment``: checks in the portal's order (docspace.md 5).

    A missing file or version is 403, not 404; an older version is changed silently; the
    response is the text cut to 255, though MySQL also loses what lies beyond the BMP.
    """
    body, store = call.json(), call.state.store
    number, text = body.get("version"), body.get("comment")
    if isinstance(number, bool) or not isinstance(number, int):
        raise ModelError("Version", "The Version field is required.")
    row = store.files.get(call.id)
    if row is None and isinstance(call.id, str):
        raise not_found(call.say(Text.FILE_NOT_FOUND))
    if row is None or row.version(number) is None:
        raise invalid(call.say(Text.FILE_NOT_FOUND))
    if not call.role(row).edits_history:
        raise invalid(call.say(Text.NO_EDIT))
    if row.locked_by not in (None, call.person.id):
        raise invalid(call.say(Text.LOCKED))
    if store.root(row.folder_id).section is Section.TRASH:
        raise invalid(call.say(Text.IN_TRASH))
    shown = text if isinstance(text, str) else ""
    return call.respond(files.comment(call.state, row.id, shown, by=call.person, version=number))


def _is_hidden_form(call: Call, row: FileRow) -> bool:
    """Whether this is a form nobody started, shown to one who may only fill (docspace.md 9)."""
    room = call.state.store.room(row.folder_id)
    if room is None or room.room_type != FORM_ROOM or row.created_by == call.person.id:
        return False
    role = call.role(row)
    return not role.owner and role.access == rights.FILL_FORMS
