"""A real PostgreSQL server for tests: found and started here, or the one that is named.

`RECONCILER_TEST_POSTGRES=postgresql+psycopg://USER@HOST/postgres` names one on which databases
may be created. Otherwise a server of our own is started where its binaries are found (Debian:
`apt-get install postgresql`); it refuses to run as root, so that root lends it to a user.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.daemon import free_port

NAMED = "RECONCILER_TEST_POSTGRES"
_HOW = f"install PostgreSQL 15 or newer (apt-get install postgresql), or name one in {NAMED}"
# No test cuts the power: without fsync a disk that stalls for seconds fails no commit.
_CONFIGURED = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "fsync=off",
]


@cache
def binaries() -> Path | None:
    """Return the folder of the server's newest programs, None if there are none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found.sort(key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).resolve().parent if on_path else None


def needed(*, own: bool = False) -> None:
    """Skip the test if there is no server (or none of our ``own``); in CI, fail."""
    if binaries() is not None or (NAMED in os.environ and not own):
        return
    if os.environ.get("CI"):
        pytest.fail(_HOW)
    pytest.skip(_HOW)


@dataclass
class PostgresServer:
    """A server of our own that tests stop, kill and start."""

    folder: Path
    port: int
    user: dict[str, object]

    @property
    def url(self) -> str:
        """Return the address of the database `postgres`."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = " ".join(f"-c {one}" for one in (*_CONFIGURED, f"port={self.port}"))
        self._control("-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, how: str = "fast") -> None:
        """Stop it; ``how`` is fast, or immediate for a crash."""
        self._control("-w", "-m", how, "stop")

    def create(self) -> None:
        """Create an empty cluster."""
        self._run(
            "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"
        )

    def copy(self, other: "PostgresServer") -> None:
        """Become a standby of another running server."""
        self._run("pg_basebackup", "-R", "-c", "fast", "--no-sync", "-d", plain(other.url))

    def promote(self) -> None:
        """Make a standby the writable server."""
        self._control("-w", "promote")

    def take_writings(self, yes: bool) -> None:
        """Become writable for all, or read-only while it stays up."""
        with _asking(self.url) as connection:
            connection.execute("SET default_transaction_read_only = off")
            value = "off" if yes else "on"
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            connection.execute("SELECT pg_reload_conf()")

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        place = binaries()
        assert place is not None
        command = [str(place / program), "-D", str(self.folder / "data"), *arguments]
        log = (self.folder / "log").with_suffix(".out")
        with log.open("ab") as out:
            subprocess.run(
                command, check=True, stdout=out, stderr=out, cwd=self.folder, **self.user
            )  # type: ignore[call-overload]


def _lent() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


@contextmanager
def server(standby_of: PostgresServer | None = None) -> Iterator[PostgresServer]:
    """A server of our own within the block: a new one, or the standby of another."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-postgres-"))
    user: dict[str, object] = {}
    if os.geteuid() == 0:
        lent = _lent()
        os.chown(folder, lent.pw_uid, lent.pw_gid)
        user = {"user": lent.pw_uid, "group": lent.pw_gid, "extra_groups": []}
    own = PostgresServer(folder, free_port(), user)
    try:
        if standby_of is None:
            own.create()
        else:
            own.copy(standby_of)
        own.start()
        yield own
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            own.stop("immediate")
        shutil.rmtree(folder)


@contextmanager
def database(place: str, encoding: str = "UTF8") -> Iterator[str]:
    """Create a database on the server within the block; yield its address."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with _asking(place) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0")
    try:
        yield make_url(place).set(database=name).render_as_string(hide_password=False)
    finally:
        with _asking(place) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def schema(place: str) -> Iterator[str]:
    """Create a schema in the database, which is faster than a database; yield its address."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with _asking(place) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    yield f"{place}?options=-csearch_path%3D{name}"


def plain(place: str) -> str:
    """Return the address in the driver's own form."""
    return make_url(place).set(drivername="postgresql").render_as_string(hide_password=False)


def connected(place: str) -> "psycopg.Connection[tuple[object, ...]]":
    """Return a connection of the driver, with a transaction for each statement."""
    return psycopg.connect(plain(place), autocommit=True)


@contextmanager
def _asking(place: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with closing(connected(place)) as connection:
        yield connection
