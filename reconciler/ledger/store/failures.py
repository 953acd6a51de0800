"""Translates the errors of databases and files into LedgerError, each with its cause."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from reconciler.errors import LedgerCause, LedgerError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_FULL = {"SQLITE_FULL", "53100"}
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "XX001", "XX002")
# Connection, authorization, shutdown, no such database, an idle transaction that was ended.
_UNREACHABLE = ("08", "28", "57P", "3D000", "25P03")


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn the database's errors into LedgerError, with the first line of the driver's message."""
    try:
        yield
    except exc.DBAPIError as error:
        raise LedgerError(_first_line(error.orig), cause_of(error)) from error
    except (exc.TimeoutError, OSError) as error:
        raise LedgerError(str(error), cause_of(error)) from error


def cause_of(error: Exception) -> LedgerCause:
    """Return the cause by the code of SQLite, PostgreSQL or the operating system."""
    raw = error.orig if isinstance(error, exc.DBAPIError) else error
    code = str(getattr(raw, "sqlite_errorname", None) or getattr(raw, "sqlstate", None) or "")
    if code in _FULL or (isinstance(raw, OSError) and raw.errno in _NO_SPACE):
        return LedgerCause.DISK_FULL
    if code.startswith(_DAMAGED):
        return LedgerCause.DAMAGED
    # PostgreSQL's driver gives no code where no server answered or the login was refused.
    has_no_code = isinstance(error, exc.OperationalError) and hasattr(raw, "sqlstate") and not code
    is_unreachable = has_no_code or code.startswith(_UNREACHABLE)
    return LedgerCause.UNREACHABLE if is_unreachable else LedgerCause.OTHER


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
