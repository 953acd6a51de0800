"""The settings that hold for the whole ledger, each with its name and type; pause and baseline."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import EnumType
from functools import cache
from typing import Any, Generic, TypeVar, get_type_hints

from sqlalchemy import Connection, bindparam, delete, or_, select

from reconciler.ledger.records import Notified, WebhookRecord
from reconciler.ledger.rows import Baseline
from reconciler.ledger.store.schema import settings, upsert
from reconciler.ledger.store.store import Store
from reconciler.model import EPOCH

T = TypeVar("T")
# Built once: building this statement takes longer than running it.
_VALUE = select(settings.c.value).where(settings.c.name == bindparam("name"))


@dataclass(frozen=True)
class LedgerSetting(Generic[T]):
    """A named value of the ledger, and its conversion to text and back."""

    name: str
    to_text: Callable[[T], str]
    from_text: Callable[[str], T | None]

    def parse(self, text: str | None) -> T | None:
        """Return the value of a stored text, None where there is none."""
        return None if text is None else self.from_text(text)

    def get(self, c: Connection) -> T | None:
        """Return the value, None where it is not set."""
        return self.parse(c.execute(_VALUE, {"name": self.name}).scalar())

    def set(self, c: Connection, value: T | None) -> None:
        """Store the value; None deletes it."""
        if value is None:
            c.execute(delete(settings).where(settings.c.name == self.name))
            return
        upsert(c, settings, {"name": self.name}, {"value": self.to_text(value)})


@dataclass(frozen=True)
class Pause:
    """A pause that the portal asked of the account ``owner``.

    One that begins in the future was stored before the clock was set back, and is ignored.
    """

    owner: str | None
    began: datetime
    until: datetime
    reason: str

    def holds(self, owner: str | None, now: datetime) -> bool:
        """Return whether ``owner`` has to wait at ``now``."""
        return self.owner == owner and self.began <= now < self.until


@dataclass(frozen=True)
class Criteria:
    """The scope (rooms, extensions, authors) that holds, and when former scopes ended."""

    current: str | None = None
    ended: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class UndatedUpdates:
    """The updates that a full scan found although no folder's date had changed, and when.

    They are kept until a complete full scan finds none.
    """

    at: datetime
    updates: int


@dataclass(frozen=True)
class DeliveryLogProgress:
    """How far the delivery log was read: the last entry ``done``, and the webhook's last failure.

    ``at`` is when it was read, ``under_way`` whether the portal was still sending some of them.
    """

    done: int = 0
    failed_on: str = ""
    under_way: bool = False
    at: datetime | None = None


def text_setting(name: str) -> LedgerSetting[str]:
    """Return a setting that is a text."""
    return LedgerSetting(name, str, str)


def time_setting(name: str) -> LedgerSetting[datetime]:
    """Return a setting that is a time."""
    return LedgerSetting(name, datetime.isoformat, datetime.fromisoformat)


def _number(name: str) -> LedgerSetting[int]:
    return LedgerSetting(name, str, int)


def _flag(name: str) -> LedgerSetting[bool]:
    return LedgerSetting(name, lambda value: "yes" if value else "no", lambda text: text == "yes")


def _record(name: str, kind: type[T]) -> LedgerSetting[T]:
    """Return a setting that is a dataclass. One that another version wrote counts as not set."""
    hints = get_type_hints(kind).items()
    parsers = {key: datetime.fromisoformat for key, hint in hints if "datetime" in str(hint)}
    parsers |= {key: hint for key, hint in hints if isinstance(hint, EnumType)}

    def from_text(text: str) -> T | None:
        try:
            fields = json.loads(text)
            given = [key for key in parsers if fields[key] is not None]
            return kind(**fields | {key: parsers[key](fields[key]) for key in given})
        except (ValueError, TypeError, KeyError):
            return None

    return LedgerSetting(name, _to_json, from_text)


def _to_json(record: Any) -> str:
    return json.dumps(asdict(record), default=datetime.isoformat)


_NOTIFIED = _record("", Notified)


def _notified_of(text: str) -> Mapping[str, Notified]:
    found = {key: _NOTIFIED.from_text(one) for key, one in json.loads(text).items()}
    return {key: one for key, one in found.items() if one is not None}


def _criteria_of(text: str) -> Criteria:
    fields = json.loads(text)
    ended = {name: datetime.fromisoformat(date) for name, date in fields["ended"].items()}
    return Criteria(fields["current"], ended)


SCHEMA = text_setting("schema")
PORTAL = text_setting("portal")
OWNER = text_setting("owner")
SINCE = time_setting("since")
FIRST_SWEEP = time_setting("first_sweep")
PORTAL_KNOWN = _flag("portal_known")
TARGETS: LedgerSetting[frozenset[str]] = LedgerSetting(
    "targets", lambda targets: json.dumps(sorted(targets)), lambda text: frozenset(json.loads(text))
)
PAUSE = _record("pause", Pause)
NEXT_SWEEP = time_setting("next_sweep")
SWEEP_BEGAN = time_setting("sweep_began")
WATERMARK = time_setting("watermark")
FULL_SCAN = time_setting("full_scan")
COMPLETE_SCAN = time_setting("complete_scan")
ROOMS_TOTAL = _number("rooms_total")
CRITERIA = LedgerSetting("criteria", _to_json, _criteria_of)
UNDATED_UPDATES = _record("undated_updates", UndatedUpdates)
LAST_DELIVERY = time_setting("last_delivery")
"""When the last delivery of the webhook was accepted, echoes left out."""
WEBHOOK_ID = _number("webhook_id")
WEBHOOK_READABLE = _flag("webhook_readable")
WEBHOOK_REPAIRED = time_setting("webhook_repaired")
WEBHOOK = _record("webhook", WebhookRecord)
DELIVERY_LOG = _record("delivery_log", DeliveryLogProgress)
NOTIFIED: LedgerSetting[Mapping[str, Notified]] = LedgerSetting(
    "notified",
    lambda each: json.dumps({key: _NOTIFIED.to_text(one) for key, one in each.items()}),
    _notified_of,
)
"""By a digest of the address, which is a secret."""


class Settings:
    """The settings of a ledger. Each call is one short transaction; all raise LedgerError."""

    def __init__(self, store: Store) -> None:
        """Share the ledger's store."""
        self._store = store

    def get(self, setting: LedgerSetting[T]) -> T | None:
        """Return the value, None where it is not set."""
        return self._store.read(setting.get)

    def set(self, setting: LedgerSetting[T], value: T | None) -> None:
        """Store the value; None deletes it."""
        self._store.write(lambda c: setting.set(c, value))


