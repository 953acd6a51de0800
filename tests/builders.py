"""A small pure portal, ledger, sweep and worker for one file, and every step that they can take.

A step leads from one world to another, or returns None where it is impossible. The decisions
are the real ones, passed in as a `Table`. Times are seconds relative to now, so that worlds
that differ only in the date are equal. `test_review_model.py` explores them.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from reconciler.model import (
    Absent,
    Action,
    Decision,
    Entry,
    Event,
    File,
    Intent,
    Revision,
    Rule,
    Section,
)
from reconciler.review import Policy, decide, decide_listed, due_after, is_echo

NOW = datetime.fromisoformat("2025-11-24T09:00:00+00:00")
AGES, SINCE, LOOKBACK, FIRST_SWEEP, RECENT = -1_000_000, -100_000, -50_000, -20_000, -10_000
TARGET, APPROVED, UNLOCKED = "Need Review", "Approved", "The file is unlocked"
POLICY = Policy()

Decide = Callable[[File | Absent, Entry, Policy, datetime], Decision]
Ids = tuple[int, int, int]


class Seen(NamedTuple):
    """The file as the portal shows it, and below what only the checker knows of it."""

    version: int = 2
    updated: int = AGES
    size: int = 1
    comment: str = "Edited"
    title: str = "a.docx"
    created: int = AGES
    locked: bool = False
    trashed: bool = False
    content: int = 0  # a new number with every save
    update: bool = False  # this content was saved in the time we are responsible for
    persons: bool = False  # a person's word stands there
    early: bool = False  # it was typed before the ledger knew this content
    answered: bool = False  # a person has written about this content
    lost: bool = False  # unlocking wiped a person's word
    twin: bool = False  # it looks just like a settled or listed content; see `save`
    writes: int = 0  # of ours to this content


class Ledger(NamedTuple):
    """One row. ``knows`` is the checker's: the content last recorded."""

    due: int | None = None
    settled: Ids | None = None
    ours: bool = False
    title: str = ""
    created: int | None = None
    intent: tuple[Ids, str] | None = None
    written_at: int | None = None
    touched_at: int | None = None
    knows: int | None = None


class Work(NamedTuple):
    """A claim after its look said "mark". ``flaw`` is what a write would do wrong."""

    seen: Seen
    flaw: str = ""
    intended: bool = False


class World(NamedTuple):
    """Everything. ``page`` is a list item not yet decided on, with the time it was asked for."""

    file: Seen
    row: Ledger = Ledger()
    work: Work | None = None
    page: tuple[Seen, int] | None = None
    events: frozenset[tuple[str, int]] = frozenset()
    flaw: str = ""


class Table(NamedTuple):
    """The decision that is checked, the real one or a mutant, and what is wrong about a write."""

    wrong: Callable[[Seen, Ledger], str]
    decide: Decide = decide


# ---------------------------------------------------------------- values between the two worlds


def at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def ids(file: Seen) -> Ids:
    return file.version, file.updated, file.size


def revision(seen: Ids) -> Revision:
    return Revision(seen[0], at(seen[1]), seen[2])


@cache
def as_file(seen: Seen, asked: int) -> File:
    section = Section.TRASH if seen.trashed else Section.ROOMS
    return File(
        id=1,
        title=seen.title,
        created=at(seen.created),
        revision=revision(ids(seen)),
        comment=seen.comment,
        section=section,
        folder=2,
        updated_by="anna",
        locked=seen.locked,
        read_at=at(asked),
    )


@cache
def as_entry(row: Ledger) -> Entry:
    return Entry(
        id=1,
        since=at(SINCE),
        first_sweep=at(FIRST_SWEEP),
        created=None if row.created is None else at(row.created),
        title=row.title,
        settled=revision(row.settled) if row.settled else None,
        ours=row.ours,
        intent=Intent(revision(row.intent[0]), row.intent[1]) if row.intent else None,
        written_at=None if row.written_at is None else at(row.written_at),
        touched_at=None if row.touched_at is None else at(row.touched_at),
    )


def pass_time(world: World, by: int) -> World:
    """Let seconds pass: every date is that much older. What was long ago stays long ago."""
    if by == 0:
        return world

    def older(t: int) -> int:
        return t if t < RECENT else t - by

    def seen(file: Seen) -> Seen:
        return file._replace(updated=older(file.updated), created=older(file.created))

    def rev(r: Ids) -> Ids:
        return r[0], older(r[1]), r[2]

    row = world.row
    row = row._replace(
        due=None if row.due is None else max(0, row.due - by),
        settled=row.settled and rev(row.settled),
        created=None if row.created is None else older(row.created),
        intent=row.intent and (rev(row.intent[0]), row.intent[1]),
        written_at=None if row.written_at is None else older(row.written_at),
        touched_at=None if row.touched_at is None else older(row.touched_at),
    )
    return world._replace(
        file=seen(world.file),
        row=row,
        work=world.work and world.work._replace(seen=seen(world.work.seen)),
        page=world.page and (seen(world.page[0]), older(world.page[1])),
        events=frozenset((who, older(when)) for who, when in world.events),
    )


# ---------------------------------------------------------------- the portal and its people


def told(world: World, file: Seen, author: str = "person") -> World:
    """Change the file and publish file.updated."""
    return world._replace(file=file, events=world.events | {(author, file.updated)})


