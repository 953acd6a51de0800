"""People of every language on one portal, and a portal of a language that nobody told us of."""

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
    """A world whose deliveries are all lost, an hour after its first sweep."""
    with run_sweep(tmp_path / "ledger.db") as built:
        yield built


def colleague(here: World, culture: str) -> User:
    """Add somebody of a language who works in the room."""
    person = here.portal.add_user(f"Person {culture}", culture=culture)
    here.portal.invite(here.room, person, access=11)
    return person


def backfilled(here: World, *rooms: int) -> None:
    """Backfill the last sixty days, of some rooms or of all."""
    job = BackfillJob("all", here.clock() - timedelta(days=60), rooms=frozenset(rooms))
    told = Backfill(here.ledger, here.docspace, scan_settings(here.policy), here.clock)
    list(told.run(job, lambda _: None))
    work(here)


# One portal, people of all its languages.


@pytest.mark.parametrize("culture", ALL)
def test_a_marked_file_that_is_locked_and_unlocked_is_marked_again(
    here: World, culture: str
) -> None:
    """Unlocking wipes the mark with a text of the person's language."""
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
    """Of each language a file that was edited, autosaved, uploaded, converted and restored."""
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
    """Whatever texts a save writes, alone or joined, no person typed them."""
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
    """Its texts are of the portal's language."""
    here.portal.culture = culture
    here.portal.forcesave(here.file, by=here.portal.anonymous, timer=timer)
    here.settle()
    here.portal.forcesave(here.file, by=here.portal.anonymous, timer=timer)
    here.settle()
    assert (here.comment(), here.portal.count("PUT")) == (TARGET, 2)


@pytest.mark.parametrize("culture", SOME)
def test_a_submitted_form_that_is_filled_in_again_is_marked(silently: World, culture: str) -> None:
    """At first it is a new file, then its content is replaced in the same version."""
    here, person = silently, colleague(silently, culture)
    form = int(here.portal.submit_form(here.file, by=person))
    sweep_and_work(here, after=60)
    assert here.comment(form) != TARGET
    here.portal.replace_content(form, by=person)
    here.portal.comment(form, here.portal.text(Comment.FORM_SUBMITTED, person), by=person)
    sweep_and_work(here)
    assert here.comment(form) == TARGET


# A person's word is kept, in every history.


@pytest.mark.parametrize("culture", SOME)
def test_a_word_typed_before_a_sweep_finds_the_update_is_kept(
    silently: World, culture: str
) -> None:
    """The delivery of the update was lost, and a reviewer was quicker than the sweep."""
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
    """Its date says that it was updated, its comment that somebody has seen to it."""
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
    """The ledger comes from a backup, or is a new one; the files were approved since."""
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
    """The daemon sweeps every minute, and one sweep is enough."""
    here = silently
    environ = {"DOCSPACE_API_HOST": here.server.url, "DOCSPACE_API_KEY": here.key}
    every = load(None, environ).sweep.every
    assert every == timedelta(minutes=1)
    save(here, here.file)
    here.clock.advance(every.total_seconds() - 1)
    sweep_and_work(here)
    assert here.comment() == TARGET


# A whole portal in a language of its own.


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[World]:
    """A world whose portal writes texts that nobody told us of."""
    with world(tmp_path / "ledger.db", make=_foreign) as built:
        yield built


@pytest.fixture
def told(tmp_path: Path) -> Iterator[World]:
    """The same, where the configuration has the texts."""
    with world(tmp_path / "ledger.db", TOLD, make=_foreign) as built:
        yield built


_foreign = partial(Portal, culture="xx", texts=Comments({"xx": TEXTS}))


def test_an_unknown_language_has_all_the_texts(foreign: World) -> None:
    """Nothing that such a portal writes is a text that we know."""
    assert len(TEXTS) == 19
    foreign.portal.save(foreign.file, by=foreign.ann)
    assert foreign.comment() == "xx edited"
    assert not Policy().recognizes(TEXTS.values())


