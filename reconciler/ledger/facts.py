"""Single facts about the whole ledger: a name and a text."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, or_, select

from reconciler.ledger.rows import Baseline
from reconciler.ledger.schema import facts
from reconciler.ledger.upsert import insert
from reconciler.model import EPOCH

# Built once: for the smallest questions building the statement takes longest.
_FACT = select(facts.c.value).where(facts.c.name == bindparam("name"))
PORTAL_KNOWN, YES, NO = "portal_known", "yes", "no"
_MOMENTS = ("since", "first_sweep")
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


def time_fact(c: Connection, name: str) -> datetime:
    """Return a time, the epoch when it is not known."""
    value = fact(c, name)
    return EPOCH if value is None else datetime.fromisoformat(value)


def pause(c: Connection, until: datetime, why: str) -> None:
    """Let nothing be claimed before ``until``; a pause is never shortened by another."""
    if until > time_fact(c, "paused_until"):
        set_fact(c, "paused_until", until.isoformat())
        set_fact(c, "paused_why", why)


def baseline(c: Connection) -> Baseline:
    """Return what holds for every row."""
    known = {row.name: row.value for row in c.execute(_BASELINE)}
    since, first = (datetime.fromisoformat(known[n]) if n in known else EPOCH for n in _MOMENTS)
    told = known.get(PORTAL_KNOWN)
    return Baseline(since, first, portal_known=None if told is None else told == YES)
