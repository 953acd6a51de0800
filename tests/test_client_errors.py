"""Every class of failure in docspace.md 2, and the error that the client raises for it."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import responses
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.client import DocSpace, Transport
from reconciler.client.failures import LONGEST_PAUSE
from reconciler.errors import (
    ForbiddenError,
    PermanentError,
    PortalError,
    RateLimitedError,
    TransientError,
    UnauthorizedError,
)
from reconciler.model import Absent, File
from tests.support_samples import response, sample

API = "https://p.example/api/2.0/"
FILE, COMMENT, SELF = f"{API}files/file/1245", f"{API}files/file/1245/comment", f"{API}keys/@self"
KEY = "sk-hush"
Ask = Callable[[DocSpace], Any]
Portal = responses.RequestsMock

ASKS: dict[str, Ask] = {
    "file": lambda d: d.file(1245),
    "set_comment": lambda d: d.set_comment(1245, 4, "Need Review"),
    "key": lambda d: d.key(),
    "room_of": lambda d: d.room_of(1245),
}
every_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
PERSON = f"{API}people/@self"


def caused_by(error: Exception, cause: Exception) -> Exception:
    """Return an error as raised from another."""
    error.__cause__ = cause
    return error


@pytest.fixture
def docspace() -> Iterator[DocSpace]:
    """A client of that portal."""
    with closing(DocSpace(Transport("https://p.example", KEY))) as client:
        yield client


def everywhere(
    portal: Portal, status: int, body: str | bytes | Exception = b"", **more: Any
) -> None:
    """Give the same answer to every request."""
    for method, url in (
        ("GET", FILE),
        ("PUT", COMMENT),
        ("GET", SELF),
        ("GET", PERSON),
        ("GET", f"{API}files/1245"),
    ):
        portal.add(method, url, body=body, status=status, **more)


def answer(portal: Portal, method: str, url: str, name: str) -> None:
    """Answer one request with a sample."""
    http = sample(name)
    if "status" not in http or "headers" not in http:
        http = {"status": 200, "headers": {}, "body": http}
    body = http["body"] if isinstance(http["body"], str) else json.dumps(http["body"])
    headers = {k: v for k, v in http["headers"].items() if k != "Content-Type"}
    kind = http["headers"].get("Content-Type", "application/json")
    portal.add(method, url, body, status=http["status"], headers=headers, content_type=kind)


def scoped(portal: Portal, *scopes: str, **changes: Any) -> None:
    """Let keys/@self describe a key with these permissions."""
    key = response("keys_self.json") | {"permissions": list(scopes)} | changes
    portal.get(SELF, json={"response": key})


# 401.


@every_ask
def test_401_means_a_dead_key(portal: Portal, docspace: DocSpace, ask: Ask) -> None:
    """401 with an empty body, as the portal sends it, means a dead key."""
    everywhere(portal, 401)
    with pytest.raises(UnauthorizedError) as caught:
        ask(docspace)
    assert caught.value.status == 401


# 403.


def test_403_on_a_look_with_a_working_key_is_no_file(portal: Portal, docspace: DocSpace) -> None:
    """403 on a look with a working key means an unreadable file; a missing one is 404."""
    answer(portal, "GET", FILE, "error_403_put_comment_missing_file.http.json")
    answer(portal, "GET", SELF, "keys_self.json")
    assert docspace.file(1245) is Absent.UNREADABLE


@pytest.mark.parametrize(
    "name", ["locked", "put_comment", "put_comment_missing_file", "scope_or_status"]
)
def test_403_on_a_write_with_a_working_key_is_forbidden(
    portal: Portal, docspace: DocSpace, name: str
) -> None:
    """403 on a write with a working key is about the file; the next look shows why."""
    answer(portal, "PUT", COMMENT, f"error_403_{name}.http.json")
    answer(portal, "GET", SELF, "keys_self.json")
    with pytest.raises(ForbiddenError) as caught:
        docspace.set_comment(1245, 4, "x")
    assert caught.value.status == 403


def test_the_portals_words_are_shown(portal: Portal, docspace: DocSpace) -> None:
    """The portal's message is kept to be shown; it is localised, so no decision depends on it."""
    answer(portal, "PUT", COMMENT, "error_403_locked.http.json")
    answer(portal, "GET", SELF, "keys_self.json")
    with pytest.raises(ForbiddenError, match="currently locked by another user"):
        docspace.set_comment(1245, 4, "x")


