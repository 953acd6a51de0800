"""Every row of the table of docspace.md 4.2: version, group, date, comment, event."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.portal_texts import by_culture
from reconciler.sandbox import Comment, FileInfo, ManualClock, Portal, User, dates
from reconciler.sandbox.texts import Comments
from reconciler.sandbox.values import EntryId
from tests.support_sandbox import utc

BY_CULTURE = by_culture()


@dataclass
class Small:
    """A portal without a server: one file "a.docx" of Ann in a room, made an hour ago."""

    clock: ManualClock
    portal: Portal
    ann: User
    bob: User
    room: EntryId
    fid: EntryId
    start: datetime

    @property
    def file(self) -> FileInfo:
        """The file as it is now."""
        return self.portal.file(self.fid)

    def triggers(self) -> list[str]:
        """The events since the file was made."""
        return [event.trigger for event in self.portal.events[1:]]


def small(culture: str = "en", **options: Any) -> Small:
    """A small portal."""
    clock = ManualClock(utc("2025-11-24T08:00:00"))
    portal = Portal(clock, **options)
    ann = portal.add_user("Ann Lee", kind="room_admin", culture=culture)
    bob = portal.add_user("Bob Stone", kind="user")
    room = portal.add_room("Legal", owner=ann)
    fid = portal.create(room, "a.docx", by=ann, size=1000)
    clock.advance(3600)
    return Small(clock, portal, ann, bob, room, fid, utc("2025-11-24T08:00:00"))


@pytest.fixture
def world() -> Small:
    """The portal of most tests."""
    return small()


def test_create(world: Small) -> None:
    """A new file is version 1, says Created, and publishes file.created."""
    made = world.file
    assert (made.version, made.version_group, made.comment) == (1, 1, "Created")
    assert made.updated == made.created == world.start
    assert [event.trigger for event in world.portal.events] == ["file.created"]


Act = Callable[[Small], object]
UPDATED, SILENT = ("file.updated",), ()


def act(name: str, *args: Any, by: str = "ann", **options: Any) -> Act:
    """Return an act on the file by Ann, or by the portal's ``anonymous`` user."""

    def run(world: Small) -> object:
        person = world.ann if by == "ann" else world.portal.anonymous
        return getattr(world.portal, name)(world.fid, *args, by=person, **options)

    return run


def upload(title: str = "a.docx", **options: Any) -> Act:
    """Return an upload by Ann into the room."""
    return lambda w: w.portal.upload(w.room, title, by=w.ann, **options)


def move(w: Small) -> None:
    """Move the file into a folder of the room."""
    w.portal.move(w.fid, w.portal.add_folder(w.room, "Sub", by=w.ann), by=w.ann)


