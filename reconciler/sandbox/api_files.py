"""The ``files/file`` routes (docspace.md 2, 5)."""

from reconciler.sandbox import kinds, rights
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


def put_history(call: Call) -> Answer:
    """``PUT files/file/{id}/history``: complete a version, or continue it."""
    row = _editable(call)
    body = call.json()
    if body.get("continueversion"):
        call.portal.continue_version(row.id, _version(body))
    else:
        call.portal.complete_version(row.id, by=call.person)
    return get_history(call)


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


def put_file(call: Call) -> Answer:
    """``PUT files/file/{id}``: another title, or ``lastVersion`` restored."""
    row = _editable(call)
    body = call.json()
    title, last = body.get("title"), body.get("lastversion")
    if isinstance(title, str) and title:
        kept = kinds.extension(row.current.title)
        wanted = title if title.lower().endswith(kept) else title + kept
        call.portal.rename(row.id, wanted, by=call.person)
    if isinstance(last, int) and last > 0:
        if all(one.version != last for one in row.versions):
            raise invalid(call.say(Text.FILE_NOT_FOUND))
        call.portal.restore_version(row.id, last, by=call.person)
    return call.answer(call.dto.file(row))


def put_lock(call: Call) -> Answer:
    """``PUT files/file/{id}/lock`` with ``lockFile``."""
    row = call.readable_file()
    standing = rights.in_file(call.portal.store, call.person, row)
    by_other = row.locked_by not in (None, call.person.id)
    if not rights.file_security(standing, locked_by_other=False)["Lock"]:
        raise invalid(call.say(Text.NO_EDIT))
    if by_other and not standing.owner:
        raise invalid(call.say(Text.LOCKED))
    if call.json().get("lockfile", True):
        call.portal.lock(row.id, by=call.person)
    elif row.locked_by:
        call.portal.unlock(row.id, by=call.person)
    return call.answer(call.dto.file(row))


def _editable(call: Call) -> FileRow:
    row = call.readable_file()
    if row.locked_by not in (None, call.person.id):
        raise invalid(call.say(Text.LOCKED))
    standing = rights.in_file(call.portal.store, call.person, row)
    if not rights.file_security(standing, locked_by_other=False)["Rename"]:
        raise invalid(call.say(Text.NO_EDIT))
    return row


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
