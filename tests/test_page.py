"""The views of the status page: content, order, links, and how a browser shows them."""

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from reconciler.admin import charts
from reconciler.admin.app import Admin
from reconciler.admin.guard import Guard
from reconciler.admin.pages import AdminContext, pages_of
from reconciler.admin.rendering import ago
from reconciler.ledger import NEXT_SWEEP, WEBHOOK, Ledger, SweepRecord, WebhookRecord, WebhookState
from reconciler.ledger.records import LatencyHistogram
from reconciler.model import EPOCH, OutageKind, Outcome, Rule, Source
from reconciler.service.server import Server
from tests import support_ledger as kit
from tests.daemon import daemon
from tests.support_browser import Browser, chromium
from tests.support_ledger import HOUR, MINUTE, NOW, opened
from tests.support_webhooks import serving
from tests.test_admin import Answer, Watched, admin_url, becomes, fail, watched
from tests.test_crash import Scene, scene

__all__ = ["scene", "watched"]

DAY = timedelta(days=1)
TODAY = NOW.replace(hour=0, minute=0, second=0)
VIEWS = ("/", "/review")
HOSTILE = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    '"><svg onload="window.hit = 1">',
    "javascript:window.hit=1",
    "{{ 7 * 7 }}</main></title><!--",
    "\u202etxt.exe\u2066",
    "long" * 2500,
]


class Seen(HTMLParser):
    """What a page contains: its links, headings and text."""

    def __init__(self, html: str) -> None:
        """Parse a page."""
        super().__init__()
        self.links: list[str] = []
        self.headings: list[str] = []
        self.words = ""
        self.tags: list[str] = []
        self._tag = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a link's target."""
        self._tag = tag
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if (tag, name) == ("a", "href")]

    def handle_data(self, data: str) -> None:
        """Record visible text."""
        if self._tag not in {"style", "script"}:
            self.words += data
        if self._tag in {"h1", "h2"} and data.strip():
            self.headings.append(data.strip())

    def handle_endtag(self, tag: str) -> None:
        """Leave a heading or a hidden element."""
        self._tag = ""


def mark(ledger: Ledger, title: str, file: int = 1, now: datetime = NOW) -> None:
    """Let a file be updated and marked, by a user with the same name as the file."""
    seen = kit.a_file(file, title=title, updated_by_name=title)
    kit.attempt(ledger, replace(kit.marked(file), seen=seen), file, now, title=title)


def end(ledger: Ledger, outcome: Outcome, file: int = 1, **changes: Any) -> None:
    """Let an attempt at a file end so; the next try is in an hour."""
    ended = kit.result(outcome, **{"retry_at": NOW + HOUR} | changes)
    kit.attempt(ledger, ended, file, title=f"{outcome}.docx")


def keep(ledger: Ledger, comment: str, rule: Rule, file: int, now: datetime = NOW) -> None:
    """Let the worker find a person's comment on a file."""
    seen = kit.a_file(file, comment=comment)
    kept = kit.result(Outcome.KEPT, reason=rule.value, seen=seen, settled=True)
    kit.attempt(ledger, kept, file, now)