def save(world: World, version: int, other_size: bool) -> World | None:
    """Save content: in a new version or, like a forcesave, in the same one.

    It is the twin of what the ledger settled in this second, if the size is equal too. It may
    not be the twin of what we wrote to in this second: a gate sees to that.
    """
    file = world.file
    if file.trashed:
        return None
    ids_after = (file.version + version, 0, 3 - file.size if other_size else file.size)
    ours = file.writes > 0 and world.row.written_at == 0
    twin = ids_after in (None if ours else world.row.settled, world.page and ids(world.page[0]))
    saved = Seen(
        version=ids_after[0],
        updated=0,
        size=ids_after[2],
        comment="Edited" if version else "Autosaved",
        title=file.title,
        created=file.created,
        locked=file.locked,
        content=file.content + 1,
        update=True,
        twin=twin,
    )
    return told(world, saved)


def comment(world: World, text: str) -> World | None:
    file = world.file
    if file.trashed:
        return None
    early = world.row.knows != file.content
    return told(world, file._replace(comment=text, persons=True, early=early, answered=True))


def rename(world: World) -> World | None:
    file = world.file
    title = "b.docx" if file.title == "a.docx" else "a.docx"
    return None if file.trashed else told(world, file._replace(title=title, updated=0))


def lock(world: World) -> World | None:
    file = world.file
    return None if file.trashed or file.locked else told(world, file._replace(locked=True))


def unlock(world: World) -> World | None:
    file = world.file
    if not file.locked:
        return None
    wiped = file._replace(
        locked=False,
        comment=UNLOCKED,
        persons=False,
        early=False,
        lost=file.lost or file.persons,
        writes=0 if file.comment == TARGET else file.writes,
    )
    return told(world, wiped)


def trash(world: World) -> World | None:
    file = world.file
    return None if file.trashed else world._replace(file=file._replace(trashed=True, updated=0))


def restore(world: World) -> World | None:
    file = world.file
    return world._replace(file=file._replace(trashed=False)) if file.trashed else None


# ---------------------------------------------------------------- receiver and sweep


def make_due(row: Ledger, seconds: int) -> Ledger:
    return row._replace(due=seconds if row.due is None else min(row.due, seconds))


def deliver(world: World, event: tuple[str, int]) -> World:
    """Deliver an event. It stays in the queue, so it may be lost, late or delivered twice."""
    value = Event(1, "file.updated", 1, "", event[0], at(event[1]))
    if is_echo(value, as_entry(world.row), owner="us"):
        return world
    wait = due_after(value, NOW) - NOW
    return world._replace(row=make_due(world.row, int(wait.total_seconds())))


def settle(row: Ledger, seen: Seen, ours: bool) -> Ledger:
    return row._replace(
        settled=ids(seen),
        ours=ours,
        title=seen.title,
        created=seen.created,
        intent=None,
        touched_at=0,
        knows=seen.content,
    )


def read_page(world: World) -> World | None:
    """The sweep reads a page. It lists nothing in the trash, and nothing that is long unchanged."""
    if world.page or world.file.trashed or world.file.updated < RECENT:
        return None
    return world._replace(page=(world.file, 0))


def use_page(world: World) -> World | None:
    """The sweep decides on the item that it has read; it settles nothing under a worker's hands."""
    if world.page is None:
        return None
    (seen, asked), row = world.page, world.row
    decision = decide_listed(as_file(seen, asked), as_entry(row), POLICY, at(asked))
    if world.work is not None or decision.action in {Action.MARK, Action.LOOK}:
        row = make_due(row, 0)
    elif decision.action is not Action.LEAVE:
        row = settle(row, seen, decision.action is Action.SETTLE_OURS)
    return world._replace(page=None, row=row)


def sweep(world: World) -> World | None:
    listed = read_page(world)
    return listed and use_page(listed)


# ---------------------------------------------------------------- the worker


def look(world: World, table: Table) -> World | None:
    """Wait until the row is due, claim it, look and decide."""
    if world.work or world.row.due is None:
        return None
    world = pass_time(world, world.row.due)
    seen, row = world.file, world.row._replace(due=None)
    decision = table.decide(as_file(seen, 0), as_entry(row), POLICY, NOW)
    if decision.forget:
        row = row._replace(created=None, title="", settled=None, ours=False, intent=None)
        row = row._replace(written_at=None)
    if decision.action is Action.MARK:
        return world._replace(row=row, work=Work(seen, table.wrong(seen, world.row)))
    if decision.rule is Rule.LOCKED:
        row = row._replace(intent=None)  # whatever is typed now, unlocking wipes it
    if decision.again:
        row = make_due(row, int(decision.again.total_seconds()))
    elif decision.action is not Action.LEAVE:
        row = settle(row, seen, decision.action is Action.SETTLE_OURS)
    return world._replace(row=row)


def intend(world: World) -> World | None:
    work = world.work
    if work is None or work.intended:
        return None
    intent = (ids(work.seen), work.seen.comment)
    row = world.row._replace(intent=intent, touched_at=0, knows=work.seen.content)
    return world._replace(row=row, work=work._replace(intended=True))


def put(world: World, answered: bool) -> World | None:
    """The PUT takes effect, on the version that was looked at; its answer comes or is lost."""
    work, file = world.work, world.file
    if work is None or not work.intended or file.locked or file.trashed:
        return None
    if file.version == work.seen.version:
        file = file._replace(comment=TARGET, persons=False, early=False, writes=file.writes + 1)
    row = world.row
    done = settle(row, work.seen, ours=True)._replace(written_at=0)
    row = done if answered else make_due(row, 1)
    return told(world, file, "us")._replace(row=row, work=None, flaw=work.flaw)


def refused(world: World) -> World | None:
    """The PUT is refused: nothing was written; the intent still tells what stood there before."""
    work = world.work
    if work is None or not work.intended:
        return None
    return world._replace(row=make_due(world.row, 1), work=None)


def crash(world: World) -> World | None:
    """The worker dies: its claim is lost and runs out, an intent stays."""
    return world.work and world._replace(work=None, row=make_due(world.row, 1))
