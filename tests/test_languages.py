"""Users of every language on one portal, and a portal in an unknown language."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from reconciler.config import load
from reconciler.decision import Policy
from reconciler.model import Rule
from reconciler.portal_texts import by_culture
from reconciler.sandbox import Comment, Comments, Network, Portal, User
from reconciler.sweep import Backfill, BackfillJob
from tests.support_sweep import (
    DAY,
    HOUR,
    Stage,
    run,
    run_sweep,
    save,
    sweep_and_work,
    unmarked,
    work,
)
from tests.world import TARGET, World, scan_settings, world

ALL = sorted(by_culture())
SOME = ["de", "ja-JP", "ar-SA", "pt-BR"]
WORD = "Approved"
TEXTS = {name.value: f"xx {name} {{0}}" if "restored" in name else f"xx {name}" for name in Comment}
TOLD = Policy(portal_texts=tuple(TEXTS.values()), unlock_texts=(TEXTS[Comment.UNLOCKED],))
JOINED = [
    (Comment.SAVE_ANONYMOUS, Comment.AUTOSAVED),
    (Comment.SAVE_ANONYMOUS, Comment.EDITED_ENCRYPTED, Comment.SAVED),
    (Comment.EDITED_ENCRYPTED, Comment.SAVED),
    (Comment.FORM_SUBMITTED,),
]


@pytest.fixture
def silently(tmp_path: Path) -> Iterator[World]:
    """A world without deliveries, an hour after its first sweep."""
    with run_sweep(tmp_path / "ledger.db") as built:
        yield built


def colleague(here: World, culture: str) -> User:
    """Add a member of the room with this language."""
    person = here.portal.add_user(f"Person {culture}", culture=culture)
    here.portal.invite(here.room, person, access=11)
    return person


def backfilled(here: World, *rooms: int) -> None:
    """Run a backfill of the last sixty days, of some rooms or of all."""
    job = BackfillJob("all", here.clock() - timedelta(days=60), rooms=frozenset(rooms))
    backfill = Backfill(here.ledger, here.docspace, scan_settings(here.policy), here.clock)
    list(backfill.run(job, lambda _: None))
    work(here)


# One portal with users of all its languages.


@pytest.mark.parametrize("culture", ALL)
def test_a_marked_file_that_is_locked_and_unlocked_is_marked_again(
    here: World, culture: str
) -> None:
    """A marked file that is locked and unlocked is marked again: unlocking overwrites the mark with
    a text in the user's language.
    """
    person = colleague(here, culture)
    here.portal.save(here.file, by=person)
    here.settle()
    assert here.comment() == TARGET
    here.portal.lock(here.file, by=person)
    here.settle()
    here.portal.unlock(here.file, by=person)
    assert here.comment() == by_culture()[culture]["unlocked"]
    assert Rule.RESTORED in {attempt.rule for attempt in here.settle()}
    assert here.comment() == TARGET


def test_a_backfill_marks_what_people_of_every_language_saved(silently: World) -> None:
    """A backfill marks what was edited, autosaved, uploaded, converted or restored."""
    here, portal = silently, silently.portal
    acts: list[Callable[[int, User], object]] = [
        lambda file, by: portal.save(file, by=by),
        lambda file, by: portal.forcesave(file, by=by, timer=True),
        lambda file, by: portal.replace_content(file, by=by),
        lambda file, by: portal.convert(file, by=by),
        lambda file, by: portal.restore_version(file, 1, by=by),
    ]
    here.clock.advance(-30 * DAY)
    files = []
    for culture in ALL:
        person = colleague(here, culture)
        made = [
            int(portal.create(here.room, f"{culture} {n}.docx", by=person))
            for n in range(len(acts))
        ]
        here.clock.advance(60)
        for file, act in zip(made, acts, strict=True):
            act(file, person)
        files += made
    here.clock.advance(30 * DAY)
    assert len(unmarked(here, *files)) == 30 * len(acts)
    backfilled(here)
    assert unmarked(here, *files) == []


@pytest.mark.parametrize("culture", ["en", *SOME])
@pytest.mark.parametrize("comments", JOINED)
def test_a_save_over_the_same_version_is_marked_again(
    here: World, culture: str, comments: tuple[Comment, ...]
) -> None:
    """A save over the same version is marked again, whatever texts it writes, alone or joined."""
    person = colleague(here, culture)
    here.portal.forcesave(here.file, by=person)
    here.settle()
    version = here.portal.file(here.file).version
    here.portal.replace_content(here.file, by=person)
    here.portal.comment(here.file, here.portal.texts.join(comments, culture), by=person)
    here.settle()
    assert (here.comment(), here.portal.file(here.file).version) == (TARGET, version)
    assert here.portal.count("PUT") == 2


@pytest.mark.parametrize("culture", ["en", *SOME])
@pytest.mark.parametrize("timer", [True, False])
def test_a_save_by_somebody_without_an_account_is_marked_again(
    here: World, culture: str, timer: bool
) -> None:
    """A save by a user without an account, with a text in the portal's language, is marked."""
    here.portal.culture = culture
    here.portal.forcesave(here.file, by=here.portal.anonymous, timer=timer)
    here.settle()
    here.portal.forcesave(here.file, by=here.portal.anonymous, timer=timer)
    here.settle()
    assert (here.comment(), here.portal.count("PUT")) == (TARGET, 2)