@pytest.mark.parametrize("ask", [ASKS["file"], ASKS["set_comment"]], ids=["file", "set_comment"])
def test_403_with_a_dead_key_is_about_the_key(portal: Portal, docspace: DocSpace, ask: Ask) -> None:
    """403 with a dead key is about the key: on these routes it counts as an anonymous visitor, and
    keys/@self shows it (docspace.md 2).
    """
    answer(portal, "GET", FILE, "error_403_put_comment.http.json")
    answer(portal, "PUT", COMMENT, "error_403_put_comment.http.json")
    answer(portal, "GET", SELF, "error_401_bad_token.http.json")
    with pytest.raises(UnauthorizedError):
        ask(docspace)


@pytest.mark.parametrize("ask", [ASKS["file"], ASKS["set_comment"]], ids=["file", "set_comment"])
@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_of_a_key_that_was_replaced_meanwhile_says_nothing(
    portal: Portal, status: int, ask: Ask
) -> None:
    """A refusal of a key that was replaced meanwhile does not make the file unreadable or gone."""
    with closing(Transport("https://p.example", "sk-old")) as transport:

        def refuse(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
            transport.use_key("sk-new")
            return status, {}, ""

        portal.add_callback("GET", FILE, refuse)
        portal.add_callback("PUT", COMMENT, refuse)
        answer(portal, "GET", SELF, "keys_self.json")
        with pytest.raises(TransientError):
            ask(DocSpace(transport))


OLD_KEYS = {
    "a file": (FILE, lambda docspace: docspace.file(1245)),
    "a list": (f"{API}files/rooms", lambda docspace: docspace.rooms()),
    "the key itself": (SELF, lambda docspace: docspace.key()),
}


@pytest.mark.parametrize(("url", "ask"), OLD_KEYS.values(), ids=list(OLD_KEYS))
def test_a_dead_key_that_was_replaced_meanwhile_is_no_dead_key(
    portal: Portal, url: str, ask: Callable[[DocSpace], object]
) -> None:
    """A late 401 for a key that was replaced meanwhile says nothing about the new key."""
    with closing(Transport("https://p.example", "sk-old")) as transport:

        def refuse(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
            transport.use_key("sk-new")
            return 401, {}, ""

        portal.add_callback("GET", url, refuse)
        with pytest.raises(TransientError, match="replaced meanwhile"):
            ask(DocSpace(transport))
        with pytest.raises(UnauthorizedError):  # the new one is dead too
            ask(DocSpace(transport))


def test_403_with_a_disabled_key_is_about_the_key(portal: Portal, docspace: DocSpace) -> None:
    """403 is about the key if the portal says that the key is not active."""
    answer(portal, "GET", FILE, "error_403_put_comment.http.json")
    scoped(portal, isActive=False)
    with pytest.raises(UnauthorizedError, match="disabled"):
        docspace.file(1245)


@pytest.mark.parametrize(
    ("ask", "granted", "lacking"),
    [
        (ASKS["file"], ("rooms:read",), "files:read"),
        (ASKS["set_comment"], ("files:read",), "files:write"),
        (ASKS["set_comment"], ("*:read",), "files:write"),
    ],
)
def test_403_with_a_missing_scope_names_the_scope(
    portal: Portal, docspace: DocSpace, ask: Ask, granted: tuple[str, ...], lacking: str
) -> None:
    """403 with a missing scope names the scope to add to the key."""
    answer(portal, "GET", FILE, "error_403_scope_or_status.http.json")
    answer(portal, "PUT", COMMENT, "error_403_scope_or_status.http.json")
    scoped(portal, *granted)
    with pytest.raises(UnauthorizedError, match=lacking):
        ask(docspace)


@pytest.mark.parametrize("ask", [ASKS["file"], ASKS["set_comment"]], ids=["file", "set_comment"])
def test_403_everywhere_is_an_outage(portal: Portal, docspace: DocSpace, ask: Ask) -> None:
    """403 on every route is an outage, as with an address filter, and not about the file."""
    everywhere(portal, 403, b"Your IP is not allowed", content_type="text/plain")
    with pytest.raises(TransientError, match="refuses everything"):
        ask(docspace)


def test_403_with_a_token_that_is_no_api_key_is_about_the_file(
    portal: Portal, docspace: DocSpace
) -> None:
    """With a token that is no API key, 403 is about the file: keys/@self knows API keys only, but
    people/@self shows that the token works.
    """
    answer(portal, "GET", FILE, "error_403_put_comment.http.json")
    portal.get(SELF, status=404)
    answer(portal, "GET", PERSON, "people_self.json")
    assert docspace.file(1245) is Absent.UNREADABLE


def test_the_owner_of_a_token_that_is_no_api_key_is_known(
    portal: Portal, docspace: DocSpace
) -> None:
    """The owner of a token that is no API key is known, so that echoes are recognised."""
    portal.get(SELF, status=404)
    answer(portal, "GET", PERSON, "people_self.json")
    assert docspace.key().owner == "b2a7c6d0-8d3f-4f0e-9a5a-1d0f5c1e7a11"


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, TransientError), (402, TransientError), (429, RateLimitedError), (404, TransientError)],
)
def test_403_that_cannot_be_confirmed_is_no_verdict(
    portal: Portal, docspace: DocSpace, status: int, error: type[PortalError]
) -> None:
    """If keys/@self fails, a 403 is not classified; the error is that of keys/@self."""
    answer(portal, "GET", FILE, "error_403_put_comment.http.json")
    portal.get(SELF, status=status)
    with pytest.raises(error):
        docspace.file(1245)


