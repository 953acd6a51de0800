"""The action logs of files and rooms (docspace.md 1.6, 1.7)."""

from datetime import UTC, datetime

from reconciler.sandbox import kinds
from reconciler.sandbox.answers import Answer, bad_argument, denied
from reconciler.sandbox.audit import Action, Entry
from reconciler.sandbox.calls import Call
from reconciler.sandbox.dto import Dto
from reconciler.sandbox.texts import Text

Json = dict[str, object]


def get_file_log(call: Call) -> Answer:
    """``GET files/file/{id}/log``: tracked actions on one file, newest first."""
    row = call.readable_file()
    return _log(call, [one for one in call.portal.audit if one.file_id == row.id])


def get_folder_log(call: Call) -> Answer:
    """``GET files/folder/{id}/log``: of the whole subtree; not for section roots."""
    folder = call.readable_folder(call.id)
    if folder.parent_id is None:
        raise denied(call.say(Text.DENIED))
    return _log(call, [one for one in call.portal.audit if folder.id in one.parents])


def _log(call: Call, entries: list[Entry]) -> Answer:
    """Page the raw entries, then group the page (docspace.md 1.7)."""
    start, count = call.query.page()
    since, until = _date(call, "fromDate"), _date(call, "toDate")
    chosen = [
        one
        for one in reversed(entries)
        if (since is None or one.at >= since) and (until is None or one.at <= until)
    ]
    page = chosen[start : start + count]
    return call.answer(_grouped(call.dto, page), count=len(page), total=len(chosen))


def _date(call: Call, name: str) -> datetime | None:
    text = call.query.text(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_argument(f"{name} is no date") from error
    if moment.tzinfo is None:
        # The portal looks for a time zone it does not have yet (docspace.md 1.7).
        raise bad_argument(f"{name} has no zone")
    return moment.astimezone(UTC)


def _grouped(dto: Dto, page: list[Entry]) -> list[Json]:
    """Fold entries of the same action, user, minute and folder into ``related``."""
    shown: list[Json] = []
    heads: dict[tuple[object, ...], list[Json]] = {}
    for one in page:
        minute = one.at.replace(second=0, microsecond=0)
        parent = one.parents[:1]
        related: list[Json] = []
        item = {**_entry(dto, one), "related": related}
        key = (one.action, one.user_id, minute, parent)
        if key in heads:
            heads[key].append(item)
        else:
            heads[key] = related
            shown.append(item)
    return shown


def _entry(dto: Dto, one: Entry) -> Json:
    number, key = one.action.value
    person = dto.employee(one.user_id)
    return {
        "id": one.id,
        "action": {"id": number, "key": key},
        "initiator": person,
        "date": dto.date(one.at),
        "data": _data(dto, one, str(person["displayName"])),
    }


def _data(dto: Dto, one: Entry, name: str) -> Json:
    updated = one.action is Action.UPDATED
    data: Json = {"userName": name} if updated else {}
    data["accessibility"] = kinds.accessibility(one.title, log=True)
    data["viewUrl"] = dto.view_url(one.file_id)
    if one.action is Action.RENAMED:
        data |= {"oldTitle": one.old_title, "newTitle": one.title}
    else:
        data |= {"initiatorName": name} if updated else {}
        data["title"] = one.title
    return data | {
        "parentTitle": one.parent_title,
        "parentId": one.parents[0] if one.parents else 0,
        "parentType": one.parent_type,
        "id": one.file_id,
    }
