"""The client on the wire: what exactly is sent, what comes back, and that no secret leaks."""

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
from tests.support_http import StubServer, answering, enveloped, http
from tests.support_process import another_process, ask, verify
from tests.support_samples import response, sample
from tests.world import World

KEY = "sk-hush"


@contextmanager
def client(line: StubServer, **settings: Any) -> Iterator[DocSpace]:
    """Return a client of the loopback portal."""
    with closing(DocSpace(Transport(line.url, KEY, **{"timeout": 5} | settings))) as docspace:
        yield docspace


# Requests.


def test_a_look_is_one_get_with_the_key_as_bearer() -> None:
    """A look is one GET below the API's root, with key, user agent and a wish for JSON."""
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
    """Setting a comment sends version and comment only, and returns the stored text."""
    with answering(enveloped("Need Revi")) as line, client(line) as docspace:
        assert docspace.set_comment(1245, 4, "Need Review") == "Need Revi"
    (request,) = line.requests
    assert request.line == "PUT /api/2.0/files/file/1245/comment HTTP/1.1"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == {"version": 4, "comment": "Need Review"}


def test_a_comment_of_any_script_arrives() -> None:
    """A comment of any script arrives unchanged, as JSON in ASCII or UTF-8."""
    with answering(enveloped("Нужна проверка")) as line, client(line) as docspace:
        assert docspace.set_comment(1, 1, "Нужна проверка") == "Нужна проверка"
    assert json.loads(line.requests[0].body)["comment"] == "Нужна проверка"


def test_asking_for_a_room_leaves_the_users_order_alone() -> None:
    """Reading a room sends no sortBy, which would become the user's own (docspace.md 1.1)."""
    content = response("folder_content_files_only.json")
    with answering(enveloped(content)) as line, client(line) as docspace:
        assert docspace.room_of(615) == 610
    target = "/api/2.0/files/615?count=1&filterType=FilesOnly&withSubFolders=false"
    assert line.requests[0].line == f"GET {target} HTTP/1.1"


def test_the_portals_path_is_kept() -> None:
    """The portal may be below a path of its host; requests keep it."""
    with answering(enveloped(response("keys_self.json"))) as line:
        line.url += "/docs"
        with client(line) as docspace:
            assert docspace.key().owner_name == "Review Bot"
    assert line.requests[0].line == "GET /docs/api/2.0/keys/@self HTTP/1.1"


def test_requests_are_counted_by_method() -> None:
    """Every request that was sent is counted, failed ones too, as the portal does."""
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
    """One call is one request: the worker does the retries, so that every write is counted."""
    for answer in (http(503), http(429, Retry_After="1"), b"", http(413, Retry_After="1")):
        with answering(answer) as line, client(line) as docspace:
            with pytest.raises(Exception, match="PUT files/file"):
                docspace.set_comment(1, 1, "x")
            assert len(line.requests) == 1


# Answers.


def test_the_answers_date_is_kept() -> None:
    """The answer's Date is kept: it is the portal's clock, which a look needs."""
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
    """An invalid Date, as of a faulty proxy, is no error."""
    answer = enveloped(response("keys_self.json")).replace(b"\r\n\r\n", b"\r\nDate: %s\r\n\r\n", 1)
    answer = answer.replace(b"%s", date.encode("latin-1"))
    with answering(answer) as line, client(line) as docspace:
        assert docspace.build().date is None


def test_a_date_without_a_zone_is_utc() -> None:
    """A Date without a zone is UTC, as HTTP dates are."""
    answer = http(200, b'{"response": {}}', Date="Mon, 24 Nov 2025 09:20:00 -0000")
    with answering(answer) as line, client(line) as docspace:
        assert docspace.build().date == datetime(2025, 11, 24, 9, 20, tzinfo=UTC)


def test_a_compressed_answer_is_read() -> None:
    """A compressed answer is read; proxies compress."""
    body = gzip.compress(json.dumps(sample("keys_self.json")).encode())
    with (
        answering(http(200, body, Content_Encoding="gzip")) as line,
        client(line) as docspace,
    ):
        assert docspace.key().owner_name == "Review Bot"


def test_a_chunked_answer_is_read() -> None:
    """A chunked answer, without a length, is read."""
    body = json.dumps(sample("keys_self.json")).encode()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in body) + b"0\r\n\r\n"
    with answering(head + chunks) as line, client(line) as docspace:
        assert docspace.key().owner_name == "Review Bot"


