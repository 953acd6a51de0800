"""What the people of the demonstration do, and what each file must carry when they are done."""

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.sandbox import Portal, User

TARGET = "Need Review"


@dataclass(frozen=True)
class Cast:
    """The portal, its people, and its files by name."""

    portal: Portal
    ann: User
    bob: User
    files: dict[str, int]


@dataclass(frozen=True)
class Step:
    """One act: who does what to which file, and the comment that must stand there after it."""

    who: str
    what: str
    file: str
    act: Callable[[Cast, int], object]
    then: str


FILES = ("Contract.docx", "Budget.xlsx", "Notes.docx", "Plan.docx", "Untouched.docx")


def _forcesaves(cast: Cast, file: int) -> None:
    for _ in range(3):
        cast.portal.forcesave(file, by=cast.bob)


STORY = (
    Step("Ann", "saves it", "Contract.docx", lambda c, f: c.portal.save(f, by=c.ann), TARGET),
    Step("Bob", "saves it three times", "Budget.xlsx", _forcesaves, TARGET),
    Step("Bob", "saves it", "Plan.docx", lambda c, f: c.portal.save(f, by=c.bob), TARGET),
    Step(
        "Ann",
        'reviews it: "Approved"',
        "Contract.docx",
        lambda c, f: c.portal.comment(f, "Approved", by=c.ann),
        "Approved",
    ),
    Step(
        "Bob",
        "renames it",
        "Contract.docx",
        lambda c, f: c.portal.rename(f, "Contract (signed).docx", by=c.bob),
        "Approved",
    ),
    Step("Ann", "locks it", "Budget.xlsx", lambda c, f: c.portal.lock(f, by=c.ann), TARGET),
    Step(
        "Ann",
        "unlocks it, which wipes the comment",
        "Budget.xlsx",
        lambda c, f: c.portal.unlock(f, by=c.ann),
        TARGET,
    ),
    Step("Ann", "locks it", "Notes.docx", lambda c, f: c.portal.lock(f, by=c.ann), "Created"),
    Step(
        "Ann",
        "saves it under her lock",
        "Notes.docx",
        lambda c, f: c.portal.save(f, by=c.ann),
        "Edited",
    ),
    Step("Ann", "unlocks it", "Notes.docx", lambda c, f: c.portal.unlock(f, by=c.ann), TARGET),
    Step(
        "Ann",
        'reviews it: "Please shorten"',
        "Plan.docx",
        lambda c, f: c.portal.comment(f, "Please shorten", by=c.ann),
        "Please shorten",
    ),
    Step("Bob", "saves it again", "Contract.docx", lambda c, f: c.portal.save(f, by=c.bob), TARGET),
)
EXPECTED = {
    "Contract.docx": TARGET,
    "Budget.xlsx": TARGET,
    "Notes.docx": TARGET,
    "Plan.docx": "Please shorten",
    "Untouched.docx": "Created",
}
