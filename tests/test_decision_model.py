"""A model checker for the decision: one file, one worker, every history of up to six steps.

On the two portals where no text counts as a person's the limit is five, unless
RECONCILER_TEST_DEPTH is higher. Every step of `builders` leads from one small world to another;
equal worlds are explored once; after each history the system is left alone until it rests. The real
`decide`, `decide_listed` and `is_echo` decide, and nothing waits for time to pass.

The properties are in `wrong_to_write`, `wrong_to_stay` and `rest`; the cases that cannot be
distinguished are a list of predicates, each with its sentence. Every history is explored on a
portal whose texts are known, and again where no text counts as a person's: with
`overwrite_comments`, and on a portal in an unknown language. Not explored: an id used again, a
sweep later than the overlap.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest

from reconciler.decision import Policy, decide
from reconciler.model import Absent, Decision, Entry, File, Rule
from tests.builders import (
    AGES,
    APPROVED,
    PORTALS,
    RECENT,
    TARGET,
    UNLOCKED,
    Decide,
    Ledger,
    Seen,
    Table,
    World,
    comment,
    crash,
    deliver,
    ids,
    intend,
    lock,
    look,
    pass_time,
    put,
    read_page,
    refused,
    rename,
    restore,
    save,
    settle,
    sweep,
    trash,
    unlock,
    use_page,
)

# ---------------------------------------------------------------- what cannot be distinguished


def emptied_before_first_look(seen: Seen, row: Ledger) -> bool:
    """A comment emptied before the first look, or over a write whose answer was lost."""
    return seen.comment == "" and (seen.early or same_comment_again(seen, row))


def same_comment_again(seen: Seen, row: Ledger) -> bool:
    """The same comment typed again over a write whose answer was lost."""
    if row.intent is None:
        return False
    (version, *_), before = row.intent
    return (version, before) == (seen.version, seen.comment)


def typed_before_first_look(seen: Seen, row: Ledger) -> bool:
    """A comment typed before the first look at an update."""
    return seen.early


def never_settled(seen: Seen, row: Ledger) -> bool:
    """An old file, never settled, that is renamed or comes back from the trash."""
    touched = not seen.update and row.settled is None and seen.updated >= RECENT
    return touched and seen.created < RECENT


def touched_before_first_look(seen: Seen, row: Ledger) -> bool:
    """A new file, never settled, that is renamed or comes back from the trash."""
    touched = not seen.update and row.settled is None and seen.updated > seen.created
    return touched and seen.created >= RECENT


def touched_portals_text(seen: Seen, row: Ledger) -> bool:
    """A settled file with a portal's text that is renamed or comes back from the trash."""
    same = row.settled is not None and (row.settled[0], row.settled[2]) == (seen.version, seen.size)
    return same and seen.comment in PORTALS and row.settled != ids(seen)


def comment_wiped_unseen(seen: Seen, row: Ledger) -> bool:
    """A person's comment that an unlocking removed before it was seen: our mark is set again."""
    return seen.lost and seen.comment == UNLOCKED and (row.ours or row.intent is not None)


def mark_put_back(seen: Seen, row: Ledger) -> bool:
    """No exception but row 12: the revision was settled as marked, and was unlocked."""
    return row.ours and row.settled == ids(seen) and seen.comment == UNLOCKED


def announced(seen: Seen, row: Ledger) -> bool:
    """No exception but the tutorial's rule: on an unknown portal an event is trusted."""
    return row.announced


def unlocking_of_which_no_event_arrives(world: World) -> bool:
    """An unlocking of which no event arrives."""
    return world.file.comment == UNLOCKED and world.file.updated < RECENT


def second_of_creation(world: World) -> bool:
    """A save of a new file in the second of its creation."""
    return world.file.version == 1 and world.file.updated == world.file.created


def once_a_version(world: World) -> bool:
    """A later save of a version that was settled: its text may be a person's."""
    row = world.row
    return row.settled is not None and row.settled[0] == world.file.version


