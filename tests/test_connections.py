"""Connections that a device in between has dropped, and connections through a proxy."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from reconciler.client import Transport
from reconciler.client.connections import LONGEST_IDLE, Adapter, Connection, is_loopback
from reconciler.errors import TransientError
from tests.support_http import Answer, StubServer, answering, enveloped, http, kept, reset
from tests.support_process import another_process, ask, on_error

PROXY = "http://proxy.example.org:3128"
ELSEWHERE = "https://portal.example.org/api/2.0/"


@contextmanager
def transport(line: StubServer, timeout: float = 5) -> Iterator[Transport]:
    """Return the client's side of a loopback portal."""
    with closing(Transport(line.url, "sk", timeout=timeout)) as one:
        yield one


def close(connection: socket.socket) -> None:
    """End a connection in an orderly way, as a portal does."""
    connection.close()


def fresh_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# A reused connection.


@pytest.mark.parametrize("forget", [reset, close], ids=["reset", "closed"])
def test_a_read_is_tried_once_more_on_a_new_connection(
    forget: Callable[[socket.socket], None],
) -> None:
    """A read on a reused connection that ended without an answer is repeated once on a new one."""
    with answering((kept(1), forget), kept(2)) as line, transport(line) as client:
        assert client.get("a").response == 1
        assert client.get("b").response == 2
        counted = {("GET", "a", "200"): 1, ("GET", "b", "none"): 1, ("GET", "b", "200"): 1}
        assert client.requests() == counted
    paths = [request.line.split()[1] for request in line.requests]
    assert paths == ["/api/2.0/a", "/api/2.0/b", "/api/2.0/b"]


def test_a_silent_reused_connection_is_given_up_for_a_new_one() -> None:
    """A reused connection that stays silent until the timeout is replaced by a new one."""
    done = threading.Event()

    def swallow(_: socket.socket) -> None:
        done.wait(5)

    with answering((kept(1), swallow), kept(2)) as line, transport(line, 0.6) as client:
        client.get("a")
        assert client.get("b").response == 2
        done.set()


def test_a_connection_that_was_closed_after_its_answer_fails_nothing() -> None:
    """A connection that was closed after its answer fails no request, seen or unseen."""
    with answering((kept(1),), (kept(2),)) as line, transport(line) as client:
        client.get("a")
        assert client.get("b").response == 2


def test_the_second_try_is_the_last() -> None:
    """A second failure, on a new connection, is the portal's and is reported."""
    with answering((kept(1), reset), reset) as line, transport(line) as client:
        client.get("a")
        with pytest.raises(TransientError):
            client.get("b")
        assert client.thread_requests() == 3


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", http(502)])
def test_what_was_answered_is_not_asked_for_again(answer: Answer) -> None:
    """A read that got half an answer, or a failure, is not repeated: it reached the portal."""
    with answering((kept(1), answer)) as line, transport(line) as client:
        client.get("a")
        with pytest.raises(TransientError):
            client.get("b")
        assert len(line.requests) == 2


@pytest.mark.parametrize("forget", [reset, close], ids=["reset", "closed"])
@pytest.mark.parametrize("method", ["put", "post"])
def test_a_write_that_went_out_is_not_repeated(
    forget: Callable[[socket.socket], None], method: str
) -> None:
    """A write that was sent completely is not repeated, since it may have taken effect."""
    with answering((kept(1), forget), kept(2)) as line, transport(line) as client:
        client.get("a")
        with pytest.raises(TransientError):
            getattr(client, method)("b", {"comment": "x"})
        assert len(line.requests) == 2


def test_after_a_lost_write_the_next_one_has_a_connection_of_its_own() -> None:
    """After a lost write the next one uses a new connection; otherwise it would be lost again where
    a connection answers only once.
    """
    with answering((kept(1), reset)) as line, transport(line) as client:
        for _ in range(3):
            client.get("a")
            with suppress(TransientError):
                client.put("b", {"comment": "x"})
        assert client.requests() == {
            ("GET", "a", "200"): 3,
            ("GET", "a", "none"): 1,
            ("PUT", "b", "none"): 1,
            ("PUT", "b", "200"): 2,
        }


def test_a_write_that_did_not_go_out_whole_is_repeated() -> None:
    """A write that was not sent completely is repeated: nothing can have acted on half of it."""
    long = "x" * 30_000_000
    with answering(kept_and_reset, kept(2)) as line, transport(line) as client:
        client.get("a")
        assert client.put("b", {"comment": long}).response == 2
        assert client.requests()["PUT", "b", "none"] == 1
    (request,) = (one for one in line.requests if one.line.startswith("PUT"))
    assert len(request.body) > len(long)


def kept_and_reset(connection: socket.socket) -> None:
    """Answer once, then reset the connection at the first bytes of the next request."""
    connection.sendall(kept(1))
    connection.recv(1000)
    reset(connection)


def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    """A connection that was idle for a minute is not used again: devices drop it after that."""
    with answering((kept(1),)) as line:
        connection = Connection("127.0.0.1", int(line.url.rpartition(":")[2]))
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.used -= LONGEST_IDLE
        assert not connection.is_connected
        connection.close()


