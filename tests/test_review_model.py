"""A model checker for the decision: one file, one worker, every history of up to six steps.

Every step of `builders` leads from one small world to another; worlds that are equal are
explored once; after each history the system is left alone until it rests. The real `decide`,
`decide_listed`, `is_echo` and `due_after` decide. What must hold is in `wrong_to_write`,
`wrong_to_stay` and `rest`; what cannot be told apart is a list of predicates, each with its
sentence. Not explored: a portal's text in an unknown language, an id used again, a lapse of
the sweep's overlap.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from reconciler.model import Absent, Decision, Entry, File, Rule
from reconciler.review import Policy, decide
from tests.builders import (
    AGES,
    APPROVED,
    POLICY,
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

# ---------------------------------------------------------------- what cannot be told apart


def typed_before_first_look(seen: Seen, row: Ledger) -> bool:
    """A comment typed before the first look at an update."""
    return seen.update and seen.early


def same_word_again(seen: Seen, row: Ledger) -> bool:
    """The same word typed again over a write whose answer was lost."""
    if row.intent is None:
        return False
    (version, _, size), before = row.intent
    return (version, size, before) == (seen.version, seen.size, seen.comment)


def never_observed(seen: Seen, row: Ledger) -> bool:
    """An old reviewed file, never observed, that is renamed or comes back from the trash."""
    touched = not seen.update and row.settled is None and seen.updated >= RECENT
    return touched and seen.created < RECENT


def touched_before_first_look(seen: Seen, row: Ledger) -> bool:
    """A new file that is renamed, or comes back from the trash, before the first look at it."""
    touched = not seen.update and row.settled is None and seen.updated > seen.created
    return touched and seen.created >= RECENT


def touched_portals_text(seen: Seen, row: Ledger) -> bool:
    """A settled file, a text of the portal's upon it, that is renamed or back from the trash."""
    same = row.settled is not None and (row.settled[0], row.settled[2]) == (seen.version, seen.size)
    return same and POLICY.is_portals(seen.comment) and row.settled != ids(seen)


def word_wiped_unseen(seen: Seen, row: Ledger) -> bool:
    """A person's word that an unlocking wiped before it was seen: our mark is put back."""
    return seen.lost and seen.comment == UNLOCKED and (row.ours or row.intent is not None)


def mark_put_back(seen: Seen, row: Ledger) -> bool:
    """Not an exception but row 8: the target stood there when we left it, unlocking wiped it."""
    return row.ours and row.settled == ids(seen) and seen.comment == UNLOCKED


def unlocking_of_which_no_event_arrives(file: Seen) -> bool:
    """An unlocking of which no event arrives."""
    return file.comment == UNLOCKED and file.updated < RECENT


def same_size_and_second(file: Seen) -> bool:
    """A save of equal size in the same second."""
    return file.twin


def second_of_creation(file: Seen) -> bool:
    """A save of a new file in the second of its creation."""
    return file.version == 1 and file.updated == file.created


OVER_A_PERSON = (
    typed_before_first_look,
    same_word_again,
    never_observed,
    touched_before_first_look,
)
NOT_UPDATED = (never_observed, touched_before_first_look, touched_portals_text, mark_put_back)
TWICE = (typed_before_first_look, same_word_again, touched_portals_text, word_wiped_unseen)
NEVER_MARKED = (same_size_and_second, second_of_creation, unlocking_of_which_no_event_arrives)

# ---------------------------------------------------------------- what must hold


def wrong_to_write(seen: Seen, row: Ledger) -> str:
    """Return what is wrong about a write that a look leads to, or nothing."""
    if not seen.update and not any(excuse(seen, row) for excuse in NOT_UPDATED):
        return "a file that was not updated is marked"
    if seen.writes and not any(excuse(seen, row) for excuse in TWICE):
        return "an update is marked twice"
    if seen.persons and not any(excuse(seen, row) for excuse in OVER_A_PERSON):
        return "a person's comment is written over"
    return ""


def wrong_to_stay(world: World) -> str:
    """Return what is wrong about a world at rest, or nothing."""
    file = world.file
    if file.locked or file.trashed or not file.update or file.comment == TARGET or file.answered:
        return ""
    return "" if any(excuse(file) for excuse in NEVER_MARKED) else "an update is never marked"


def run(world: World, table: Table) -> World:
    """Let the worker run until it is idle, or waits for a lock."""
    for _ in range(12):
        if world.work is None:
            after = look(world, table)
        else:
            after = intend(world) or put(world, answered=True) or refused(world)
        if after is None or after.flaw:
            return after or world
        world = after
        if world.row.due is not None and world.row.due > 60:
            return world
    return world._replace(flaw="the worker never rests")


def rest(world: World, table: Table) -> str:
    """Leave the system alone: a sweep and no event; then every event, our own among them."""
    return rest_of(run(world._replace(page=None), table), table)