@pytest.mark.parametrize("culture", SOME)
def test_a_submitted_form_that_is_filled_in_again_is_marked(silently: World, culture: str) -> None:
    """A submitted form is new; when its content is replaced in that version, it is marked."""
    here, person = silently, colleague(silently, culture)
    form = int(here.portal.submit_form(here.file, by=person))
    sweep_and_work(here, after=60)
    assert here.comment(form) != TARGET
    here.portal.replace_content(form, by=person)
    here.portal.comment(form, here.portal.text(Comment.FORM_SUBMITTED, person), by=person)
    sweep_and_work(here)
    assert here.comment(form) == TARGET


# A person's comment is kept, in every history.


@pytest.mark.parametrize("culture", SOME)
def test_a_word_typed_before_a_sweep_finds_the_update_is_kept(
    silently: World, culture: str
) -> None:
    """A comment typed after an update whose delivery was lost, and before the sweep, is kept."""
    here, person = silently, colleague(silently, culture)
    here.portal.save(here.file, by=person)
    here.clock.advance(10)
    here.portal.comment(here.file, WORD, by=person)
    sweep_and_work(here, after=60)
    assert (here.comment(), here.portal.count("PUT")) == (WORD, 0)


@pytest.mark.parametrize("culture", SOME)
@pytest.mark.parametrize("again", ["renamed", "trashed and restored"])
def test_an_old_reviewed_file_that_gets_a_new_date_keeps_its_word(
    here: World, culture: str, again: str
) -> None:
    """An old reviewed file whose date changes keeps its comment, which says reviewed."""
    person, portal = colleague(here, culture), here.portal
    portal.network = Network(drop=1.0)
    portal.save(here.file, by=person)
    portal.comment(here.file, WORD, by=person)
    here.clock.advance(30 * DAY)
    portal.network = Network()
    sweep_and_work(here)
    here.clock.advance(HOUR)
    if again == "renamed":
        portal.rename(here.file, "Renamed.docx", by=person)
    else:
        portal.trash(here.file, by=person)
        portal.restore(here.file, by=person)
    here.settle()
    sweep_and_work(here)
    assert (here.comment(), portal.count("PUT")) == (WORD, 0)


