"""The tables, and how an older ledger becomes one of today.

Times are whole microseconds since 1970 in UTC: they sort, compare and round-trip exactly.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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
from sqlalchemy.schema import CreateColumn, CreateIndex

from reconciler.errors import LedgerError
from reconciler.model import EPOCH

_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
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

# What holds for the whole ledger: schema, portal, owner, since, first_sweep, pause.
facts = Table(
    "facts",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),  # the title last seen, to show
    # Due: when to look, and who is looking. A claim moves due_at to the end of its lease.
    Column("due_at", Moment),
    Column("priority", Integer, nullable=False, default=0),
    Column("claim", String),
    Column("attempts", Integer, nullable=False, default=0),
    Column("since", Moment),
    Column("unknown", String),
    Column("source", String),  # what told of it first; a webhook's word counts before the others
    # Accepted events and listings that have not ended yet; those the claim covers.
    Column("pending", Integer, nullable=False, default=0),
    Column("pending_since", Moment),
    Column("claimed", Integer, nullable=False, default=0),
    # Settled: the revision that is done with, the title then, and whose word stands.
    Column("created", Moment),
    Column("title", String, nullable=False, default=""),
    Column("settled_version", BigInteger),
    Column("settled_updated", Moment),
    Column("settled_size", BigInteger),
    Column("ours", Boolean, nullable=False, default=False),
    # A write under way.
    Column("intent_version", BigInteger),
    Column("intent_updated", Moment),
    Column("intent_size", BigInteger),
    Column("intent_before", String),
    # Writes to one revision within an hour: more than a few are a loop.
    Column("written_at", Moment),
    Column("written_version", BigInteger),
    Column("written_updated", Moment),
    Column("written_since", Moment),
    Column("written_times", Integer, nullable=False, default=0),
    Column("touched_at", Moment),
    # History, to explain.
    Column("events", Integer, nullable=False, default=0),
    Column("looks", Integer, nullable=False, default=0),
    Column("marks", Integer, nullable=False, default=0),
    Column("event_at", Moment),
    Column("looked_at", Moment),
    Column("marked_at", Moment),
    Column("outcome", String),
    Column("reason", String, nullable=False, default=""),
    Column("error", String, nullable=False, default=""),
    # Where it lay when it was last seen, and who had saved it, to show.
    Column("folder", BigInteger),
    Column("room", BigInteger),
    Column("author", String),
)
_DUE = files.c.due_at.is_not(None)
_due = Index("files_due", files.c.priority, files.c.due_at, sqlite_where=_DUE)

# What the overview asks for, in the very words of its questions: else an index is not used.
UNFINISHED = text("outcome IN ('failed', 'refused', 'waiting') AND due_at IS NOT NULL")
OURS = text("ours AND settled_version IS NOT NULL")
MARKED = func.coalesce(files.c.marked_at, files.c.touched_at)
_unfinished = Index(
    "files_unfinished",
    files.c.outcome,
    files.c.looked_at,
    sqlite_where=UNFINISHED,
)
_ours = Index("files_ours", MARKED, sqlite_where=OURS)

# The indexes over a part of the rows. `postgres` gives them the same words in its dialect, which
# is loaded only where it is used: it costs a start some 50 ms.
PARTIAL = (_due, _unfinished, _ours)

# Ended events and listings by outcome and reason; they add up with what is pending.
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
    Column("hour", Moment, primary_key=True),
    Column("number", Integer, nullable=False),
)

# Texts that were kept as unknown: a portal's text in another language shows here.
texts = Table(
    "texts",
    metadata,
    Column("text", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
_frequent = Index("texts_frequent", texts.c.number)

# Per room (or "My documents"): up to which portal time everything in it was listed, and
# whether its last reading failed.
rooms = Table(
    "rooms",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("watermark", Moment),
    Column("behind", Boolean, nullable=False, default=False),
    Column("title", String),
)

# Rooms that a backfill is done with; its rows go when it is complete.
backfills = Table(
    "backfills",
    metadata,
    Column("job", String, primary_key=True),
    Column("room", BigInteger, primary_key=True, autoincrement=False),
)

# Requests that were admitted, by the five seconds in which.
paces = Table(
    "paces",
    metadata,
    Column("bucket", Moment, primary_key=True),
    Column("number", Integer, nullable=False),
)

# The last sweeps.
sweeps = Table(
    "sweeps",
    metadata,
    Column("began", Moment, primary_key=True),
    Column("seconds", Float, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("scanned", Integer, nullable=False),
    Column("found", Integer, nullable=False),
    Column("behind", Integer, nullable=False),
    Column("deep", Boolean, nullable=False),
    Column("error", String, nullable=False),
)

# Updates that were marked: by the day, by what told of them first, and by how long they waited
# for their comment, in buckets of seconds up to ``bound`` (0: longer than all of them).
arrivals = Table(
    "arrivals",
    metadata,
    Column("day", Moment, primary_key=True),
    Column("source", String, primary_key=True),
    Column("bound", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("seconds", BigInteger, nullable=False),
)


def _to_1(connection: Connection) -> None:
    """Create the first tables."""
    metadata.create_all(connection, tables=[files, counts, writes])


def _to_2(connection: Connection) -> None:
    """Count the texts that are kept."""
    metadata.create_all(connection, tables=[texts])


def _to_3(connection: Connection) -> None:
    """Remember how far the sweep and a backfill have come."""
    metadata.create_all(connection, tables=[rooms, backfills])


def _to_4(connection: Connection) -> None:
    """Share the requests of a minute between processes."""
    metadata.create_all(connection, tables=[paces])


def _to_5(connection: Connection) -> None:
    """Tell how the service is doing: sweeps, arrivals, and what the files' rows lack for it."""
    metadata.create_all(connection, tables=[sweeps, arrivals])
    for column in (files.c.source, files.c.folder, files.c.room, files.c.author, rooms.c.title):
        _add(connection, column)
    for index in (_unfinished, _ours, _frequent):
        connection.execute(CreateIndex(index, if_not_exists=True))


def _add(connection: Connection, column: Column[Any]) -> None:
    """Add a column, unless the table was only just created with it."""
    table = column.table.name
    if column.name not in {known["name"] for known in inspect(connection).get_columns(table)}:
        words = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {words}")


# A ledger of version n becomes one of n + 1 by MIGRATIONS[n].
MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_to_1, _to_2, _to_3, _to_4, _to_5)
VERSION = len(MIGRATIONS)


def migrate(connection: Connection) -> None:
    """Bring the ledger to today's version. Raises LedgerError for a newer one."""
    metadata.create_all(connection, tables=[facts])
    found = connection.execute(facts.select().where(facts.c.name == "schema")).first()
    if found is None and inspect(connection).get_table_names() != [facts.name]:
        raise LedgerError("this database holds tables of another program")
    text = "0" if found is None else found.value
    if not text.isdecimal():
        raise LedgerError(f"the ledger is damaged: its schema is {text!r}")
    version = int(text)
    if version > VERSION:
        raise LedgerError(
            f"the ledger has schema {version}, this reconciler knows {VERSION}: install the newer"
        )
    for step in MIGRATIONS[version:]:
        step(connection)
    row = {"name": "schema", "value": str(VERSION)}
    if found is None:
        connection.execute(facts.insert().values(row))
    elif version < VERSION:
        connection.execute(facts.update().where(facts.c.name == "schema").values(row))
