"""Transactions, tables, locks and roles on SQLite and PostgreSQL; only `ledger` calls it.

`databases` opens the database of an address. `store` is what all of them have in common, with the
group commit; `sqlite` uses `database_file` and `file_locks`, `postgres` its
`postgres_session`, and `read_only` has the read-only views. `failures` names the causes of
errors, `schema` has the tables and their migrations.
"""
