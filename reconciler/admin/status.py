"""The status page: what is wrong, what needs review, and how it goes, for a browser.

Titles, names and errors are other people's words: whatever is written into the template is
cleaned and escaped, unless it comes from the template itself. A browser is told to load nothing
and to run this page's own script alone, by its hash.
"""

import base64
import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reconciler import version
from reconciler.admin import charts
from reconciler.admin.app import NOTHING, Page
from reconciler.client import portal_time
from reconciler.diagnostics import Problem
from reconciler.ledger import Overview, WebhookRecord
from reconciler.ledger.records import BOUNDS, LatencyHistogram, UnfinishedFile
from reconciler.model import Rule, Source

HTML = "text/html; charset=utf-8"
_TITLE, _ERROR = 160, 300  # characters that are shown
_SWEEPS = 6
_JOINERS = "\u200c\u200d"  # zero-width, but words and emoji need them
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, bidi overrides, halves of characters
_SOURCES = {
    Source.WEBHOOK: "by webhook",
    Source.LOG: "by its delivery log",
    Source.SWEEP: "by sweep only",
    Source.BACKFILL: "by backfill",
}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class StatusPageData:
    """What is to be told; without ``seen`` the ledger cannot be read."""

    now: datetime
    portal: str
    problems: tuple[Problem, ...]
    seen: Overview | None = None
    webhook: WebhookRecord | None = None
    writes_per_day: int = 0


@dataclass(frozen=True)
class _Look:
    """The page's own style and script, and what allows a browser these two alone."""

    style: Markup
    script: Markup
    mark: str
    policy: str


def rendered(data: StatusPageData) -> Page:
    """Return the page."""
    seen, look = data.seen, _look()
    days = charts.last_days(seen.days, data.now) if seen else ()
    text = _template().render(
        data=data,
        seen=seen,
        now=data.now,
        look=look,
        host=urlsplit(data.portal).netloc,
        version=version(),
        rows=[*days, charts.older(seen.days, days)] if seen else [],
        gap=charts.days_chart(days),
        lags=_lags(seen) if seen else [],
    )
    code = HTTPStatus.OK if seen else HTTPStatus.SERVICE_UNAVAILABLE
    return Page(text, code, HTML, look.policy)


def _lags(seen: Overview) -> list[tuple[Source, LatencyHistogram, charts.Chart]]:
    lags = [(source, seen.latencies[source]) for source in _SOURCES if source in seen.latencies]
    return [(source, lag, charts.lag_chart(source, lag)) for source, lag in lags]


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("reconciler.admin"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ago=ago,
        title=_title,
        error=_error,
        reason=_reason,
        within=_within,
        source_text=_SOURCES.get,
        portal_time=portal_time,
    )
    environment.globals.update(sources=list(charts.TOLD_BY), last_sweeps=_SWEEPS)
    return environment.get_template("status.html")


@cache
def _look() -> _Look:
    folder = resources.files("reconciler.admin") / "templates"
    style, script = ((folder / f"status.{kind}").read_text("utf-8") for kind in ("css", "js"))
    style_hash, script_hash = _hash(style), _hash(script)
    allowed = (
        f"style-src '{style_hash}'; script-src '{script_hash}'; img-src data:; connect-src 'self'"
    )
    # Our own files, not other people's words.
    return _Look(
        Markup(style),  # noqa: S704
        Markup(script),  # noqa: S704
        mark=_hash(style + script),
        policy=f"{NOTHING}; {allowed}",
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _clean(value: Any) -> Any:
    """Return what is about to be written without what could disguise it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(map(_visible, value))


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    if character in _JOINERS or unicodedata.category(character) not in _UNSEEN:
        return character
    return "\N{REPLACEMENT CHARACTER}"


def _title(text: str) -> str:
    return _short(text, _TITLE) or "(no title)"


def _error(text: str) -> str:
    return _short(text, _ERROR)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _reason(file: UnfinishedFile) -> str:
    """Return why a file waits, failed or was refused, in words where there are some."""
    if file.error:
        return file.error
    source_text = {rule.value: rule.description for rule in Rule}
    return source_text.get(file.reason, file.reason.replace("_", " "))


def _within(lag: LatencyHistogram, share: float) -> str:
    seconds = lag.within(share)
    return f"over {_span(BOUNDS[-1])}" if seconds is None else f"within {_span(seconds)}"


def _span(seconds: int) -> str:
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{seconds // size} {unit}"


def ago(moment: datetime, now: datetime) -> str:
    """Return how far away a time is, for people: "4 min ago", "in 2 h"."""
    seconds = round((moment - now).total_seconds())
    if abs(seconds) < 1:
        return "now"
    return f"in {_span(seconds)}" if seconds > 0 else f"{_span(-seconds)} ago"
