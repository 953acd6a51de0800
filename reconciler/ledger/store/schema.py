"""The tables, and the migrations of older ledgers.

Times are whole microseconds since 1970 in UTC: they sort, compare and round-trip exactly.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    func,
    inspect,
    text,
)

from reconciler.errors import LedgerCause, LedgerError
from reconciler.model import EPOCH, UNFINISHED_OUTCOMES, Outcome, Rule

_MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return the number to store."""
        del dialect
        return None if value is None else (value.astimezone(UTC) - EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the time."""
        del dialect
        return None if value is None else EPOCH + value * _MICROSECOND


metadata = MetaData()

# Settings of the whole ledger: `ledger.settings` has their names and types.
settings = Table(
    "settings",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),  # the title last seen, to show
    # Due: when to look, and the claim. A claim moves due_at to the end of its lease.
    Column("due_at", UtcTime),
    Column("priority", Integer, nullable=False, default=0),
    Column("claim", String),
    Column("attempts", Integer, nullable=False, default=0),  # in a row, that ended for ``reason``
    Column("early_looks", Integer, nullable=False, default=0),  # since the last event
    Column("waits_for", String),  # the kind of request that has to work first
    Column("since", UtcTime),
    Column("overwrite", Boolean, nullable=False, default=False),
    Column("announced_date", UtcTime),  # the newest date that an event gave the file
    Column("source", String),  # the first source of the update; a webhook takes precedence
    # Accepted events and listings without an outcome yet; those that the claim covers.
    Column("pending", Integer, nullable=False, default=0),
    Column("pending_since", UtcTime),
    Column("claimed", Integer, nullable=False, default=0),
    # The settled revision, and whether it carried our comment then.
    Column("created", UtcTime),
    Column("settled_version", BigInteger),
    Column("settled_updated", UtcTime),
    Column("settled_size", BigInteger),
    Column("marked_by_us", Boolean, nullable=False, default=False),
    Column("marked_version", BigInteger),  # the last version that carried our comment
    # A write under way.
    Column("intent_version", BigInteger),
    Column("intent_updated", UtcTime),
    Column("intent_size", BigInteger),
    Column("intent_before", String),
    # How often our comment on the settled revision was found undone within an hour: more than
    # a few times are a loop.
    Column("undone_since", UtcTime),
    Column("undone_times", Integer, nullable=False, default=0),
    Column("touched_at", UtcTime),
    # History, to explain.
    Column("events", Integer, nullable=False, default=0),
    Column("looks", Integer, nullable=False, default=0),
    Column("marks", Integer, nullable=False, default=0),
    Column("event_at", UtcTime),
    Column("looked_at", UtcTime),
    Column("marked_at", UtcTime),
    Column("outcome", String),
    Column("reason", String, nullable=False, default=""),
    Column("error", String, nullable=False, default=""),
    # Its place and author when it was last seen, to show.
    Column("folder", BigInteger),
    Column("room", BigInteger),
    Column("author", String),
    # The person's comment that was kept, and since when a comment is there: ours without a break by
    # a person's, or a person's on this version.
    Column("comment", String, nullable=False, default=""),
    Column("comment_since", UtcTime),
)


def _in(*values: Outcome | Rule) -> str:
    """Return the condition of a column in SQL, in the same words for an index and its queries."""
    return f"IN ({', '.join(repr(str(value.value)) for value in values)})"


_DUE = files.c.due_at.is_not(None)
_due = Index("files_due", files.c.priority, files.c.due_at, sqlite_where=_DUE)

# Conditions of the overview. SQLite uses a partial index only for a condition in the same words.
_ELSEWHERE = _in(Rule.GONE, Rule.SECTION)
UNFINISHED = text(f"outcome {_in(*UNFINISHED_OUTCOMES)} AND due_at IS NOT NULL")
WAITING = text(f"marked_by_us AND settled_version IS NOT NULL AND reason NOT {_ELSEWHERE}")
DECIDED = text(f"outcome {_in(Outcome.KEPT)} AND reason {_in(Rule.ANSWERED, Rule.CHANGED)}")
UNMARKED = text(f"outcome {_in(Outcome.KEPT)} AND reason {_in(Rule.UNMARKED)}")
# A file without a known room lies in the folder, which may be the room itself.
PLACE = func.coalesce(files.c.room, files.c.folder)
_unfinished = Index(
    "files_unfinished",
    files.c.outcome,
    files.c.looked_at,
    sqlite_where=UNFINISHED,
)
_waiting = Index("files_waiting", files.c.comment_since, files.c.id, sqlite_where=WAITING)
_places = Index("files_places", PLACE, files.c.comment_since, files.c.id, sqlite_where=WAITING)
_decided = Index("files_decided", files.c.comment_since, files.c.id, sqlite_where=DECIDED)
_marked = Index("files_marked", files.c.marked_at, sqlite_where=files.c.marked_at.is_not(None))
_unmarked = Index("files_unmarked", files.c.comment_since, files.c.id, sqlite_where=UNMARKED)

# The partial indexes. `postgres` sets the same conditions in its dialect, which is loaded only
# where it is used: loading takes some 50 ms.
PARTIAL = (_due, _unfinished, _waiting, _places, _decided, _unmarked, _marked)

# Ended events and listings by outcome and reason; with the pending ones they add up.
counts = Table(
    "counts",
    metadata,
    Column("outcome", String, primary_key=True),
    Column("reason", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
)

# PUTs by the hour in which they were about to be sent.
writes = Table(
    "writes",
    metadata,
    Column("hour", UtcTime, primary_key=True),
    Column("number", Integer, nullable=False),
)

# Texts that were kept as a person's, and how often each was seen within seconds of a save, which
# shows an unknown text of the portal's own.
texts = Table(
    "texts",
    metadata,
    Column("text", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("within_seconds", BigInteger, nullable=False, default=0),
)
_frequent = Index("texts_frequent", texts.c.number)

# Per room (or "My documents"): its watermark, the portal time up to which it was read; whether it
# was not read to the end; and whether it is hidden (archived, or closed to our account).
rooms = Table(
    "rooms",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("watermark", UtcTime),
    Column("incomplete", Boolean, nullable=False, default=False),
    Column("hidden", Boolean, nullable=False, default=False),
    Column("title", String),
)

# Rooms that a backfill has finished; deleted when it is complete.
backfills = Table(
    "backfills",
    metadata,
    Column("job", String, primary_key=True),
    Column("room", BigInteger, primary_key=True, autoincrement=False),
)

# Requests that were sent, in buckets of five seconds.
request_buckets = Table(
    "request_buckets",
    metadata,
    Column("bucket", UtcTime, primary_key=True),
    Column("number", Integer, nullable=False),
)

# Open outages of the portal as a whole, with their beginning and reason.
outages = Table(
    "outages",
    metadata,
    Column("kind", String, primary_key=True),
    Column("since", UtcTime, nullable=False),
    Column("reason", String, nullable=False),
)

# The last sweeps.
sweeps = Table(
    "sweeps",
    metadata,
    Column("began", UtcTime, primary_key=True),
    Column("seconds", Float, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("scanned", Integer, nullable=False),
    Column("enqueued", Integer, nullable=False),
    Column("incomplete_folders", Integer, nullable=False),
    Column("full_scan", Boolean, nullable=False),
    Column("error", String, nullable=False),
)

# Marked updates by day, by their first source, and by latency, in buckets of seconds up to
# ``bound`` (0: longer than all of them).
latencies = Table(
    "latencies",
    metadata,
    Column("day", UtcTime, primary_key=True),
    Column("source", String, primary_key=True),
    Column("bound", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("seconds", BigInteger, nullable=False),
)

# A ledger of version n becomes one of n + 1 by MIGRATIONS[n - 1].
MIGRATIONS: tuple[Callable[[Connection], None], ...] = ()
VERSION = 1 + len(MIGRATIONS)


def migrate(connection: Connection) -> None:
    """Migrate the ledger to the current version. Raises LedgerError for a newer one."""
    metadata.create_all(connection, tables=[settings])
    found = connection.execute(settings.select().where(settings.c.name == "schema")).first()
    if found is None and inspect(connection).get_table_names() != [settings.name]:
        raise LedgerError("this database holds tables of another program")
    if found is None:
        metadata.create_all(connection)
        connection.execute(settings.insert().values(name="schema", value=str(VERSION)))
        return
    if not found.value.isdecimal() or found.value == "0":
        raise LedgerError(
            f"the ledger is damaged: its schema is {found.value!r}", LedgerCause.DAMAGED
        )
    version = int(found.value)
    if version > VERSION:
        raise LedgerError(
            f"the ledger has schema {version}, this reconciler knows {VERSION}: install the newer",
            LedgerCause.STATED,
        )
    for step in MIGRATIONS[version - 1 :]:
        step(connection)
    if version < VERSION:
        values = {"value": str(VERSION)}
        connection.execute(settings.update().where(settings.c.name == "schema").values(values))


def upsert(
    c: Connection, table: Table, first: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Insert a row of ``first`` and ``values``; where its key exists, set the ``values`` alone."""
    c.execute(_upsert_statement(c.dialect.name, table, tuple(values)), {**first, **values})


@cache  # building it takes longer than running it
def _upsert_statement(dialect: str, table: Table, names: tuple[str, ...]) -> Any:
    put = insert(dialect, table)
    new = {name: put.excluded[name] for name in names}
    return put.on_conflict_do_update(index_elements=list(table.primary_key), set_=new)


def insert(dialect: str, table: Table) -> Any:
    """Return the dialect's insert, which has on_conflict_do_update."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
