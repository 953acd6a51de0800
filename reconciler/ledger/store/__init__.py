"""Transactions, tables, locks and roles on SQLite and PostgreSQL; only `ledger` calls it.

`databases` opens the database of an address. `store` is what all of them have in common, with its
`writer` for group commits; `sqlite` uses `database_file` and `file_locks`, `postgres` its
`postgres_session`, and `read_only` opens either for looking only. `failures` names the causes of
errors, `schema` has the tables and their migrations.
"""
