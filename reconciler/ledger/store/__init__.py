"""Databases below the ledger: transactions, tables, locks and roles; `ledger` alone calls it."""
