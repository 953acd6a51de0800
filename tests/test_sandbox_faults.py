"""The faults that tests and demonstrations can ask for."""

from http.client import BadStatusLine, HTTPConnection, IncompleteRead
from time import monotonic
from urllib.parse import urlsplit

import pytest

from reconciler.sandbox import Fault, FaultKind
from tests.support_sandbox import World, sample, served, shape

COMMENT = "PUT files/file/{id}/comment"
BROKEN = (ConnectionError, BadStatusLine, IncompleteRead)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 401, 402, 403, 404])
def test_status(world: World, status: int) -> None:
    """A fault of a status answers once with the source's body for it, and writes nothing."""
    fid = world.create()
    world.portal.faults.add(Fault(COMMENT, "status", status=status))
    reply = world.api.comment(fid, 1, "x")
    assert reply.status == status
    assert world.portal.comment_writes(fid) == ()
    assert world.api.comment(fid, 1, "x").status == 200


def test_status_500_looks_like_the_sample(world: World) -> None:
    """A 500 has the portal's error body."""
    world.portal.faults.add(Fault("*", "status", status=500))
    body = world.api.get("keys/@self").json
    assert shape(body) == shape(sample("error_500.http.json")["body"])


def test_throttles(world: World) -> None:
    """A throttle without Retry-After and the daily one with it are sent as by the portal."""
    world.portal.faults.add(Fault("*", FaultKind.THROTTLE))
    world.portal.faults.add(Fault("*", FaultKind.THROTTLE_DAY, retry_after=40512))
    first, second = world.api.get("keys/@self"), world.api.get("keys/@self")
    assert (first.status, "Retry-After" in first.headers) == (429, False)
    assert (second.status, second.headers["Retry-After"]) == (429, "40512")


def test_answers_that_are_no_json(world: World) -> None:
    """Answers that are no JSON: a proxy's page, half a document, nothing, and a redirect."""
    for kind in ("html", "not_json", "empty", "redirect"):
        world.portal.faults.add(Fault("GET keys", kind, location="http://127.0.0.1/x"))
    page, broken, empty, away = (world.api.get("keys/@self") for _ in range(4))
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html")
    assert broken.body == b'{"response": {'
    assert (empty.status, empty.body) == (200, b"")
    assert (away.status, away.headers["Location"]) == (302, "http://127.0.0.1/x")


@pytest.mark.parametrize(
    ("kind", "writes"), [("reset_before", 0), ("reset_after", 1), ("truncated", 1)]
)
def test_broken_connections(world: World, kind: str, writes: int) -> None:
    """The connection is reset before or after the effect."""
    fid = world.create()
    world.portal.faults.add(Fault(COMMENT, kind))
    with pytest.raises(BROKEN):
        world.api.comment(fid, 1, "x")
    assert len(world.portal.comment_writes(fid)) == writes


def test_prefix_and_skip(world: World) -> None:
    """A fault applies to routes by their beginning, after a number of requests."""
    world.portal.faults.add(Fault("GET files", "status", status=503, times=None, skip=1))
    statuses = [world.api.get("files/rooms").status for _ in range(3)]
    other = world.api.get("keys/@self").status
    world.portal.faults.clear()
    assert statuses == [200, 503, 503]
    assert (other, world.api.get("files/rooms").status) == (200, 200)


def test_down(world: World) -> None:
    """A portal that is down resets every connection."""
    world.portal.down = True
    with pytest.raises(ConnectionError):
        world.api.get("keys/@self")
    world.portal.down = False
    assert world.api.get("keys/@self").status == 200


def test_stall_ends_with_the_server() -> None:
    """A request that hangs is cut off when the server stops, at once."""
    with served() as world:
        world.portal.faults.add(Fault("*", "stall", seconds=60))
        connection = HTTPConnection(urlsplit(world.server.url).netloc, timeout=30)
        connection.request("GET", "/api/2.0/keys/@self")
        began = monotonic()
    with pytest.raises((ConnectionError, BadStatusLine)):
        connection.getresponse()
    connection.close()
    assert monotonic() - began < 5


def test_slow_answers_still_come(world: World) -> None:
    """A latency delays an answer and changes nothing else."""
    world.portal.latency = 0.01
    world.portal.faults.add(Fault("*", "slow", seconds=0.01))
    began = monotonic()
    assert world.api.get("keys/@self").status == 200
    assert monotonic() - began >= 0.02


def test_connections_are_kept(world: World) -> None:
    """HTTP/1.1 keeps one connection for many requests."""
    connection = HTTPConnection(urlsplit(world.server.url).netloc, timeout=5)
    connection.connect()
    used = connection.sock
    for _ in range(3):
        connection.request("GET", "/api/2.0/settings/version/build")
        connection.getresponse().read()
    assert connection.sock is used
    connection.close()