UNKNOWN = "Author of the save is unknown"
LOST = "Failed to get the file to be saved"
OF = "of 11/24/2025 11:00:00 AM"
# The acts that save content, by name: comment, and events.
SAVES: dict[str, tuple[Act, str, tuple[str, ...]]] = {
    "save": (act("save"), "Edited", UPDATED),
    "forcesave by the user": (act("forcesave"), "Saved", UPDATED),
    "forcesave by the timer": (act("forcesave", timer=True), "Autosaved", UPDATED),
    "encrypted": (act("save", encrypted=True), "Edited with encrypt", UPDATED),
    "encrypted forcesave": (
        act("forcesave", encrypted=True),
        "Edited with encrypt; Saved",
        UPDATED,
    ),
    "anonymous": (act("save", by="anonymous"), UNKNOWN, UPDATED),
    "anonymous forcesave": (act("forcesave", by="anonymous"), f"{UNKNOWN}; Saved", UPDATED),
    "anonymous by the timer": (
        act("forcesave", by="anonymous", timer=True),
        f"{UNKNOWN}; Autosaved",
        UPDATED,
    ),
    "anonymous with a lost URL": (act("save_failed", by="anonymous"), f"{UNKNOWN}; {LOST}", SILENT),
    "by the API": (act("save_by_api"), "Edited", UPDATED),
    "encrypted by the API": (act("save_by_api", encrypted=True), "Encrypted", UPDATED),
    "with a lost URL": (act("save_failed"), LOST, SILENT),
    "upload over it": (upload(), "Uploaded", ("file.uploaded",)),
    "simple upload": (upload(simple=True), "Uploaded", ("file.uploaded", "file.created")),
    "conversion in place": (act("convert"), "Converted from a.docx", SILENT),
    "restored version": (act("restore_version", 1), f"Restored from the revision {OF}", UPDATED),
    "restored change": (
        act("restore_version", 1, change=True),
        f"Restored from the document change {OF}",
        UPDATED,
    ),
    "completed version": (act("complete_version"), f"Restored from the revision {OF}", SILENT),
    "owner": (lambda w: w.portal.change_owner(w.fid, w.bob, by=w.ann), "Changed owner", UPDATED),
}
# The others: whether the date moves, comment, and events.
OTHERS: dict[str, tuple[Act, bool, str, tuple[str, ...]]] = {
    "upload that keeps the version": (act("replace_content"), True, "Uploaded", ("file.uploaded",)),
    "rename": (act("rename", "b.docx"), True, "Created", UPDATED),
    "comment": (act("comment", "Approved"), False, "Approved", UPDATED),
    "lock": (act("lock"), False, "Created", UPDATED),
    "unlock": (act("unlock"), False, "The file is unlocked", UPDATED * 2),
    "order": (act("reorder"), False, "Created", UPDATED),
    "move": (move, False, "Created", ("file.moved",)),
    "trash": (act("trash"), True, "Created", ("file.trashed",)),
    "form": (act("submit_form"), False, "Created", ("form.submit",)),
}


@pytest.mark.parametrize(("run", "comment", "triggers"), SAVES.values(), ids=list(SAVES))
def test_saves(world: Small, run: Act, comment: str, triggers: tuple[str, ...]) -> None:
    """Each save makes a version dated now with a portal's text, with or without an event."""
    run(world)
    after = world.file
    assert (after.version, after.version_group, after.comment) == (2, 2, comment)
    assert after.updated != world.start
    assert world.triggers() == list(triggers)


@pytest.mark.parametrize(("run", "moves", "comment", "triggers"), OTHERS.values(), ids=list(OTHERS))
def test_other_acts(
    world: Small, run: Act, moves: bool, comment: str, triggers: tuple[str, ...]
) -> None:
    """Other actions keep the version; the table gives their effect on date and comment."""
    run(world)
    after = world.file
    assert (after.version, after.version_group, after.comment) == (1, 1, comment)
    assert (after.updated != world.start) is moves
    assert world.triggers() == list(triggers)


def test_old_versions_keep_their_comments(world: Small) -> None:
    """A new version starts with the portal's text; the old one keeps a person's."""
    world.portal.comment(world.fid, "Approved", by=world.ann)
    world.portal.save(world.fid, by=world.ann)
    assert [one.comment for one in world.portal.versions(world.fid)] == ["Approved", "Edited"]


def test_second_forcesave_overwrites_version_and_comment(world: Small) -> None:
    """Later saves of a session overwrite version and comment; the next session adds a version."""
    world.portal.forcesave(world.fid, by=world.ann, timer=True)
    world.portal.comment(world.fid, "Need Review", by=world.bob)
    world.portal.forcesave(world.fid, by=world.ann, timer=True)
    overwritten = world.file
    world.portal.save(world.fid, by=world.ann)
    final = world.file
    world.portal.save(world.fid, by=world.ann)
    assert (overwritten.version, overwritten.comment) == (2, "Autosaved")
    assert (final.version, final.comment) == (2, "Edited")
    assert world.file.version == 3


