"""The webhook, request by request: what is accepted, answered, and on disk by then."""

import io
import json
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import LedgerError
from reconciler.event import IgnoredDelivery, parse_event, ping
from reconciler.ledger import Ledger
from reconciler.model import LAST_FILE_ID, Event
from reconciler.receiver import Receiver, ReceiverSettings, Reply
from reconciler.signature import HEADER, sign
from tests.support_ledger import NOW, begin_write, claimed, marked, next_due, totals
from tests.support_samples import sample

PATH = "/docspace/review-comment"
SECRET = "Sample-Secret-1!"
SETTINGS = ReceiverSettings(
    PATH, lambda: (SECRET,), frozenset({"file.updated", "form.submit"}), 4096
)
STATUSES = {200, 401, 403, 404, 405, 413, 503}
TRIGGERS = SETTINGS.triggers
WSGI_HEADER = "HTTP_" + HEADER.upper().replace("-", "_")


@dataclass(frozen=True)
class Answer:
    """The answer to a call."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def fields(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


@dataclass
class Recorder:
    """A receiver whose events and replies are collected in lists."""

    configured: ReceiverSettings = SETTINGS
    record: Callable[[Event, datetime], bool] | None = None
    events: list[tuple[Event, datetime]] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def keep(self, event: Event, now: datetime) -> bool:
        """Collect the event."""
        self.events.append((event, now))
        return True

    def call(self, environ: dict[str, Any]) -> Answer:
        """Send one request, as a WSGI server would."""
        app = Receiver(self.configured, self.record or self.keep, lambda: NOW, self.replies.append)
        return called(app, environ)

    def post(
        self,
        body: bytes,
        *,
        secret: str | None = SECRET,
        more: Mapping[str, Any] | None = None,
        **environ: Any,
    ) -> Answer:
        """POST a body, signed with a secret."""
        return self.call(posted(body, secret, **environ) | dict(more or {}))


def called(app: Any, environ: dict[str, Any]) -> Answer:
    """Call the application and return its answer."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        started.append((status, headers))

    parts = app(environ, start)
    body = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    ((status, headers),) = started
    return Answer(int(status.split()[0]), dict(headers), body)


def posted(body: bytes, secret: str | None, **environ: Any) -> dict[str, Any]:
    """Return the environ of a POST."""
    base: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    if secret is not None:
        base[WSGI_HEADER] = sign(body, secret)
    base |= environ
    setup_testing_defaults(base)
    return base


def delivery(**payload: Any) -> bytes:
    """Return the portal's own delivery with changes to its payload."""
    data = json.loads(sample("webhook_file_updated.http.json")["rawBody"])
    data["payload"] |= payload
    return json.dumps(data).encode()


def as_sent(name: str) -> tuple[bytes, dict[str, Any]]:
    """Return a sample's body, and its signature as an environ has it."""
    http = sample(name)
    return http["rawBody"].encode(), {WSGI_HEADER: http["headers"][HEADER]}


# What is accepted.


def test_a_delivery_becomes_an_event() -> None:
    """The portal's sample becomes an event, field by field."""
    body, signature = as_sent("webhook_file_updated.http.json")
    receiver = Recorder()
    answer = receiver.post(body, secret=None, **signature)
    assert (answer.status, answer.fields) == (200, {"status": "accepted"})
    author = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3"
    modified = datetime(2025, 11, 24, 9, 15, 42, tzinfo=UTC)
    expected = Event(90211, "file.updated", 1245, "Contract.docx", author, modified)
    assert receiver.events == [(expected, NOW)]
    (reply,) = receiver.replies
    assert (reply.code, reply.event, reply.secret) == (200, expected, 0)


@pytest.mark.parametrize(
    "name",
    [
        "webhook_file_updated_retry.http.json",
        "webhook_file_updated_manual_retry_new_event_id.http.json",
        "webhook_file_updated_own_comment_echo.http.json",
    ],
)
def test_every_other_sample_is_accepted(name: str) -> None:
    """The samples of retries and of our own echo are accepted; the ledger decides."""
    body, signature = as_sent(name)
    assert Recorder().post(body, secret=None, **signature).fields == {"status": "accepted"}


