"""The one statement that SQLite and PostgreSQL each have their own word for in SQLAlchemy."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert(dialect: str, table: Table) -> Any:
    """Return an insert that can be told what to do on a conflict, in the dialect's words."""
    return _INSERT[dialect](table)