@pytest.mark.parametrize(("stored", "encrypted"), [(True, False), (False, True)])
def test_what_never_overwrites_a_version(world: Small, stored: bool, encrypted: bool) -> None:
    """After a user's forcesave, StoreForcesave or an encrypted save adds a version."""
    world.portal.store_forcesave = stored
    world.portal.forcesave(world.fid, by=world.ann)
    world.portal.save(world.fid, by=world.ann, encrypted=encrypted)
    assert world.file.version == 3


def restore(portal: Portal, other: EntryId, room: EntryId, **options: Any) -> None:
    """Put a file into the trash and restore it."""
    portal.trash(other, by=options["by"])
    portal.restore(other, **options)


@pytest.mark.parametrize(
    ("put", "trigger", "remains"),
    [
        (Portal.copy, "file.copied", True),
        (Portal.move, "file.moved", False),
        (restore, "file.restored", False),
    ],
)
def test_overwriting(world: Small, put: Callable[..., object], trigger: str, remains: bool) -> None:
    """A copy, a move or a restored file over another adds a version to it, Overwritten."""
    other = world.portal.create(world.room, "b.docx", by=world.ann, size=500)
    put(world.portal, other, world.room, by=world.ann, overwrite=world.fid)
    target = world.file
    assert (target.version, target.comment, target.size) == (2, "Overwritten", 500)
    assert (other in world.portal.file_ids()) is remains
    assert world.triggers()[-1] == trigger


@pytest.mark.parametrize(
    ("comment", "text", "publish"),
    [
        (Comment.CREATED_FORM_DRAFT, "Created to fill in the form", True),
        (Comment.CREATED_BY_DOCUSIGN, "Created by DocuSign", True),
        (Comment.CONVERTED, "Converted from form.pdf", False),
    ],
)
def test_other_ways_to_create(world: Small, comment: Comment, text: str, publish: bool) -> None:
    """Drafts, DocuSign's files and conversions are new files with a comment of their own."""
    create = partial(world.portal.create, comment=comment, publish=publish)
    fid = create(world.room, "form.pdf", by=world.ann)
    made = world.portal.file(fid)
    assert (made.version, made.comment) == (1, text)
    assert world.triggers() == (["file.created"] if publish else [])


def test_anonymous_saves_overwrite_the_version_of_their_session(world: Small) -> None:
    """An anonymous user's save overwrites the version of its session, with a new text."""
    world.portal.forcesave(world.fid, by=world.portal.anonymous, timer=True)
    world.portal.save(world.fid, by=world.portal.anonymous)
    saved = world.file
    assert (saved.version, saved.comment) == (2, "Author of the save is unknown")
    assert saved.updated_by.id == "712d9ec3-5d2b-4b13-824f-71f00191dcca"


def test_anonymous_people_save_in_the_portals_language() -> None:
    """Anonymous users save in the portal's language, since they have none of their own."""
    portal = Portal(culture="ja-JP")
    ann = portal.add_user("Ann", culture="de")
    fid = portal.create(portal.add_room("Legal", owner=ann), "a.docx", by=ann)
    portal.save(fid, by=portal.anonymous)
    assert portal.file(fid).comment == BY_CULTURE["ja-JP"]["save_anonymous"]


def test_every_comment_is_one_of_the_portals_texts() -> None:
    """Every comment's name is one of the names in the shipped texts."""
    assert {str(one) for one in Comment} == set(BY_CULTURE["en"])


@pytest.mark.parametrize("culture", sorted(BY_CULTURE))
def test_every_language_is_spoken(culture: str) -> None:
    """In each of the 30 languages each text equals the shipped one."""
    comments = Comments()
    shown = {str(one): comments.say(one, culture, "{0}") for one in Comment}
    assert shown == BY_CULTURE[culture]