def test_a_third_party_sample_is_ignored() -> None:
    """A delivery about a third-party file is ignored, since no comment can be set on it."""
    body, signature = as_sent("webhook_file_updated_thirdparty.http.json")
    receiver = Recorder()
    answer = receiver.post(body, secret=None, **signature)
    assert (answer.status, answer.fields["reason"], receiver.events) == (200, "third_party", [])


def test_a_submitted_form_is_the_file_that_changed() -> None:
    """`form.submit` carries two files; the second one has the new content."""
    forms = {"originalForm": {"id": 1}, "submittedForm": {"id": 2, "title": "Filled.pdf"}}
    data = {"event": {"trigger": "form.submit"}, "payload": forms}
    receiver = Recorder()
    assert receiver.post(json.dumps(data).encode()).status == 200
    assert [(e.file, e.title) for e, _ in receiver.events] == [(2, "Filled.pdf")]


def test_the_matching_secret_is_known() -> None:
    """The matching secret is reported, so that a rotation shows the use of an old one."""
    receiver = Recorder(replace(SETTINGS, secrets=lambda: ("new", "old")))
    assert receiver.post(delivery(), secret="old").status == 200
    assert receiver.replies[0].secret == 1


def test_a_ping_is_answered_and_leaves_nothing_behind() -> None:
    """A signed ping is answered and not recorded; it shows whether we know the secret."""
    receiver = Recorder()
    answer = receiver.call(posted(ping(), SECRET))
    assert (answer.status, answer.fields) == (200, {"status": "ignored", "reason": "ping"})
    assert receiver.call(posted(ping(), "wrong")).status == 401


def test_secrets_may_change_between_two_deliveries() -> None:
    """Each delivery is verified with the secrets that are valid at that moment."""
    current = ["old"]
    receiver = Recorder(replace(SETTINGS, secrets=lambda: current))
    assert receiver.call(posted(delivery(), "new")).status == 401
    current.insert(0, "new")
    assert receiver.call(posted(delivery(), "new")).status == 200
    assert receiver.replies[-1].secret == 0


def test_the_secret_is_known_when_the_ledger_fails() -> None:
    """The matching secret is reported even if the ledger fails: the delivery was authentic."""
    receiver = Recorder(record=_fail)
    receiver.post(delivery())
    assert receiver.replies[0].secret == 0


def test_unsigned_is_accepted_only_without_secrets() -> None:
    """Unsigned deliveries are accepted only with no secrets at all, as with `allow_unsigned`."""
    unsigned = Recorder(replace(SETTINGS, secrets=tuple[str, ...]))
    assert unsigned.post(delivery(), secret=None).fields == {"status": "accepted"}
    assert unsigned.replies[0].secret is None
    assert Recorder().post(delivery(), secret=None).status == 401


# The order of the checks, and each answer.


def test_get_and_head_are_answered_ok() -> None:
    """GET and HEAD are answered 200; the portal sends HEAD before it enables a webhook."""
    for method in ("GET", "HEAD"):
        answer = Recorder().call(posted(b"", None, REQUEST_METHOD=method))
        assert answer.status == 200
        assert answer.body == (b"" if method == "HEAD" else b'{"status": "ok"}')


def test_only_posts_are_reported() -> None:
    """Only POST requests are reported: GET and HEAD are no deliveries."""
    receiver = Recorder()
    receiver.call(posted(b"", None, REQUEST_METHOD="GET"))
    receiver.call(posted(b"", None, PATH_INFO="/"))
    assert receiver.replies == []


@pytest.mark.parametrize("path", ["/", "", PATH + "/", PATH.upper(), "/docspace", PATH + "x"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_any_other_path_is_not_found(path: str, method: str) -> None:
    """Any path but the configured one is 404, whatever the method."""
    receiver = Recorder()
    answer = receiver.call(posted(delivery(), SECRET, PATH_INFO=path, REQUEST_METHOD=method))
    assert (answer.status, receiver.events) == (404, [])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "post", "X"])