def page(watched: Watched, path: str = "/") -> Seen:
    """Return the present content of the page."""
    answer = watched.get(path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return Seen(answer.body)


# Content.


def test_it_begins_with_the_summary_and_keeps_its_order(watched: Watched) -> None:
    """The page has the problems first, then the files without a final outcome, then the numbers."""
    mark(watched.ledger, "Contract.docx")
    assert page(watched).headings == [
        "All is well",
        "Failed, refused or waiting",
        "Last sweeps",
        "How updates were detected",
        "From save to comment",
        "Limits and parts",
    ]


def test_an_empty_ledger_has_a_page(watched: Watched) -> None:
    """An empty ledger has a page that says that there is nothing yet."""
    words = page(watched).words
    assert words.count("Nothing.") == 1
    assert "not known yet" in words


def test_the_most_serious_is_named_first(watched: Watched) -> None:
    """The most serious problem is named first, and blocking ones are distinguished from others."""
    end(watched.ledger, Outcome.FAILED)
    watched.ledger.health.open_outage(OutageKind.DEAD_KEY, "answered 401", NOW)
    watched.alive["worker"] = False
    words = page(watched).words
    assert page(watched).headings[0] == "3 problems"
    places = [words.index(one) for one in ("worker has ended", "refuses the API key", "1 file fai")]
    assert places == sorted(places)
    assert (words.count("Blocking"), words.count("Warning")) == (2, 1)
    assert watched.get("/").body.index("3 problems") < watched.get("/").body.index("<h2")


def test_what_failed_or_waits_has_its_reason_its_hint_and_its_next_try(watched: Watched) -> None:
    """A file that failed or waits has its reason in plain words, a hint, and its next try."""
    end(watched.ledger, Outcome.FAILED, 1, reason="transient", error="answered 502")
    end(watched.ledger, Outcome.WAITING, 2, reason="locked")
    words = page(watched).words
    for word in ("answered 502", "locked by someone else", "2025-11-24 10:15:42", "in 1 h"):
        assert word in words
    for hint in ("run: reconciler failed retry 1", "it is marked once it is unlocked"):
        assert hint in words


def test_a_refused_file_is_an_amber_problem_with_its_hint(watched: Watched) -> None:
    """A refused file is an amber problem with a hint: it needs a right, others are marked."""
    end(watched.ledger, Outcome.REFUSED, 1, reason="forbidden")
    seen, body = page(watched), watched.get("/").body
    assert seen.headings[0] == "1 problem"
    assert 'class="summary warn"' in body
    assert seen.words.count("make the key's account room manager or content creator") == 2


def test_the_last_sweeps_are_told(watched: Watched) -> None:
    """The last sweeps are shown with their requests and files, and why one was incomplete."""
    watched.ledger.health.record_sweep(SweepRecord(NOW, 1.25, 6123, scanned=41, error="no answer"))
    watched.ledger.settings.set(NEXT_SWEEP, NOW + 5 * MINUTE)
    words = page(watched).words
    for word in ("1.2", "6,123", "41", "no answer", "next sweep in 5 min"):
        assert word in words


def test_a_ledger_that_cannot_be_read_has_a_page(tmp_path: Path) -> None:
    """A ledger that cannot be read has a page with status 503 and the reason, without numbers."""
    with opened(tmp_path) as ledger:
        watched = Watched(ledger)
    (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
    answer = watched.get("/")
    assert (answer.status, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert Seen(answer.body).headings == ["1 problem"]
    assert "the ledger cannot be read" in answer.body


def test_the_webhook_is_told_as_its_watch_left_it(watched: Watched) -> None:
    """A problem of the webhook is at the top, with its hint."""
    record = WebhookRecord(
        WebhookState.DISABLED,
        NOW,
        "webhook 3 is disabled",
        "run: reconciler webhook enable",
        last_success="2025-11-24T09:11:42.0000000Z",
        last_failure="yesterday",
        failure="503",
    )
    watched.ledger.settings.set(WEBHOOK, record)
    assert page(watched).headings[0] == "1 problem"
    words = " ".join(page(watched).words.split())
    assert "webhook 3 is disabled run: reconciler webhook enable" in words
    assert "last success 2025-11-24 09:11:42 by the portal's clock last" in words
    assert "last failure yesterday" in words


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"state": ""}', "7"])
def test_a_webhook_of_which_nothing_was_told_is_not_known(text: str | None) -> None:
    """A webhook without a readable state is shown as unknown."""
    assert WEBHOOK.parse(text) is None


def test_a_webhook_that_is_well_is_not_wrong() -> None:
    """A working webhook, or one that only an administrator can see, is not shown as a problem."""
    states = (WebhookState.OK, WebhookState.UNSEEN, WebhookState.MISSING)
    assert [WebhookRecord(state, NOW).has_problem for state in states] == [False, False, True]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "now"), (-59, "59 s ago"), (60, "in 1 min"), (-7200, "2 h ago"), (3 * 86400, "in 3 d")],
)
def test_times_are_also_told_from_now(seconds: int, words: str) -> None:
    """Times are also shown relative to now, in the largest unit that fits."""
    assert ago(NOW + timedelta(seconds=seconds), NOW) == words


