"""What both views share: the templates, the cleaning of values, and the security policy.

Titles, names and errors come from others, so every value is cleaned and escaped before it is
written into a template. The policy lets a browser load nothing, and run only the script with the
hash of the page's own.
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
_JOINERS = "\u200c\u200d"  # zero-width, but needed in some scripts and in emoji
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, bidi overrides, halves of characters


@dataclass(frozen=True)
class View:
    """What every view shows: the time, the portal, and the problems."""

    now: datetime
    portal: str
    problems: Sequence[Problem]

    @property
    def is_blocked(self) -> bool:
        """Whether updates are not marked or not found."""
        return any(problem.is_blocking for problem in self.problems)

    @property
    def state(self) -> str:
        """The state of the service, by which the page is coloured: good, warn or bad."""
        return "bad" if self.is_blocked else "warn" if self.problems else "good"

    @property
    def summary(self) -> str:
        """The number of problems in words."""
        number = len(self.problems)
        return f"{number} problem{'s' * (number != 1)}" if number else "All is well"


@dataclass(frozen=True)
class _Assets:
    """The style and the script of the pages, their hash, and the policy that allows them alone."""

    style: Markup
    script: Markup
    hash: str
    policy: str


def rendered(
    name: str, view: View, values: Mapping[str, Any], code: HTTPStatus = HTTPStatus.OK
) -> Page:
    """Return the view of that name as a page."""
    assets = _assets()
    text = (
        _templates()
        .get_template(f"{name}.html")
        .render(
            current=name,
            view=view,
            assets=assets,
            host=urlsplit(view.portal).netloc,
            version=installed_version(),
            **values,
        )
    )
    return Page(text, code, HTML, assets.policy)


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
def _assets() -> _Assets:
    folder = resources.files("reconciler.admin") / "templates"
    style, script = ((folder / f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    style_hash, script_hash = _hash(style), _hash(script)
    allowed = (
        f"style-src '{style_hash}'; script-src '{script_hash}'; img-src data:; connect-src 'self'"
    )
    # Files of this package: nothing to escape.
    return _Assets(
        Markup(style),  # noqa: S704
        Markup(script),  # noqa: S704
        hash=_hash(style + script),
        policy=f"{NOTHING}; {allowed}",
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _clean(value: Any) -> Any:
    """Return a value without the characters that could disguise a text."""
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
    """Return the distance to a time, for people: "4 min ago", "in 2 h"."""
    seconds = round((moment - now).total_seconds())
    if abs(seconds) < 1:
        return "now"
    length = length_of_time(abs(seconds))
    return f"in {length}" if seconds > 0 else f"{length} ago"
