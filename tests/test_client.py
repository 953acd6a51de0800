"""The client on the wire: what exactly goes out, what comes back, and what never leaks."""

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.client import DocSpace, RateLimiter, Transport
from reconciler.errors import ForbiddenError, PortalError, TransientError
from reconciler.model import File, Section
from tests.support_http import Line, answering, enveloped, http
from tests.support_process import another_process, ask, verify
from tests.support_samples import response, sample
from tests.world import World

KEY = "sk-hush"


@contextmanager
def client(line: Line, **settings: Any) -> Iterator[DocSpace]:
    """Return a client of the loopback portal."""
    with closing(DocSpace(Transport(line.url, KEY, **{"timeout": 5} | settings))) as docspace:
        yield docspace


# What goes out.


def test_a_look_is_one_get_with_the_key_as_bearer() -> None:
    """The path below the API's root, our name, JSON wanted."""
    with answering(enveloped(response("get_file.json"))) as line, client(line) as docspace:
        file = docspace.file(1245)
    assert isinstance(file, File)
    assert (file.id, file.comment) == (1245, "Edited")
    (request,) = line.requests
    assert request.line == "GET /api/2.0/files/file/1245 HTTP/1.1"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"] == "reconciler"


def test_setting_a_comment_sends_version_and_comment_and_nothing_else() -> None:
    """The stored text comes back: the portal may have cut it."""
    with answering(enveloped("Need Revi")) as line, client(line) as docspace:
        assert docspace.set_comment(1245, 4, "Need Review") == "Need Revi"
    (request,) = line.requests
    assert request.line == "PUT /api/2.0/files/file/1245/comment HTTP/1.1"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == {"version": 4, "comment": "Need Review"}


def test_a_comment_of_any_script_arrives() -> None:
    """The body is JSON in ASCII or UTF-8; the text is the same."""
    with answering(enveloped("Нужна проверка")) as line, client(line) as docspace:
        assert docspace.set_comment(1, 1, "Нужна проверка") == "Нужна проверка"
    assert json.loads(line.requests[0].body)["comment"] == "Нужна проверка"


def test_asking_for_a_room_leaves_the_users_order_alone() -> None:
    """A sortBy would be kept as the user's own (docspace.md 1.1)."""
    content = response("folder_content_files_only.json")
    with answering(enveloped(content)) as line, client(line) as docspace:
        assert docspace.room_of(615) == 610
    target = "/api/2.0/files/615?count=1&filterType=FilesOnly&withSubFolders=false"
    assert line.requests[0].line == f"GET {target} HTTP/1.1"


def test_the_portals_path_is_kept() -> None:
    """A portal may live below a path of its host."""
    with answering(enveloped(response("keys_self.json"))) as line:
        line.url += "/docs"
        with client(line) as docspace:
            assert docspace.key().owner_name == "Review Bot"
    assert line.requests[0].line == "GET /docs/api/2.0/keys/@self HTTP/1.1"


def test_requests_are_counted_by_method() -> None:
    """Every one that went out counts, failed ones too: they count for the portal."""
    sent = [enveloped(response("get_file.json")), http(500), enveloped("x"), http(500)]
    with answering(*sent) as line, client(line) as docspace:
        assert docspace.requests == {"get": 0, "put": 0}
        docspace.file(1)
        with pytest.raises(TransientError):
            docspace.file(1)
        docspace.set_comment(1, 1, "x")
        with pytest.raises(TransientError):
            docspace.set_comment(1, 1, "x")
        assert docspace.requests == {"get": 2, "put": 2}


def test_no_failure_is_retried_behind_our_back() -> None:
    """One call, one request: the worker owns the retries and the write is counted."""
    for answer in (http(503), http(429, Retry_After="1"), b"", http(413, Retry_After="1")):
        with answering(answer) as line, client(line) as docspace:
            with pytest.raises(Exception, match="PUT files/file"):
                docspace.set_comment(1, 1, "x")
            assert len(line.requests) == 1


# What comes back.


