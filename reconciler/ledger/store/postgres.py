"""The ledger in PostgreSQL: any number of processes on any number of machines.

Every writing transaction takes one lock first, as on SQLite, so that nobody writes beside it.
Finer locks would win nothing: each event and each ending adds to the same few counters, in which
writers meet anyway, and so nothing can deadlock. What a portal can send and take is far less
than one writer can do at a time. The lock goes with its transaction, and the server ends a
transaction that says nothing for `_SILENCE`.

The database's clock is everybody's, carried on by our own between two writings.

A server may be replaced by another while it still answers, read-only. So only a server that can be
written to is connected to, each connection is asked for that whenever it is used, and the first
that finds it read-only lets all of them, the session too, be made anew: where ``state.url`` names
several hosts, or the name leads to another server by now, they meet on that one.
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

from reconciler.errors import LedgerError, RoleHeldError
from reconciler.ledger.store.postgres_session import Session
from reconciler.ledger.store.schema import PARTIAL, files
from reconciler.ledger.store.store import PATIENCE, IsOurs, Role, Store, translated
from reconciler.model import EPOCH

_OLDEST = 15
_CONNECT = 2  # seconds to wait for a connection: the least that the driver knows
_LOCK = 1.8  # seconds to wait for the turn of other processes
_SILENCE = 3  # seconds after which a transaction that says nothing is ended
_READ = 30
_AT_ONCE = 0.2  # a connection that breaks so soon was broken before
_READ_ONLY = "25006"  # the state of a server that is no longer the one to write to
_DEMOTED = "the server has become read-only; no other that can be written to was found yet"
_NAME = 63  # bytes

_FACTS = text(
    "SELECT current_schema() AS space, current_setting('server_encoding') AS encoding, "
    "current_setting('server_version_num')::int / 10000 AS version"
)
_ALONE = text(
    "SELECT pg_advisory_xact_lock(hashtext(:space)), clock_timestamp() AS now, "
    "current_setting('transaction_read_only') = 'on' AS read_only"
)
_PATIENTLY = text(
    "SELECT set_config('statement_timeout', :most, true), set_config('lock_timeout', :most, true), "
    "set_config('idle_in_transaction_session_timeout', :most, true)"
)
_DURABLE = (
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
        self._writer = _engine(url, _limits(PATIENCE, _LOCK, _SILENCE), pool_size=1, max_overflow=0)
        self._reader = _engine(
            url,
            _limits(_READ, _READ, _READ),
            reads=True,
            pool_size=2,
            max_overflow=6,
            pool_pre_ping=True,
        )
        keeper = _engine(url, _limits(PATIENCE, PATIENCE, _SILENCE), poolclass=NullPool)
        self._keeper = keeper.execution_options(isolation_level="AUTOCOMMIT")
        self._anchor, self._usable = (EPOCH, 0.0), False
        try:
            with translated(), self._reader.connect() as connection:
                self._space = _checked(connection.execute(_FACTS).one())
            self._session = Session(self._keeper, self._space, self._forget_server)
        except LedgerError:
            self._dispose()
            raise

    @contextmanager
    def role(self, role: Role) -> Iterator[IsOurs]:
        """Hold ``role`` within the block. Any number may work: claims are theirs alone."""
        if self.read_only:
            with self._respected(role) as is_ours:
                yield is_ours
            return
        name = f"role {role.value}"
        if role is Role.WORKER:
            self._session.announce(name)
            try:
                yield lambda: True
            finally:
                self._session.retract(name)
            return
        taken = self._session.take(name)
        if taken is None:
            raise RoleHeldError(role.value, self.holder(role) or "")
        try:
            yield taken
        finally:
            self._session.give(name)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See that nobody else is connected; the lock of a writing keeps others out."""
        others = self.read(self._session.holders)
        others.pop(self._session.identity(), None)
        if others:
            raise RoleHeldError(Role.WORKER.value, next(iter(others.values())))
        yield

    def holder(self, role: Role) -> str | None:
        """Return who holds ``role`` now, or one of those who do, None when nobody does."""
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
        """Return a new token for claims, which tells whose they are."""
        return f"{self._session.identity()}-{uuid.uuid4().hex}"

    def abandoned(self, c: Connection) -> Any:
        """Return whose process is gone, but for a write that may still arrive at the portal.

        Its row comes back at the end of the longest answer. A process that only lost its
        connection loses such a claim while it looks, and does not get its permit.
        """
        alive = [str(number) for number in self._session.holders(c)]
        begun = func.coalesce(files.c.touched_at >= files.c.looked_at, False)
        writing = and_(files.c.intent_version.is_not(None), begun)
        return and_(func.split_part(files.c.claim, "-", 1).not_in(alive), not_(writing))

    def _now(self) -> datetime:
        then, at = self._anchor
        return then + timedelta(seconds=time.monotonic() - at)

    @contextmanager
    def _writing(self, until: float) -> Iterator[Connection]:
        connection = self._alone(until)
        raw = _raw(connection)
        try:
            yield connection
            connection.commit()
        except exc.DBAPIError as error:
            self._usable = not error.connection_invalidated
            if getattr(error.orig, "sqlstate", None) == _READ_ONLY:
                connection.invalidate()
                self._move()
            raise
        finally:
            raw.until = None
            connection.close()

    def _alone(self, until: float) -> Connection:
        """Begin, and wait until nobody else writes; a connection that broke is made anew."""
        began = time.monotonic()
        while True:
            if until < time.monotonic() + _CONNECT and not self._usable:
                raise LedgerError("there is no time left to connect to the database again")
            connection, self._usable = self._writer.connect(), False  # until it answers
            try:
                _raw(connection).until = until
                if until > began + PATIENCE:
                    connection.execute(_PATIENTLY, {"most": f"{int(until - began)}s"})
                row = connection.execute(_ALONE, {"space": self._space}).one()
            except BaseException as error:
                connection.invalidate()
                connection.close()
                soon = time.monotonic() < began + _AT_ONCE
                if soon and isinstance(error, exc.DBAPIError) and error.connection_invalidated:
                    continue
                raise
            if row.read_only:
                self._move()
                connection.invalidate()
                connection.close()
                continue
            self._anchor, self._usable = (row.now.astimezone(UTC), time.monotonic()), True
            return connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            connection = self._reader.connect()
        except exc.InvalidRequestError as error:  # whatever was connected to is read-only
            raise LedgerError(_DEMOTED) from error
        with connection, connection.begin():
            yield connection

    def _move(self) -> None:
        """The server is not the one to write to any more: let everything be connected anew."""
        self._session.move()
        self._forget_server()

    def _forget_server(self) -> None:
        """Let the next reading and writing connect anew; what is under way ends where it is."""
        self._usable = False
        self._reader.dispose()
        self._writer.dispose()

    def _close(self) -> None:
        self._session.close()
        self._dispose()

    def _dispose(self) -> None:
        for engine in (self._writer, self._reader, self._keeper):
            engine.dispose()