def test_any_other_method_is_answered_with_the_allowed_ones(method: str) -> None:
    """Any other method is 405 with Allow."""
    answer = Recorder().call(posted(b"", None, REQUEST_METHOD=method))
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD, POST"
    assert answer.fields == {"status": "refused", "reason": "method"}


def test_plain_http_is_refused_before_the_body_is_read() -> None:
    """With require_https, an http request is refused before its body is read."""
    receiver = Recorder(replace(SETTINGS, require_https=True))
    answer = receiver.post(delivery(), more={"wsgi.input": _Unreadable()})
    assert (answer.status, answer.fields) == (403, {"status": "refused", "reason": "https"})
    assert receiver.post(delivery(), more={"wsgi.url_scheme": "https"}).status == 200


@pytest.mark.parametrize("length", ["4097", "9" * 18, "9" * 19, "-1", "x", "1e3", " 5", "²"])
def test_a_body_that_is_too_large_is_not_read(length: str) -> None:
    """A body whose announced length is too large, or no number, is 413 without being read."""
    stream = _Unreadable()
    answer = Recorder().post(b"{}", CONTENT_LENGTH=length, more={"wsgi.input": stream})
    assert (answer.status, answer.fields) == (413, {"status": "refused", "reason": "size"})


def test_the_largest_body_is_read_whole() -> None:
    """A body of exactly the largest size is read completely."""
    body = delivery()
    body += b" " * (SETTINGS.max_bytes - len(body))
    assert Recorder().post(body).status == 200


def test_no_more_than_the_announced_length_is_read() -> None:
    """No more than the announced length is read: the rest belongs to the next request."""
    body = delivery()
    stream = io.BytesIO(body + b"garbage")
    assert Recorder().post(body, more={"wsgi.input": stream}).status == 200
    assert stream.read() == b"garbage"


@pytest.mark.parametrize("length", ["", None, "0"])
def test_without_a_length_there_is_no_body(length: str | None) -> None:
    """Without a length the body is empty, which must be signed too."""
    assert Recorder().post(b"", CONTENT_LENGTH=length).fields["reason"] == "not_json"
    assert Recorder().post(b"", secret=None, CONTENT_LENGTH=length).status == 401


@pytest.mark.parametrize("body", [b"not json", b"[" * 4000, b"", b"{}", b"\xff"])
def test_the_signature_is_checked_before_the_json(body: bytes) -> None:
    """The signature is checked before the JSON is parsed: a stranger's bytes are 401."""
    receiver = Recorder()
    answer = receiver.post(body, secret="another")
    assert (answer.status, answer.fields) == (401, {"status": "refused", "reason": "signature"})
    assert receiver.events == []


def test_the_signature_is_over_the_raw_bytes() -> None:
    """The signature is over the raw bytes: the same JSON in another format is refused."""
    body, signature = as_sent("webhook_file_updated.http.json")
    again = json.dumps(json.loads(body)).encode()
    assert Recorder().post(again, secret=None, **signature).status == 401


@pytest.mark.parametrize("header", ["", "sha256=", "ÿ\x80", "sha256=" + "0" * 64])
def test_a_bad_signature_is_refused(header: str) -> None:
    """A missing, empty, non-ASCII or wrong signature is refused."""
    assert Recorder().post(delivery(), secret=None, more={WSGI_HEADER: header}).status == 401


# What is ignored, with 200 so that the portal does not send it again.


# Python 3.11 gives up on JSON of a thousand levels; later ones read it, and find no event in it.
TOO_DEEP = "not_json" if sys.version_info < (3, 12) else "no_event"