def test_the_answers_date_is_kept() -> None:
    """It is the portal's clock, by which a look is judged."""
    body = json.dumps(sample("get_file.json")).encode()
    dated = http(200, body, Date="Mon, 24 Nov 2025 09:20:00 GMT")
    with answering(dated) as line, client(line) as docspace:
        file = docspace.file(1245)
        assert isinstance(file, File)
        assert file.read_at == docspace.build().date == datetime(2025, 11, 24, 9, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Mon, 99 Nov 2025 09:20:00 GMT",
        "Mon, 24 Nov 2025 09:20:00 +99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 -1400",
        "Mon, 24 Nov 99999999999 09:20:00 GMT",
        "\xff",
    ],
)
def test_a_date_that_is_none_is_no_error(date: str) -> None:
    """A proxy's nonsense must not stop the work."""
    answer = enveloped(response("keys_self.json")).replace(b"\r\n\r\n", b"\r\nDate: %s\r\n\r\n", 1)
    answer = answer.replace(b"%s", date.encode("latin-1"))
    with answering(answer) as line, client(line) as docspace:
        assert docspace.build().date is None


def test_a_date_without_a_zone_is_utc() -> None:
    """HTTP dates are GMT, whatever they are marked with."""
    answer = http(200, b'{"response": {}}', Date="Mon, 24 Nov 2025 09:20:00 -0000")
    with answering(answer) as line, client(line) as docspace:
        assert docspace.build().date == datetime(2025, 11, 24, 9, 20, tzinfo=UTC)


def test_a_compressed_answer_is_read() -> None:
    """Portals behind a proxy compress."""
    body = gzip.compress(json.dumps(sample("keys_self.json")).encode())
    with (
        answering(http(200, body, Content_Encoding="gzip")) as line,
        client(line) as docspace,
    ):
        assert docspace.key().owner_name == "Review Bot"


def test_a_chunked_answer_is_read() -> None:
    """Without a length."""
    body = json.dumps(sample("keys_self.json")).encode()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in body) + b"0\r\n\r\n"
    with answering(head + chunks) as line, client(line) as docspace:
        assert docspace.key().owner_name == "Review Bot"


def test_rooms_of_any_section_come_with_the_date_of_the_rooms_root(here: World) -> None:
    """An archived room is among them, told by its section (docspace.md 1.3, 10)."""
    old = int(here.portal.add_room("Old", owner=here.ann))
    here.portal.invite(old, here.bot, access=9)
    here.portal.archive_room(old)
    here.clock.advance(60)
    here.portal.save(here.file, by=here.ann)
    page = here.docspace.rooms()
    assert {room.id: room.section for room in page.rooms} == {
        here.room: Section.ROOMS,
        old: Section.ARCHIVE,
    }
    assert page.updated == here.clock().replace(microsecond=0)


# What may go wrong on the wire.


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"nonsense\r\n\r\n",
        http(200, b'{"response": "x"}')[:-3],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
        http(200, b"no gzip", Content_Encoding="gzip"),
        http(200, gzip.compress(b'{"response": "x"}')[:-12], Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
    ids=["closed", "head", "noise", "body", "chunk", "size", "gzip", "gzip cut", "header"],
)
def test_a_broken_answer_is_transient(answer: bytes) -> None:
    """Cut off or garbled at any place: it may work later."""
    with answering(answer) as line, client(line) as docspace:
        with pytest.raises(TransientError) as caught:
            docspace.set_comment(1, 1, "x")
        assert caught.value.status in {None, 200}
        assert KEY not in f"{caught.value}{caught.value!r}"