def test_rooms_of_any_section_come_with_the_date_of_the_rooms_root(here: World) -> None:
    """Rooms of any section come with the date of the rooms' root; an archived one is recognised by
    its section (docspace.md 1.3, 10).
    """
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


# Failures on the wire.


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
    """An answer that is cut off or garbled at any place is a transient error."""
    with answering(answer) as line, client(line) as docspace:
        with pytest.raises(TransientError) as caught:
            docspace.set_comment(1, 1, "x")
        assert caught.value.status in {None, 200}
        assert KEY not in f"{caught.value}{caught.value!r}"


def test_a_refused_connection_is_transient() -> None:
    """A refused connection is a transient error without a status, with the system's reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with (
        client(StubServer(url)) as docspace,
        pytest.raises(TransientError, match="refused") as caught,
    ):
        docspace.file(1)
    assert caught.value.status is None


def test_a_silent_portal_is_transient() -> None:
    """A portal that sends no first byte within the timeout is a transient error."""
    done = threading.Event()
    with answering(lambda _: _wait(done)) as line, client(line, timeout=0.1) as docspace:
        with pytest.raises(TransientError) as caught:
            docspace.file(1)
        done.set()
    assert caught.value.status is None


def test_a_trickling_answer_ends_with_the_deadline() -> None:
    """The deadline ends an answer whose bytes each arrive in time."""
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
    """An answer of more than 64 MiB is not read into memory, even if it is sent compressed."""
    bomb = gzip.compress(b" " * (65 * 1024 * 1024), 1)
    with (
        answering(http(200, bomb, Content_Encoding="gzip")) as line,
        client(line, timeout=60) as docspace,
        pytest.raises(TransientError, match="exceeds"),
    ):
        docspace.file(1)


def test_a_redirect_is_not_followed() -> None:
    """A redirect is not followed, since a PUT would become a GET; the Location is named."""
    moved = http(301, Location="https://new.example/api/2.0/files/file/1/comment")
    with answering(moved) as line, client(line) as docspace:
        with pytest.raises(TransientError, match=r"https://new\.example") as caught:
            docspace.set_comment(1, 1, "x")
        assert caught.value.status == 301
        assert "portal.url" in str(caught.value)
        assert len(line.requests) == 1


# What is kept, shown, and taken from the environment.


def test_cookies_are_not_kept() -> None:
    """Cookies are not kept: a session cookie could take precedence over the key."""
    body = json.dumps(sample("keys_self.json")).encode()
    with answering(http(200, body, Set_Cookie="asc_auth_key=x; Path=/")) as line:
        with client(line) as docspace:
            docspace.key()
            docspace.key()
        assert [request.headers.get("Cookie") for request in line.requests] == [None, None]


def test_a_password_in_netrc_is_not_used(tmp_path: Path) -> None:
    """A password in .netrc is not sent in place of the key."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ann password other\n", encoding="utf-8")
    netrc.chmod(0o600)
    with answering(enveloped({})) as line:
        another_process(ask, line.url, KEY, HOME=str(tmp_path), NETRC=str(netrc))
    assert line.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_the_configured_ca_bundle_wins_over_the_environments(tmp_path: Path) -> None:
    """portal.ca_bundle takes precedence over the environment's certificates."""
    ours = str(tmp_path / "ours.pem")
    assert another_process(verify, ours, REQUESTS_CA_BUNDLE=__file__) == ours


def test_the_key_does_not_show() -> None:
    """The key is neither in a repr nor in any error."""
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
    """An error names the route without the id, so that errors can be counted by route."""
    with answering(http(500)) as line, client(line) as docspace:
        with pytest.raises(TransientError) as caught:
            docspace.file(987654)
        assert caught.value.route == "GET files/file/{id}"
        assert "987654" not in str(caught.value)


# Limits of our own.


def test_a_failed_request_gives_its_slot_back() -> None:
    """A failed request releases its slot: a single slot serves one failure after another."""
    with (
        answering(b"", http(500), enveloped("x")) as line,
        client(line, rate_limiter=RateLimiter(reads=1, writes=1)) as docspace,
    ):
        for _ in range(2):
            with pytest.raises(TransientError):
                docspace.set_comment(1, 1, "x")
        assert docspace.set_comment(1, 1, "x") == "x"


def test_a_forbidden_write_is_confirmed_with_one_get() -> None:
    """After a forbidden write one GET checks the key; if it works, the file is refused."""
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
    """Requests are counted by route template and status; each thread counts its own."""
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
