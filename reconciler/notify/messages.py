"""The messages, which of them an address is due, and its record after each. Pure.

The text is plain, which every service shows. What is due is computed from the present and the
address's record: an alert that began and ended while an address failed is not sent, and the next
digest contains the files of the one that did not arrive.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from urllib.parse import urlsplit

from reconciler.formats import counted, document_url, local_time, shown
from reconciler.ledger import FileInReview, Notified, ReviewPage

MAX_FILES = 200  # files that a message chooses from
_PER_ROOM, _ROOMS = 10, 20  # what is longer is cut: some services take 2,000 characters
_SETTLING = timedelta(seconds=3)  # by then what was marked at a time is in the ledger
_DAY = timedelta(days=1)


class Tone(Enum):
    """The kind of a message; some services give each a colour."""

    NEWS = "news"
    ALERT = "alert"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Message:
    """A title of one line, and a text of several."""

    title: str
    body: str
    tone: Tone = Tone.NEWS


@dataclass(frozen=True)
class Alert:
    """One problem that needs a person, and what to do."""

    kind: str
    message: str
    hint: str


def digest(found: ReviewPage, portal: str) -> Message:
    """Return the files that were newly marked, by room."""
    verb = "needs" if found.total == 1 else "need"
    return Message(
        f"{counted(found.total)} newly {verb} review{_on(portal)}", _by_room(found, portal)
    )


def reminder(found: ReviewPage, portal: str, overdue_after: timedelta) -> Message:
    """Return the files that have waited for longer than ``overdue_after``, by room."""
    verb = "waits" if found.total == 1 else "wait"
    title = f"{counted(found.total)} {verb} for review for more than {_length(overdue_after)}"
    return Message(f"{title}{_on(portal)}", _by_room(found, portal))


def began(alerts: Sequence[Alert], portal: str) -> Message:
    """Return the new alerts, each with what to do."""
    lines = [f"{_sentence(one.message)}\n{_to_do(one.hint)}".strip() for one in alerts]
    return Message(f"Needs attention{_on(portal)}", "\n\n".join(lines), Tone.ALERT)


def ended(messages: Iterable[str], portal: str) -> Message:
    """Return which alerts are over, each as it was sent."""
    lines = [f"Over: {one}" for one in messages]
    return Message(f"Resolved{_on(portal)}", "\n".join(lines), Tone.RESOLVED)


def trial_message() -> Message:
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


Planned = tuple[Message | None, Notified]
"""The message, None for none, and the record of the address after it."""


@dataclass(frozen=True)
class NotifySettings:
    """What is sent; None switches a message off."""

    portal: str
    digest_every: timedelta | None = None
    overdue_after: timedelta | None = None


@dataclass(frozen=True)
class Alerts:
    """The problems that need a person now, and the kinds of all that are open."""

    urgent: Sequence[Alert] = ()
    open: frozenset[str] = frozenset()


def new_address(name: str, now: datetime) -> Notified:
    """Return the record of a new address: it is sent every open alert, but no earlier mark."""
    return Notified(name, digest_end(now))


def digest_end(now: datetime) -> datetime:
    """Return until when marked files are in the digest."""
    return now - _SETTLING


def plan_resolved(record: Notified, alerts: Alerts, portal: str) -> Planned:
    """Return the message on those of the alerts that were sent which are over."""
    over = {kind: one for kind, one in record.alerts.items() if kind not in alerts.open}
    if not over:
        return None, record
    remaining = {kind: one for kind, one in record.alerts.items() if kind not in over}
    return ended(over.values(), portal), replace(record, alerts=remaining)


def plan_alerts(record: Notified, alerts: Alerts, portal: str) -> Planned:
    """Return the message on the alerts that were not sent yet."""
    new = [one for one in alerts.urgent if one.kind not in record.alerts]
    if not new:
        return None, record
    known = {one.kind: one.message for one in new}
    return began(new, portal), replace(record, alerts={**record.alerts, **known})


def is_digest_due(record: Notified, every: timedelta | None, now: datetime) -> bool:
    """Return whether the last digest is old enough, or in the future: the clock was set back.

    Without digests (None) its time moves on once a day, so that the first digest after they are
    switched on does not go back further.
    """
    passed = digest_end(now) - record.marked_until
    return passed >= (every or _DAY) or record.marked_until > now


def is_reminder_due(record: Notified, now: datetime) -> bool:
    """Return whether the last reminder is a day old, or in the future: the clock was set back."""
    last = record.reminded_at
    return last is None or now - last >= _DAY or last > now


def record_failure(record: Notified, error: str, now: datetime) -> Notified:
    """Return the record of an address after a message that did not arrive."""
    since = record.failing_since or now
    number = record.failures + 1
    return replace(record, failures=number, failing_since=since, failed_at=now, error=error)


def record_delivery(record: Notified) -> Notified:
    """Return the record of an address after a message that arrived."""
    return replace(record, failures=0, failing_since=None, failed_at=None, error="")
