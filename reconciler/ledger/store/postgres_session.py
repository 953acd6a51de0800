"""A process's session on PostgreSQL: its advisory locks are the process's roles and heartbeat.

An advisory lock belongs to a connection: the server releases it when the process dies, and when the
connection was idle for `_LEASE` (the machine is gone, or the process is stopped). A thread sends a
heartbeat every few seconds. A process that finds the connection broken has lost its locks, and
knows it before the server can grant them to another.

When a server has become read-only, another was promoted, whose locks count. The session then drops
its connection as a broken one, and calls ``on_move`` so that the other connections are dropped too.
"""

import secrets
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, exc, text

from reconciler.ledger.store.failures import database_errors
from reconciler.ledger.store.store import IsHeld

_LEASE = 10  # seconds
_MARGIN = 1  # seconds before its end, when the server may have ended it already
_HEARTBEAT = 2.5  # seconds
_ALIVE = "alive"
_SINGLE = 0  # the number of a lock that one process holds at a time

_IS_READ_ONLY = text("SELECT current_setting('transaction_read_only') = 'on'")
_SET_LEASE = text(f"SELECT set_config('idle_session_timeout', '{_LEASE}s', false)")
_TRY_LOCK = text("SELECT pg_try_advisory_lock(:kind, :number)")
_UNLOCK = text("SELECT pg_advisory_unlock(:kind, :number)")
_HOLDERS = text(
    "SELECT l.objid::int AS number, a.application_name AS name "
    "FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND l.classid::bigint = :kind"
)


class Session:
    """Takes and releases locks, by their kind. Safe to share between threads."""

    def __init__(self, engine: Engine, schema: str, on_move: Callable[[], None]) -> None:
        """Register this process and start the heartbeat. Each schema has its own locks.

        ``on_move`` is called when the server has become read-only.
        """
        self._engine, self._schema, self._id = engine, schema, 0
        self._on_move, self._must_move = on_move, threading.Event()
        self._registered = {_ALIVE}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._connection: Connection | None = None
        self._generation, self._last_contact, self._held = 0, time.monotonic(), set[str]()
        with database_errors(), self._lock:
            self._connected()
        self._thread = threading.Thread(target=self._heartbeat, name="session", daemon=True)
        self._thread.start()

    def identity(self) -> int:
        """Return the identity of this process, a new one with each connection."""
        with database_errors(), self._lock:
            self._connected()
            return self._id

    def register(self, kind: str) -> None:
        """Take a shared role, also after a reconnection, until `unregister`."""
        with database_errors(), self._lock, self._locked_connection() as connection:
            self._registered.add(kind)
            connection.execute(_TRY_LOCK, {"number": self._id, "kind": self._key(kind)})

    def unregister(self, kind: str) -> None:
        """Release a shared role."""
        with self._lock:
            self._registered.discard(kind)
            self._unlock(kind, self._id)

    def lock(self, kind: str) -> IsHeld | None:
        """Take the one lock of a kind, None where it is held. Raises LedgerError."""
        with database_errors(), self._lock, self._locked_connection() as connection:
            lock = {"number": _SINGLE, "kind": self._key(kind)}
            if kind in self._held or not connection.execute(_TRY_LOCK, lock).scalar_one():
                return None
            self._held.add(kind)
            generation = self._generation
            return lambda: self._is_current(generation)

    def unlock(self, kind: str) -> None:
        """Release the lock. One that went with a broken connection is released already."""
        with self._lock:
            if kind in self._held:
                self._held.discard(kind)
                self._unlock(kind, _SINGLE)

    def holders(self, c: Connection, kind: str = _ALIVE) -> dict[int, str]:
        """Return the holders of a kind of lock, by its number."""
        rows = c.execute(_HOLDERS, {"kind": self._key(kind) % 2**32})
        return {row.number: (row.name or "").removeprefix("reconciler ") for row in rows}

    def move(self) -> None:
        """Let the next use reconnect: the server has become read-only."""
        self._must_move.set()

    def close(self) -> None:
        """Release every lock and end the heartbeat."""
        self._stop.set()
        with self._lock:
            self._drop()
        self._thread.join()

    def _unlock(self, kind: str, number: int) -> None:
        """Release a lock; where that fails it ends with the connection."""
        if self._connection is not None:
            with suppress(exc.SQLAlchemyError), self._locked_connection() as connection:
                connection.execute(_UNLOCK, {"kind": self._key(kind), "number": number})

    def _is_current(self, generation: int) -> bool:
        is_here = self._generation == generation and not self._must_move.is_set()
        return is_here and time.monotonic() < self._last_contact + _LEASE - _MARGIN

    def _key(self, kind: str) -> int:
        key = zlib.crc32(f"{self._schema} {kind}".encode())
        return key - 2**32 if key >= 2**31 else key

    @contextmanager
    def _locked_connection(self) -> Iterator[Connection]:
        try:
            yield self._connected()
            self._last_contact = time.monotonic()
        except exc.SQLAlchemyError:
            self._drop()
            raise

    def _connected(self) -> Connection:
        if self._must_move.is_set():
            self._drop()
            self._must_move.clear()
        if self._connection is None:
            connection, self._id = self._engine.connect(), secrets.randbits(31)
            try:
                connection.execute(_SET_LEASE)
                for kind in self._registered:
                    connection.execute(_TRY_LOCK, {"number": self._id, "kind": self._key(kind)})
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._generation += 1
            self._held.clear()
            connection.invalidate()
            connection.close()

    def _heartbeat(self) -> None:
        is_read_only = False
        while not self._stop.wait(0 if is_read_only else _HEARTBEAT):
            is_read_only = False
            with self._lock:
                if self._stop.is_set():
                    return
                # A failure needs no report: holders check their lock with its `IsHeld`.
                with suppress(exc.SQLAlchemyError), self._locked_connection() as connection:
                    is_read_only = connection.execute(_IS_READ_ONLY).scalar_one()
            if is_read_only:
                self.move()
                self._on_move()
