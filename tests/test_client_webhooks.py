"""The client's webhooks, their log, and the portal about itself: samples, sandbox, any JSON."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.client.account import Person, parse_key, parse_person
from reconciler.client.parse import parse_build
from reconciler.client.transport import Transport
from reconciler.client.webhooks import (
    Webhook,
    WebhooksClient,
    mask_of,
    parse_failures,
    parse_triggers,
    parse_webhook,
    parse_webhooks,
    portal_time,
)
from reconciler.errors import ForbiddenError, PermanentError, UnauthorizedError
from reconciler.sandbox import Network
from tests.support_http import Request, answering, enveloped
from tests.support_samples import response
from tests.support_webhooks import NARROW, SECRET, address, stand
from tests.test_parse import JSON

CONFIGS: dict[str, Any] = response("webhook_configs.json")[0]["configs"]

# Samples.


def test_the_sample_webhook_field_by_field() -> None:
    """The sample webhook's fields are read; its dates are in the portal's unknown zone."""
    assert parse_webhooks(response("webhook_configs.json")) == (
        Webhook(
            id=7,
            name="need-review",
            url="https://bot.example.com/docspace",
            enabled=True,
            triggers=512,
            target="",
            creator="b2a7c6d0-8d3f-4f0e-9a5a-1d0f5c1e7a11",
            creator_name="Review Bot",
            failed_on="2025-11-24T12:15:45",
            failure="Response status code does not indicate success: 503 (Service Unavailable).",
            succeeded_on="2025-11-24T12:20:10",
        ),
    )


def test_the_sample_log_is_read_with_the_bodies_own_dates() -> None:
    """A log entry has its body's date; its own may be shifted by an offset (docspace.md 3)."""
    page = parse_failures(response("webhooks_log_all.json"), None)
    (entry,) = page.entries
    assert (entry.id, entry.status) == (90211, 200)
    assert entry.created == datetime(2025, 11, 24, 9, 15, 43, tzinfo=UTC)
    assert b'"id":1245' in entry.body


def test_the_sample_failures_are_read_newest_first() -> None:
    """The sample failures are read newest first; each has a body, none a delivery date."""
    entries = parse_failures(response("webhooks_log_failures.json"), None).entries
    ids = [entry.id for entry in entries]
    assert ids == sorted(ids, reverse=True)
    assert all(entry.body for entry in entries)


def test_the_sample_build_and_person() -> None:
    """The samples of settings/version/build and people/@self are read."""
    assert parse_build(response("settings_version_build.json"), None).docspace == "3.7.2"
    assert parse_person(response("people_self.json")) == Person(
        "b2a7c6d0-8d3f-4f0e-9a5a-1d0f5c1e7a11", "Review Bot", guest=False, admin=False
    )


def test_a_key_tells_when_it_ends() -> None:
    """`expiresAt` is the end of a key; it is absent for a key without an end."""
    shown = response("keys_self.json")
    assert parse_key(shown).expires is None
    ends = parse_key(shown | {"expiresAt": "2026-01-01T03:00:00.0000000+03:00"}).expires
    assert ends == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_trigger_that_is_named_twice_counts_once() -> None:
    """A trigger that is named twice counts once: the mask is of bits, not a sum."""
    assert mask_of(["file.updated", "file.updated"]) == 512


def test_zero_stands_for_every_trigger() -> None:
    """The mask 0 stands for every trigger, so such a webhook lacks none."""
    every = parse_webhook(CONFIGS | {"triggers": 0})
    assert (every.missing_triggers("form.submit"), every.trigger_names) == ((), ("*",))
    one = parse_webhook(CONFIGS)
    assert (one.missing_triggers("file.updated", "form.submit"), one.trigger_names) == (
        ("form.submit",),
        ("file.updated",),
    )


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (1 << 29, ("form.filled.out",)),
        (1 << 30 | 512, ("file.updated", "form.stopped")),
        (0b111 << 31, ("agent.created", "agent.updated", "agent.deleted")),
        (0b11 << 34, ("file.downloaded", "folder.downloaded")),
        (1 << 36 | 1 << 40 | 512, ("file.updated", "bit 36", "bit 40")),
        (1 << 36, ("bit 36",)),
    ],
)
def test_every_trigger_has_its_name_and_a_newer_one_its_bit(
    bits: int, names: tuple[str, ...]
) -> None:
    """Each trigger has its name, a newer one its bit; only 0 is all of them (docspace.md 10)."""
    assert parse_webhook(CONFIGS | {"triggers": bits}).trigger_names == names