def test_a_portal_may_speak_a_language_of_its_own() -> None:
    """An additional language's texts are written for its users; missing ones are English."""
    texts = {"tlh": {"edited": "choHlu'pu'", "restored_revision": "{0} law'"}}
    portal = Portal(culture="tlh", texts=Comments(texts))
    ann = portal.add_user("Ann")
    fid = portal.create(portal.add_room("Legal", owner=ann), "a.docx", by=ann)
    portal.save(fid, by=ann)
    assert [one.comment for one in portal.versions(fid)] == ["Created", "choHlu'pu'"]
    portal.restore_version(fid, 1, by=ann)
    assert (portal.file(fid).comment or "").endswith(" law'")


def test_copy_is_a_new_file(world: Small) -> None:
    """A copy is version 1 of a new file, with the text Copied."""
    made = world.portal.file(world.portal.copy(world.fid, world.room, by=world.ann))
    assert (made.version, made.comment) == (1, "Copied")
    assert made.id != world.fid


def test_restore_from_trash_moves_no_date(world: Small) -> None:
    """Moving a file to the trash sets its date; restoring keeps it, and its old folder."""
    world.portal.trash(world.fid, by=world.ann)
    trashed = world.file
    world.clock.advance(60)
    world.portal.restore(world.fid, by=world.ann)
    restored = world.file
    assert (trashed.trashed, restored.trashed) == (True, False)
    assert restored.updated == trashed.updated
    assert restored.folder_id == world.room
    assert world.portal.folder_updated(world.room) == world.start


def test_deleted_version(world: Small) -> None:
    """Deleting an old version leaves the current one and publishes file.updated."""
    world.portal.save(world.fid, by=world.ann)
    world.portal.delete_version(world.fid, 1, by=world.ann)
    assert [one.version for one in world.portal.versions(world.fid)] == [2]
    assert world.triggers()[-1] == "file.updated"


def test_continued_version(world: Small) -> None:
    """Continuing a version lowers the later groups and nothing else, silently."""
    world.portal.save(world.fid, by=world.ann)
    world.portal.continue_version(world.fid, 2)
    assert [one.version_group for one in world.portal.versions(world.fid)] == [1, 1]
    assert world.triggers() == ["file.updated"]


BUMPS = {
    "save": (act("save"), True),
    "forcesave": (act("forcesave"), True),
    "upload": (upload("new.docx"), True),
    "convert": (act("convert"), True),
    "restore_version": (act("restore_version", 1), True),
    "copy": (lambda w: w.portal.copy(w.fid, w.room, by=w.ann), True),
    "rename": (act("rename", "b.docx"), False),
    "comment": (act("comment", "x"), False),
    "lock": (act("lock"), False),
    "unlock": (act("unlock"), False),
    "reorder": (act("reorder"), False),
    "trash": (act("trash"), False),
    "add_folder": (lambda w: w.portal.add_folder(w.room, "Sub", by=w.ann), False),
}


@pytest.mark.parametrize(("run", "bumps"), BUMPS.values(), ids=list(BUMPS))
def test_folder_dates(world: Small, run: Act, bumps: bool) -> None:
    """Only saves of content raise the dates of the room and of the rooms root."""
    before = [world.portal.folder_updated(one) for one in (world.room, 2)]
    run(world)
    after = [world.portal.folder_updated(one) for one in (world.room, 2)]
    assert (after != before) is bumps


@pytest.mark.parametrize(
    ("culture", "edited", "unlocked"),
    [
        ("de", "Bearbeitet", "Die Datei ist nicht gesperrt"),
        ("de-DE", "Bearbeitet", "Die Datei ist nicht gesperrt"),
        ("fr", "Modifié(e)", "Le fichier est déverrouillé"),
        ("es", "Editado", "El archivo es desbloqueado"),
        ("ru", "Отредактирована", "Файл разблокирован"),
        ("pt", "Editado", "O ficheiro está desbloqueado"),
        ("pt-BR", "Editado", "O arquivo está desbloqueado"),
        ("ja-JP", "編集済みの", "ファイルがアンロックとなりました"),
        ("tlh", "Edited", "The file is unlocked"),
    ],
)
def test_texts_are_in_the_actors_language(culture: str, edited: str, unlocked: str) -> None:
    """The portal writes its texts in the language of the user who acts."""
    world = small(culture)
    world.portal.save(world.fid, by=world.ann)
    first = world.file.comment
    world.portal.unlock(world.fid, by=world.ann)
    assert (first, world.file.comment) == (edited, unlocked)