def stored(c: Connection, *wanted: LedgerSetting[Any]) -> dict[str, str]:
    """Return the stored texts of several settings by their names, with one statement."""
    rows = c.execute(_named(*(setting.name for setting in wanted)))
    return {row.name: row.value for row in rows}


@cache
def _named(*names: str) -> Any:
    return select(settings).where(or_(*(settings.c.name == name for name in names)))


def pause(c: Connection, now: datetime, length: timedelta, reason: str) -> None:
    """Stop claims for a while. A pause is never shortened by another."""
    known = paused(c, now)
    if known is None or now + length > known.until:
        PAUSE.set(c, Pause(OWNER.get(c), now, now + length, reason))


def paused(c: Connection, now: datetime) -> Pause | None:
    """Return the pause that holds at ``now``, None when there is none."""
    found = PAUSE.get(c)
    return found if found is not None and found.holds(OWNER.get(c), now) else None


def baseline(c: Connection) -> Baseline:
    """Return the values that hold for every row."""
    known = stored(c, SINCE, FIRST_SWEEP, PORTAL_KNOWN)
    return Baseline(
        SINCE.parse(known.get(SINCE.name)) or EPOCH,
        FIRST_SWEEP.parse(known.get(FIRST_SWEEP.name)) or EPOCH,
        PORTAL_KNOWN.parse(known.get(PORTAL_KNOWN.name)),
    )
