"""Health, readiness and metrics: who is answered, and what, also by a real daemon."""

import base64
import json
import re
import socket
import sqlite3
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.admin.app import Admin, Page
from reconciler.admin.guard import Guard, LoginThrottle
from reconciler.admin.metrics import exposition
from reconciler.admin.pages import AdminContext, pages_of
from reconciler.errors import LedgerError
from reconciler.ledger import (
    BACKFILL,
    NEXT_SWEEP,
    EnqueueOptions,
    Ledger,
    Overview,
    Role,
    SweepRecord,
)
from reconciler.ledger.records import BOUNDS
from reconciler.model import OutageKind, Outcome
from tests import support_ledger as kit
from tests.daemon import daemon
from tests.program import exits
from tests.support_ledger import HOUR, NOW, SECOND, opened
from tests.support_process import ROOT
from tests.test_cli import run
from tests.test_crash import Scene, scene
from tests.test_daemon import serve
from tests.test_overview import sweep_finds
from tests.waiting import eventually, logged

__all__ = ["scene"]

LOCAL = {"HTTP_HOST": "127.0.0.1:3001"}
PASSWORD = "correct horse: battery"


@dataclass
class Answer:
    """An answer of the admin application."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Watched:
    """The admin pages of a ledger, with a clock and components that a test changes."""

    ledger: Ledger
    now: datetime = NOW
    alive: dict[str, bool] = field(default_factory=lambda: {"worker": True, "sweep": True})
    requests: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def get(self, path: str, **query: str) -> Answer:
        """Ask for a path as somebody on this machine."""
        subject = AdminContext(
            self.ledger,
            lambda: self.now,
            lambda: self.alive,
            lambda: self.requests,
            9000,
            kit.PORTAL,
        )
        asked = {"QUERY_STRING": urlencode(query), **LOCAL}
        return ask(Admin(pages_of(subject), Guard(), fail), path, **asked)

    def number(self, name: str, **labels: str) -> float | None:
        """Return one number of the metrics, None if it is missing."""
        for family in text_string_to_metric_families(self.get("/metrics").body):
            for sample in family.samples:
                if sample.name == f"reconciler_{name}" and sample.labels == labels:
                    return float(sample.value)
        return None


def fail(error: Exception) -> None:
    """Fail the test."""
    raise error


def ask(app: Any, path: str, method: str = "GET", **headers: str) -> Answer:
    """Ask the application itself."""
    given: list[Any] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, **headers}
    body = b"".join(app(environ, lambda status, heads: given.extend((status, dict(heads)))))
    return Answer(int(given[0][:3]), given[1], body.decode())


def basic(text: str) -> str:
    """Return the header of HTTP Basic."""
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.fixture
def watched(ledger: Ledger) -> Iterator[Watched]:
    """A daemon's ledger with its roles held."""
    with ledger.role(Role.SWEEP), ledger.role(Role.WORKER):
        yield Watched(ledger)


# Access.


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:3001", 200),
        ("127.0.0.1", 200),
        ("[::1]:3001", 200),
        ("LOCALHOST", 200),
        ("evil.example:3001", 403),
        ("127.0.0.1.evil.example", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_without_a_password_only_local_names_are_answered(host: str, status: int) -> None:
    """Without a password only local names are answered, so that no web page gets access."""
    app = Admin({"/": lambda _: Page("here\n")}, Guard(), fail)
    assert ask(app, "/", HTTP_HOST=host).status == status


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (basic(f"anybody:{PASSWORD}"), 200),
        (basic(f":{PASSWORD}"), 200),
        (basic("admin:wrong"), 401),
        (basic(PASSWORD.partition(":")[0]), 401),
        (basic("admin:"), 401),
        ("Basic %%%", 401),
        ("Basic \u00e9", 401),
        (f"Bearer {PASSWORD}", 401),
        ("", 401),
    ],
)
def test_with_a_password_nothing_is_answered_without_it(header: str, status: int) -> None:
    """With a password, a request without it is refused under any host name and on any path."""
    app = Admin({"/": lambda _: Page("here\n")}, Guard(PASSWORD), fail)
    for path in ("/", "/none"):
        answer = ask(app, path, HTTP_HOST="watch.example", HTTP_AUTHORIZATION=header)
        assert answer.status == (404 if (path, status) == ("/none", 200) else status)
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)