# 402, 404.


@every_ask
def test_402_is_an_outage(portal: Portal, docspace: DocSpace, ask: Ask) -> None:
    """402 (unpaid portal) is an outage and says nothing about the file."""
    everywhere(portal, 402, b'{"title": "Payment Required"}')
    with pytest.raises(TransientError, match="not paid"):
        ask(docspace)


def test_404_with_the_envelope_is_no_file(portal: Portal, docspace: DocSpace) -> None:
    """404 with the API's envelope means that there is no file; no second request is needed."""
    answer(portal, "GET", FILE, "error_404_get_file.http.json")
    assert docspace.file(1245) is Absent.GONE
    assert docspace.requests == {"get": 1, "put": 0}


PROBLEM = b'{"type": "about:blank", "title": "Not Found", "status": 404}'


def test_404_without_the_envelope_is_confirmed(portal: Portal, docspace: DocSpace) -> None:
    """404 without the envelope is about the file if the key works."""
    portal.get(FILE, PROBLEM, status=404, content_type="application/problem+json")
    answer(portal, "GET", SELF, "keys_self.json")
    assert docspace.file(1245) is Absent.GONE


def test_404_everywhere_is_an_outage(portal: Portal, docspace: DocSpace) -> None:
    """404 on every route is a suspended portal, an outage; no file is gone."""
    everywhere(portal, 404, PROBLEM, content_type="application/problem+json")
    with pytest.raises(TransientError):
        docspace.file(1245)


def test_404_of_a_folder_is_permanent(portal: Portal, docspace: DocSpace) -> None:
    """404 for a folder is permanent: another request brings the same answer."""
    answer(portal, "GET", f"{API}files/1245", "error_404_get_file.http.json")
    with pytest.raises(PermanentError):
        docspace.room_of(1245)


def test_400_is_permanent(portal: Portal, docspace: DocSpace) -> None:
    """400 is permanent: the portal will not accept the same request later."""
    answer(portal, "GET", f"{API}files/1245", "error_400_count_range.http.json")
    with pytest.raises(PermanentError) as caught:
        docspace.room_of(1245)
    assert caught.value.status == 400