def test_in_an_unknown_language_every_version_is_marked_once(foreign: World) -> None:
    """The tutorial's rule: an event is believed; what follows on that version is a person's."""
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
    """A file of version 1 with the date of its creation is marked too, however old it is."""
    here, portal = foreign, foreign.portal
    file = int(portal.create(here.room, "New.docx", by=here.ann))
    here.clock.advance(age)
    portal.lock(file, by=here.ann)
    portal.unlock(file, by=here.ann)
    here.settle()
    assert (here.comment(file), portal.count("PUT")) == (TARGET, 1)


def test_in_an_unknown_language_an_unlocking_leaves_the_version_as_it_is(foreign: World) -> None:
    """Nobody can tell its text from a person's, so nothing is written twice."""
    here = foreign
    here.edit()
    here.portal.lock(here.file, by=here.ann)
    here.portal.unlock(here.file, by=here.ann)
    here.settle()
    assert (here.comment(), here.portal.count("PUT")) == ("xx unlocked", 1)


def test_in_an_unknown_language_the_sweep_finds_new_versions(foreign: World) -> None:
    """An update of which no delivery comes is an update there too."""
    here = foreign
    here.portal.network = Network(drop=1.0)
    here.sweep()
    here.clock.advance(HOUR)
    save(here, here.file)
    sweep_and_work(here, after=60)
    assert here.comment() == TARGET


def test_where_the_texts_are_configured_unlocking_is_told_apart(told: World) -> None:
    """A portal of an unknown language behaves as any other."""
    here = told
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
def test_where_the_texts_are_configured_words_typed_early_are_kept(told: World, lost: bool) -> None:
    """Also those that were typed before anybody looked."""
    here = told
    here.sweep()
    here.portal.network = Network(drop=1.0 if lost else 0.0)
    here.portal.save(here.file, by=here.ann)
    here.portal.comment(here.file, WORD, by=here.bob)
    here.settle()
    sweep_and_work(here, after=60)
    assert (here.comment(), here.portal.count("PUT")) == (WORD, 0)


def test_where_the_texts_are_configured_restored_versions_are_updates(told: World) -> None:
    """A text in which something varies is known too."""
    here = told
    here.edit()
    here.portal.restore_version(here.file, 1, by=here.ann)
    here.settle()
    assert (here.comment(), here.portal.count("PUT")) == (TARGET, 2)


# Form rooms that are listed apart.


@pytest.fixture
def form(silently: World) -> int:
    """A form that was filled in a minute ago, in a room that the list of rooms leaves out."""
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
    """A portal may leave such rooms out of its list."""
    sweep_and_work(silently)
    assert silently.comment(form) == TARGET


def test_a_form_room_that_is_listed_apart_is_backfilled(silently: World, form: int) -> None:
    """It can be named, as `--room ID` does, and is read alone."""
    backfilled(silently, int(silently.portal.file(form).folder_id))
    assert silently.comment(form) == TARGET
    assert unmarked(silently, silently.file) == [silently.file]


def test_a_form_room_that_is_listed_apart_is_found_by_its_number(scene: Stage) -> None:
    """The command itself, in a process of its own."""
    scene.portal.form_rooms_apart = True
    room = int(scene.portal.add_room("Forms", owner=scene.ann, room_type=1))
    scene.portal.invite(room, scene.bot, access=9)
    form = scene.add_files("Form.pdf", room, days=3)
    done = run(scene, "backfill", "--since", "60d", "--room", str(room), "--yes")
    assert (done.returncode, scene.comments(form)) == (0, [TARGET])


def test_an_archived_form_room_is_left_alone(silently: World, form: int) -> None:
    """What is archived comes in the same list, and is told by its root."""
    room = silently.portal.file(form).folder_id
    silently.portal.archive_room(room)
    report = sweep_and_work(silently)
    assert silently.comment(form) != TARGET
    assert report.skipped["section"] == 1
