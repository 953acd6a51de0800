"""The portal's rate limits, with the headers each sends (docspace.md 2)."""

import threading
from concurrent.futures import ThreadPoolExecutor

from reconciler.sandbox import Limits
from tests.support_sandbox import Reply, World


def limit_headers(reply: Reply) -> dict[str, str]:
    """Return the headers about limits."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
    return {name: reply.headers[name] for name in names if name in reply.headers}


def test_requests_per_minute(world: World) -> None:
    """The sliding limit refuses with an empty 429 without Retry-After, and recovers."""
    world.portal.limits = Limits(per_minute=3)
    statuses = [world.api.get("keys/@self").status for _ in range(3)]
    refused = world.api.get("keys/@self")
    world.clock.advance(61)
    assert statuses == [200, 200, 200]
    assert (refused.status, refused.body) == (429, b"")
    assert limit_headers(refused) == {"X-RateLimit-Limit": "3", "X-RateLimit-Remaining": "0"}
    assert world.api.get("keys/@self").status == 200


def test_writes_per_day(world: World) -> None:
    """The daily limit counts POST and PUT from the first one on, and says when it ends."""
    world.portal.limits = Limits(writes_per_day=2)
    fid = world.create()
    for _ in range(2):
        world.api.comment(fid, 1, "x")
    world.clock.advance(3600)
    refused = world.api.comment(fid, 1, "x")
    reset = int(world.clock().timestamp()) + 23 * 3600
    assert refused.status == 429
    assert limit_headers(refused) == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset),
        "Retry-After": str(23 * 3600),
    }
    assert world.api.get("keys/@self").status == 200
    world.clock.advance(23 * 3600)
    assert world.api.comment(fid, 1, "x").status == 200


def test_failed_writes_count_too(world: World) -> None:
    """A PUT that is refused for a missing right counts for the day."""
    world.portal.limits = Limits(writes_per_day=1)
    world.api.comment(4711, 1, "x")
    assert world.api.comment(world.create(), 1, "x").status == 429


def test_limits_belong_to_the_user(world: World) -> None:
    """All keys of a user share the limits; other users have their own."""
    world.portal.limits = Limits(per_minute=1)
    second = world.as_user(world.bot)
    assert world.api.get("keys/@self").status == 200
    assert second.get("keys/@self").status == 429
    assert world.as_user(world.ann).get("keys/@self").status == 200


def test_concurrent_requests(world: World) -> None:
    """Requests beyond the parallel limit are refused; writes have their own limit."""
    with ThreadPoolExecutor(1) as pool:
        world.portal.limits = Limits(reads=1, writes=1)
        fid = world.create()
        inside, leave = threading.Event(), threading.Event()

        def hold(method: str, route: str, file_id: object) -> None:
            if method == "GET":
                inside.set()
                leave.wait(5)

        world.portal.on_request = hold
        first = pool.submit(world.api.get, "keys/@self")
        assert inside.wait(5)
        refused = world.api.get("keys/@self")
        written = world.api.comment(fid, 1, "x")
        leave.set()
        assert (refused.status, limit_headers(refused)["X-RateLimit-Limit"]) == (429, "1")
        assert (first.result().status, written.status) == (200, 200)


def test_limits_can_be_off(world: World) -> None:
    """A portal may have no rate limiter at all."""
    world.portal.limits = Limits(per_minute=0, enabled=False)
    assert world.api.get("keys/@self").status == 200


def test_manual_retries(world: World) -> None:
    """Manual webhook retries are five in a quarter of an hour per user and path."""
    world.portal.hold_deliveries()
    world.portal.add_webhook(by=world.bot, url="http://127.0.0.1:9/", secret="Secret-1!")
    world.portal.save(world.create(), by=world.ann)
    statuses = [world.full.put("settings/webhook/1/retry").status for _ in range(6)]
    other = world.full.put("settings/webhook/2/retry")
    world.clock.advance(15 * 60)
    assert statuses == [200] * 5 + [429]
    assert other.status == 200
    assert world.full.put("settings/webhook/1/retry").status == 200