def _event(payload: Any) -> bytes:
    return json.dumps({"event": {"trigger": "file.updated"}, "payload": payload}).encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe\xfd", "not_json"),
        (b"[" * 3000 + b"]", "not_json"),
        (b'{"a":' * 700, "not_json"),
        (b"[" * 2000 + b"]" * 2000, TOO_DEEP),
        (b'{"event": ' + b"[" * 1500 + b"]" * 1500 + b"}", TOO_DEEP),
        (b'{"event": {"id": ' + b"9" * 4050 + b"}}", "no_payload"),
        (b"null", "no_event"),
        (b"[]", "no_event"),
        (b'"x"', "no_event"),
        (b"{}", "no_event"),
        (b'{"event": [], "payload": {}}', "no_event"),
        (b'{"event": {}}', "no_payload"),
        (b'{"event": {}, "payload": null}', "no_payload"),
        (b'{"event": {}, "payload": [1]}', "no_payload"),
        (b'{"event": {}, "payload": {"id": 1}}', "trigger"),
        (b'{"event": {"trigger": "file.created"}, "payload": {"id": 1}}', "trigger"),
        (b'{"event": {"trigger": ["file.updated"]}, "payload": {"id": 1}}', "trigger"),
        (b'{"event": {"trigger": "\\ud800"}, "payload": {"id": 1}}', "trigger"),
        (b'{"event": {"trigger": "form.submit"}, "payload": {"submittedForm": 1}}', "no_submitted"),
        (_event({}), "file_id"),
        (_event({"id": "drive-4-|1"}), "third_party"),
        (_event({"id": 1245, "providerKey": "Box"}), "third_party"),
        (_event({"id": 1}).replace(b'"id": 1', b'"id": 1, "id": 0'), "file_id"),
    ],
)
def test_what_is_no_event_is_ignored_with_its_reason(body: bytes, reason: str) -> None:
    """An authentic body that is no event is 200 with its reason, and nothing is recorded."""
    receiver = Recorder()
    answer = receiver.post(body)
    assert (answer.status, answer.fields["status"], receiver.events) == (200, "ignored", [])
    assert answer.fields["reason"].startswith(reason)
    assert receiver.replies[0].reason == answer.fields["reason"]


def test_an_endless_number_is_no_json() -> None:
    """An integer of thousands of digits, which Python refuses to parse, is no JSON and no crash."""
    body = b'{"event": {"id": ' + b"9" * 5000 + b"}}"
    assert Recorder(replace(SETTINGS, max_bytes=8192)).post(body).fields["reason"] == "not_json"


@pytest.mark.parametrize("file_id", [1, LAST_FILE_ID])
def test_every_internal_id_is_accepted(file_id: int) -> None:
    """Every id from one to the last int32 is accepted."""
    receiver = Recorder()
    assert receiver.post(delivery(id=file_id)).fields == {"status": "accepted"}
    assert receiver.events[0][0].file == file_id


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("a\0b.docx", "a?b.docx"),
        ("a\ud800b.docx", "a?b.docx"),
        ("\U0001f600.docx", "\U0001f600.docx"),
        (7, ""),
        (None, ""),
    ],
)
def test_a_title_that_no_database_holds_is_made_storable(title: object, kept: str) -> None:
    """NUL and lone surrogates in a title are replaced; a title that is no text is empty."""
    receiver = Recorder()
    assert receiver.post(delivery(title=title)).status == 200
    assert receiver.events[0][0].title == kept


def test_the_last_of_duplicate_keys_counts() -> None:
    """Of duplicate keys in the JSON the last counts, as in the portal's own parser."""
    body = delivery().replace(b'"id": 1245', b'"id": 1, "id": 1245')
    receiver = Recorder()
    receiver.post(body)
    assert receiver.events[0][0].file == 1245


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-11-24T09:15:42Z", NOW),
        ("2025-11-24T12:15:42.0000000+03:00", NOW),
        ("2025-11-24T09:15:42.1234567Z", NOW + timedelta(microseconds=123456)),
        ("2025-11-24T09:15:42", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("9999-12-31T23:59:59-10:00", None),
        ("\ud800", None),
        (17, None),
        (None, None),
    ],
)
def test_a_date_is_aware_or_none(text: object, moment: datetime | None) -> None:
    """A date has any offset and number of digits; anything else is unknown."""
    receiver = Recorder()
    assert receiver.post(delivery(modifiedOn=text)).status == 200
    assert receiver.events[0][0].modified == moment


