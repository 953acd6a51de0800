"""What the people of the demonstration do, and what each file must carry when they are done.

Part one shows the decisions, with a network that works. Part two loses deliveries, and some
updates are never announced: there the sweep has to help.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.sandbox import Portal, User

TARGET = "Need Review"


@dataclass(frozen=True)
class Cast:
    """The portal, its people, the room, and its files by name."""

    portal: Portal
    ann: User
    bob: User
    room: int
    files: dict[str, int]


@dataclass(frozen=True)
class Step:
    """One act: who does what to which file, and the comment that must stand there after it."""

    who: str
    what: str
    file: str
    act: Callable[[Cast, int], object]
    then: str = TARGET


DECIDED = ("Contract.docx", "Budget.xlsx", "Notes.docx", "Plan.docx", "Untouched.docx")
LOST = tuple(f"Report {number:02}.docx" for number in range(1, 11))
UPLOADED = ("Figures.xlsx", "Logo.svg", "Minutes.docx")


def _forcesaves(cast: Cast, file: int) -> None:
    for _ in range(3):
        cast.portal.forcesave(file, by=cast.bob)


def _lock_and_save(cast: Cast, file: int) -> None:
    cast.portal.lock(file, by=cast.ann)
    cast.portal.save(file, by=cast.ann)


def _upload(cast: Cast, file: int) -> None:
    cast.portal.upload(cast.room, cast.portal.file(file).title, by=cast.bob)


# The steps of a round are about different files and happen at once.
ROUNDS = (
    (
        Step("Ann", "saves", "Contract.docx", lambda c, f: c.portal.save(f, by=c.ann)),
        Step("Bob", "saves three times", "Budget.xlsx", _forcesaves),
        Step("Bob", "saves", "Plan.docx", lambda c, f: c.portal.save(f, by=c.bob)),
        Step("Ann", "locks and saves", "Notes.docx", _lock_and_save, "Edited"),
    ),
    (
        Step(
            "Ann",
            'reviews: "Approved"',
            "Contract.docx",
            lambda c, f: c.portal.comment(f, "Approved", by=c.ann),
            "Approved",
        ),
        Step("Ann", "locks", "Budget.xlsx", lambda c, f: c.portal.lock(f, by=c.ann)),
    ),
    (
        Step(
            "Bob",
            "renames",
            "Contract.docx",
            lambda c, f: c.portal.rename(f, "Contract (signed).docx", by=c.bob),
            "Approved",
        ),
        Step("Ann", "unlocks", "Budget.xlsx", lambda c, f: c.portal.unlock(f, by=c.ann)),
        Step("Ann", "unlocks", "Notes.docx", lambda c, f: c.portal.unlock(f, by=c.ann)),
    ),
    (
        Step("Bob", "saves again", "Contract.docx", lambda c, f: c.portal.save(f, by=c.bob)),
        Step(
            "Ann",
            'reviews: "Please shorten"',
            "Plan.docx",
            lambda c, f: c.portal.comment(f, "Please shorten", by=c.ann),
            "Please shorten",
        ),
    ),
)
STORM = (
    *(Step("Ann", "saves", name, lambda c, f: c.portal.save(f, by=c.ann)) for name in LOST),
    *(Step("Bob", "uploads over", name, _upload) for name in UPLOADED),
)
EXPECTED = {
    "Contract.docx": TARGET,
    "Budget.xlsx": TARGET,
    "Notes.docx": TARGET,
    "Plan.docx": "Please shorten",
    "Untouched.docx": "Created",
    **dict.fromkeys(LOST + UPLOADED, TARGET),
}
