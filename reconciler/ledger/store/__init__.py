"""Transactions, tables, locks and roles on SQLite and PostgreSQL; only `ledger` calls it."""