@pytest.mark.parametrize("number", [None, "7", True, 1.5, 2**64, [1]])
def test_an_events_number_is_a_number_or_nothing(number: object) -> None:
    """The event's number is only shown, so anything but a number is read as none."""
    data = {"event": {"trigger": "file.updated", "id": number}, "payload": {"id": 1}}
    assert parse_event(json.dumps(data).encode(), TRIGGERS).id == 0


def test_an_author_is_compared_without_case() -> None:
    """Authors are compared without case, as GUIDs; one that is no text is nobody."""
    for author, kept in (("AB-1", "ab-1"), (7, ""), (None, "")):
        data = {"event": {"trigger": "file.updated", "createBy": author}, "payload": {"id": 1}}
        assert parse_event(json.dumps(data).encode(), TRIGGERS).author == kept


# On disk before the answer.


def test_only_a_new_event_on_disk_is_announced() -> None:
    """`on_accepted` is called once for it, and neither for an echo nor for a refused delivery."""
    recorded: list[str] = []

    def record(event: Event, _: datetime) -> bool:
        recorded.append("disk")
        return event.title != "echo.docx"

    app = Receiver(
        SETTINGS, record, lambda: NOW, lambda _: None, lambda: recorded.append("announced")
    )
    called(app, posted(delivery(), SECRET))
    called(app, posted(delivery(), "another"))
    called(app, posted(delivery(title="echo.docx"), SECRET))
    assert recorded == ["disk", "announced", "disk"]


def test_the_event_is_on_disk_before_the_answer(ledger: Ledger, tmp_path: Path) -> None:
    """When start_response is called, another connection can read the event."""
    seen: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
            seen.extend(other.execute("SELECT id, name, pending, due_at FROM files"))

    app: Any = Receiver(SETTINGS, ledger.record, lambda: NOW, lambda _: None)
    app(posted(delivery(), SECRET), start)
    due = int(NOW.timestamp()) * 1_000_000
    assert seen == [(1245, "Contract.docx", 1, due)]


@pytest.mark.parametrize("title", ["a\0b", "\ud800", "\U0001f600", "x" * 3000, "'; DROP TABLE"])
def test_any_title_reaches_the_disk(ledger: Ledger, title: str) -> None:
    """Any title that the receiver accepts can be stored in the database."""
    receiver = Recorder(record=ledger.record)
    assert receiver.post(delivery(title=title)).fields == {"status": "accepted"}
    assert totals(ledger).pending == 1


def test_the_echo_of_our_own_write_is_ignored(ledger: Ledger) -> None:
    """The echo of our own write, with the settled revision's date, is ignored."""
    body, signature = as_sent("webhook_file_updated_own_comment_echo.http.json")
    echo = parse_event(body, TRIGGERS)
    assert echo.modified is not None
    ledger.set_owner(echo.author)
    receiver = Recorder(record=ledger.record)
    assert receiver.post(body, secret=None, **signature).fields == {"status": "accepted"}
    claim = claimed(ledger, NOW + timedelta(seconds=2))
    begin_write(ledger, claim, NOW)
    seen = marked(claim.entry.id).seen
    assert seen is not None
    revision = replace(seen.revision, updated=echo.modified)
    ledger.claims.finish(claim, replace(marked(), seen=replace(seen, revision=revision)), NOW)
    answer = receiver.post(body, secret=None, **signature)
    assert (answer.status, answer.fields) == (200, {"status": "ignored", "reason": "echo"})
    assert next_due(ledger) is None


def _fail(event: Event, now: datetime) -> bool:
    raise LedgerError("database or disk is full")


def test_a_ledger_that_cannot_be_written_is_503() -> None:
    """If the ledger cannot be written the answer is 503, for a retry; the log has the reason."""
    receiver = Recorder(record=_fail)
    answer = receiver.post(delivery())
    assert (answer.status, answer.fields) == (503, {"status": "refused", "reason": "ledger"})
    assert str(receiver.replies[0].error) == "database or disk is full"
    assert b"full" not in answer.body