_SHOWN = "2025-11-24 12:15:45 by the portal's"


@pytest.mark.parametrize(
    ("sent", "kept", "shown"),
    [
        ("2025-11-24T12:15:45+00:00", "2025-11-24T12:15:45", _SHOWN),
        ("2025-11-24T12:15:45Z", "2025-11-24T12:15:45", _SHOWN),
        ("2025-11-24T12:15:45", "2025-11-24T12:15:45", _SHOWN),
        ("2025-11-24T12:15:45.2500000-08:00", "2025-11-24T12:15:45.250000", _SHOWN),
        ("lately", "lately", "lately"),
        ("", "", ""),
    ],
)
def test_a_webhooks_dates_are_told_without_their_offset(sent: str, kept: str, shown: str) -> None:
    """A webhook's dates are read without their offset, which may be the server's beside the
    portal's wall time (docspace.md 3).
    """
    assert parse_webhook(CONFIGS | {"lastSuccessOn": sent}).succeeded_on == kept
    assert portal_time(kept).startswith(shown)
    assert portal_time(sent) == portal_time(kept)


@settings(max_examples=200)
@given(JSON)
def test_whatever_the_portal_sends_is_a_value_or_a_named_problem(data: Any) -> None:
    """The parsers return a value or raise ValueError with the field's name."""
    for parse, given_data in (
        (parse_webhooks, data),
        (parse_webhooks, [{"configs": data}]),
        (parse_webhook, CONFIGS | {"triggers": data, "name": data}),
        (parse_webhook, CONFIGS | {"createdBy": data}),
        (parse_triggers, data),
        (parse_person, data),
        (parse_key, response("keys_self.json") | {"expiresAt": data}),
        (failures, data),
        (failures, [data]),
        (failures, [{"id": 1, "requestPayload": data}]),
    ):
        with suppress(ValueError):
            parse(given_data)


def failures(data: Any) -> object:
    """Parse a page of the log."""
    return parse_failures(data, None)


@given(st.text(max_size=40))
def test_a_body_that_is_no_event_has_no_age(body: str) -> None:
    """A failure whose body is no event has no age and is still counted."""
    (entry,) = parse_failures([{"id": 1, "requestPayload": body}], None).entries
    assert entry.created is None


# The sandbox.


@contextmanager
def canned() -> Iterator[tuple[WebhooksClient, list[Request]]]:
    """A client whose every request gets the sample webhook, and the list of requests."""
    with (
        answering(enveloped(CONFIGS)) as line,
        closing(Transport(line.url, "sk", timeout=5)) as transport,
    ):
        yield (
            WebhooksClient(transport, lambda: parse_key(response("keys_self.json"))),
            line.requests,
        )


def test_a_webhook_lives_and_ends() -> None:
    """A webhook is created, listed, disabled, enabled, given another secret and removed."""
    with stand() as here, address() as url:
        made = here.webhooks.create("need-review", url, SECRET, ["file.updated", "form.submit"])
        assert here.webhooks.all() == (made,)
        assert made.trigger_names == ("file.updated", "form.submit")
        here.webhooks.set_enabled(made, False)
        assert not here.webhooks.all()[0].enabled
        here.webhooks.set_enabled(made, True)
        here.webhooks.set_secret(made, "Another-Secret-1!")
        stored = here.portal.webhooks[made.id]
        assert (stored.secret, stored.enabled) == ("Another-Secret-1!", True)
        assert stored.triggers == made.triggers
        here.webhooks.remove(made.id)
        assert here.webhooks.all() == ()


@pytest.mark.parametrize(
    ("url", "ssl"),
    [
        ("http://127.0.0.1:9/x", False),
        ("HTTP://hooks.example.org/x", False),
        ("https://hooks.example.org/x", True),
        ("HTTPS://hooks.example.org/x", True),
    ],
)
def test_a_certificate_is_asked_for_by_the_scheme(url: str, ssl: bool) -> None:
    """`ssl` follows the address's scheme: with a plain one it is refused (docspace.md 6)."""
    with canned() as (webhooks, requests):
        webhooks.create("need-review", url, SECRET, ["file.updated"])
        known = replace(parse_webhook(CONFIGS), url=url, ssl=True)
        webhooks.set_secret(known, SECRET)
        webhooks.set_enabled(known, True)
    assert [json.loads(one.body)["ssl"] for one in requests] == [ssl] * 3