def test_a_refused_connection_is_transient() -> None:
    """Nobody listens: no status, the system's reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with client(Line(url)) as docspace, pytest.raises(TransientError, match="refused") as caught:
        docspace.file(1)
    assert caught.value.status is None


def test_a_silent_portal_is_transient() -> None:
    """The timeout ends the wait for the first byte."""
    done = threading.Event()
    with answering(lambda _: _wait(done)) as line, client(line, timeout=0.1) as docspace:
        with pytest.raises(TransientError) as caught:
            docspace.file(1)
        done.set()
    assert caught.value.status is None


def test_a_trickling_answer_ends_with_the_deadline() -> None:
    """Each byte comes in time, the answer as a whole does not."""
    done = threading.Event()

    def trickle(connection: socket.socket) -> None:
        head = http(200, b"x" * 100_000)[:-100_000]
        connection.sendall(head)
        for _ in range(150):
            if done.wait(0.02):
                return
            connection.sendall(b"x")

    with answering(trickle) as line, client(line, timeout=0.3) as docspace:
        with pytest.raises(TransientError, match="took too long"):
            docspace.file(1)
        done.set()


def test_an_endless_answer_is_not_kept_in_memory() -> None:
    """64 MiB are more than any answer of the portal; a small body may unfold to more."""
    bomb = gzip.compress(b" " * (65 * 1024 * 1024), 1)
    with (
        answering(http(200, bomb, Content_Encoding="gzip")) as line,
        client(line, timeout=60) as docspace,
        pytest.raises(TransientError, match="exceeds"),
    ):
        docspace.file(1)


def test_a_redirect_is_not_followed() -> None:
    """requests would turn the PUT into a GET; the Location is named for the administrator."""
    moved = http(301, Location="https://new.example/api/2.0/files/file/1/comment")
    with answering(moved) as line, client(line) as docspace:
        with pytest.raises(TransientError, match=r"https://new\.example") as caught:
            docspace.set_comment(1, 1, "x")
        assert caught.value.status == 301
        assert "portal.url" in str(caught.value)
        assert len(line.requests) == 1


# What is kept, shown, and taken from the environment.


def test_cookies_are_not_kept() -> None:
    """A session cookie could outlive or outrank the key."""
    body = json.dumps(sample("keys_self.json")).encode()
    with answering(http(200, body, Set_Cookie="asc_auth_key=x; Path=/")) as line:
        with client(line) as docspace:
            docspace.key()
            docspace.key()
        assert [request.headers.get("Cookie") for request in line.requests] == [None, None]


def test_a_password_in_netrc_is_not_used(tmp_path: Path) -> None:
    """requests would send it in place of the key."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ann password other\n", encoding="utf-8")
    netrc.chmod(0o600)
    with answering(enveloped({})) as line:
        another_process(ask, line.url, KEY, HOME=str(tmp_path), NETRC=str(netrc))
    assert line.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_the_configured_ca_bundle_wins_over_the_environments(tmp_path: Path) -> None:
    """portal.ca_bundle is what was meant for this portal."""
    ours = str(tmp_path / "ours.pem")
    assert another_process(verify, ours, REQUESTS_CA_BUNDLE=__file__) == ours


def test_the_key_does_not_show() -> None:
    """Neither in a repr nor in an error, whatever went wrong."""
    with answering(http(500), http(403), http(403), b"") as line, client(line) as docspace:
        transport = Transport(line.url, KEY)
        shown = [repr(docspace), repr(transport), str(transport)]
        for _ in range(3):
            with pytest.raises(Exception, match="GET") as caught:
                docspace.file(1)
            error: BaseException | None = caught.value
            while error is not None:
                shown.append(f"{error}{error!r}")
                error = error.__cause__
        transport.close()
    assert not [text for text in shown if KEY in text]


def test_an_error_names_the_route_without_the_id() -> None:
    """Errors are counted by route; ids would make each one its own."""
    with answering(http(500)) as line, client(line) as docspace:
        with pytest.raises(TransientError) as caught:
            docspace.file(987654)
        assert caught.value.route == "GET files/file/{id}"
        assert "987654" not in str(caught.value)


# Limits of our own.


def test_a_failed_request_gives_its_slot_back() -> None:
    """One slot serves one failure after another."""
    with (
        answering(b"", http(500), enveloped("x")) as line,
        client(line, rate_limiter=RateLimiter(reads=1, writes=1)) as docspace,
    ):
        for _ in range(2):
            with pytest.raises(TransientError):
                docspace.set_comment(1, 1, "x")
        assert docspace.set_comment(1, 1, "x") == "x"


def test_a_forbidden_write_is_confirmed_with_one_get() -> None:
    """The key is asked about, and works: the refusal is about the file."""
    refused = sample("error_403_put_comment.http.json")
    body = json.dumps(refused["body"]).encode()
    with (
        answering(http(403, body), enveloped(response("keys_self.json"))) as line,
        client(line) as docspace,
    ):
        with pytest.raises(ForbiddenError, match="enough permissions"):
            docspace.set_comment(1, 4, "x")
        assert docspace.requests == {"get": 1, "put": 1}


def _wait(done: threading.Event) -> None:
    done.wait(5)


def test_requests_are_counted_by_route_and_status() -> None:
    """By the route's template, and where no answer came as such; each thread counts its own."""
    with answering(enveloped({}), http(404), b"") as line, closing(Transport(line.url, "k")) as one:
        one.get("files/file/{id}", id=7)
        for _ in range(2):
            with pytest.raises(PortalError):
                one.put("files/file/{id}/comment", {}, id=7)
        assert one.requests() == {
            ("GET", "files/file/{id}", "200"): 1,
            ("PUT", "files/file/{id}/comment", "404"): 1,
            ("PUT", "files/file/{id}/comment", "none"): 1,
        }
        assert one.thread_requests() == 3
        other: list[int] = []
        asking = threading.Thread(target=lambda: other.append(one.thread_requests()))
        asking.start()
        asking.join()
        assert other == [0]