class _Impatient(psycopg.Connection[Any]):
    """A connection that gives up on a server which does not answer, and is closed then."""

    patience: float = _READ
    until: float | None = None  # by the monotonic clock; for all that is asked before

    def is_demoted(self) -> bool:
        """Return whether the server said with its last answer that it cannot be written to."""
        names = (b"default_transaction_read_only", b"in_hot_standby")
        return any(self.pgconn.parameter_status(name) == b"on" for name in names)

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Do as any connection does, but only until it takes too long."""
        until = time.monotonic() + self.patience
        until = until if self.until is None else min(until, self.until)
        try:
            return super().wait(_heeding(gen, until), *args, **kwargs)
        except _Silent as error:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server does not answer") from error


class _Silent(Exception):
    """The server has not answered in time."""


def _heeding(gen: Generator[Any, Any, Any], until: float) -> Generator[Any, Any, Any]:
    """Wait as the generator wants to, and look at the clock now and then."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if time.monotonic() > until:
                raise _Silent
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value


_WAITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def _limits(statement: float, lock: float, silence: float) -> dict[str, int]:
    return {name: int(s * 1000) for name, s in zip(_WAITS, (statement, lock, silence), strict=True)}


def _engine(url: URL, limits: dict[str, int], reads: bool = False, **pool: Any) -> Engine:
    engine = create_engine(url, **pool)
    name = f"reconciler process {os.getpid()} on {socket.gethostname()}"
    told = {"connect_timeout": _CONNECT, "application_name": name[:_NAME], "keepalives_idle": 5}
    told |= {
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "client_encoding": "utf8",
        "tcp_user_timeout": 5000,
    }

    @event.listens_for(engine, "do_connect")
    def _connect(_: object, __: object, args: Any, kwargs: dict[str, Any]) -> _Impatient:
        settings: dict[str, Any] = told | kwargs
        connection = _Impatient.connect(*args, **settings)
        connection.patience = limits["statement_timeout"] / 1000
        return connection

    @event.listens_for(engine, "connect")
    def _prepare(connection: _Impatient, _: object) -> None:
        connection.autocommit = True
        settings = [f"SET {name} = {number}" for name, number in limits.items()]
        connection.execute("; ".join([*settings, "SET TIME ZONE 'UTC'", _DURABLE]))
        connection.autocommit = False
        if reads:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True

    @event.listens_for(engine, "checkout")
    def _use(connection: _Impatient, _: object, __: object) -> None:
        if reads and connection.is_demoted():
            raise exc.DisconnectionError(_DEMOTED)

    return engine


def _raw(connection: Connection) -> _Impatient:
    return connection.connection.dbapi_connection  # type: ignore[return-value]


def _checked(row: Any) -> str:
    if row.version < _OLDEST:
        raise LedgerError(f"this is PostgreSQL {row.version}: {_OLDEST} or newer is needed")
    if row.encoding != "UTF8":
        raise LedgerError(f"the database's encoding is {row.encoding}: create it with UTF8")
    if row.space is None:
        raise LedgerError("the database has no schema to create tables in: see search_path")
    return str(row.space)
