"""The WSGI application for operators and reviewers: read-only pages behind access control."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment

from reconciler.admin.guard import RETRY_AFTER, Access, Guard
from reconciler.errors import LedgerError

TEXT = "text/plain; charset=utf-8"
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_MAX_FIELDS = 20
OPEN = {"/healthz"}  # without a password: the health checks of a container have none


@dataclass(frozen=True)
class Page:
    """One answer. ``policy`` is its Content-Security-Policy; by default nothing may be loaded."""

    body: str
    code: HTTPStatus = HTTPStatus.OK
    kind: str = TEXT
    policy: str = NOTHING


Query = Mapping[str, str]
Pages = Mapping[str, Callable[[Query], Page]]


class Admin:
    """A WSGI application. ``pages`` maps each path to the function that makes its page.

    Such a function may raise LedgerError; ``on_error`` gets any other exception.
    """

    def __init__(self, pages: Pages, guard: Guard, on_error: Callable[[Exception], None]) -> None:
        """Serve the pages to clients that the guard grants access."""
        self._pages, self._guard, self._on_error = pages, guard, on_error

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method, page = environ["REQUEST_METHOD"], self._page(environ)
        body = b"" if method == "HEAD" else page.body.encode()
        headers = [
            ("Content-Type", page.kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Content-Security-Policy", page.policy),
        ]
        if page.code is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD"))
        if page.code is HTTPStatus.TOO_MANY_REQUESTS:
            headers.append(("Retry-After", str(RETRY_AFTER)))
        if page.code is HTTPStatus.UNAUTHORIZED:
            headers.append(("WWW-Authenticate", 'Basic realm="reconciler", charset="UTF-8"'))
        start_response(f"{page.code.value} {page.code.phrase}", headers)
        return [body]

    def _page(self, environ: WSGIEnvironment) -> Page:
        path = environ.get("PATH_INFO") or "/"
        access = Access.GRANTED if path in OPEN else self._guard.access(environ)
        if access is not Access.GRANTED:
            return _refusal(self._guard, access)
        make = self._pages.get(path)
        if make is None:
            return Page("There is no such page.\n", HTTPStatus.NOT_FOUND)
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return Page("Nothing can be changed here.\n", HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return make(_query(environ))
        except LedgerError as error:
            return Page(f"ledger: it cannot be read: {error}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        except Exception as error:  # noqa: BLE001 - monitoring must get an answer also after a bug
            self._on_error(error)
            return Page("This is a bug: see the log.\n", HTTPStatus.INTERNAL_SERVER_ERROR)


def _query(environ: WSGIEnvironment) -> Query:
    """Return the parameters of the address, the last of each name; none where they are too many."""
    try:
        return dict(parse_qsl(environ.get("QUERY_STRING", ""), max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


def _refusal(guard: Guard, access: Access) -> Page:
    if access is Access.THROTTLED:
        text = "Too many wrong passwords: try again in a second.\n"
        return Page(text, HTTPStatus.TOO_MANY_REQUESTS)
    if guard.password is not None:
        return Page("The password is needed.\n", HTTPStatus.UNAUTHORIZED)
    text = "Ask for localhost or 127.0.0.1: without a password no other name is answered.\n"
    return Page(text, HTTPStatus.FORBIDDEN)
