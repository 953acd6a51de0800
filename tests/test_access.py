"""Who gets in, and that nothing secret gets out."""

import http.client
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.client import DocSpace, Transport, send_request
from reconciler.config import load
from reconciler.errors import ConfigError, UnauthorizedError
from reconciler.receiver import Receiver, ReceiverSettings
from reconciler.service.server import Server
from reconciler.signature import HEADER, sign
from tests.daemon import SECRET, daemon
from tests.support_webhooks import serving
from tests.test_crash import Scene, scene
from tests.world import START, World

__all__ = ["scene"]
BODY = json.dumps(
    {"event": {"trigger": "file.updated", "createBy": "a"}, "payload": {"id": 7}}
).encode()


@contextmanager
def served(https: bool = False, proxy: str | None = None) -> Iterator[Server]:
    """Serve a receiver behind (or without) a trusted proxy within the block."""
    accepted = ReceiverSettings("/hook", lambda: ["new"], frozenset({"file.updated"}), 2**20, https)
    receiver = Receiver(accepted, lambda *_: True, lambda: START, lambda _: None)
    with serving(receiver, proxy=proxy) as server:
        yield server


def post(server: Server, **headers: str) -> int:
    """Post the signed body; return the status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", "/hook", BODY, {HEADER: sign(BODY, "new"), **named})
        return connection.getresponse().status
    finally:
        connection.close()


def test_without_https_nothing_is_let_in_where_it_is_required() -> None:
    """With `require_https`, plain HTTP is refused, whatever its headers say."""
    with served(https=True) as server:
        assert post(server) == 403
        assert post(server, X_Forwarded_Proto="https") == 403


def test_only_the_trusted_proxy_is_believed() -> None:
    """X-Forwarded-Proto counts only when it comes from the trusted proxy."""
    with served(https=True, proxy="127.0.0.1") as server:
        assert post(server, X_Forwarded_Proto="https") == 200
        assert post(server, X_Forwarded_Proto="http") == 403
        assert post(server) == 403
    with served(https=True, proxy="192.0.2.1") as server:
        assert post(server, X_Forwarded_Proto="https") == 403


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("https, https", 200),
        ("https,https", 200),
        ("http, https", 200),
        ("HTTPS", 200),
        (' "https" ', 200),
        ("wss, , https", 200),
        ("https, http", 403),
        ("https,", 403),
        ("http", 403),
        ("", 403),
        (",", 403),
        ("https https", 403),
        ("httpsx", 403),
        ("\xff", 403),
        ("h" * 4000, 403),
    ],
)
def test_of_several_proxies_the_trusted_one_counts(header: str, status: int) -> None:
    """Of several X-Forwarded-Proto values the last counts: each proxy adds its own, and the first
    may be forged. The answer is never 400.
    """
    with served(https=True, proxy="127.0.0.1") as server:
        assert post(server, X_Forwarded_Proto=header) == status


@pytest.mark.parametrize(
    "header", ["for=192.0.2.1;proto=https, for", "proto", "", ";;=", 'for="[::1";proto=x', "\xff"]
)
@pytest.mark.parametrize("name", ["Forwarded", "X_Forwarded_For", "X_Forwarded_Host"])
def test_other_headers_of_proxies_are_passed_over(name: str, header: str) -> None:
    """Other forwarding headers are ignored, whatever they say and whoever sends them."""
    for proxy, status in (("127.0.0.1", 200), ("192.0.2.1", 403), (None, 403)):
        with served(https=True, proxy=proxy) as server:
            more = {name: header, "X_Forwarded_Port": "x, y"}
            assert post(server, X_Forwarded_Proto="https", **more) == status


def test_the_word_of_two_header_lines_is_that_of_one() -> None:
    """Two X-Forwarded-Proto header lines count like one line with two values."""
    with served(https=True, proxy="127.0.0.1") as server:
        for lines, status in ((("http", "https"), 200), (("https", "http"), 403)):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            with closing(connection):
                connection.putrequest("POST", "/hook")
                connection.putheader(HEADER, sign(BODY, "new"))
                connection.putheader("Content-Length", str(len(BODY)))
                for line in lines:
                    connection.putheader("X-Forwarded-Proto", line)
                connection.endheaders(BODY)
                assert connection.getresponse().status == status


@pytest.fixture(scope="module")
def arrived() -> Iterator[tuple[str, list[str]]]:
    """A server that records the requested paths, and its address."""
    paths: list[str] = []

    def note(environ: dict[str, str], start: Callable[..., object]) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        start("204 No Content", [])
        return []

    with serving(note) as server:
        yield server.url, paths


@given(st.from_regex(r"/[A-Za-z0-9/._~!$&'()*+,;=:@%?#\\ ö-]{0,12}", fullmatch=True))
@settings(max_examples=60)
@example("/%41")
@example("/a/..")
@example("/.")
def test_every_path_that_is_accepted_arrives_as_it_stands(
    arrived: tuple[str, list[str]], path: str
) -> None:
    """A request for any accepted path reaches the receiver, however a client normalises it."""
    with suppress(ConfigError):
        config = load(None, {"RECONCILER_WEBHOOK__PATH": path})
        assert send_request("HEAD", arrived[0] + config.webhook.path).status == 204
        assert arrived[1][-1] == path


@pytest.mark.parametrize(("mode", "exposed"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_key_file_that_others_can_read_is_found(tmp_path: Path, mode: int, exposed: bool) -> None:
    """A key file that others can read causes a warning that names its path."""
    file = tmp_path / "api-key"
    file.write_text("sk-1", "utf-8")
    file.chmod(mode)
    config = load(None, {"RECONCILER_PORTAL__API_KEY_FILE": str(file)})
    assert config.exposed_files() == ((file,) if exposed else ())


def test_a_folder_in_the_place_of_a_key_file_is_not_called_exposed(tmp_path: Path) -> None:
    """A folder in place of a key file is not called exposed: chmod 600 would lock its owner out."""
    config = load(None, {"RECONCILER_PORTAL__API_KEY_FILE": str(tmp_path)})
    tmp_path.chmod(0o755)
    assert config.exposed_files() == ()


def test_whatever_the_daemon_writes_is_its_owners_alone(scene: Scene) -> None:
    """The daemon's files are readable by their owner only, and contain no secret."""
    key = scene.environ["DOCSPACE_API_KEY"]
    with daemon(scene.environ, scene.folder) as running:
        scene.portal.save(scene.file, by=scene.ann)
        assert scene.server.drain()
        written = [p for p in scene.folder.iterdir() if p.name.startswith("ledger.db")]
        assert len(written) >= 3
        for path in written:
            assert path.stat().st_mode & 0o077 == 0, path
            content = path.read_bytes()
            assert key.encode() not in content
            assert SECRET.encode() not in content
        arguments = Path(f"/proc/{running.process.pid}/cmdline")
        if os.path.exists(arguments):  # noqa: PTH110
            assert key.encode() not in arguments.read_bytes()
        assert running.terminate() == 0


@pytest.mark.parametrize("missing", ["files:write", "files:read", "rooms:read", None])
def test_a_key_is_usable_with_all_the_scopes_that_we_need(here: World, missing: str | None) -> None:
    """A key needs every scope of ours; a write scope includes reading, no other replaces one."""
    scopes = {"files:read", "files:write", "rooms:read", "accounts.self:read"} - {missing}
    key = here.portal.add_key(here.bot, permissions=tuple(str(scope) for scope in scopes))
    with closing(DocSpace(Transport(here.server.url, key))) as docspace:
        assert docspace.is_usable() == (missing in {None, "files:read"})
        here.portal.disable_key(key)
        with pytest.raises(UnauthorizedError):
            docspace.is_usable()