def test_a_certificate_that_somebody_chose_not_to_verify_stays_unverified() -> None:
    """A webhook whose certificate is not verified stays so when its secret changes."""
    with canned() as (webhooks, requests):
        webhooks.set_secret(replace(parse_webhook(CONFIGS), ssl=False), SECRET)
    assert json.loads(requests[0].body)["ssl"] is False


def test_a_plain_webhook_that_asked_for_a_certificate_is_enabled_without() -> None:
    """A plain webhook with `ssl`, of a portal before 3.7.1, is enabled without it."""
    with stand() as here, address() as url:
        made = here.webhooks.create("need-review", url, SECRET, ["file.updated"])
        stored = replace(here.portal.webhooks[made.id], ssl=True, enabled=False)
        here.portal.webhooks[made.id] = stored
        here.webhooks.set_enabled(here.webhooks.all()[0], True)
        now = here.portal.webhooks[made.id]
    assert (now.enabled, now.ssl, now.secret, now.triggers) == (True, False, SECRET, 512)


def test_writes_are_counted_as_writes() -> None:
    """POST and DELETE count as writes, like PUT, as in the portal's limit."""
    with stand() as here, address() as url:
        made = here.webhooks.create("need-review", url, SECRET, ["file.updated"])
        here.webhooks.remove(made.id)
        assert here.docspace.requests == {"get": 0, "put": 2}


def test_an_address_that_does_not_answer_is_refused_by_the_portal() -> None:
    """An address that does not answer is refused by the portal with 400 and a localised message."""
    with stand() as here, address(404) as url, pytest.raises(PermanentError) as caught:
        here.webhooks.create("need-review", url, SECRET, ["file.updated"])
    assert caught.value.status == 400


def test_a_key_without_the_scope_is_told_which() -> None:
    """A key without the scope is refused with its name: reading needs *:read, writing *:write."""
    with stand(NARROW) as here:
        with pytest.raises(UnauthorizedError) as reading:
            here.webhooks.all()
        with pytest.raises(UnauthorizedError) as writing:
            here.webhooks.remove(1)
    assert (reading.value.scope, writing.value.scope) == ("*:read", "*:write")


def test_a_guest_is_refused_by_the_log_and_not_by_the_key() -> None:
    """A guest's 403 on the log is about the account, not the key."""
    with stand() as here:
        here.portal.users[here.bot.id] = here.portal.add_user(
            "Bot", kind="guest", user_id=here.bot.id
        )
        with pytest.raises(ForbiddenError):
            here.webhooks.failures(1)


def test_the_portal_tells_its_triggers() -> None:
    """The portal lists its triggers with names and bits."""
    with stand() as here:
        assert here.webhooks.triggers()["file.updated"] == 512


def test_failures_come_newest_first_and_page_by_page() -> None:
    """Failures come newest first, a hundred per page, without successes."""
    with stand() as here:
        number = here.portal.add_webhook(by=here.bot, url="http://127.0.0.1:9/", secret=SECRET)
        here.portal.network = Network(drop=1.0)
        for _ in range(103):
            here.portal.save(here.file, by=here.ann)
        first, rest = here.webhooks.failures(number), here.webhooks.failures(number, 90)
    assert (len(first.entries), first.has_more) == (100, True)
    assert (len(rest.entries), rest.has_more) == (13, False)
    assert first.entries[0].id > first.entries[1].id
    assert first.entries[90].id == rest.entries[0].id


def test_the_build_is_asked_for_as_nobody() -> None:
    """The build is requested without the key: one of few scopes would be refused it."""
    with stand(NARROW) as here:
        build = here.docspace.build()
        assert build.docspace == "3.7.2"
        assert build.date is not None
        assert abs(build.date - here.clock()) <= timedelta(seconds=1)
        assert here.portal.requests[-1].user_id is None
        assert here.docspace.person().name == "Review Bot"


def test_rooms_tell_whether_the_account_may_comment() -> None:
    """The list of rooms says where the account may comment: managers and owners may."""
    with stand() as here:
        other = here.portal.add_room("Sales", owner=here.ann)
        here.portal.invite(other, here.bot, access=5)
        here.portal.add_room("Mine", owner=here.bot)
        may = {room.title: room.commentable for room in here.docspace.rooms().rooms}
    assert may == {"Legal": True, "Sales": False, "Mine": True}
