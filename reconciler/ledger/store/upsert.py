"""The insert that SQLAlchemy has once for each dialect."""

from importlib import import_module
from typing import Any

from sqlalchemy import Table


def insert(dialect: str, table: Table) -> Any:
    """Return the dialect's insert, which has on_conflict_do_update."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