# 429.


@pytest.mark.parametrize(
    ("name", "pause"),
    [("daily_writes", timedelta(seconds=40512)), ("sliding_or_concurrency", None)],
)
def test_429_tells_what_the_portal_asked_for(
    portal: Portal, docspace: DocSpace, name: str, pause: timedelta | None
) -> None:
    """429 has the requested pause: the daily limit sends seconds, the short limits nothing."""
    answer(portal, "PUT", COMMENT, f"error_429_{name}.http.json")
    with pytest.raises(RateLimitedError) as caught:
        docspace.set_comment(1245, 4, "x")
    assert caught.value.retry_after == pause


NOON = {"Date": "Mon, 24 Nov 2025 12:00:00 GMT"}
PAUSES = [
    ("0", timedelta(0)),
    (" 7 ", timedelta(seconds=7)),
    ("86400", timedelta(days=1)),
    ("999999999", LONGEST_PAUSE),
    ("9999999999", LONGEST_PAUSE),
    ("9" * 5000, LONGEST_PAUSE),
    ("Mon, 24 Nov 2025 12:20:00 GMT", timedelta(minutes=20)),
    ("Mon, 24 Nov 2025 13:20:00 +0100", timedelta(minutes=20)),
    ("Mon, 24 Nov 2025 11:20:00 GMT", timedelta(0)),
    ("Mon, 24 Nov 2125 12:00:00 GMT", LONGEST_PAUSE),
    ("-1", None),
    ("1.5", None),
    ("1e3", None),
    ("soon", None),
    ("", None),
    ("²", None),
]


@pytest.mark.parametrize(("status", "error"), [(429, RateLimitedError), (503, TransientError)])
@pytest.mark.parametrize(("text", "pause"), PAUSES)
def test_a_pause_is_asked_for_in_seconds_or_until_a_date(
    portal: Portal,
    docspace: DocSpace,
    status: int,
    error: type[PortalError],
    text: str,
    pause: timedelta | None,
) -> None:
    """Retry-After is in seconds or a date, by the answer's Date, at most a day and an hour."""
    everywhere(portal, status, headers=NOON | {"Retry-After": text})
    with pytest.raises(error) as caught:
        docspace.file(1245)
    assert isinstance(caught.value, RateLimitedError | TransientError)
    assert caught.value.retry_after == pause


def test_a_date_without_the_portals_clock_is_counted_from_ours(portal: Portal) -> None:
    """Without the portal's Date, a Retry-After date is counted from our clock."""
    noon = datetime(2025, 11, 24, 12, tzinfo=UTC)
    everywhere(portal, 503, headers={"Retry-After": "Mon, 24 Nov 2025 12:05:00 GMT"})
    with (
        closing(Transport("https://p.example", KEY, clock=lambda: noon)) as transport,
        pytest.raises(TransientError) as caught,
    ):
        DocSpace(transport).file(1245)
    assert caught.value.retry_after == timedelta(minutes=5)


# What something between us and the portal answers.


@every_ask
@pytest.mark.parametrize("status", [408, 421, 425])
def test_a_connections_failure_is_passing(
    portal: Portal, docspace: DocSpace, ask: Ask, status: int
) -> None:
    """A timeout, a wrong server (421) or a too early request (425) is transient."""
    everywhere(portal, status, b'{"error": {"message": "too late"}}')
    with pytest.raises(TransientError) as caught:
        ask(docspace)
    assert caught.value.status == status


@every_ask
@pytest.mark.parametrize("status", [400, 403, 406, 409, 413, 418, 451, 494])
def test_a_page_is_not_the_apis_answer(
    portal: Portal, docspace: DocSpace, ask: Ask, status: int
) -> None:
    """An HTML page comes from a firewall or proxy, not from the API: it is transient."""
    everywhere(portal, status, b"<html>No.</html>", content_type="text/html; charset=utf-8")
    with pytest.raises(TransientError, match="a page instead of the API's answer"):
        ask(docspace)


