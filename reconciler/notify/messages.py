"""The messages, built from values. Pure; plain text, since every service shows that."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from urllib.parse import urlsplit

from reconciler.formats import document_url, file_count, local_time, shown
from reconciler.ledger import FileInReview, ReviewPage

MAX_FILES = 200  # files that a message chooses from
_PER_ROOM, _ROOMS = 10, 20  # what is longer is cut: some services take 2,000 characters


class Tone(Enum):
    """How a message is to be taken; services paint it so."""

    NEWS = "news"
    ALERT = "alert"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Message:
    """What is sent: a line, and a text of several lines."""

    title: str
    body: str
    tone: Tone = Tone.NEWS


@dataclass(frozen=True)
class Alert:
    """One thing that a person must end, and how."""

    kind: str
    message: str
    hint: str


def digest(found: ReviewPage, portal: str) -> Message:
    """Return what was newly marked, by room."""
    verb = "needs" if found.total == 1 else "need"
    return Message(
        f"{file_count(found.total)} newly {verb} review{_on(portal)}", _by_room(found, portal)
    )


def reminder(found: ReviewPage, portal: str, overdue_after: timedelta) -> Message:
    """Return what waits for longer than ``overdue_after``, by room."""
    verb = "waits" if found.total == 1 else "wait"
    title = f"{file_count(found.total)} {verb} for review for more than {_length(overdue_after)}"
    return Message(f"{title}{_on(portal)}", _by_room(found, portal))


def began(alerts: Sequence[Alert], portal: str) -> Message:
    """Return what is wrong, and what to do."""
    lines = [f"{_sentence(one.message)}\n{_to_do(one.hint)}".strip() for one in alerts]
    return Message(f"Needs attention{_on(portal)}", "\n\n".join(lines), Tone.ALERT)


def ended(messages: Iterable[str], portal: str) -> Message:
    """Return which alerts are over, in the words in which they were sent."""
    lines = [f"Over: {one}" for one in messages]
    return Message(f"Resolved{_on(portal)}", "\n".join(lines), Tone.RESOLVED)


def trial() -> Message:
    """Return a message that tests an address."""
    return Message("Test message", "reconciler can send messages to this address.")


def _by_room(found: ReviewPage, portal: str) -> str:
    rooms: dict[str, list[FileInReview]] = {}
    for file in found.files:
        rooms.setdefault(_room(file), []).append(file)
    listed = dict(sorted(rooms.items())[:_ROOMS])
    blocks = ["\n".join(_room_lines(room, files, portal)) for room, files in listed.items()]
    missing = found.total - sum(len(files) for files in listed.values())
    return "\n\n".join([*blocks, f"and {missing} more"] if missing > 0 else blocks)


def _room_lines(room: str, files: Sequence[FileInReview], portal: str) -> Iterator[str]:
    yield f"{room}:"
    for file in files[:_PER_ROOM]:
        author = f", saved by {shown(file.author)}" if file.author else ""
        waits = "" if file.since is None else f", waits since {local_time(file.since)}"
        yield f"- {shown(file.title)} (version {file.version}{author}{waits})"
        yield f"  {document_url(portal, file.file_id)}"
    if len(files) > _PER_ROOM:
        yield f"  and {len(files) - _PER_ROOM} more"


def _room(file: FileInReview) -> str:
    if file.room_title:
        return shown(file.room_title)
    return "Other files" if file.room is None else f"Room {file.room}"


def _on(portal: str) -> str:
    return f" on {urlsplit(portal).netloc}"


def _length(length: timedelta) -> str:
    units: Mapping[str, timedelta] = {
        "days": timedelta(days=1),
        "hours": timedelta(hours=1),
        "minutes": timedelta(minutes=1),
        "seconds": timedelta(seconds=1),
    }
    name, unit = next(item for item in units.items() if not length % item[1])
    number = length // unit
    return f"{number} {name if number != 1 else name.removesuffix('s')}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _to_do(hint: str) -> str:
    return f"What to do: {hint}." if hint else ""
