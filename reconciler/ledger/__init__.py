"""What we know and owe, on disk: one row per file, seen, due and settled.

`schema` has the tables and their history, `store` the transactions, `ledger` the questions.
"""

from reconciler.ledger.ledger import Ledger
from reconciler.ledger.store import Role

__all__ = ["Ledger", "Role"]