Excuse = Callable[[Seen, Ledger], bool]


class Excuses(NamedTuple):
    """The cases that a portal does not let us distinguish, by what goes wrong."""

    over_a_person: tuple[Excuse, ...]
    not_updated: tuple[Excuse, ...]
    twice: tuple[Excuse, ...]
    never_marked: tuple[Callable[[World], bool], ...]


TOUCHED = (never_settled, touched_before_first_look, touched_portals_text, mark_put_back)
KNOWN = Excuses(
    over_a_person=(emptied_before_first_look,),
    not_updated=TOUCHED,
    twice=(touched_portals_text, comment_wiped_unseen, emptied_before_first_look),
    never_marked=(second_of_creation, unlocking_of_which_no_event_arrives),
)
NO_TEXT_A_PERSONS = (typed_before_first_look, same_comment_again)
OVERWRITING = Excuses(
    over_a_person=NO_TEXT_A_PERSONS,
    not_updated=TOUCHED,
    twice=(*KNOWN.twice, *NO_TEXT_A_PERSONS),
    never_marked=KNOWN.never_marked,
)
UNKNOWN = Excuses(
    over_a_person=NO_TEXT_A_PERSONS,
    not_updated=(*TOUCHED, announced),
    twice=OVERWRITING.twice,
    never_marked=(*KNOWN.never_marked, once_a_version),
)

# ---------------------------------------------------------------- what must hold


def wrong_to_write(excuses: Excuses) -> Callable[[Seen, Ledger], str]:
    """Return what is wrong with the write that follows a look, or ""."""

    def wrong(seen: Seen, row: Ledger) -> str:
        if not seen.update and not any(excuse(seen, row) for excuse in excuses.not_updated):
            return "a file that was not updated is marked"
        if seen.writes and not any(excuse(seen, row) for excuse in excuses.twice):
            return "an update is marked twice"
        if seen.persons and not any(excuse(seen, row) for excuse in excuses.over_a_person):
            return "a person's comment is overwritten"
        return ""

    return wrong


PORTAL_TABLES = {
    "known": (Table(wrong_to_write(KNOWN)), KNOWN),
    "overwriting": (
        Table(wrong_to_write(OVERWRITING), policy=Policy(overwrite=True)),
        OVERWRITING,
    ),
    "unknown": (Table(wrong_to_write(UNKNOWN), known=False), UNKNOWN),
}
EXCUSED = {table: excuses.never_marked for table, excuses in PORTAL_TABLES.values()}


def wrong_to_stay(world: World, table: Table) -> str:
    """Return what is wrong with a world at rest, or ""."""
    file = world.file
    if file.locked or file.trashed or not file.update or file.comment == TARGET or file.answered:
        return ""
    excuses = EXCUSED[table._replace(decide=decide)]
    return "" if any(excuse(world) for excuse in excuses) else "an update is never marked"


def run(world: World, table: Table) -> World:
    """Run the worker until it is idle, or waits for a lock."""
    for _ in range(12):
        if world.work is None:
            after = look(world, table)
        else:
            after = intend(world, table) or put(world, answered=True) or refused(world)
        if after is None or after.flaw:
            return after or world
        world = after
        if world.row.due is not None and world.row.due > 60:
            return world
    return world._replace(flaw="the worker never rests")


def rest(world: World, table: Table) -> str:
    """Leave the system alone: one sweep and no event; then every event, our own included."""
    return rest_of(run(world._replace(page=None), table), table)


@cache  # many histories end in the same world
def rest_of(world: World, table: Table) -> str:
    world = run(sweep(world, table) or world, table)
    for _ in range(12):
        if flaw := world.flaw or wrong_to_stay(world, table):
            return flaw
        if not world.events:
            return ""
        event = min(world.events)
        world = run(deliver(world._replace(events=world.events - {event}), event), table)
    return "the events never end"


# ---------------------------------------------------------------- every history

Step = Callable[[World, Table], World | None]


def step(function: Callable[..., World | None], *args: object) -> Step:
    return lambda world, _: function(world, *args)