@cache  # many histories come to rest in the same world
def rest_of(world: World, table: Table) -> str:
    world = run(sweep(world) or world, table)
    for _ in range(12):
        if flaw := world.flaw or wrong_to_stay(world):
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
    """A look and, where it says so, the write: with nothing between."""
    looked = look(world, table)
    intended = looked and intend(looked)
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
    "sweep": step(sweep),
    "page read": step(read_page),
    "page used": step(use_page),
}
WORKER: dict[str, Step] = {"look": look, "intent": step(intend), "put": step(put, True)}
ATTEMPT: dict[str, Step] = {"attempt": attempt}
FAULTS: dict[str, Step] = {
    "put, answer lost": step(put, False),
    "put refused": step(refused),
    "crash": step(crash),
}
CLOCK: dict[str, Step] = {"a second": step(pass_time, 1)}
EVERYTHING = SAVES | WORDS | TOUCHES | SWEEP | WORKER | FAULTS | CLOCK


def known(file: Seen, ours: bool) -> World:
    return World(file, settle(Ledger(), file, ours)._replace(touched_at=-5, written_at=-5))


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


def explore(table: Table, starts: Iterable[World], steps: dict[str, Step]) -> tuple[str, int]:
    """Return a shortest history that goes wrong ("" when there is none), and how many worlds."""
    level = dict.fromkeys(starts, "")
    seen = set(level)
    for _ in range(DEPTH):
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


DEPTH = 6
FORCESAVES = ("forcesave, other size", "forcesave, same size")
APPROVE, SAVED_ANEW = only(WORDS, "Approved"), only(SAVES, "save, other size")
ALPHABETS = {
    "faults": SAVES | APPROVE | only(SWEEP, "sweep") | WORKER | FAULTS | CLOCK,
    "words": only(SAVES, *FORCESAVES) | WORDS | ATTEMPT | only(SWEEP, "sweep") | CLOCK,
    "touches": SAVED_ANEW | APPROVE | TOUCHES | only(SWEEP, "sweep") | ATTEMPT | CLOCK,
    "pages": only(SAVES, "forcesave, other size") | APPROVE | SWEEP | WORKER | CLOCK,
    "touches and faults": SAVED_ANEW | APPROVE | TOUCHES | WORKER | FAULTS,
}


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_no_history_goes_wrong(alphabet: str) -> None:
    """Whatever happens in six steps: nothing is lost, written over, or written twice."""
    history, worlds = explore(Table(wrong_to_write), STARTS.values(), ALPHABETS[alphabet])
    assert not history
    assert worlds > 10_000


# ---------------------------------------------------------------- a checker that can fail


def marking(*rules: Rule) -> Decide:
    """A table that marks where these rules would do something else."""

    def mutant(file: File | Absent, entry: Entry, policy: Policy, now: datetime) -> Decision:
        decision = decide(file, entry, policy, now)
        return Decision(Rule.UPDATED) if decision.rule in rules else decision

    return mutant


def forgetting(**known: Any) -> Decide:
    """A table that never learns what the ledger knows of these."""

    def mutant(file: File | Absent, entry: Entry, policy: Policy, now: datetime) -> Decision:
        return decide(file, replace(entry, **known), policy, now)

    return mutant


def unlocking_always_wipes_ours(
    file: File | Absent, entry: Entry, policy: Policy, now: datetime
) -> Decision:
    """Row 8 without "ours"."""
    decision = decide(file, entry, policy, now)
    unlocked = isinstance(file, File) and policy.is_unlocking(file.comment)
    return Decision(Rule.UNLOCKED) if decision.rule is Rule.SAME and unlocked else decision


MUTANTS = {
    "row 3 dropped": ("touches", marking(Rule.SECTION)),
    "row 6 dropped": ("faults", marking(Rule.ALREADY)),
    "row 7 dropped": ("faults", marking(Rule.ANSWERED)),
    "row 8 dropped": ("touches", forgetting(ours=False)),
    "row 8 whoever's word it was": ("touches", unlocking_always_wipes_ours),
    "row 9 dropped": ("faults", marking(Rule.SAME)),
    "row 10 dropped": ("touches", marking(Rule.RENAMED)),
    "row 11 dropped": ("touches", marking(Rule.TOUCHED)),
    "row 12 dropped": ("faults", marking(Rule.NEW)),
    "row 13 dropped": ("touches", marking(Rule.OLD)),
    "rows 8 to 11 dropped": ("faults", forgetting(settled=None)),
    "no intent": ("faults", forgetting(intent=None)),
    "no gate for a lock": ("touches", marking(Rule.LOCKED)),
    "no gate for the same second": ("faults", marking(Rule.TOO_SOON)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_table_is_found_out(name: str) -> None:
    """With a row or a gate less, some history goes wrong: the checker is not blind."""
    alphabet, mutant = MUTANTS[name]
    assert explore(Table(wrong_to_write, mutant), STARTS.values(), ALPHABETS[alphabet])[0]
