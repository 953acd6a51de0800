"""A small pure portal, ledger, sweep and worker for one file, and every step that they can take.

A step leads from one world to another, or returns None if it is impossible. The decisions are the
real ones, passed in as a `Table`. Times are seconds relative to now, so that worlds that differ
only in the date are equal. `test_decision_model.py` explores them.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from reconciler.decision import Policy, decide, decide_listed, is_echo
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

NOW = datetime.fromisoformat("2025-11-24T09:00:00+00:00")
AGES, SINCE, RECENT = -1_000_000, -100_000, -10_000
TARGET, APPROVED, UNLOCKED = "Need Review", "Approved", "The file is unlocked"
PORTALS = {"Edited", "Autosaved", "Created", UNLOCKED}

Decide = Callable[[File | Absent, Entry, Policy], Decision]
Ids = tuple[int, int, int]


class Seen(NamedTuple):
    """The file as the portal shows it; the last fields are known to the checker alone."""

    version: int = 2
    updated: int = AGES
    size: int = 1
    comment: str = "Edited"
    created: int = AGES
    locked: bool = False
    trashed: bool = False
    content: int = 0  # a new number with every save
    update: bool = False  # this content was saved after the origin
    persons: bool = False  # the comment is a person's, perhaps an empty one
    early: bool = False  # it was typed before the ledger knew this content
    answered: bool = False  # a person has commented on this content
    lost: bool = False  # unlocking overwrote a person's comment
    writes: int = 0  # of ours to this content


class Ledger(NamedTuple):
    """One row; ``knows`` is the checker's: the content that was recorded last."""

    due: int | None = None
    announced: bool = False
    settled: Ids | None = None
    ours: bool = False
    created: int | None = None
    marked_version: int | None = None
    intent: tuple[Ids, str] | None = None
    touched_at: int | None = None
    knows: int | None = None


class Work(NamedTuple):
    """A claim whose look decided to mark; ``flaw`` is what a write would do wrong."""

    seen: Seen
    flaw: str = ""
    intended: bool = False


class World(NamedTuple):
    """The state of everything; ``page`` is a list item not decided on yet, with its time."""

    file: Seen
    row: Ledger = Ledger()
    work: Work | None = None
    page: tuple[Seen, int] | None = None
    events: frozenset[tuple[str, int]] = frozenset()
    flaw: str = ""


class Table(NamedTuple):
    """The decision under test, real or a mutant, and the property of a write.

    ``known`` says whether the portal has shown texts that we know; one that has not uses an unknown
    language.
    """

    wrong: Callable[[Seen, Ledger], str]
    decide: Decide = decide
    policy: Policy = Policy()
    known: bool = True


# ---------------------------------------------------------------- values between the two worlds


def at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def ids(file: Seen) -> Ids:
    return file.version, file.updated, file.size


def revision(seen: Ids) -> Revision:
    return Revision(seen[0], at(seen[1]), seen[2])


@cache
def as_file(seen: Seen, known: bool = True) -> File:
    section = Section.TRASH if seen.trashed else Section.ROOMS
    foreign = not known and seen.comment in PORTALS
    return File(
        id=1,
        title="a.docx",
        created=at(seen.created),
        revision=revision(ids(seen)),
        comment=f"¿{seen.comment}?" if foreign else seen.comment,
        section=section,
        folder=2,
        updated_by="anna",
        locked=seen.locked,
    )


@cache
def as_entry(row: Ledger, known: bool = True) -> Entry:
    return Entry(
        id=1,
        since=at(SINCE),
        portal_known=known,
        announced=row.announced,
        announced_date=at(AGES) if row.announced else None,
        created=None if row.created is None else at(row.created),
        settled=revision(row.settled) if row.settled else None,
        marked_by_us=row.ours,
        marked_version=row.marked_version,
        intent=Intent(revision(row.intent[0]), row.intent[1]) if row.intent else None,
        touched_at=None if row.touched_at is None else at(row.touched_at),
    )


def pass_time(world: World, by: int) -> World:
    """Let seconds pass: every date becomes older by that, up to a limit."""
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


def publish(world: World, file: Seen, author: str = "person") -> World:
    """Change the file and publish file.updated."""
    return world._replace(file=file, events=world.events | {(author, file.updated)})


def save(world: World, version: int, other_size: bool) -> World | None:
    """Save content in a new version or, like a forcesave, in the same one."""
    file = world.file
    if file.trashed:
        return None
    saved = Seen(
        version=file.version + version,
        updated=0,
        size=3 - file.size if other_size else file.size,
        comment="Edited" if version else "Autosaved",
        created=file.created,
        locked=file.locked,
        content=file.content + 1,
        update=True,
    )
    return publish(world, saved)