def attempt(world: World, table: Table) -> World | None:
    """Look and, if the decision is to mark, write, with nothing in between."""
    looked = look(world, table)
    intended = looked and intend(looked, table)
    return (intended and put(intended, answered=True)) or looked


SAVES: dict[str, Step] = {
    "save, other size": step(save, 1, True),
    "save, same size": step(save, 1, False),
    "forcesave, other size": step(save, 0, True),
    "forcesave, same size": step(save, 0, False),
}
WORDS: dict[str, Step] = {
    "Approved": step(comment, APPROVED),
    "emptied": step(comment, ""),
    "Need Review by a person": step(comment, TARGET),
}
TOUCHES: dict[str, Step] = {
    "rename": step(rename),
    "lock": step(lock),
    "unlock": step(unlock),
    "trash": step(trash),
    "restore": step(restore),
}
SWEEP: dict[str, Step] = {
    "sweep": sweep,
    "page read": step(read_page),
    "page used": use_page,
}
WORKER: dict[str, Step] = {"look": look, "intent": intend, "put": step(put, True)}
ATTEMPT: dict[str, Step] = {"attempt": attempt}
FAULTS: dict[str, Step] = {
    "put, answer lost": step(put, False),
    "put refused": step(refused),
    "crash": step(crash),
}
CLOCK: dict[str, Step] = {"a second": step(pass_time, 1)}
EVERYTHING = SAVES | WORDS | TOUCHES | SWEEP | WORKER | FAULTS | CLOCK


def known(file: Seen, ours: bool) -> World:
    return World(file, settle(Ledger(), file, ours)._replace(touched_at=-5))


OLD = Seen(comment=APPROVED, persons=True, early=True)
MARKED = Seen(updated=-9, comment=TARGET, content=1, update=True, writes=1)
REVIEWED = MARKED._replace(comment=APPROVED, persons=True, answered=True)
SAVED = Seen(version=3, updated=-1, content=1, update=True)
NEW = Seen(version=1, updated=0, created=0, comment="Created")
DUE = settle(Ledger(), Seen(), ours=True)._replace(touched_at=-9, due=0)
STARTS = {
    "old, reviewed, never heard of": World(OLD),
    "marked": known(MARKED, ours=True),
    "marked long ago": known(MARKED._replace(updated=AGES), ours=True),
    "marked, reviewed": known(REVIEWED, ours=False),
    "saved, due, never heard of": World(SAVED, Ledger(due=0)),
    "saved, due, marked before": World(SAVED, DUE),
    "new": World(NEW),
}


def explore(
    table: Table, starts: Iterable[World], steps: dict[str, Step], depth: int
) -> tuple[str, int]:
    """Return a shortest history that goes wrong ("" if there is none), and the number of worlds."""
    level = dict.fromkeys(starts, "")
    seen = set(level)
    for _ in range(depth):
        following: dict[World, str] = {}
        for world, history in level.items():
            new = {name: do(world, table) for name, do in steps.items()}
            new |= {f"event by {who} at {t}": deliver(world, (who, t)) for who, t in world.events}
            for name, after in new.items():
                if after is None or after in seen:
                    continue
                seen.add(after)
                following[after] = f"{history}{name}, "
                if flaw := after.flaw or rest(after, table):
                    return f"{following[after]}then {flaw}", len(seen)
        level = following
    return "", len(seen)


def only(steps: dict[str, Step], *names: str) -> dict[str, Step]:
    return {name: steps[name] for name in names}


DEPTH = int(os.environ.get("RECONCILER_TEST_DEPTH", "5"))
FORCESAVES = ("forcesave, other size", "forcesave, same size")
APPROVE, SAVED_ANEW = only(WORDS, "Approved"), only(SAVES, "save, other size")
ALPHABETS = {
    "faults": SAVES | APPROVE | only(SWEEP, "sweep") | WORKER | FAULTS | CLOCK,
    "words": only(SAVES, *FORCESAVES) | WORDS | ATTEMPT | only(SWEEP, "sweep") | CLOCK,
    "touches": SAVED_ANEW | APPROVE | TOUCHES | only(SWEEP, "sweep") | ATTEMPT | CLOCK,
    "pages": only(SAVES, "forcesave, other size") | APPROVE | SWEEP | WORKER | CLOCK,
    "touches and faults": SAVED_ANEW | APPROVE | TOUCHES | WORKER | FAULTS,
}