@pytest.mark.parametrize("status", [400, 406, 409, 413])
@pytest.mark.parametrize("body", [b"", b"No.", b'{"error": {"message": "<b>No</b>"}}'])
def test_another_4xx_is_permanent(
    portal: Portal, docspace: DocSpace, status: int, body: bytes
) -> None:
    """Any other 4xx is permanent."""
    everywhere(portal, status, body)
    with pytest.raises(PermanentError) as caught:
        docspace.file(1245)
    assert caught.value.status == status


def test_a_proxy_that_asks_for_a_password_is_passing(portal: Portal, docspace: DocSpace) -> None:
    """A proxy that asks for a password (407) is transient and not about the file."""
    everywhere(portal, 407, b"<html>")
    with pytest.raises(TransientError, match="the proxy asks for a name and a password"):
        docspace.file(1245)


@every_ask
@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.SSLError("self-signed certificate"),
        caused_by(requests.ConnectionError(), ssl.SSLCertVerificationError("certificate expired")),
        caused_by(requests.ConnectionError(), urllib3.exceptions.SSLError("no certificate")),
    ],
)
def test_a_certificate_names_the_setting(
    portal: Portal, docspace: DocSpace, ask: Ask, error: Exception
) -> None:
    """An untrusted certificate names portal.ca_bundle."""
    everywhere(portal, 200, error)
    with pytest.raises(TransientError, match=r"^.*p\.example: .*portal\.ca_bundle"):
        ask(docspace)


def test_a_portal_that_speaks_plain_http_is_told_from_one_with_a_wrong_certificate(
    portal: Portal, docspace: DocSpace
) -> None:
    """A portal that speaks plain HTTP is reported as such, not as one with a wrong certificate."""
    error = requests.exceptions.SSLError("[SSL: WRONG_VERSION_NUMBER] wrong version (_ssl.c:1006)")
    everywhere(portal, 200, error)
    with pytest.raises(TransientError, match=r"no TLS is spoken there: http:// instead of https"):
        docspace.file(1245)


# 5xx and what is no answer of the API.


@every_ask
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"error": {"message": "Object reference"}, "statusCode": 500}'),
        (500, b""),
        (502, b"<html>Bad Gateway</html>"),
        (503, b"<html>"),
        (504, b"\xff"),
        (599, b"[" * 100_000),
    ],
)
def test_5xx_is_an_outage(
    portal: Portal, docspace: DocSpace, ask: Ask, status: int, body: bytes
) -> None:
    """5xx is an outage, whatever the body."""
    everywhere(portal, status, body)
    with pytest.raises(TransientError) as caught:
        ask(docspace)
    assert caught.value.status == status


@every_ask
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_3xx_names_the_location(portal: Portal, docspace: DocSpace, ask: Ask, status: int) -> None:
    """3xx is not followed and names the location."""
    everywhere(portal, status, headers={"Location": "https://new.example/x"})
    portal.add("GET", "https://new.example/x", json={"response": {}})
    with pytest.raises(TransientError, match=r"moved to https://new\.example: set portal\.url"):
        ask(docspace)
    assert len(portal.calls) == 1


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://p.example/api/2.0/x", "moved to http://p.example: set"),
        ("https://p.example/docs/api/2.0/files/file/1245", "moved to https://p.example/docs: set"),
        ("//p.example:8443/", "moved to https://p.example:8443: set"),
        ("https://ann:secret@q.example/?token=secret", "moved to https://q.example: set"),
        ("/login?back=1", "redirected to /login of itself"),
        ("https://p.example/api/2.0/login", "redirected to /api/2.0/login of itself"),
        ("https://[", "redirected, without a usable Location"),
        ("", "redirected, without a usable Location"),
    ],
)
def test_a_redirection_names_the_portals_own_address(
    portal: Portal, docspace: DocSpace, location: str, words: str
) -> None:
    """A redirect names the portal's address to set, without path, query and password."""
    everywhere(portal, 302, headers={"Location": location})
    with pytest.raises(TransientError) as caught:
        docspace.file(1245)
    assert caught.value.detail.startswith(words)
    assert "secret" not in str(caught.value)


