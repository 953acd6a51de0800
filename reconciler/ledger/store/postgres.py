"""The ledger in PostgreSQL: any number of processes on any number of machines.

Every writing transaction takes one lock first, as on SQLite, so there is one writer at a time.
Finer locks would gain nothing: every event and every result adds to the same few counters. One
lock cannot deadlock, and one writer is much faster than a portal. The lock ends with its
transaction, and the server ends a transaction that is idle for `_IDLE_LIMIT`.

All processes use the database's clock; between two writes the local clock extrapolates it.

After a failover the old server may still answer, read-only. So only writable servers are connected
to, and each connection is checked whenever it is used. When one is found read-only, all
connections and the session connect again: they reach the new server where ``state.url`` names
several hosts, or where the name now leads to it.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, and_, create_engine, event, exc, func, not_, text
from sqlalchemy.pool import NullPool

from reconciler.errors import LedgerCause, LedgerError, RoleHeldError
from reconciler.ledger.store.failures import database_errors
from reconciler.ledger.store.postgres_session import Session
from reconciler.ledger.store.schema import PARTIAL, files
from reconciler.ledger.store.store import WRITE_TIMEOUT, IsHeld, Role, Store
from reconciler.model import EPOCH

_MIN_VERSION = 15
_CONNECT_TIMEOUT = 2  # seconds to wait for a connection: the least that the driver knows
_LOCK_TIMEOUT = 1.8  # seconds to wait for other processes' transactions
_IDLE_LIMIT = 3  # seconds after which the server ends an idle transaction
_READ_TIMEOUT = 30
_STALE = 0.2  # a connection that breaks so soon was broken before
_READ_ONLY = "25006"  # the state of a server that no longer takes writes
_NOT_PRIMARY = "the server has become read-only, and no writable server was found yet"
_MAX_NAME = 63  # bytes

_SERVER = text(
    "SELECT current_schema() AS schema, current_setting('server_encoding') AS encoding, "
    "current_setting('server_version_num')::int / 10000 AS version"
)
_BEGIN = text(
    "SELECT pg_advisory_xact_lock(hashtext(:schema)), clock_timestamp() AS now, "
    "current_setting('transaction_read_only') = 'on' AS read_only"
)
_EXTEND_TIMEOUTS = text(
    "SELECT set_config('statement_timeout', :most, true), set_config('lock_timeout', :most, true), "
    "set_config('idle_in_transaction_session_timeout', :most, true)"
)
_SYNCHRONOUS = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)

for _index in PARTIAL:
    _index.dialect_options["postgresql"]["where"] = _index.dialect_options["sqlite"]["where"]


class PostgresStore(Store):
    """One schema of a PostgreSQL database."""

    shared = True

    def __init__(self, url: URL, *, read_only: bool = False) -> None:
        """Open the database, which must exist. Raises LedgerError."""
        super().__init__(read_only=read_only)
        url = url.update_query_dict({"target_session_attrs": "read-write"} | dict(url.query))
        self._writer = _engine(
            url, _timeouts(WRITE_TIMEOUT, _LOCK_TIMEOUT, _IDLE_LIMIT), pool_size=1, max_overflow=0
        )
        self._reader = _engine(
            url,
            _timeouts(_READ_TIMEOUT, _READ_TIMEOUT, _READ_TIMEOUT),
            reads=True,
            pool_size=2,
            max_overflow=6,
            pool_pre_ping=True,
        )
        session_engine = _engine(
            url, _timeouts(WRITE_TIMEOUT, WRITE_TIMEOUT, _IDLE_LIMIT), poolclass=NullPool
        )
        self._session_engine = session_engine.execution_options(isolation_level="AUTOCOMMIT")
        self._clock_anchor, self._usable = (EPOCH, 0.0), False
        try:
            with database_errors(), self._reader.connect() as connection:
                self._schema = _check_server(connection.execute(_SERVER).one())
            self._session = Session(self._session_engine, self._schema, self._drop_connections)
        except LedgerError:
            self._dispose()
            raise

    @contextmanager
    def role(self, role: Role) -> Iterator[IsHeld]:
        """Hold ``role`` within the block. Several processes may hold the worker's."""
        if self.read_only:
            with self._require_free(role) as is_free:
                yield is_free
            return
        name = f"role {role.value}"
        if role is Role.WORKER:
            self._session.register(name)
            try:
                yield lambda: True
            finally:
                self._session.unregister(name)
            return
        is_held = self._session.lock(name)
        if is_held is None:
            raise RoleHeldError(role.value, self.holder(role) or "")
        try:
            yield is_held
        finally:
            self._session.unlock(name)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Check that no other process is connected; the writing lock excludes later ones."""
        others = self.read(self._session.holders)
        others.pop(self._session.identity(), None)
        if others:
            raise RoleHeldError(Role.WORKER.value, next(iter(others.values())))
        yield

    def holder(self, role: Role) -> str | None:
        """Return a process that holds ``role``, None when it is free."""
        return next(iter(self._holders(role)), None)

    def processes(self) -> frozenset[str]:
        """Return the processes that hold any role now."""
        return frozenset(who for role in Role for who in self._holders(role))

    def _holders(self, role: Role) -> Iterable[str]:
        return self.read(lambda c: self._session.holders(c, f"role {role.value}")).values()

    def clock(self, local: Callable[[], datetime]) -> Callable[[], datetime]:
        """Return the database's clock; the local one may be wrong."""
        del local
        return self._now

    def token(self) -> str:
        """Return a new token for claims, which begins with the identity of this process."""
        return f"{self._session.identity()}-{uuid.uuid4().hex}"

    def orphaned(self, c: Connection) -> Any:
        """Return the condition of dead processes' claims, without a write that may still arrive.

        Such a row is due again after the longest answer. A process that only lost its connection
        loses its claim before the write, and is not granted the write.
        """
        alive = [str(number) for number in self._session.holders(c)]
        begun = func.coalesce(files.c.touched_at >= files.c.looked_at, False)
        writing = and_(files.c.intent_version.is_not(None), begun)
        return and_(func.split_part(files.c.claim, "-", 1).not_in(alive), not_(writing))

    def _now(self) -> datetime:
        then, at = self._clock_anchor
        return then + timedelta(seconds=time.monotonic() - at)

    @contextmanager
    def _writing(self, until: float) -> Iterator[Connection]:
        connection = self._begin_exclusive(until)
        raw = _raw(connection)
        try:
            yield connection
            connection.commit()
        except exc.DBAPIError as error:
            self._usable = not error.connection_invalidated
            if getattr(error.orig, "sqlstate", None) == _READ_ONLY:
                connection.invalidate()
                self._fail_over()
            raise
        finally:
            raw.until = None
            connection.close()

    def _begin_exclusive(self, until: float) -> Connection:
        """Begin, and wait for other writers; a broken connection is replaced."""
        began = time.monotonic()
        while True:
            if until < time.monotonic() + _CONNECT_TIMEOUT and not self._usable:
                raise LedgerError(
                    "there is no time left to connect to the database again",
                    LedgerCause.UNREACHABLE,
                )
            connection, self._usable = self._writer.connect(), False  # until it answers
            try:
                _raw(connection).until = until
                if until > began + WRITE_TIMEOUT:
                    connection.execute(_EXTEND_TIMEOUTS, {"most": f"{int(until - began)}s"})
                row = connection.execute(_BEGIN, {"schema": self._schema}).one()
            except BaseException as error:
                connection.invalidate()
                connection.close()
                soon = time.monotonic() < began + _STALE
                if soon and isinstance(error, exc.DBAPIError) and error.connection_invalidated:
                    continue
                raise
            if row.read_only:
                self._fail_over()
                connection.invalidate()
                connection.close()
                continue
            self._clock_anchor, self._usable = (row.now.astimezone(UTC), time.monotonic()), True
            return connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            connection = self._reader.connect()
        except exc.InvalidRequestError as error:  # every server that answered is read-only
            raise LedgerError(_NOT_PRIMARY, LedgerCause.UNREACHABLE) from error
        with connection, connection.begin():
            yield connection

    def _fail_over(self) -> None:
        """Connect everything again: the server has become read-only."""
        self._session.move()
        self._drop_connections()

    def _drop_connections(self) -> None:
        """Drop the pooled connections; transactions under way end on theirs."""
        self._usable = False
        self._reader.dispose()
        self._writer.dispose()

    def _close(self) -> None:
        self._session.close()
        self._dispose()

    def _dispose(self) -> None:
        for engine in (self._writer, self._reader, self._session_engine):
            engine.dispose()


