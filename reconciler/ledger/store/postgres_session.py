"""A process's own connection to PostgreSQL, whose locks say who lives and who holds what.

An advisory lock belongs to a connection: the server frees it when the process dies, and when it
has not been heard of for `_LEASE` (its machine is gone, or it is stopped). A thread speaks up
every few seconds. Who finds the connection broken has lost what it held, and knows it before the
server can give it to another.

A server that has become read-only is not the one any more: another was promoted, whose locks count.
The connection is given up as a broken one is, and so are those that ``on_move`` stands for.
"""

import secrets
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, exc, text

from reconciler.ledger.store.store import IsOurs, translated

_LEASE = 10  # seconds
_DOUBT = 1  # of them, in which it may be over for the server already
_BEAT = 2.5  # seconds between signs of life
_ALIVE = "alive"
_SINGLE = 0  # the number of a lock that one process holds at a time

_SPEAK_UP = text("SELECT current_setting('transaction_read_only') = 'on'")
_LEASED = text(f"SELECT set_config('idle_session_timeout', '{_LEASE}s', false)")
_TAKE = text("SELECT pg_try_advisory_lock(:kind, :number)")
_GIVE = text("SELECT pg_advisory_unlock(:kind, :number)")
_HELD = text(
    "SELECT l.objid::int AS number, a.application_name AS name "
    "FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND l.classid::bigint = :kind"
)


class Session:
    """Takes and releases locks, by their kind. Safe to share between threads."""

    def __init__(self, engine: Engine, space: str, on_move: Callable[[], None]) -> None:
        """Say that we live, and go on doing so. Ledgers in other spaces have other locks.

        ``on_move`` is called when the server cannot be written to any more.
        """
        self._engine, self._space, self._id = engine, space, 0
        self._on_move, self._moved = on_move, threading.Event()
        self._standing = {_ALIVE}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._connection: Connection | None = None
        self._life, self._heard, self._mine = 0, time.monotonic(), set[str]()
        with translated(), self._lock:
            self._connected()
        self._thread = threading.Thread(target=self._speak_up, name="session", daemon=True)
        self._thread.start()

    def identity(self) -> int:
        """Return who we are: another with each connection, so that what went with one is known."""
        with translated(), self._lock:
            self._connected()
            return self._id

    def announce(self, kind: str) -> None:
        """Say what we do, as others may do too; after a break as well, until `retract`."""
        with translated(), self._lock, self._speaking() as connection:
            self._standing.add(kind)
            connection.execute(_TAKE, {"number": self._id, "kind": self._key(kind)})

    def retract(self, kind: str) -> None:
        """Do not say so any more."""
        with self._lock:
            self._standing.discard(kind)
            self._unlock(kind, self._id)

    def take(self, kind: str) -> IsOurs | None:
        """Take the one lock of a kind, None where it is held. Raises LedgerError."""
        with translated(), self._lock, self._speaking() as connection:
            lock = {"number": _SINGLE, "kind": self._key(kind)}
            if kind in self._mine or not connection.execute(_TAKE, lock).scalar_one():
                return None
            self._mine.add(kind)
            life = self._life
            return lambda: self._lives(life)

    def give(self, kind: str) -> None:
        """Release the lock. One that went with a broken connection is released already."""
        with self._lock:
            if kind in self._mine:
                self._mine.discard(kind)
                self._unlock(kind, _SINGLE)

    def holders(self, c: Connection, kind: str = _ALIVE) -> dict[int, str]:
        """Return which locks of a kind are held, and by whom."""
        rows = c.execute(_HELD, {"kind": self._key(kind) % 2**32})
        return {row.number: (row.name or "").removeprefix("reconciler ") for row in rows}

    def move(self) -> None:
        """Do not rely on the connection: its server is not the one to write to any more."""
        self._moved.set()

    def close(self) -> None:
        """Let go of everything."""
        self._stop.set()
        with self._lock:
            self._lose()
        self._thread.join()

    def _unlock(self, kind: str, number: int) -> None:
        """Give a lock back; where that fails it goes with the connection."""
        if self._connection is not None:
            with suppress(exc.SQLAlchemyError), self._speaking() as connection:
                connection.execute(_GIVE, {"kind": self._key(kind), "number": number})

    def _lives(self, life: int) -> bool:
        is_here = self._life == life and not self._moved.is_set()
        return is_here and time.monotonic() < self._heard + _LEASE - _DOUBT

    def _key(self, kind: str) -> int:
        key = zlib.crc32(f"{self._space} {kind}".encode())
        return key - 2**32 if key >= 2**31 else key

    @contextmanager
    def _speaking(self) -> Iterator[Connection]:
        try:
            yield self._connected()
            self._heard = time.monotonic()
        except exc.SQLAlchemyError:
            self._lose()
            raise

    def _connected(self) -> Connection:
        if self._moved.is_set():
            self._lose()
            self._moved.clear()
        if self._connection is None:
            connection, self._id = self._engine.connect(), secrets.randbits(31)
            try:
                connection.execute(_LEASED)
                for kind in self._standing:
                    connection.execute(_TAKE, {"number": self._id, "kind": self._key(kind)})
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _lose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._life += 1
            self._mine.clear()
            connection.invalidate()
            connection.close()

    def _speak_up(self) -> None:
        is_demoted = False
        while not self._stop.wait(0 if is_demoted else _BEAT):
            is_demoted = False
            with self._lock:
                if self._stop.is_set():
                    return
                # Who holds something asks whether it is still theirs.
                with suppress(exc.SQLAlchemyError), self._speaking() as connection:
                    is_demoted = connection.execute(_SPEAK_UP).scalar_one()
            if is_demoted:
                self.move()
                self._on_move()