# Other people's texts.


@pytest.mark.parametrize("path", VIEWS)
@pytest.mark.parametrize("text", HOSTILE)
def test_other_peoples_words_are_text(watched: Watched, path: str, text: str) -> None:
    """Other people's texts are shown as text: no tag, link or direction, limited length."""
    plain = page(watched, path).tags
    watched.ledger.watermarks.set_room(10, NOW, text)
    mark(watched.ledger, text, 1)
    end(watched.ledger, Outcome.FAILED, 2, error=text)
    watched.ledger.health.record_sweep(SweepRecord(NOW, 1, 2, error=text))
    watched.ledger.health.open_outage(OutageKind.LOOKS, text, NOW)
    watched.ledger.settings.set(WEBHOOK, WebhookRecord(WebhookState.MISSING, NOW, text, text))
    for number, rule in enumerate((Rule.ANSWERED, Rule.UNMARKED), 3):
        keep(watched.ledger, text, rule, number)
    seen, body = page(watched, path), watched.get(path, q=text).body
    assert len(body) < 40_000
    assert not {"img", "iframe"} & set(seen.tags)
    assert seen.tags.count("script") == plain.count("script")
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", body)
    own = ("healthz", "readyz", "metrics", "review", "./", "#decided", "#unmarked", "?room=10")
    assert all(link.startswith(f"{kit.PORTAL}/") or link in own for link in seen.links)
    assert seen.words.count(text[:20].replace("\u202e", "\N{REPLACEMENT CHARACTER}")[:8]) >= 6


@pytest.mark.parametrize("path", VIEWS)
def test_a_browser_may_run_this_script_alone(watched: Watched, path: str) -> None:
    """The content security policy allows the page's script by hash, no frames and no forms."""
    answer = watched.get(path)
    policy = dict(
        one.split(" ", 1) for one in answer.headers["Content-Security-Policy"].split("; ")
    )
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[f"{tag}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", VIEWS)
def test_nothing_in_the_page_comes_from_elsewhere(watched: Watched, path: str) -> None:
    """The page loads no source, no import and no element's style from elsewhere."""
    mark(watched.ledger, "Contract.docx")
    body = watched.get(path).body
    assert not re.search(r"\ssrc=|\sstyle=|@import|url\(|\son\w+=", body)


# The charts.


def test_days_without_updates_have_their_place() -> None:
    """Days without updates have their place, the newest at the right; older ones are a sum."""
    days = {
        TODAY: {Source.WEBHOOK: 3},
        TODAY - 20 * DAY: {Source.SWEEP: 2},
        EPOCH: {Source.SWEEP: 5, Source.LOG: 1},
    }
    shown = charts.last_days(days, NOW)
    assert [day.by(Source.WEBHOOK) for day in shown] == [3] + [0] * 13
    assert charts.older(days, shown).counts == {Source.SWEEP: 7, Source.LOG: 1}
    columns = charts.days_chart(shown).columns
    assert [len(column.bars) for column in columns] == [0] * 13 + [1]
    assert columns[-1].caption == "2025-11-24: 3 by webhook, 0 by delivery log, 0 by sweep only"


@pytest.mark.parametrize(
    ("days", "number"), [({}, 1), ({TODAY - 2 * DAY: {}}, 3), ({EPOCH: {}}, 14)]
)
def test_the_days_begin_with_the_first_update_of_all(
    days: dict[datetime, Any], number: int
) -> None:
    """The chart begins with the first update of all, and few columns are not too wide."""
    shown = charts.last_days(days, NOW)
    chart = charts.days_chart(shown)
    assert (len(shown), len(chart.columns)) == (number, number)
    assert all(column.width <= chart.width / 7 for column in chart.columns)