class _TimedConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server does not answer in time."""

    answer_timeout: float = _READ_TIMEOUT
    until: float | None = None  # the deadline of all statements, by the monotonic clock

    def is_read_only(self) -> bool:
        """Return whether the server reported itself read-only with its last answer."""
        names = (b"default_transaction_read_only", b"in_hot_standby")
        return any(self.pgconn.parameter_status(name) == b"on" for name in names)

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait as any connection does, but only until the deadline."""
        until = time.monotonic() + self.answer_timeout
        until = until if self.until is None else min(until, self.until)
        try:
            return super().wait(_with_deadline(gen, until), *args, **kwargs)
        except _DeadlineExceeded as error:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server does not answer") from error


class _DeadlineExceeded(Exception):
    """The server has not answered in time."""


def _with_deadline(gen: Generator[Any, Any, Any], until: float) -> Generator[Any, Any, Any]:
    """Run the generator; raise _DeadlineExceeded at the deadline."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if time.monotonic() > until:
                raise _DeadlineExceeded
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value


_TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def _timeouts(statement: float, lock: float, idle: float) -> dict[str, int]:
    return {name: int(s * 1000) for name, s in zip(_TIMEOUTS, (statement, lock, idle), strict=True)}


def _engine(url: URL, limits: dict[str, int], reads: bool = False, **pool: Any) -> Engine:
    engine = create_engine(url, **pool)
    name = f"reconciler process {os.getpid()} on {socket.gethostname()}"
    options = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "application_name": name[:_MAX_NAME],
        "keepalives_idle": 5,
    }
    options |= {
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "client_encoding": "utf8",
        "tcp_user_timeout": 5000,
    }

    @event.listens_for(engine, "do_connect")
    def _connect(_: object, __: object, args: Any, kwargs: dict[str, Any]) -> _TimedConnection:
        settings: dict[str, Any] = options | kwargs
        connection = _TimedConnection.connect(*args, **settings)
        connection.answer_timeout = limits["statement_timeout"] / 1000
        return connection

    @event.listens_for(engine, "connect")
    def _prepare(connection: _TimedConnection, _: object) -> None:
        connection.autocommit = True
        settings = [f"SET {name} = {number}" for name, number in limits.items()]
        connection.execute("; ".join([*settings, "SET TIME ZONE 'UTC'", _SYNCHRONOUS]))
        connection.autocommit = False
        if reads:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True

    @event.listens_for(engine, "checkout")
    def _use(connection: _TimedConnection, _: object, __: object) -> None:
        if reads and connection.is_read_only():
            raise exc.DisconnectionError(_NOT_PRIMARY)

    return engine


def _raw(connection: Connection) -> _TimedConnection:
    return connection.connection.dbapi_connection  # type: ignore[return-value]


def _check_server(row: Any) -> str:
    if row.version < _MIN_VERSION:
        raise LedgerError(
            f"this is PostgreSQL {row.version}: {_MIN_VERSION} or newer is needed",
            LedgerCause.STATED,
        )
    if row.encoding != "UTF8":
        raise LedgerError(
            f"the database's encoding is {row.encoding}: create it with UTF8", LedgerCause.STATED
        )
    if row.schema is None:
        raise LedgerError(
            "the database has no schema to create tables in: see search_path", LedgerCause.STATED
        )
    return str(row.schema)