@pytest.mark.parametrize("culture", SOME)
@pytest.mark.parametrize("lost", [False, True])
def test_words_that_are_younger_than_the_ledger_are_kept(
    here: World, culture: str, lost: bool
) -> None:
    """Comments typed after the ledger's backup was made, or before a new ledger began, are kept."""
    person, portal, backup = colleague(here, culture), here.portal, here.path.with_suffix(".old")
    sweep_and_work(here)
    here.close()
    shutil.copy(here.path, backup)
    here.open()
    portal.save(here.file, by=person)
    here.settle()
    portal.comment(here.file, WORD, by=person)
    here.settle()
    here.close()
    here.path.unlink()
    if not lost:
        shutil.copy(backup, here.path)
    here.open()
    sweep_and_work(here, after=60)
    portal.rename(here.file, "Renamed.docx", by=person)
    here.settle()
    assert (here.comment(), portal.count("PUT")) == (WORD, 1)


# A lost delivery.


def test_a_lost_delivery_is_found_within_a_minute(silently: World) -> None:
    """A lost delivery is found by one sweep, within a minute."""
    here = silently
    environ = {"DOCSPACE_API_HOST": here.server.url, "DOCSPACE_API_KEY": here.key}
    every = load(None, environ).sweep.every
    assert every == timedelta(minutes=1)
    save(here, here.file)
    here.clock.advance(every.total_seconds() - 1)
    sweep_and_work(here)
    assert here.comment() == TARGET


# A portal in an unknown language.


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[World]:
    """A world whose portal writes texts in an unknown language."""
    with world(tmp_path / "ledger.db", make=_foreign) as built:
        yield built


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[World]:
    """The same, with the texts in the configuration."""
    with world(tmp_path / "ledger.db", TOLD, make=_foreign) as built:
        yield built


_foreign = partial(Portal, culture="xx", texts=Comments({"xx": TEXTS}))


def test_an_unknown_language_has_all_the_texts(foreign: World) -> None:
    """A portal in an unknown language writes none of the texts that we know."""
    assert len(TEXTS) == 19
    foreign.portal.save(foreign.file, by=foreign.ann)
    assert foreign.comment() == "xx edited"
    assert not Policy().recognizes(TEXTS.values())


def test_in_an_unknown_language_every_version_is_marked_once(foreign: World) -> None:
    """In an unknown language an event is trusted once per version, as in the tutorial; a later
    comment on it counts as a person's.
    """
    here = foreign
    for writes in (1, 2, 3):
        here.edit()
        assert (here.comment(), here.portal.count("PUT")) == (TARGET, writes)
        here.portal.comment(here.file, WORD, by=here.bob)
        here.settle()
        here.portal.rename(here.file, f"{writes}.docx", by=here.bob)
        here.settle()
        assert (here.comment(), here.portal.count("PUT")) == (WORD, writes)


@pytest.mark.parametrize("age", [0, 30 * DAY])
def test_in_an_unknown_language_an_event_is_believed_of_new_and_old_files(
    foreign: World, age: int
) -> None:
    """In an unknown language an event marks a file of version 1, however old."""
    here, portal = foreign, foreign.portal
    file = int(portal.create(here.room, "New.docx", by=here.ann))
    here.clock.advance(age)
    portal.lock(file, by=here.ann)
    portal.unlock(file, by=here.ann)
    here.settle()
    assert (here.comment(file), portal.count("PUT")) == (TARGET, 1)


def test_in_an_unknown_language_an_unlocking_leaves_the_version_as_it_is(foreign: World) -> None:
    """In an unknown language an unlocking leaves the version as it is: its text cannot be
    distinguished from a person's, so nothing is written twice.
    """
    here = foreign
    here.edit()
    here.portal.lock(here.file, by=here.ann)
    here.portal.unlock(here.file, by=here.ann)
    here.settle()
    assert (here.comment(), here.portal.count("PUT")) == ("xx unlocked", 1)