@pytest.mark.parametrize(
    ("used", "filled", "level"),
    [(0, 0, "good"), (1, 2, "good"), (4500, 50, "good"), (7200, 80, "warn"), (9999, 100, "bad")],
)
def test_a_meter_shows_the_least_that_is_used(used: int, filled: float, level: str) -> None:
    """A meter shows one of nine thousand writes, and stays within its limit beyond that."""
    assert charts.meter(used, 9000) == charts.Meter(filled, level)


def test_one_lost_delivery_among_thousands_is_seen() -> None:
    """One lost delivery among thousands is visible, and no bar exceeds the chart."""
    days = charts.last_days({TODAY: {Source.WEBHOOK: 90_000, Source.SWEEP: 1}}, NOW)
    chart = charts.days_chart(days)
    webhook, sweep = chart.columns[-1].bars
    assert sweep.height >= 2
    assert webhook.y + webhook.height == pytest.approx(chart.height)
    assert 0 < sweep.y < webhook.y


def test_the_wait_has_a_column_for_each_bound() -> None:
    """The chart of latencies has a column for each bound, and one for longer ones."""
    chart = charts.latency_chart(Source.SWEEP, LatencyHistogram({5: 2, 0: 1}, 90_000))
    captions = [column.caption for column in chart.columns if column.bars]
    assert captions == ["2 from 2s to 5s", "1 longer than a day"]
    assert chart.most == 2


# In a browser.


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests of this module."""
    with chromium(tmp_path_factory.mktemp("profile")) as one:
        yield one


@dataclass
class Site:
    """The page at its own address, of a ledger that a test changes."""

    ledger: Ledger
    server: Server
    words: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the view Operation."""
        return f"{self.server.url}/"

    @property
    def review(self) -> str:
        """The address of the view Review."""
        return f"{self.server.url}/review"


@contextmanager
def served(ledger: Ledger, port: int = 0, password: str | None = None) -> Iterator[Site]:
    """Serve the page of a ledger within the block."""
    subject = AdminContext(ledger, lambda: datetime.now(UTC), dict, dict, 9000, kit.PORTAL)
    with serving(Admin(pages_of(subject), Guard(password), fail), port=port) as server:
        yield Site(ledger, server)


@pytest.fixture
def site(watched: Watched) -> Iterator[Site]:
    """The page of a ledger with thirty files that need review."""
    for file in range(1, 31):
        mark(watched.ledger, f"Report {file}.docx", file, NOW + file * MINUTE)
    with served(watched.ledger) as one:
        yield one


LOOK_NOW = "document.dispatchEvent(new Event('visibilitychange'))"
SHOWS = "return document.body.innerText.includes(arguments[0])"


def test_hostile_words_execute_nothing(browser: Browser, site: Site) -> None:
    """Hostile titles execute nothing, load nothing from elsewhere, and log nothing."""
    for number, text in enumerate(HOSTILE):
        mark(site.ledger, text, 100 + number, NOW + HOUR)
    browser.open(site.review)
    assert browser.run("return window.hit") is None
    assert browser.run(SHOWS, "<img src=x onerror='window.hit = 1'>")
    browser.run("window.kept = true;" + LOOK_NOW)
    mark(site.ledger, "<script>window.hit = 2</script>", 200, NOW + 2 * HOUR)
    browser.run(LOOK_NOW)
    browser.becomes(SHOWS, "window.hit = 2")
    assert browser.run("return [window.hit, window.kept]") == [None, True]
    asked = browser.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert set(asked) == {site.review}
    assert browser.complaints() == []