def comment(world: World, text: str) -> World | None:
    file = world.file
    if file.trashed:
        return None
    early = world.row.knows != file.content
    return publish(world, file._replace(comment=text, persons=True, early=early, answered=True))


def rename(world: World) -> World | None:
    file = world.file
    return None if file.trashed else publish(world, file._replace(updated=0))


def lock(world: World) -> World | None:
    file = world.file
    return None if file.trashed or file.locked else publish(world, file._replace(locked=True))


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
    return publish(world, wiped)


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
    """Deliver an event; it stays in the queue, so it may be lost, late or delivered twice."""
    value = Event(1, "file.updated", 1, "", event[0], at(event[1]))
    if is_echo(value, as_entry(world.row), owner="us"):
        return world
    return world._replace(row=make_due(world.row, 0)._replace(announced=True))


def settle(row: Ledger, seen: Seen, ours: bool) -> Ledger:
    return row._replace(
        settled=ids(seen),
        ours=ours,
        created=seen.created,
        marked_version=seen.version if ours else row.marked_version,
        intent=None,
        touched_at=0,
        knows=seen.content,
    )


def read_page(world: World) -> World | None:
    """The sweep reads a page, without files in the trash and without old ones."""
    if world.page or world.file.trashed or world.file.updated < RECENT:
        return None
    return world._replace(page=(world.file, 0))


def use_page(world: World, table: Table) -> World | None:
    """The sweep decides on the item that it has read; on a claimed file it settles nothing."""
    if world.page is None:
        return None
    (seen, asked), row = world.page, world.row
    listed, entry = as_file(seen, table.known), as_entry(row, table.known)
    decision = decide_listed(listed, entry, table.policy, at(asked))
    if world.work is not None or decision.action in {Action.MARK, Action.LOOK}:
        row = make_due(row, 0)
    elif decision.action is not Action.LEAVE:
        row = settle(row, seen, decision.action is Action.SETTLE_MARKED)
    return world._replace(page=None, row=row)


def sweep(world: World, table: Table) -> World | None:
    listed = read_page(world)
    return listed and use_page(listed, table)


# ---------------------------------------------------------------- the worker


def look(world: World, table: Table) -> World | None:
    """Wait until the row is due, claim it, look and decide."""
    if world.work or world.row.due is None:
        return None
    world = pass_time(world, world.row.due)
    row, work = looked(world.file, world.row, table)
    return world._replace(row=row, work=work)


@cache  # many worlds differ in their events and pages alone
def looked(seen: Seen, before: Ledger, table: Table) -> tuple[Ledger, Work | None]:
    """Return the row after a look, and the work where the look says "mark"."""
    row = before._replace(due=None)
    decision = table.decide(as_file(seen, table.known), as_entry(row, table.known), table.policy)
    if decision.is_new_identity:
        row = row._replace(created=None, settled=None, ours=False, intent=None, marked_version=None)
    if decision.action is Action.MARK:
        return row, Work(seen, table.wrong(seen, before))
    if decision.rule is Rule.LOCKED:
        row = row._replace(intent=None)  # unlocking overwrites whatever is typed now
    if decision.retry_after:
        row = make_due(row, int(decision.retry_after.total_seconds()))
    elif decision.action is not Action.LEAVE:
        row = settle(row, seen, decision.action is Action.SETTLE_MARKED)
    return row._replace(announced=row.announced and bool(decision.retry_after)), None


def intend(world: World, table: Table) -> World | None:
    work = world.work
    if work is None or work.intended:
        return None
    seen = work.seen
    row = world.row._replace(
        intent=(ids(seen), as_file(seen, table.known).comment),
        marked_version=seen.version,
        touched_at=0,
        knows=seen.content,
    )
    return world._replace(row=row, work=work._replace(intended=True))


def put(world: World, answered: bool) -> World | None:
    """The PUT takes effect on the version of the look; its answer arrives or is lost."""
    work, file = world.work, world.file
    if work is None or not work.intended or file.locked or file.trashed:
        return None
    if file.version == work.seen.version:
        file = file._replace(comment=TARGET, persons=False, early=False, writes=file.writes + 1)
    row = world.row
    done = settle(row, work.seen, ours=True)._replace(announced=row.due is not None)
    row = done if answered else make_due(row, 1)
    return publish(world, file, "us")._replace(row=row, work=None, flaw=work.flaw)


def refused(world: World) -> World | None:
    """The PUT is refused and nothing is written; the intent keeps the comment before it."""
    work = world.work
    if work is None or not work.intended:
        return None
    return world._replace(row=make_due(world.row, 1), work=None)


def crash(world: World) -> World | None:
    """The worker dies: its claim expires, its intent stays."""
    return world.work and world._replace(work=None, row=make_due(world.row, 1))