def test_in_an_unknown_language_the_sweep_finds_new_versions(foreign: World) -> None:
    """In an unknown language the sweep finds new versions without any delivery."""
    here = foreign
    here.portal.network = Network(drop=1.0)
    here.sweep()
    here.clock.advance(HOUR)
    save(here, here.file)
    sweep_and_work(here, after=60)
    assert here.comment() == TARGET


def test_where_the_texts_are_configured_unlocking_is_told_apart(configured: World) -> None:
    """With configured texts, unlocking works as on any other portal."""
    here = configured
    here.edit()
    here.portal.lock(here.file, by=here.ann)
    here.portal.unlock(here.file, by=here.ann)
    here.settle()
    assert (here.comment(), here.portal.count("PUT")) == (TARGET, 2)
    here.portal.forcesave(here.file, by=here.portal.anonymous)
    here.settle()
    here.portal.forcesave(here.file, by=here.portal.anonymous)
    here.settle()
    assert (here.comment(), here.portal.count("PUT")) == (TARGET, 4)


@pytest.mark.parametrize("lost", [False, True])
def test_where_the_texts_are_configured_words_typed_early_are_kept(
    configured: World, lost: bool
) -> None:
    """With configured texts, comments typed before the first look are kept."""
    here = configured
    here.sweep()
    here.portal.network = Network(drop=1.0 if lost else 0.0)
    here.portal.save(here.file, by=here.ann)
    here.portal.comment(here.file, WORD, by=here.bob)
    here.settle()
    sweep_and_work(here, after=60)
    assert (here.comment(), here.portal.count("PUT")) == (WORD, 0)


def test_where_the_texts_are_configured_restored_versions_are_updates(configured: World) -> None:
    """With configured texts, restored versions are updates, also by texts with a variable part."""
    here = configured
    here.edit()
    here.portal.restore_version(here.file, 1, by=here.ann)
    here.settle()
    assert (here.comment(), here.portal.count("PUT")) == (TARGET, 2)


# Form rooms that the list of rooms omits.


@pytest.fixture
def form(silently: World) -> int:
    """A form filled in a minute ago, in a room that the list of rooms omits."""
    portal = silently.portal
    portal.form_rooms_apart = True
    room = int(portal.add_room("Forms", owner=silently.ann, room_type=1))
    portal.invite(room, silently.bot, access=9)
    made = int(portal.create(room, "Form.pdf", by=silently.ann))
    silently.clock.advance(60)
    portal.save(made, by=silently.ann)
    silently.clock.advance(60)
    return made


def test_a_form_room_that_is_listed_apart_is_swept(silently: World, form: int) -> None:
    """A form room that the portal omits from its list is swept."""
    sweep_and_work(silently)
    assert silently.comment(form) == TARGET


def test_a_form_room_that_is_listed_apart_is_backfilled(silently: World, form: int) -> None:
    """Such a room can be named with `--room ID`, and is then read alone."""
    backfilled(silently, int(silently.portal.file(form).folder_id))
    assert silently.comment(form) == TARGET
    assert unmarked(silently, silently.file) == [silently.file]


def test_a_form_room_that_is_listed_apart_is_found_by_its_number(scene: Stage) -> None:
    """The command in its own process finds such a room by its id."""
    scene.portal.form_rooms_apart = True
    room = int(scene.portal.add_room("Forms", owner=scene.ann, room_type=1))
    scene.portal.invite(room, scene.bot, access=9)
    form = scene.add_files("Form.pdf", room, days=3)
    done = run(scene, "backfill", "--since", "60d", "--room", str(room), "--yes")
    assert (done.returncode, scene.comments(form)) == (0, [TARGET])


def test_an_archived_form_room_is_left_alone(silently: World, form: int) -> None:
    """An archived form room is in the same list; it is recognised by its root and ignored."""
    room = silently.portal.file(form).folder_id
    silently.portal.archive_room(room)
    report = sweep_and_work(silently)
    assert silently.comment(form) != TARGET
    assert report.skipped["section"] == 1
