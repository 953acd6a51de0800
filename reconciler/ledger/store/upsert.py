"""The one statement that SQLite and PostgreSQL each have their own word for in SQLAlchemy."""

from importlib import import_module
from typing import Any

from sqlalchemy import Table


def insert(dialect: str, table: Table) -> Any:
    """Return an insert that can be told what to do on a conflict, in the dialect's words."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