def test_open_connections_are_probed() -> None:
    """The system probes open connections (TCP keep-alive) while an answer takes long."""
    with answering((kept(1),)) as line, closing(Adapter()) as adapter:
        pool = adapter.poolmanager.connection_from_url(line.url)
        connection = pool.ConnectionCls("127.0.0.1", pool.port, **pool.conn_kw)
        connection.connect()
        assert connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        connection.request("GET", "/")
        connection.close()


# Proxies.


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_this_machine_is_not_asked_through_a_proxy(variable: str) -> None:
    """This machine is not asked through a proxy, which would use its own loopback."""
    proxy = f"http://127.0.0.1:{fresh_port()}"
    with answering(enveloped({})) as line:
        another_process(ask, line.url, "sk", **{variable: proxy})
    assert len(line.requests) == 1


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_another_machine_is_asked_through_the_proxy(variable: str) -> None:
    """Another machine is asked through the proxy that the environment names."""
    with answering(enveloped({})) as line:
        another_process(ask, "http://p.example", "sk", **{variable: line.url})
    assert line.requests[0].line == "GET http://p.example/api/2.0/keys/@self HTTP/1.1"


@pytest.mark.parametrize(
    ("variable", "place"),
    [("http_proxy", "http"), ("HTTPS_PROXY", "https"), ("ALL_PROXY", "https")],
)
def test_a_proxy_that_fails_is_named(variable: str, place: str) -> None:
    """A proxy that fails is named by its variable."""
    proxy = f"http://127.0.0.1:{fresh_port()}"
    message = another_process(on_error, f"{place}://p.example", **{variable: proxy})
    assert "p.example: " in message
    assert f"refused (through the proxy of {variable})" in message


@pytest.mark.parametrize("place", ["http", "https"])
def test_a_proxy_that_wants_a_password_is_named(place: str) -> None:
    """A proxy that asks for a password is named, for a plain request and for a tunnel."""
    with answering(http(407)) as line:
        message = another_process(on_error, f"{place}://p.example", **{f"{place}_proxy": line.url})
    assert f"proxy of {place}_proxy" in message


def test_a_refused_connection_names_host_and_port() -> None:
    """A refused connection names host and port, as set in portal.url."""
    port = fresh_port()
    message = f"127.0.0.1:{port}: .*refused"
    with (
        transport(StubServer(f"http://127.0.0.1:{port}")) as client,
        pytest.raises(TransientError, match=message),
    ):
        client.get("a")


# Which addresses are asked through a proxy of the environment, and which variable that was.


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/hook",
        "http://127.255.3.4/",
        "https://localhost/",
        "http://LOCALHOST.:81",
        "http://portal.localhost/",
        "http://[::1]:3000/",
        "http://[::ffff:127.0.0.1]/",
    ],
)
def test_this_machine_is_known_by_every_name_it_has(url: str) -> None:
    """Each name and address of this machine is recognised, so that no proxy is used."""
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        ELSEWHERE,
        "http://10.0.0.1/",
        "http://128.0.0.1/",
        "http://[fe80::1]/",
        "http://127.0.0.1.example.org/",
        "http://localhost.example.org/",
        "http://user:127.0.0.1@example.org/",
        "http://[::1",
        "",
    ],
)
def test_every_other_address_is_elsewhere(url: str) -> None:
    """Every other address is elsewhere, also one that resembles this machine's or is invalid."""
    assert not is_loopback(url)


def asked(url: str, **environ: str) -> tuple[dict[str, str], str]:
    """Return the proxies and the variable for an address, with these environment variables."""
    text = (
        "import json; from reconciler.client.connections import proxies_for, proxy_variable; "
        f"print(json.dumps([proxies_for({url!r}), proxy_variable({url!r})]))"
    )
    command = [sys.executable, "-c", text]
    bare = {name: os.environ[name] for name in os.environ if "proxy" not in name.lower()}
    done = subprocess.run(command, env=bare | environ, capture_output=True, text=True, check=True)
    proxies, variable = json.loads(done.stdout)
    return proxies, variable


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"https_proxy": PROXY}, "https_proxy"),
        ({"HTTPS_PROXY": PROXY, "http_proxy": PROXY}, "HTTPS_PROXY"),
        ({"ALL_PROXY": PROXY}, "ALL_PROXY"),
        ({"all_proxy": PROXY, "no_proxy": "other.example.org"}, "all_proxy"),
        ({"http_proxy": PROXY}, ""),
        ({"https_proxy": PROXY, "no_proxy": "example.org"}, ""),
        ({}, ""),
    ],
)
def test_the_variable_whose_proxy_is_asked_is_named(environ: dict[str, str], variable: str) -> None:
    """The variable whose proxy is used is named, unless no_proxy excludes the host."""
    assert asked(ELSEWHERE, **environ)[1] == variable


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://localhost:1/", "http://[::1]:1/"])
def test_this_machine_has_no_proxy_whatever_is_set(url: str) -> None:
    """This machine has no proxy, whatever the variables say, for each scheme."""
    named = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    assert asked(url, **dict.fromkeys(named, PROXY)) == ({}, "")