@pytest.mark.parametrize("path", VIEWS)
@pytest.mark.parametrize("width", [360, 700, 1200])
def test_nothing_is_wider_than_the_screen(
    browser: Browser, site: Site, width: int, path: str
) -> None:
    """Nothing is wider than the screen, not even titles and names without a place to break."""
    site.ledger.watermarks.set_titles({10: "R" * 10_000})
    mark(site.ledger, "W" * 10_000, 100, NOW - HOUR)
    keep(site.ledger, "C" * 10_000, Rule.UNMARKED, 102)
    end(site.ledger, Outcome.FAILED, 101, error="E" * 10_000)
    site.ledger.health.record_sweep(
        SweepRecord(NOW, 1234567.8, 12_345_678, 1_234_567, error="S" * 10_000)
    )
    browser.open(f"{site.server.url}{path}?q={'Q' * 200}", width)
    wide = "return [document.documentElement.scrollWidth, window.innerWidth]"
    took, has = browser.run(wide)
    assert took <= has == width


def test_dark_is_dark(browser: Browser, site: Site) -> None:
    """The background follows the user's preference for dark or light."""
    grounds = {}
    for scheme in ("dark", "light"):
        browser.prefers(scheme)
        browser.open(site.url)
        grounds[scheme] = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert grounds == {"dark": "rgb(20, 20, 22)", "light": "rgb(250, 250, 248)"}


def test_times_are_the_viewers(browser: Browser, site: Site) -> None:
    """Times are in the browser's zone, with UTC beside them; without a script in UTC."""
    browser.lives_in("Asia/Kolkata")
    browser.open(site.review)
    time = "const one = document.querySelector('td time'); return [one.textContent, one.title]"
    assert browser.run(time) == ["2025-11-24 14:35", "2025-11-24 09:05 UTC"]
    assert (
        browser.run("return document.querySelector('footer .zone').textContent") == "Asia/Calcutta"
    )
    browser.run("window.kept = true;" + LOOK_NOW)
    mark(site.ledger, "Quite new.docx", 100, NOW + HOUR)
    browser.run(LOOK_NOW)
    browser.becomes(SHOWS, "Quite new.docx")
    assert browser.run(time) == ["2025-11-24 14:35", "2025-11-24 09:05 UTC"]
    browser.lives_in("")
    assert "2025-11-24 09:05</time>" in urlopen(site.review).read().decode()


def test_a_search_needs_no_form_that_is_sent(browser: Browser, site: Site) -> None:
    """A search needs no form submission, and a refresh does not lose what is being typed."""
    browser.open(site.review)
    note = "return document.getElementById('note').textContent"
    browser.run("document.getElementById('q').value = 'report 7.';" + LOOK_NOW)
    browser.becomes(note + ".endsWith(': a search is being typed.')")
    browser.run("document.querySelector('form button').click()")
    browser.becomes(
        "return location.search === '?q=report+7.' && document.readyState === 'complete'"
    )
    assert browser.run("return document.querySelectorAll('.review tbody tr').length") == 1
    assert browser.run("return document.getElementById('q').value") == "report 7."
    browser.run("window.kept = true;" + LOOK_NOW)
    browser.becomes(note + " === ''")
    assert browser.run("return document.querySelectorAll('.review tbody tr').length") == 1
    assert browser.complaints() == []


def test_a_long_room_takes_two_lines(browser: Browser, site: Site) -> None:
    """A long room name takes at most two lines, with the whole name as a tooltip."""
    name = "Board of directors and supervisory committee " * 3
    site.ledger.watermarks.set_titles({10: name})
    browser.open(site.review)
    lines = (
        "const one = document.querySelector('td .room');"
        "const style = getComputedStyle(one);"
        "return [one.clientHeight / parseFloat(style.lineHeight), one.title]"
    )
    number, title = browser.run(lines)
    assert round(number) == 2
    assert title == name


def test_it_refreshes_itself_and_keeps_its_place(browser: Browser, site: Site) -> None:
    """The page refreshes without a reload: scroll position, focus and details stay."""
    browser.open(site.url)
    browser.run(
        "window.kept = true; document.querySelector('#detected-numbers').open = true;"
        "document.querySelector('#detected-summary').focus({preventScroll: true}); scrollTo(0, 321)"
    )
    end(site.ledger, Outcome.FAILED, 100)
    browser.becomes(SHOWS, "failed.docx")
    place = (
        "return [window.kept, scrollY, document.querySelector('#detected-numbers').open,"
        " document.activeElement.id]"
    )
    assert browser.run(place) == [True, 321, True, "detected-summary"]
    assert browser.complaints() == []


