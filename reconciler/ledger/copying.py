"""Copy a whole ledger from one database to another, in one transaction."""

from collections.abc import Mapping
from contextlib import ExitStack, closing

from sqlalchemy import Connection, Table, func, select

from reconciler.errors import LedgerError
from reconciler.ledger.store.databases import is_there, store_at
from reconciler.ledger.store.schema import metadata, migrate, settings

_ROWS = 1000
_MOST = 6 * 3600.0  # seconds
_OWN = settings.c.name != "schema"  # each database has its own


def copy(source: str, target: str) -> Mapping[str, int]:
    """Copy the ledger at ``source`` into the empty database at ``target``; return the rows.

    No other process may work on either: else RoleHeldError. Raises LedgerError where there is no
    ledger to copy, where the target is not empty, or where a count differs in the end; then the
    target stays as it was.
    """
    if not is_there(source):
        raise LedgerError("there is no ledger to copy: check the first address")
    with ExitStack() as opened:
        source_store = opened.enter_context(closing(store_at(source)))
        opened.enter_context(source_store.exclusive())
        target_store = opened.enter_context(closing(store_at(target)))
        opened.enter_context(target_store.exclusive())
        return source_store.write_long(
            lambda a: target_store.write_long(lambda b: _copied(a, b), most=_MOST), most=_MOST
        )


def _copied(a: Connection, b: Connection) -> Mapping[str, int]:
    migrate(a)
    migrate(b)
    if not _number(a, settings):
        raise LedgerError("there is no ledger to copy: the first database is empty")
    if filled := [table.name for table in metadata.sorted_tables if _number(b, table)]:
        raise LedgerError(f"the second database is not empty: it has {', '.join(filled)}")
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
