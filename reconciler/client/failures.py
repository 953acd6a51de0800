"""Translates failed requests: an answer into an error, a network failure into a reason.

A reason is one line. Where it helps, it names the configuration key of the certificates, or the
environment variable of a proxy.
"""

import json
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from reconciler.client.connections import causes, proxy_variable
from reconciler.errors import (
    ForbiddenError,
    PermanentError,
    PortalError,
    RateLimitedError,
    RouteMissingError,
    TransientError,
    UnauthorizedError,
)

API = "/api/2.0/"
CA_BUNDLE = "portal.ca_bundle"
# The portal's longest window is a day (docspace.md 2); some more, should clocks differ.
LONGEST_PAUSE = timedelta(hours=25)
_CONNECTION = {408, 421, 425}  # timeout, wrong server, too early
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")  # in front of the system's message
_TLS = (ssl.SSLError, urllib3.exceptions.SSLError, requests.exceptions.SSLError)


def failure(
    name: str, url: str, status: int, headers: Mapping[str, str], body: bytes, received: datetime
) -> PortalError:
    """Return the error that a status means (docspace.md 2).

    ``received`` is the answer's own time, from which a pause is counted.
    """
    detail = message(body)
    pause = _retry_after(headers, received)
    match status:
        case 401:
            return UnauthorizedError(name, status, "the API key is unknown, disabled or expired")
        case 405 | 501:
            return RouteMissingError(name, status, detail)
        case 429:
            return RateLimitedError(name, status, "too many requests", pause)
        case 402:
            reason = "the portal is not paid"
        case 407:
            reason = f"the proxy asks for a name and a password{proxy_note(url)}"
        case _ if 300 <= status < 400:
            reason = _redirect_reason(url, headers.get("Location", ""))
        case _ if status >= 500 or status in _CONNECTION or (status == 404 and not detail):
            reason = detail  # a suspended portal answers 404 without the API's envelope
        case _ if not detail and _is_page(headers, body):
            reason = "a page instead of the API's answer"
        case 403:
            return ForbiddenError(name, status, detail)
        case _:
            return PermanentError(name, status, detail)
    return TransientError(name, status, reason, pause)


def message(body: bytes) -> str:
    """Return the envelope's error message. It is localized: only to show, not to decide by."""
    try:
        envelope = json.loads(body)
        error = envelope["error"]["message"] or "no message"
        return str(error)[:200]
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""


def http_date(text: str | None) -> datetime | None:
    """Return the time of an HTTP date, None for anything else."""
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _retry_after(headers: Mapping[str, str], received: datetime) -> timedelta | None:
    """Return the pause that was asked for, as seconds or as a date, within its bounds."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text.zfill(9)[:9])), LONGEST_PAUSE)
    moment = http_date(text)
    return None if moment is None else min(max(moment - received, timedelta()), LONGEST_PAUSE)


def _is_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether something between us and the portal answered: the API sends no pages."""
    return "html" in headers.get("Content-Type", "").lower() or body.lstrip()[:1] == b"<"


def _redirect_reason(url: str, location: str) -> str:
    """Return the meaning of a redirect: the portal's new address, or probably a sign-in page."""
    try:
        to, current = urlsplit(urljoin(url, location)), urlsplit(url)
    except ValueError:
        location = ""
    if not location:
        return "redirected, without a usable Location"
    path, found, _ = to.path.partition(API)
    address = f"{to.scheme}://{host_and_port(to.geturl())}{path if found else ''}"
    elsewhere = found or (to.scheme, to.netloc) != (current.scheme, current.netloc)
    if elsewhere and address != url.partition(API)[0]:
        return f"moved to {address}: set portal.url to that address"
    return f"redirected to {to.path[:80]} of itself: does something ask for a sign-in there?"


def host_and_port(url: str) -> str:
    """Return the host and port of an address, without user name and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def reason_of(error: BaseException, url: str) -> str:
    """Return the innermost cause of a failed request to ``url``."""
    chain = list(causes(error))
    verification = next(filter(_is_verification, chain), None)
    reason = (
        getattr(verification, "verify_message", "") or str(chain[-1]) or type(chain[-1]).__name__
    )
    note = proxy_note(url)
    reason = _ERRNO.sub("", reason.splitlines()[0])[:200] + note
    if "WRONG_VERSION_NUMBER" in reason:
        reason = "no TLS is spoken there: http:// instead of https://, or another port" + note
    if is_untrusted(error):
        reason += f"; {CA_BUNDLE} names the certificates to trust"
    return reason


def is_untrusted(error: BaseException) -> bool:
    """Return whether a request failed because a certificate is not trusted."""
    chain = list(causes(error))
    is_tls = any(isinstance(one, _TLS) for one in chain)
    return any(map(_is_verification, chain)) or (is_tls and "certificate" in str(chain[-1]))


def proxy_note(url: str) -> str:
    """Return a note of the proxy that an address uses, empty for none."""
    variable = proxy_variable(url)
    return f" (through the proxy of {variable})" if variable else ""


def _is_verification(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError)