def test_a_bug_is_503_too() -> None:
    """A bug is answered 503, so that the portal retries."""

    def broken(event: Event, now: datetime) -> bool:
        raise ZeroDivisionError

    receiver = Recorder(record=broken)
    assert receiver.post(delivery()).fields == {"status": "refused", "reason": "bug"}
    assert isinstance(receiver.replies[0].error, ZeroDivisionError)


def test_a_broken_ledger_does_not_matter_to_what_is_ignored() -> None:
    """A delivery that is ignored is answered 200 even if the ledger fails."""
    assert Recorder(record=_fail).post(b"{}").status == 200


# As a WSGI application.


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
@pytest.mark.parametrize("path", [PATH, "/"])
@pytest.mark.parametrize("secret", [SECRET, "other"])
def test_it_keeps_the_wsgi_rules(method: str, path: str, secret: str) -> None:
    """The standard library's WSGI validator finds no fault, and the length is the body's."""
    app = validator(Receiver(SETTINGS, lambda *_: True, lambda: NOW, lambda _: None))
    answer = called(app, posted(delivery(), secret, REQUEST_METHOD=method, PATH_INFO=path))
    assert answer.status in STATUSES
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Length"] == str(len(answer.body))


class _Unreadable:
    """A body that fails when it is read."""

    def read(self, size: int = -1) -> bytes:
        """Fail."""
        raise AssertionError(f"{size} bytes of the body were read")


LATIN = st.text(st.characters(max_codepoint=255), max_size=80)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        name: JSON
        for name in ("id", "title", "modifiedOn", "providerKey", "submittedForm", "parentId")
    },
)
BODIES = st.one_of(
    st.binary(max_size=5000),
    JSON.map(lambda data: json.dumps(data).encode()),
    st.fixed_dictionaries(
        {
            "event": st.fixed_dictionaries(
                {"trigger": st.sampled_from(["file.updated", "form.submit", "x"])},
                optional={"id": JSON, "createBy": JSON},
            ),
            "payload": FIELDS | JSON,
        }
    ).map(lambda data: json.dumps(data).encode()),
)


@given(body=BODIES)
@settings(max_examples=300)
def test_any_body_is_an_event_or_ignored(body: bytes) -> None:
    """Any body is an event with an internal file, or has a reason to be ignored."""
    assert _reason(body) is not None


def _reason(body: bytes) -> str:
    try:
        event = parse_event(body, TRIGGERS)
    except IgnoredDelivery as ignored:
        return str(ignored) or "none"
    assert 0 < event.file <= LAST_FILE_ID
    assert event.trigger in TRIGGERS
    assert event.modified is None or event.modified.tzinfo is UTC
    event.title.encode()
    return ""


@given(
    body=BODIES,
    signed=st.booleans(),
    method=st.sampled_from(["POST", "GET", "HEAD", "PUT"]) | LATIN,
    path=st.sampled_from([PATH, "/"]) | LATIN,
    length=st.none() | st.just("") | LATIN | st.integers(-10, 10**20).map(str),
    honest=st.booleans(),
    header=LATIN,
    secure=st.tuples(st.sampled_from(["http", "https"]), st.booleans()),
    record=st.sampled_from([_fail, lambda *_: True, lambda *_: False]),
)
@settings(max_examples=300)
def test_no_request_gets_any_other_status(
    body: bytes,
    signed: bool,
    method: str,
    path: str,
    length: str | None,
    honest: bool,
    header: str,
    secure: tuple[str, bool],
    record: Callable[[Event, datetime], bool],
) -> None:
    """Any request gets one of seven statuses with JSON: never 410, 3xx or 500."""
    environ = posted(body, SECRET if signed else None, PATH_INFO=path, REQUEST_METHOD=method)
    environ |= {"wsgi.url_scheme": secure[0]}
    environ |= {} if signed else {WSGI_HEADER: header}
    environ |= {} if honest else {"CONTENT_LENGTH": length}
    answer = Recorder(replace(SETTINGS, require_https=secure[1]), record).call(environ)
    assert answer.status in STATUSES
    assert method == "HEAD" or answer.fields["status"] in {"ok", "accepted", "ignored", "refused"}
    assert answer.headers["Content-Length"] == str(len(answer.body))
