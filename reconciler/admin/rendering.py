"""What both views share: the templates, what may be written into them, and a browser's rights.

Titles, names and errors are other people's words: whatever is written into a template is cleaned
and escaped, unless it comes from the template itself. A browser is told to load nothing and to run
these pages' own script alone, by its hash.
"""

import base64
import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reconciler import version as installed_version
from reconciler.admin.app import NOTHING, Page
from reconciler.client import portal_time
from reconciler.diagnostics import Problem
from reconciler.formats import document_url, length_of_time

HTML = "text/html; charset=utf-8"
_TITLE, _ERROR = 160, 300  # characters that are shown
_JOINERS = "\u200c\u200d"  # zero-width, but words and emoji need them
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, bidi overrides, halves of characters


@dataclass(frozen=True)
class View:
    """What every view shows: the time, the portal, and what is wrong."""

    now: datetime
    portal: str
    problems: Sequence[Problem]

    @property
    def is_blocked(self) -> bool:
        """Whether updates are not marked, or are not found."""
        return any(problem.is_blocking for problem in self.problems)

    @property
    def state(self) -> str:
        """The colour of it all: good, warn or bad."""
        return "bad" if self.is_blocked else "warn" if self.problems else "good"

    @property
    def verdict(self) -> str:
        """How many problems there are."""
        number = len(self.problems)
        return f"{number} problem{'s' * (number != 1)}" if number else "All is well"


@dataclass(frozen=True)
class _Look:
    """The pages' own style and script, and what allows a browser these two alone."""

    style: Markup
    script: Markup
    mark: str
    policy: str


def rendered(
    name: str, view: View, values: Mapping[str, Any], code: HTTPStatus = HTTPStatus.OK
) -> Page:
    """Return the view of that name as a page."""
    look = _look()
    text = (
        _templates()
        .get_template(f"{name}.html")
        .render(
            current=name,
            view=view,
            look=look,
            host=urlsplit(view.portal).netloc,
            version=installed_version(),
            **values,
        )
    )
    return Page(text, code, HTML, look.policy)


@cache
def _templates() -> Environment:
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
        error=_error,
        portal_time=portal_time,
        since=_since,
        title=_title,
    )
    environment.globals.update(document_url=document_url)
    return environment


@cache
def _look() -> _Look:
    folder = resources.files("reconciler.admin") / "templates"
    style, script = ((folder / f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
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
    if character in _JOINERS or unicodedata.category(character) not in _INVISIBLE:
        return character
    return "\N{REPLACEMENT CHARACTER}"


def _title(text: str) -> str:
    return _short(text, _TITLE) or "(no title)"


def _error(text: str) -> str:
    return _short(text, _ERROR)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _since(moment: datetime, now: datetime) -> str:
    return length_of_time(max(round((now - moment).total_seconds()), 0))


def ago(moment: datetime, now: datetime) -> str:
    """Return how far away a time is, for people: "4 min ago", "in 2 h"."""
    seconds = round((moment - now).total_seconds())
    if abs(seconds) < 1:
        return "now"
    length = length_of_time(abs(seconds))
    return f"in {length}" if seconds > 0 else f"{length} ago"
