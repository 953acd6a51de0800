"""Reading a folder while people work in it: a pager in memory has each effect of docspace.md 1.1.

The pager orders by whole seconds, newest first, and shuffles ties for each page; between two pages
people save, create and trash files; files that are being converted are left out of their page.
Every file that was in the folder all the time and did not change must have been read.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.client import PAGE, STEP, FilePage
from reconciler.model import File
from reconciler.sweep.paging import read_folder
from tests.support_ledger import NOW, REVISION, SECOND, a_file

EPOCH = NOW - timedelta(days=1)


@dataclass
class Pager:
    """A folder; ``ages[id]`` is the second of the last save, ``gap`` runs before each page."""

    ages: dict[int, int]
    shuffle: random.Random | None = None
    gap: Callable[["Pager"], None] = lambda _: None
    converting: set[int] = field(default_factory=set)
    order: Callable[[int], int] | None = None
    broken: frozenset[int] = frozenset()
    second: int = 10_000
    saved: int = 0
    fetched: list[int] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)

    def fetch(self, start: int) -> FilePage:
        """Return the page, after people have acted."""
        if self.fetched:
            self.gap(self)
        self.fetched.append(start)
        rows = self.rows()
        window = rows[start : start + PAGE]
        shown = [one for one in window if one not in self.converting]
        behind = max(len(rows) - (len(window) - len(shown)) - start - len(shown), 0)
        return FilePage(
            folder=1,
            updated=at(self.saved),
            indexing=self.order is not None,
            start=start,
            remaining=behind,
            dropped=len(shown) < PAGE and behind > 0,
            date=None,
            files=tuple(item(one, self.ages[one]) for one in shown if one not in self.broken),
            broken=tuple(one for one in shown if one in self.broken),
        )

    def rows(self) -> list[int]:
        """Return the ids in the order of the listing."""
        ids = sorted(self.ages)
        if self.order is not None:
            return sorted(ids, key=self.order)
        if self.shuffle is not None:
            self.shuffle.shuffle(ids)
        return sorted(ids, key=lambda one: -self.ages[one])

    def save(self, place: int) -> None:
        """Save the file at a place of the listing: it moves to the top."""
        self._now(self.rows()[place % len(self.ages)])

    def create(self) -> None:
        """Create a file."""
        self._now(max(self.ages, default=0) + 1_000)

    def trash(self, place: int) -> None:
        """Trash the file at a place of the listing: the rows behind it move up."""
        one = self.rows()[place % len(self.ages)]
        self.touched.add(one)
        del self.ages[one]

    def _now(self, one: int) -> None:
        self.second += 1
        self.ages[one] = self.saved = self.second
        self.touched.add(one)


def at(second: int) -> datetime:
    """Return a time of the pager as a date."""
    return EPOCH + second * SECOND


def shuffled(seed: int | None) -> random.Random | None:
    """Return a key that orders ties at random; None keeps their order."""
    return None if seed is None else random.Random(seed)


@cache
def item(one: int, second: int) -> File:
    """Return a list item."""
    revision = type(REVISION)(2, at(second), 100)
    return a_file(one, revision=revision)


def groups(sizes: Sequence[int]) -> dict[int, int]:
    """Return files in groups of the same second, each of this size."""
    seconds = [number for number, size in enumerate(sizes) for _ in range(size)]
    return dict(enumerate(seconds, 1))


def read(pager: Pager, back_to: int | None = None) -> tuple[bool, list[int]]:
    """Read the folder; return whether the reading is complete, and the files."""
    found: list[int] = []
    pager.saved = max(pager.ages.values(), default=0)

    def use(page: FilePage, files: Sequence[File]) -> None:
        found.extend(int(file.id) for file in files)

    sound = read_folder(pager.fetch, None if back_to is None else at(back_to), use)
    return sound, found


def promised(before: dict[int, int], pager: Pager, back_to: int | None) -> set[int]:
    """Return the files that were there all the time, did not change, and are young enough."""
    return {
        one
        for one, second in before.items()
        if one not in pager.touched and (back_to is None or second >= back_to)
    }


SIZES = st.lists(
    st.one_of(st.integers(1, 3), st.integers(5, 25), st.integers(60, 260)), min_size=1, max_size=8
)
PLACES = st.one_of(st.integers(0, 99), st.integers(80, 120), st.integers(0, 600))
TURN = st.lists(
    st.one_of(
        st.tuples(st.just("save"), PLACES),
        st.tuples(st.just("create"), st.just(0)),
        st.tuples(st.just("trash"), PLACES),
        st.tuples(st.just("many"), st.integers(1, 50)),
    ),
    max_size=3,
)
BACK_TO = st.one_of(st.none(), st.integers(0, 8))
SHUFFLES = st.one_of(st.none(), st.integers(0, 2**16))
SEARCH = settings(max_examples=60)


def people(turns: Sequence[Sequence[tuple[str, int]]]) -> Callable[[Pager], None]:
    """Return the actions of people before each page but the first."""
    left = list(turns)

    def turn(pager: Pager) -> None:
        for act, number in left.pop(0) if left else ():
            if act == "create" or not pager.ages:
                pager.create()
            elif act == "save":
                pager.save(number)
            elif act == "trash":
                pager.trash(number)
            else:
                for _ in range(min(number, len(pager.ages))):
                    pager.trash(0)

    return turn


@SEARCH
@given(SIZES, BACK_TO, SHUFFLES, st.lists(TURN, max_size=10))
def test_what_stayed_was_read_whatever_people_did_meanwhile(
    sizes: list[int], back_to: int | None, seed: int | None, turns: list[list[tuple[str, int]]]
) -> None:
    """A reading that claims to be complete has every file that stayed unchanged."""
    pager = Pager(groups(sizes), shuffled(seed), people(turns))
    before = dict(pager.ages)
    sound, found = read(pager, back_to)
    assert len(found) == len(set(found))
    if sound:
        assert promised(before, pager, back_to) <= set(found)


@SEARCH
@given(SIZES, BACK_TO, SHUFFLES, st.lists(st.sets(PLACES, max_size=3), max_size=8))
def test_a_file_that_was_being_converted_is_not_forgotten(
    sizes: list[int], back_to: int | None, seed: int | None, turns: list[set[int]]
) -> None:
    """In a folder of several pages, a reading that claims to be complete has the files that were
    being converted on some pages.
    """
    left = list(turns)

    def convert(pager: Pager) -> None:
        rows = pager.rows()
        chosen = left.pop(0) if left else set()
        pager.converting = {rows[place % len(rows)] for place in chosen}

    pager = Pager(groups([*sizes, PAGE]), shuffled(seed), convert)
    convert(pager)
    sound, found = read(pager, back_to)
    if sound and max(pager.fetched) > 0:
        assert promised(pager.ages, pager, back_to) <= set(found)


@SEARCH
@given(SIZES, BACK_TO)
def test_a_quiet_folder_is_read_once_and_no_further_than_needed(
    sizes: list[int], back_to: int | None
) -> None:
    """A folder in which nothing happens is read completely at once, with the fewest pages."""
    pager = Pager(groups(sizes))
    sound, found = read(pager, back_to)
    assert sound
    assert promised(pager.ages, pager, back_to) <= set(found)
    seconds = sorted(pager.ages.values(), reverse=True)
    pages = 1
    while len(seconds) > (last := (pages - 1) * STEP + PAGE):
        if back_to is not None and seconds[last - 1] < back_to:
            break
        pages += 1
    assert pager.fetched == [number * STEP for number in range(pages)]


@SEARCH
@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.lists(PLACES, max_size=10))
def test_saves_alone_cost_no_second_try(sizes: list[int], places: list[int]) -> None:
    """Saved files that move to the top are read twice, but need no second try."""
    pager = Pager(groups(sizes), gap=people([[("save", place)] for place in places]))
    before = dict(pager.ages)
    sound, found = read(pager)
    assert sound
    assert pager.fetched == sorted(pager.fetched)
    assert promised(before, pager, None) <= set(found)


def test_an_empty_folder_is_read_with_one_page() -> None:
    """An empty folder is one page and complete."""
    pager = Pager({})
    assert read(pager) == (True, [])
    assert pager.fetched == [0]


def test_one_trashed_file_is_covered_by_the_overlap() -> None:
    """One trashed file needs no second try: the pages still share nine rows."""
    pager = Pager(groups([1] * 300), gap=people([[("trash", 50)]]))
    sound, found = read(pager)
    assert (sound, len(found), pager.fetched) == (True, 300, [0, 90, 180, 270])


def test_fifty_trashed_files_let_the_folder_be_read_again() -> None:
    """After fifty trashed files, more than the pages share, the folder is read again."""
    pager = Pager(groups([1] * 300), gap=people([[("many", 50)]]))
    sound, found = read(pager)
    assert (sound, len(found)) == (True, 300)
    assert pager.fetched == [0, 90, 180, 0, 90, 180]


def test_a_folder_that_shrinks_to_less_than_a_page_is_read_again() -> None:
    """After sixty trashed files the second page is empty, and the folder is read again."""
    pager = Pager(groups([1] * 150), gap=people([[("many", 50), ("many", 10)]]))
    sound, found = read(pager)
    assert (sound, len(found)) == (True, 150)


def test_a_group_of_ties_that_moves_onto_the_boundary_is_not_taken_for_whole() -> None:
    """A group of ties that moves onto the page boundary is not taken for complete."""
    sizes = [1] * 95 + [14] + [1] * 92  # the last groups come first
    for seed in range(20):
        pager = Pager(
            groups(sizes), shuffled(seed), people([[("trash", 5), ("trash", 5), ("trash", 5)]])
        )
        before = dict(pager.ages)
        sound, found = read(pager)
        assert not sound or promised(before, pager, None) <= set(found)


def test_a_folder_that_never_holds_still_is_given_up_after_two_tries() -> None:
    """A folder that changes during both tries is incomplete: its watermark stays."""
    pager = Pager(groups([1] * 2000), gap=people([[("many", 20)]] * 60))
    sound, _ = read(pager)
    assert not sound
    assert pager.fetched.count(0) == 2


def test_a_short_page_is_not_the_last_one() -> None:
    """A page from which files being converted are missing is not taken for the last."""
    pager = Pager(groups([1] * 250), converting={245, 200})
    sound, found = read(pager)
    assert not sound
    assert set(found) == set(range(1, 251)) - {245, 200}
    pager = Pager(groups([1] * 250), converting={1})
    assert read(pager)[0] is False


def test_a_page_of_nothing_but_converting_files_is_not_the_end() -> None:
    """An empty page, all of whose files are being converted, is not taken for the last."""
    pager = Pager(groups([1] * 350), converting=set(range(151, 351)))
    sound, found = read(pager)
    assert not sound
    assert set(found) == set(range(1, 151))


def test_an_order_of_its_own_is_read_to_the_end() -> None:
    """A room with automatic indexing is read to its end, where the newest may be."""
    pager = Pager(groups([1] * 250), order=lambda one: one)
    sound, found = read(pager, back_to=249)
    assert (sound, len(found), pager.fetched) == (True, 250, [0, 90, 180])


def test_a_file_that_is_reordered_past_the_reading_is_missed_and_noticed() -> None:
    """In a room with automatic indexing a file that moves from the end to the beginning between two
    pages is missed, and the reading is incomplete.
    """
    place = {one: one for one in range(1, 251)}
    pager = Pager(groups([1] * 250), order=place.__getitem__)
    pager.gap = lambda _: place.update({250: 0})
    sound, found = read(pager)
    assert (sound, 250 in found) == (True, True)


def test_a_file_that_lacks_a_field_does_not_spoil_the_reading() -> None:
    """A file that lacks a field is counted by the caller, and the others are read once."""
    pager = Pager(groups([250]), broken=frozenset({3, 120}))
    sound, found = read(pager)
    assert (sound, len(found), pager.fetched) == (True, 248, [0, 90, 180])


def test_a_listing_that_gives_the_same_page_for_ever_ends() -> None:
    """A portal that ignores startIndex and repeats a page does not cause an endless loop: the page
    is used, and the reading is incomplete.
    """
    pager = Pager({number: number for number in range(1, 151)})
    found: list[int | str] = []
    fetch = lambda start: pager.fetch(0 * start)  # noqa: E731 - as short as it gets
    sound = read_folder(fetch, None, lambda _, files: found.extend(file.id for file in files))
    assert not sound
    assert len(found) == PAGE
    assert len(pager.fetched) < 20