def test_what_is_old_is_said_to_be_old(browser: Browser, watched: Watched) -> None:
    """When the daemon cannot be reached, the page says that it is out of date, until it can."""
    stale = "return document.getElementById('note').textContent"
    with served(watched.ledger) as site:
        browser.open(site.url)
        browser.run(LOOK_NOW)
        shown = browser.run("return document.querySelector('main').dataset.now")
        assert browser.run(stale) == ""
    browser.becomes("if (document.body.className !== 'stale') " + LOOK_NOW + "; else return true")
    words = browser.run(stale)
    assert words.startswith("Not up to date since ")
    assert words.endswith(": the daemon cannot be reached.")
    assert shown[:10] in words
    with served(watched.ledger, site.server.port):
        browser.run(LOOK_NOW)
        browser.becomes(stale + " === ''")


def test_a_page_behind_a_password_refreshes_itself(browser: Browser, watched: Watched) -> None:
    """A page behind a password refreshes itself, also if name and password were in its address."""
    with served(watched.ledger, password="sesame") as site:
        browser.open(site.review.replace("//", "//me:sesame@"))
        mark(watched.ledger, "Quite new.docx")
        browser.run("window.kept = true;" + LOOK_NOW)
        browser.becomes(SHOWS, "Quite new.docx")
        assert browser.run("return window.kept") is True


def test_a_page_of_another_version_is_loaded_anew(browser: Browser, site: Site) -> None:
    """When the daemon has another version, the page is reloaded with its script."""
    browser.open(site.url)
    browser.run("window.kept = true; document.documentElement.dataset.assets = 'old';" + LOOK_NOW)
    browser.becomes("return window.kept === undefined && document.readyState === 'complete'")
    assert browser.complaints() == []


def test_a_text_that_is_selected_stays(browser: Browser, site: Site) -> None:
    """While text is selected the page does not refresh, and says so."""
    browser.open(site.review)
    browser.run("getSelection().selectAllChildren(document.querySelector('td'));" + LOOK_NOW)
    note = "return document.getElementById('note').textContent"
    browser.becomes(note + ".endsWith(': text is selected.')")
    browser.run("getSelection().empty();" + LOOK_NOW)
    browser.becomes(note + " === ''")


def test_a_hidden_page_asks_nothing_until_it_is_seen(browser: Browser, site: Site) -> None:
    """A hidden page sends no requests, and refreshes at once when it is shown."""
    browser.open(site.url)
    hide = (
        "window.hides = arguments[0];"
        "Object.defineProperty(document, 'hidden', {get: () => window.hides, configurable: true});"
        "performance.clearResourceTimings();" + LOOK_NOW
    )
    asked = "return performance.getEntriesByType('resource').length"
    browser.run(hide, True)
    assert browser.run(asked) == 0
    browser.run(hide, False)
    browser.becomes(asked + " === 1")


def test_a_daemon_shows_what_it_marked(browser: Browser, scene: Scene) -> None:
    """A daemon's page shows what it marked after a webhook, with a link into the portal."""
    with daemon(scene.environ, scene.folder) as running:
        url = admin_url(scene.folder)
        scene.portal.save(scene.file, by=scene.ann)
        answer: Answer = becomes(f"{url}/", 200, "1 file needs review")
        assert scene.environ["DOCSPACE_API_KEY"] not in answer.body
        browser.open(f"{url}/")
        browser.run("document.querySelector('.gist a').click()")
        browser.becomes(SHOWS, "Contract.docx")
        assert browser.run(SHOWS, "Ann Lee")
        link = f"{scene.server.url}/doceditor?fileid={scene.file}"
        assert browser.run("return document.querySelector('td a').href") == link
        assert browser.complaints() == []
        assert running.terminate() == 0
