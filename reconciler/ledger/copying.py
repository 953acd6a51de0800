"""Copies a whole ledger from one database to another, in one transaction."""

from collections.abc import Mapping
from contextlib import ExitStack, closing

from sqlalchemy import Connection, Table, func, inspect, select

from reconciler.errors import LedgerError
from reconciler.ledger.store.databases import is_there, store_at
from reconciler.ledger.store.schema import metadata, migrate, settings
from reconciler.ledger.store.store import Store

_ROWS = 1000
_TIMEOUT = 6 * 3600.0  # seconds
_OWN = settings.c.name != "schema"  # each database has its own


def copy(source: str, target: str) -> Mapping[str, int]:
    """Copy the ledger at ``source`` into the empty database at ``target``; return the rows.

    No other process may work on either: else RoleHeldError. Raises LedgerError where there is no
    ledger to copy, where the target is not empty, or where a count differs in the end; then the
    target stays as it was.
    """
    if not is_there(source):
        raise LedgerError("there is no ledger at FROM")
    with ExitStack() as opened:
        source_store, target_store = (
            _opened(address, name, opened) for address, name in ((source, "FROM"), (target, "TO"))
        )
        return source_store.write_long(
            lambda a: target_store.write_long(lambda b: _copied(a, b), timeout=_TIMEOUT),
            timeout=_TIMEOUT,
        )


def _opened(address: str, name: str, opened: ExitStack) -> Store:
    """Open a database for this process alone; an error names which of the two it is."""
    try:
        store = opened.enter_context(closing(store_at(address)))
        opened.enter_context(store.exclusive())
        store.read(lambda c: inspect(c).get_table_names())  # the first read shows a damaged file
    except LedgerError as error:
        error.detail = f"{name}: {error.detail}"
        raise
    return store


def _copied(a: Connection, b: Connection) -> Mapping[str, int]:
    migrate(a)
    migrate(b)
    if not _number(a, settings):
        raise LedgerError("there is no ledger at FROM: that database is empty")
    if filled := [table.name for table in metadata.sorted_tables if _number(b, table)]:
        raise LedgerError(f"the database at TO is not empty: it has {', '.join(filled)}")
    for table in metadata.sorted_tables:
        chosen = select(table).where(_OWN) if table is settings else select(table)
        rows = a.execute(chosen.execution_options(yield_per=_ROWS))
        for rows_read in rows.partitions():
            b.execute(table.insert(), [dict(row._mapping) for row in rows_read])
    numbers = {table.name: _number(b, table) for table in metadata.sorted_tables}
    for table in metadata.sorted_tables:
        if numbers[table.name] != _number(a, table):
            raise LedgerError(f"not all of {table.name} was copied: nothing is changed")
    return numbers


def _number(c: Connection, table: Table) -> int:
    number = select(func.count()).select_from(table)
    return int(c.execute(number.where(_OWN) if table is settings else number).scalar_one())