@pytest.mark.parametrize("portal", PORTAL_TABLES)
@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_no_history_goes_wrong(alphabet: str, portal: str) -> None:
    """In every history of so many steps nothing is lost, overwritten, or written twice."""
    table, _ = PORTAL_TABLES[portal]
    depth = DEPTH + (portal == "known")
    history, worlds = explore(table, STARTS.values(), ALPHABETS[alphabet], depth)
    assert not history
    assert worlds > 2_000


# ---------------------------------------------------------------- a checker that can fail


def marking(*rules: Rule) -> Decide:
    """A table that marks where these rules decide otherwise."""

    def mutant(file: File | Absent, entry: Entry, policy: Policy) -> Decision:
        decision = decide(file, entry, policy)
        return Decision(Rule.UPDATED) if decision.rule in rules else decision

    return mutant


def forgetting(**known: Any) -> Decide:
    """A table that never uses what the ledger knows of these fields."""

    def mutant(file: File | Absent, entry: Entry, policy: Policy) -> Decision:
        return decide(file, replace(entry, **known), policy)

    return mutant


def keeping(*rules: Rule) -> Decide:
    """A table that keeps files that these rules would mark."""

    def mutant(file: File | Absent, entry: Entry, policy: Policy) -> Decision:
        decision = decide(file, entry, policy)
        return Decision(Rule.UNLOCKED) if decision.rule in rules else decision

    return mutant


def keeping_the_same_revision(file: File | Absent, entry: Entry, policy: Policy) -> Decision:
    """A table that keeps a portal's text on the settled revision, a second save in its second."""
    decision = decide(file, entry, policy)
    same = isinstance(file, File) and file.revision == entry.settled
    return Decision(Rule.CHANGED) if same and decision.rule is Rule.UPDATED else decision


MUTANTS = {
    "row 3 dropped": ("touches", "known", marking(Rule.SECTION)),
    "row 6 dropped": ("faults", "known", marking(Rule.ALREADY)),
    "row 7 dropped": ("faults", "known", marking(Rule.ANSWERED)),
    "row 7 dropped, never marked": ("faults", "known", marking(Rule.UNMARKED)),
    "row 7 unclear though known": ("faults", "known", forgetting(portal_known=False)),
    "row 8 dropped": ("words", "known", marking(Rule.CHANGED)),
    "row 8 dropped, unknown portal": ("words", "unknown", marking(Rule.CHANGED)),
    "row 8 without settled": ("words", "overwriting", forgetting(settled=None)),
    "row 8 without intent": ("faults", "overwriting", forgetting(intent=None)),
    "row 9 dropped": ("touches", "known", marking(Rule.UNLOCKED)),
    "row 9 whoever's comment it was": ("touches", "known", forgetting(marked_by_us=False)),
    "row 10 dropped": ("touches", "known", marking(Rule.NEW)),
    "row 11 dropped": ("touches", "known", marking(Rule.OLD)),
    "row 12 not on a revision of ours": ("faults", "known", keeping_the_same_revision),
    "row 12 not after an unlocking": ("touches", "known", keeping(Rule.RESTORED)),
    "no gate for a lock": ("touches", "known", marking(Rule.LOCKED)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_table_is_found_out(name: str) -> None:
    """With a row or a gate removed, some history goes wrong, so the checker detects errors."""
    alphabet, portal, mutant = MUTANTS[name]
    table, _ = PORTAL_TABLES[portal]
    assert explore(table._replace(decide=mutant), STARTS.values(), ALPHABETS[alphabet], DEPTH)[0]