# How often a password may be tried.


@dataclass
class Doorman:
    """A page behind a password; ``heard`` lists the clients with refused passwords."""

    now: float = 1_000.0
    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.throttle = LoginThrottle()
        guard = Guard(
            PASSWORD,
            on_failed_login=self.heard.append,
            clock=lambda: self.now,
            throttle=self.throttle,
        )
        self.app = Admin({"/": lambda _: Page("here\n")}, guard, fail)

    def try_(self, password: str, address: str = "192.0.2.7") -> Answer:
        """Ask with a password."""
        header = basic(f"admin:{password}")
        return ask(self.app, "/", REMOTE_ADDR=address, HTTP_AUTHORIZATION=header)

    def statuses(
        self, number: int, address: str = "192.0.2.7", per_second: float = 1e9
    ) -> Counter[int]:
        """Send so many wrong passwords; return how often each status was answered."""
        found: Counter[int] = Counter()
        for guess in range(number):
            found[self.try_(f"guess {guess}", address).status] += 1
            self.now += 1 / per_second
        return found


def test_after_five_wrong_passwords_one_a_second_is_looked_at() -> None:
    """After five wrong passwords one a second is checked; others, even right ones, get 429."""
    gate = Doorman()
    assert gate.statuses(5) == {401: 5}
    for password in ("wrong", PASSWORD):
        answer = gate.try_(password)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert "WWW-Authenticate" not in answer.headers
    gate.now += 1
    assert gate.try_("wrong").status == 401
    assert gate.try_("wrong").status == 429
    gate.now += 1
    assert gate.try_(PASSWORD).status == 200


@pytest.mark.parametrize("per_second", [20, 2400])
def test_guessing_is_slowed_to_one_a_second(per_second: int) -> None:
    """However fast a client guesses, one password per second is checked."""
    found = Doorman().statuses(60 * per_second, per_second=per_second)
    assert 60 <= found[401] <= 66
    assert found[401] + found[429] == 60 * per_second


def test_who_mistypes_now_and_then_is_not_slowed() -> None:
    """The right password resets the count of wrong ones."""
    gate = Doorman()
    for _ in range(5):
        assert gate.statuses(4) == {401: 4}
        assert gate.try_(PASSWORD).status == 200


def test_a_watchdog_with_the_password_is_never_slowed() -> None:
    """Requests with the right password are never slowed."""
    gate = Doorman()
    assert {gate.try_(PASSWORD).status for _ in range(1000)} == {200}
    assert gate.heard == []


def test_who_gives_no_password_guesses_nothing() -> None:
    """A request without a password is no guess: browsers send one before they ask for it."""
    gate = Doorman()
    for _ in range(100):
        assert ask(gate.app, "/", REMOTE_ADDR="192.0.2.7").status == 401
    assert (gate.try_(PASSWORD).status, gate.heard) == (200, [])


@pytest.mark.parametrize("header", ["Basic %%%", "Bearer x", "x", "Basic"])
def test_what_is_no_password_is_a_guess_all_the_same(header: str) -> None:
    """A malformed password counts as a guess, so that it does not bypass the limit."""
    gate = Doorman()
    for _ in range(10):
        answer = ask(gate.app, "/", REMOTE_ADDR="192.0.2.7", HTTP_AUTHORIZATION=header)
    assert answer.status == 429


@pytest.mark.parametrize("address", ["192.0.2.8", "127.0.0.1", "::1", "2001:db8:1::7"])
def test_one_who_guesses_keeps_nobody_else_out(address: str) -> None:
    """Each address has its own number of tries, so a guesser locks out nobody else."""
    gate = Doorman()
    gate.statuses(1000)
    assert gate.try_(PASSWORD, address).status == 200


