"""Another server is promoted, and the old one stays up, read-only: everything moves to the new."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import pytest

from reconciler.errors import LedgerError
from reconciler.ledger import Ledger, Role
from tests import postgres
from tests.daemon import daemon
from tests.postgres import PostgresServer
from tests.support_ledger import LEASE, NOW, PORTAL, SECOND, event
from tests.test_crash import Scene, scene
from tests.waiting import eventually

__all__ = ["scene"]
DUE = NOW + SECOND
AT_MOST = 10.0  # seconds


@dataclass
class Pair:
    """A server, and one that follows it and may take its place."""

    old: PostgresServer
    new: PostgresServer
    database: str

    def on(self, server: PostgresServer) -> str:
        """Return the address of the ledger on one of them."""
        return server.url.removesuffix("postgres") + self.database

    def fail_over(self) -> None:
        """Promote the follower once it has everything; the old one takes no more writings."""
        self.old.take_writings(False)
        with closing(postgres.connected(self.old.url)) as asking:
            row = asking.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        assert row is not None
        with closing(postgres.connected(self.new.url)) as asking:
            have = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            assert eventually(lambda: asking.execute(have, row).fetchone() == (True,), AT_MOST)
        self.new.promote()


@pytest.fixture
def pair(server: PostgresServer, address: str) -> Iterator[Pair]:
    """A server with an empty database, and a second one that follows it."""
    with postgres.server(standby_of=server) as new:
        yield Pair(server, new, address.rpartition("/")[2])
    server.take_writings(True)


def works(act: Callable[[], object]) -> bool:
    """Return whether the ledger does something without refusing."""
    try:
        act()
    except LedgerError:
        return False
    return True


def due(ledger: Ledger) -> set[int]:
    """Return which files are due, as reading shows it."""
    return {entry.id for entry in ledger.due(DUE, 10)}


def several(pair: Pair) -> str:
    """Return an address that names both servers, the old one first."""
    hosts = "&".join(f"host=127.0.0.1:{one.port}" for one in (pair.old, pair.new))
    return f"postgresql+psycopg://postgres@/{pair.database}?{hosts}"


@dataclass
class Name:
    """One address, behind which another server may stand from some moment on."""

    target: int
    database: str
    listener: socket.socket = field(default_factory=socket.socket)

    @property
    def url(self) -> str:
        """Return the address."""
        port = self.listener.getsockname()[1]
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{self.database}"

    def serve(self) -> None:
        """Pass each connection on to the server that is behind the name now."""
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    if source.fileno() >= 0:
        source.close()


@contextmanager
def name_of(pair: Pair) -> Iterator[Name]:
    """Have a name that leads to the old server within the block."""
    name = Name(pair.old.port, pair.database)
    name.serve()
    with name.listener:
        yield name
        name.listener.shutdown(socket.SHUT_RDWR)


def test_writer_reader_and_session_meet_on_the_promoted_server(pair: Pair) -> None:
    """What is accepted after it is read and claimed; roles are held where the others look."""
    with closing(Ledger(several(pair), PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        assert due(ledger) == {1}
        with ledger.role(Role.SWEEP) as is_held:
            pair.fail_over()
            assert eventually(lambda: works(lambda: ledger.record(event(2), NOW)), AT_MOST)
            assert eventually(lambda: not is_held(), AT_MOST)
        assert eventually(lambda: works(lambda: due(ledger)) and due(ledger) == {1, 2}, AT_MOST)
        assert eventually(lambda: works(lambda: _hold(ledger)), AT_MOST)
        with ledger.role(Role.SWEEP), closing(Ledger(pair.on(pair.new), PORTAL)) as other:
            assert other.holder(Role.SWEEP) == ledger.holder(Role.SWEEP)
            assert ledger.holder(Role.SWEEP) is not None
            assert {claim.entry.id for claim in ledger.claims.take(DUE, 10, LEASE)} == {1, 2}


def _hold(ledger: Ledger) -> None:
    with ledger.role(Role.SWEEP):
        pass


def test_reading_moves_though_nothing_is_written(pair: Pair) -> None:
    """What another process writes on the new server is seen."""
    with closing(Ledger(several(pair), PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        assert due(ledger) == {1}
        pair.fail_over()
        with closing(Ledger(pair.on(pair.new), PORTAL)) as other:
            other.record(event(2), NOW)
        assert eventually(lambda: works(lambda: due(ledger)) and due(ledger) == {1, 2}, AT_MOST)


def test_the_session_moves_though_nothing_is_asked(pair: Pair) -> None:
    """It speaks up, and finds that its server is not the one any more."""
    with closing(Ledger(several(pair), PORTAL)) as ledger, ledger.role(Role.WORKER):
        pair.fail_over()
        with closing(Ledger(pair.on(pair.new), PORTAL)) as other:
            assert eventually(lambda: other.holder(Role.WORKER) is not None, AT_MOST)


def test_one_name_that_leads_to_another_server_is_enough(pair: Pair) -> None:
    """As with a virtual address, or DNS; whoever is connected to the old one leaves it."""
    with name_of(pair) as name, closing(Ledger(name.url, PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        assert due(ledger) == {1}
        pair.fail_over()
        name.target = pair.new.port
        assert eventually(lambda: works(lambda: ledger.record(event(2), NOW)), AT_MOST)
        assert eventually(lambda: works(lambda: due(ledger)) and due(ledger) == {1, 2}, AT_MOST)
        with closing(Ledger(pair.on(pair.new), PORTAL)) as other:
            assert due(other) == {1, 2}


def test_while_there_is_none_to_write_to_nothing_is_accepted_and_nothing_ready(pair: Pair) -> None:
    """A read-only server is as good as none; it needs no restart to be one again."""
    with closing(Ledger(pair.on(pair.old), PORTAL)) as ledger:
        ledger.record(event(1), NOW)
        pair.old.take_writings(False)
        assert eventually(lambda: not works(lambda: ledger.record(event(2), NOW)), AT_MOST)
        assert eventually(lambda: not works(lambda: due(ledger)), AT_MOST)
        assert ledger.refusal() is not None
        pair.old.take_writings(True)
        assert eventually(lambda: works(lambda: ledger.record(event(3), NOW)), AT_MOST)
        assert eventually(lambda: works(lambda: due(ledger)) and due(ledger) >= {1, 3}, AT_MOST)


def test_a_daemon_marks_what_is_delivered_afterwards(scene: Scene, pair: Pair) -> None:
    """It is told once that its server is gone as one to write to, and needs no restart."""
    environ = scene.environ | {"RECONCILER_STATE__URL": several(pair)}
    log = scene.folder / "serve.log"
    with daemon(environ, scene.folder) as running:
        scene.portal.save(scene.file, by=scene.ann)
        assert eventually(lambda: '"event": "marked"' in log.read_text("utf-8"), AT_MOST)
        pair.fail_over()
        scene.portal.save(scene.file, by=scene.ann)
        assert eventually(scene.marked, AT_MOST)
        assert running.terminate() == 0