@pytest.mark.parametrize(("rounded", "second"), [(True, 1), (False, 0)])
def test_dates_are_whole_seconds(rounded: bool, second: int) -> None:
    """Stored dates are rounded half up, or cut."""
    world = small(round_dates=rounded)
    world.clock.set(utc("2025-11-24T10:00:00.500000"))
    world.portal.save(world.fid, by=world.ann)
    assert world.file.updated == utc(f"2025-11-24T10:00:0{second}")


def test_comment_is_cut_and_loses_what_mysql_cannot_hold(world: Small) -> None:
    """A comment keeps 255 UTF-16 units and no character beyond the BMP."""
    world.portal.comment(world.fid, "ok 👍" + "x" * 300, by=world.ann)
    kept = world.file.comment
    assert kept == "ok " + "x" * 250


def test_comment_writes_tell_what_was_replaced(world: Small) -> None:
    """The journal of comments has every write with the replaced text."""
    world.portal.comment(world.fid, "Need Review", by=world.bob)
    world.portal.comment(world.fid, "Approved", by=world.ann)
    writes = world.portal.comment_writes(world.fid)
    assert [(one.before, one.after) for one in writes] == [
        ("Created", "Need Review"),
        ("Need Review", "Approved"),
    ]
    assert [one.by for one in writes] == [world.bob, world.ann]


def test_ids_are_reused_only_when_told(world: Small) -> None:
    """A deleted file's id is used again when next_id is set to it."""
    world.portal.delete(world.fid, by=world.ann)
    world.portal.next_id = int(world.fid)
    again = world.portal.create(world.room, "z.docx", by=world.ann)
    assert again == world.fid
    assert world.portal.file(again).created != world.start


def test_backup_sets_versions_back(world: Small) -> None:
    """A restored backup has its old versions and comments."""
    saved = world.portal.backup()
    world.portal.save(world.fid, by=world.ann)
    world.portal.restore_backup(saved)
    assert world.file.version == 1


def test_third_party_file_has_a_string_id_and_no_versions(world: Small) -> None:
    """Files of third-party storage have string ids, one version and no folder dates."""
    drive = world.portal.add_room("Drive", owner=world.ann, third_party=True)
    fid = world.portal.create(drive, "Plan.docx", by=world.ann)
    world.portal.save(fid, by=world.ann)
    assert isinstance(fid, str)
    assert world.portal.file(fid).version == 1
    assert world.portal.folder_updated(2) == world.start


@pytest.mark.parametrize(
    ("moment", "zone", "text"),
    [
        ("2025-10-26T00:30:00", ZoneInfo("Europe/Berlin"), "2025-10-26T02:30:00.0000000+01:00"),
        ("2025-11-24T09:15:42.120000", UTC, "2025-11-24T09:15:42.1200000Z"),
        (
            "2025-11-24T09:15:42.120000",
            timezone(timedelta(hours=-3, minutes=-30)),
            "2025-11-24T05:45:42.1200000-03:30",
        ),
    ],
    ids=["ambiguous", "UTC", "west"],
)
def test_dates_of_the_api(moment: str, zone: tzinfo, text: str) -> None:
    """The API's dates have seven digits and the zone's offset, or Z (docspace.md 3).

    A date in the repeated autumn hour is read as standard time: an hour late.
    """
    assert dates.api(utc(moment), zone) == text