@pytest.mark.parametrize("network", ["10.{}.{}.1", "2001:db8:{:x}:{:x}::1"])
def test_guesses_from_many_addresses_have_a_limit_together(network: str) -> None:
    """Guesses from many addresses share a limit. It does not affect an administrator who was logged
    in before, nor the machine itself.
    """
    gate = Doorman()
    assert gate.try_(PASSWORD, "192.0.2.99").status == 200
    addresses = [network.format(n // 250, n % 250) for n in range(5000)]
    found = Counter(gate.try_("guess", address).status for address in addresses)
    assert found == {401: 50, 429: 4950}
    assert gate.try_(PASSWORD, "192.0.2.99").status == 200
    assert gate.try_(PASSWORD, "127.0.0.1").status == 200
    gate.now += 10
    found = Counter(gate.try_("guess", address).status for address in addresses)
    assert found[401] == 50
    assert len(vars(gate.throttle)["_buckets"]) <= 1000


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.99"])
def test_a_thousand_logins_from_elsewhere_put_nobody_under_the_limit_of_guesses(
    address: str,
) -> None:
    """However many clients log in, guesses hinder neither the machine itself nor a client whose
    last login was recent.
    """
    gate = Doorman()
    others = [f"10.1.{n // 250}.{n % 250}" for n in range(1100)]
    gate.try_(PASSWORD, "192.0.2.99")
    for other in others[:600]:
        gate.try_(PASSWORD, other)
    gate.try_(PASSWORD, "192.0.2.99")
    for other in others[600:]:
        gate.try_(PASSWORD, other)
    for n in range(100):
        gate.try_("guess", f"10.2.0.{n}")
    assert gate.try_(PASSWORD, address).status == 200


def test_one_network_of_ipv6_is_one_client() -> None:
    """All addresses of an IPv6 network count as one client, since one client can use them all."""
    gate = Doorman()
    found = Counter(gate.try_("guess", f"2001:db8::{n:x}").status for n in range(100))
    assert found == {401: 5, 429: 95}


def test_every_failed_login_is_told_with_where_it_came_from() -> None:
    """The log has each failed login with its address, checked or not, without the password."""
    gate = Doorman()
    gate.statuses(7)
    gate.try_("guess", "::ffff:192.0.2.9")
    assert gate.heard == ["192.0.2.7"] * 7 + ["::ffff:192.0.2.9"]


def test_the_password_is_not_shown() -> None:
    """The password is not shown, not even in a traceback."""
    assert PASSWORD not in repr(Guard(PASSWORD))


def test_head_is_answered_without_a_body(watched: Watched) -> None:
    """HEAD is answered like GET, without a body, for monitors that only need the status."""
    app = Admin({"/": lambda _: Page("here\n")}, Guard(), fail)
    assert ask(app, "/", "HEAD", **LOCAL).body == ""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(method: str) -> None:
    """Every method but GET and HEAD is answered 405 with the allowed ones."""
    answer = ask(Admin({"/": lambda _: Page("here\n")}, Guard(), fail), "/", method, **LOCAL)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_another_path_is_not_found(watched: Watched) -> None:
    """Any other path is answered 404."""
    assert watched.get("/secret").status == 404


def test_a_bug_is_told_to_the_log_alone() -> None:
    """A bug is answered 500 without its cause, which only the log has."""
    heard: list[Exception] = []
    answer = ask(Admin({"/": lambda _: 1 / 0}, Guard(), heard.append), "/", **LOCAL)  # type: ignore[dict-item, return-value]
    assert (answer.status, len(heard)) == (500, 1)
    assert "division" not in answer.body


# Answers.


def test_healthz_names_the_part_that_ended(watched: Watched) -> None:
    """/healthz is 200 while all parts of the process run, else 503 with the part that has ended."""
    assert (watched.get("/healthz").status, watched.get("/healthz").body) == (200, "ok\n")
    watched.alive["worker"] = False
    answer = watched.get("/healthz")
    assert (answer.status, answer.body) == (503, "worker has ended\n")


def test_readyz_is_ready_when_nothing_is_wrong(watched: Watched) -> None:
    """/readyz is 200 when nothing is wrong. Failed files do not matter: the others are marked."""
    kit.attempt(watched.ledger, kit.result(Outcome.FAILED, retry_at=NOW + HOUR))
    assert (watched.get("/readyz").status, watched.get("/readyz").body) == (200, "ready\n")


def test_readyz_names_every_reason_on_a_line(watched: Watched) -> None:
    """/readyz has each reason on a line: a dead key, a pause of hours, an overdue sweep."""
    watched.ledger.health.open_outage(OutageKind.DEAD_KEY, "answered\n401", NOW)
    watched.ledger.pause(NOW, HOUR, "too many requests")
    watched.ledger.settings.set(NEXT_SWEEP, NOW - HOUR)
    answer = watched.get("/readyz")
    assert answer.status == 503
    assert [line.partition(":")[0] for line in answer.body.splitlines()] == [
        "dead_key",
        "paused",
        "overdue",
    ]


def test_readyz_names_a_backfill_that_works_in_our_place(ledger: Ledger) -> None:
    """/readyz names a backfill for which the daemon waits because it has the worker's role."""
    watched = Watched(ledger)
    with ledger.role(Role.SWEEP):
        assert watched.get("/readyz").body.startswith("idle: ")
        with ledger.role(Role.BACKFILL), ledger.role(Role.WORKER):
            assert watched.get("/readyz").body.startswith("backfill: a backfill (process ")


def test_readyz_needs_a_ledger_that_can_be_written(tmp_path: Path) -> None:
    """/readyz names a ledger that cannot be written: a full disk, or locked or gone."""
    with opened(tmp_path) as ledger:
        watched = Watched(ledger)
    answer = watched.get("/readyz")
    assert (answer.status, answer.body[:7]) == (503, "ledger:")


def test_readyz_names_a_failed_write_until_one_succeeds(watched: Watched, tmp_path: Path) -> None:
    """/readyz names a failed write to the ledger until a write succeeds."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError):
            watched.ledger.record(kit.event(1), NOW)
        assert watched.get("/readyz").body.startswith("ledger: ")
    watched.ledger.record(kit.event(1), NOW)
    assert watched.get("/readyz").status == 200


@pytest.mark.parametrize("path", ["/", "/readyz", "/metrics"])
def test_no_page_writes_to_the_ledger(watched: Watched, tmp_path: Path, path: str) -> None:
    """No page writes to the ledger: SQLite counts what other connections have committed."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        [before] = other.execute("PRAGMA data_version")
        assert watched.get(path).status == 200
        assert list(other.execute("PRAGMA data_version")) == [before]


def test_no_reason_of_readyz_writes_to_a_terminal(watched: Watched) -> None:
    """The reasons of /readyz contain no control characters: they include the portal's messages, and
    people read them with curl.
    """
    why = "\x1b[2J\u202egone"
    watched.ledger.health.open_outage(OutageKind.LOOKS, why, NOW)
    body = watched.get("/readyz").body
    assert body.startswith("unavailable: ")
    assert body.removesuffix("\n").isprintable()


def test_metrics_tell_a_ledger_that_cannot_be_written(watched: Watched) -> None:
    """The metrics report a ledger that cannot be written, even while reading still works."""
    assert watched.number("problem", kind="ledger") == 0
    text = exposition(lambda: watched.ledger.health.overview(NOW), {}, 9000, LedgerError("full"))
    assert 'reconciler_problem{kind="ledger"} 1.0' in text
    assert "reconciler_ledger_up 1.0" in text


def test_metrics_tell_the_queue_and_what_ended(watched: Watched) -> None:
    """The metrics have the queue and the outcomes in the format of Prometheus."""
    for file in (1, 2):
        watched.ledger.record(kit.event(file), NOW)
    claim = watched.ledger.claims.take(NOW + SECOND, 1, HOUR)[0]
    watched.ledger.claims.finish(claim, kit.marked(claim.entry.id), NOW + SECOND)
    watched.now = NOW + 11 * SECOND
    assert watched.number("queue_files") == 1
    assert watched.number("queue_oldest_due_seconds") == 11
    assert watched.number("outcomes_total", outcome="marked", reason="marked") == 1
    assert watched.number("in_review_files") == 1


def test_the_age_of_the_queue_leaves_out_a_backfill(watched: Watched) -> None:
    """The age of the queue leaves out a backfill's files, which wait for the next day's writes, so
    that an alert on it tells only of updates that are late.
    """
    kit.list_updates(watched.ledger, [kit.a_file(1)], EnqueueOptions(BACKFILL), NOW)
    watched.now = NOW + HOUR
    assert watched.number("queue_oldest_due_seconds") == 0
    watched.ledger.record(kit.event(2), NOW + HOUR)
    watched.now += 11 * SECOND
    assert watched.number("queue_oldest_due_seconds") == 11


def test_metrics_tell_missed_updates_and_how_long_they_waited(watched: Watched) -> None:
    """The metrics have the missed updates and a histogram of latencies whose buckets add up."""
    sweep_finds(watched.ledger)
    (claim,) = watched.ledger.claims.take(NOW, 1, HOUR)
    watched.ledger.claims.finish(claim, kit.marked(), NOW)
    assert watched.number("missed_updates_total") == 1
    assert watched.number("updates_total", source="webhook") == 0
    buckets = {
        le: watched.number("update_latency_seconds_bucket", source="sweep", le=le)
        for le in ("300.0", "900.0", "86400.0", "+Inf")
    }
    assert list(buckets.values()) == [0, 1, 1, 1]
    assert watched.number("update_latency_seconds_sum", source="sweep") == 600


@pytest.mark.parametrize(
    ("seconds", "first"), [(0.5, "1.0"), (1.99, "2.0"), (2.01, "5.0"), (86401, "+Inf")]
)
def test_a_histogram_counts_each_wait_from_the_first_bucket_that_holds_it(
    watched: Watched, seconds: float, first: str
) -> None:
    """A histogram counts each latency in the first bucket that holds it and in every larger one."""
    sweep_finds(watched.ledger)
    (claim,) = watched.ledger.claims.take(NOW, 1, HOUR)
    now = kit.SAVED + seconds * SECOND
    watched.ledger.claims.finish(claim, kit.marked(), now)
    bounds = [*(f"{bound}.0" for bound in BOUNDS), "+Inf"]
    found = [
        watched.number("update_latency_seconds_bucket", source="sweep", le=le) for le in bounds
    ]
    place = bounds.index(first)
    assert found == [0] * place + [1] * (len(bounds) - place)
    assert watched.number("update_latency_seconds_count", source="sweep") == 1


def test_metrics_tell_the_requests_to_the_portal(watched: Watched) -> None:
    """The metrics count the requests to the portal by method, route and status."""
    watched.requests = {("GET", "files/file/{id}", "200"): 3}
    labels = {"method": "GET", "route": "files/file/{id}", "status": "200"}
    assert watched.number("api_requests_total", **labels) == 3


def test_metrics_tell_what_is_wrong_and_the_last_sweep(watched: Watched) -> None:
    """The metrics have each kind of problem separately, for alerts, and the last sweep."""
    watched.ledger.health.record_sweep(SweepRecord(NOW, 0.5, 2, scanned=7))
    watched.ledger.health.open_outage(OutageKind.DEAD_KEY, "401", NOW)
    watched.ledger.pause(NOW, HOUR, "too many requests")
    assert watched.number("problem", kind="dead_key") == 1
    assert watched.number("problem", kind="unavailable") == 0
    assert watched.number("pause_seconds") == 3600
    assert watched.number("sweep_duration_seconds") == 0.5


def test_the_reference_names_every_metric(watched: Watched) -> None:
    """The reference names every metric, and none that does not exist."""
    watched.ledger.health.record_sweep(SweepRecord(NOW, 0.5, 2))
    text = watched.get("/metrics").body
    names = set(re.findall(r"^# TYPE reconciler_(\w+) ", text, re.MULTILINE))
    reference = (
        (ROOT / "reconciler" / "docs" / "reference.md")
        .read_text("utf-8")
        .partition("| metric (`reconciler_")[2]
    )
    cells = [line.split("|")[1] for line in reference.split("\n\n")[0].splitlines()[2:]]
    assert set(re.findall(r"`(\w+)", " ".join(cells))) == names


def test_metrics_without_a_ledger_say_so() -> None:
    """Without a ledger the metrics say so and still have everything else."""

    def look() -> Overview:
        raise LedgerError("damaged")

    text = exposition(look, {("GET", "keys/@self", "200"): 1}, 9000)
    assert "reconciler_ledger_up 0.0" in text
    assert "reconciler_queue_files" not in text
    assert "reconciler_api_requests_total{" in text


# The real daemon.


def admin_url(folder: Path) -> str:
    """Return the address of the admin pages in the daemon's log."""
    assert logged(folder, '"admin": "http://')
    found = re.search(r'"admin": "(http://[^"]+)"', (folder / "serve.log").read_text("utf-8"))
    assert found is not None
    return found[1]


def fetch(url: str, **headers: str) -> Answer:
    """Ask a daemon."""
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read().decode())


def becomes(url: str, status: int, text: str) -> Answer:
    """Wait until a daemon gives this answer."""
    answers: list[Answer] = []

    def comes() -> bool:
        answers.append(fetch(url))
        return answers[-1].status == status and text in answers[-1].body

    assert eventually(comes, 15), answers[-1]
    return answers[-1]


def test_a_dead_key_is_visible_until_it_works_again(scene: Scene) -> None:
    """A dead key and its beginning are in /readyz and `status` until the key works again."""
    key = scene.environ["DOCSPACE_API_KEY"]
    environ = scene.environ | {"RECONCILER_SWEEP__EVERY": "1s"}
    with daemon(environ, scene.folder) as running:
        url = admin_url(scene.folder)
        becomes(f"{url}/readyz", 200, "ready")
        scene.portal.disable_key(key)
        answer = becomes(f"{url}/readyz", 503, "dead_key: the portal refuses the API key since ")
        assert key not in answer.body
        done = exits(3, run("status", **environ))
        assert done.stdout.startswith("WRONG: the portal refuses the API key since ")
        scene.portal.enable_key(key)
        becomes(f"{url}/readyz", 200, "ready")
        problems = json.loads(run("status", "--json", **environ).stdout)["problems"]
        assert "dead_key" not in {problem["kind"] for problem in problems}
        assert running.terminate() == 0


def test_a_daemon_tells_its_numbers(scene: Scene) -> None:
    """A daemon counts an announced edit as one, and its metrics contain no secret."""
    with daemon(scene.environ, scene.folder) as running:
        url = admin_url(scene.folder)
        assert fetch(f"{url}/healthz").body == "ok\n"
        scene.portal.save(scene.file, by=scene.ann)
        # Requests are counted by the daemon, updates in the ledger: neither comes always first.
        becomes(f"{url}/metrics", 200, 'route="files/file/{id}/comment",status="200"} 1.0')
        text = becomes(f"{url}/metrics", 200, 'updates_total{source="webhook"} 1.0').body
        assert scene.environ["DOCSPACE_API_KEY"] not in text
        assert running.terminate() == 0


def test_beyond_this_machine_a_password_is_required(scene: Scene) -> None:
    """Beyond this machine a password is required, except for a container's health probe."""
    environ = scene.environ | {"RECONCILER_ADMIN__HOST": "0.0.0.0"}  # noqa: S104
    refused = exits(2, serve(environ, scene.folder))
    assert "set admin.password_file" in refused.stderr
    file = scene.folder / "password"
    file.write_text(f"{PASSWORD}\n", "utf-8")
    with daemon(environ | {"RECONCILER_ADMIN__PASSWORD_FILE": str(file)}, scene.folder) as running:
        url = admin_url(scene.folder).replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        assert fetch(f"{url}/healthz").status == 200
        assert fetch(f"{url}/metrics").status == 401
        assert fetch(f"{url}/metrics", Authorization=basic(f"me:{PASSWORD}")).status == 200
        guesses = [fetch(f"{url}/", Authorization=basic(f"me:{n}-guess")) for n in range(20)]
        assert {one.status for one in guesses} == {401, 429}
        assert running.terminate() == 0
    log = (scene.folder / "serve.log").read_text("utf-8")
    assert log.count('"event": "login_failed"') == 1
    assert '"client": "127.0.0.1"' in log
    assert "guess" not in log


def test_an_admin_port_in_use_is_named(scene: Scene) -> None:
    """An admin port in use is exit 69, with the key to set."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = exits(69, serve(scene.environ | {"RECONCILER_ADMIN__PORT": port}, scene.folder))
    assert f"Cannot listen on 127.0.0.1:{port}" in refused.stderr
    assert "admin.port" in refused.stderr
