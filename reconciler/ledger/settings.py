"""Single facts about the whole ledger: a name and a text."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, or_, select

from reconciler.ledger.rows import Baseline
from reconciler.ledger.store.schema import facts
from reconciler.ledger.store.upsert import insert
from reconciler.model import EPOCH

# Built once: for the smallest questions building the statement takes longest.
_FACT = select(facts.c.value).where(facts.c.name == bindparam("name"))
PORTAL_KNOWN, YES, NO = "portal_known", "yes", "no"
_MOMENTS = ("since", "first_sweep")
_PAUSE = "pause"
_BASELINE = select(facts).where(facts.c.name.in_((*_MOMENTS, PORTAL_KNOWN)))
_TWO = select(facts).where(
    or_(facts.c.name == bindparam("one"), facts.c.name == bindparam("other"))
)


def fact(c: Connection, name: str) -> str | None:
    """Return a fact, None when it is not known."""
    return c.execute(_FACT, {"name": name}).scalar()


def two_facts(c: Connection, one: str, other: str) -> dict[str, str]:
    """Return those of two facts that are known."""
    return {row.name: row.value for row in c.execute(_TWO, {"one": one, "other": other})}


def set_fact(c: Connection, name: str, value: str | None) -> None:
    """Remember a fact; forget it for None."""
    if value is None:
        c.execute(delete(facts).where(facts.c.name == name))
        return
    statement = insert(c.dialect.name, facts).values(name=name, value=value)
    c.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


@dataclass(frozen=True)
class Pause:
    """A pause that the portal asked of an account: it counts from ``began`` and for that account.

    One that begins ahead of now was noted by a clock that was set back since, and counts no more.
    """

    owner: str | None
    began: datetime
    until: datetime
    reason: str

    def holds(self, owner: str | None, now: datetime) -> bool:
        """Return whether ``owner`` is to wait at ``now``."""
        return self.owner == owner and self.began <= now < self.until


def pause(c: Connection, now: datetime, length: timedelta, why: str) -> None:
    """Let nothing be claimed for a while; a pause is never shortened by another."""
    known = paused(c, now)
    if known is None or now + length > known.until:
        until = (now + length).isoformat()
        listed = {"owner": fact(c, "owner"), "began": now.isoformat(), "until": until, "why": why}
        set_fact(c, _PAUSE, json.dumps(listed))


def paused(c: Connection, now: datetime) -> Pause | None:
    """Return the pause that holds at ``now``, None when there is none."""
    text = fact(c, _PAUSE)
    if text is None:
        return None
    listed = json.loads(text)
    began, until = (datetime.fromisoformat(listed[name]) for name in ("began", "until"))
    found = Pause(listed["owner"], began, until, listed["why"])
    return found if found.holds(fact(c, "owner"), now) else None


def baseline(c: Connection) -> Baseline:
    """Return what holds for every row."""
    known = {row.name: row.value for row in c.execute(_BASELINE)}
    since, first = (datetime.fromisoformat(known[n]) if n in known else EPOCH for n in _MOMENTS)
    told = known.get(PORTAL_KNOWN)
    return Baseline(since, first, portal_known=None if told is None else told == YES)