@every_ask
def test_304_without_a_location_is_no_answer(portal: Portal, docspace: DocSpace, ask: Ask) -> None:
    """304 without a location, as from a cache, is no answer."""
    everywhere(portal, 304)
    with pytest.raises(TransientError):
        ask(docspace)


@every_ask
@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("no route"),
        requests.ConnectTimeout("late"),
        requests.ReadTimeout("late"),
        requests.exceptions.SSLError("bad certificate"),
        requests.exceptions.ChunkedEncodingError("cut"),
        requests.exceptions.ProxyError("no proxy"),
        OSError("no such device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_answer_is_an_outage(
    portal: Portal, docspace: DocSpace, ask: Ask, error: Exception
) -> None:
    """No answer is an outage without a status, with a one-line reason and its cause."""
    everywhere(portal, 200, error)
    with pytest.raises(TransientError) as caught:
        ask(docspace)
    assert caught.value.status is None
    assert caught.value.detail.startswith(f"p.example: {error}")
    assert caught.value.__cause__ is error


@every_ask
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>Sign in</html>", "answered text/html instead of JSON"),
        (b"", "answered an empty body instead of JSON"),
        (b'{"response": ', "instead of JSON"),
        (b"\xff\xfe\xfd", "instead of JSON"),
        (b"[" * 100_000, "instead of JSON"),
        (b"{}", "lacks response"),
        (b"[]", "lacks response"),
        (b"null", "lacks response"),
        (b'{"count": 0, "statusCode": 200}', "lacks response"),
    ],
)
def test_a_200_that_is_not_the_apis_is_an_outage(
    portal: Portal, docspace: DocSpace, ask: Ask, body: bytes, words: str
) -> None:
    """A 200 that is not the API's, such as a sign-in page, is an outage."""
    everywhere(portal, 200, body, content_type="text/html")
    with pytest.raises(TransientError, match=words):
        ask(docspace)


@pytest.mark.parametrize("changes", [{"id": None}, {"version": "x"}], ids=["id", "version"])
def test_a_missing_field_is_named(
    portal: Portal, docspace: DocSpace, changes: dict[str, object]
) -> None:
    """A missing field is named and permanent: the same request will lack it again."""
    portal.get(FILE, json={"response": response("get_file.json") | changes})
    with pytest.raises(
        PermanentError, match=f"unexpected answer: {next(iter(changes))} is"
    ) as caught:
        docspace.file(1245)
    assert caught.value.status == 200


def test_a_host_without_an_address_is_named(portal: Portal, docspace: DocSpace) -> None:
    """A host name without an address is named beside the system's reason."""
    unknown = socket.gaierror(-2, "Name or service not known")
    everywhere(portal, 200, caused_by(requests.ConnectionError("Max retries exceeded"), unknown))
    with pytest.raises(TransientError, match=r"p\.example: Name or service not known$"):
        docspace.file(1245)


@given(
    status=st.integers(200, 599),
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.dictionaries(
                st.sampled_from(["response", "error", "message", "id", "createBy", "pathParts"]),
                inner,
            )
            | st.lists(inner, max_size=2)
        ),
        max_leaves=6,
    ).map(lambda data: json.dumps(data).encode()),
    retry=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
)
@settings(max_examples=150)
def test_whatever_the_portal_answers_is_a_value_or_a_portal_error(
    status: int, body: bytes, retry: str
) -> None:
    """Whatever the portal answers is a value or a PortalError, without the key."""
    with (
        responses.RequestsMock(assert_all_requests_are_fired=False) as portal,
        closing(DocSpace(Transport("https://p.example", KEY))) as docspace,
    ):
        everywhere(portal, status, body, headers={"Retry-After": retry})
        for ask in ASKS.values():
            result = _asked(docspace, ask)
            assert result is None or not isinstance(result, PortalError) or KEY not in repr(result)
            assert not isinstance(result, File) or result.id


def _asked(docspace: DocSpace, ask: Ask) -> Any:
    try:
        return ask(docspace)
    except PortalError as error:
        return error
