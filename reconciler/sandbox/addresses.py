"""The addresses of webhooks: their checks, and the connection to them (docspace.md 6)."""

import http.client
import ipaddress
import urllib.parse
from enum import Enum

from reconciler.sandbox.responses import Refused, bad_argument, failure
from reconciler.sandbox.state import State
from reconciler.sandbox.store import WebhookConfig


class AddressFault(Enum):
    """What is wrong with an address; the value is the portal's message."""

    INVALID = "The webhook URL is not valid"
    NOT_HTTPS = "The webhook URL must use HTTPS when SSL verification is required"
    UNKNOWN_HOST = "The host of the webhook URL cannot be resolved"
    PRIVATE = "The webhook URL belongs to a private or loopback network"


def find_fault(state: State, config: WebhookConfig) -> AddressFault | None:
    """Return what is wrong with the address of a webhook, or None."""
    host = _host(config.url)
    if not host:
        return AddressFault.INVALID
    if config.ssl and not config.url.lower().startswith("https:"):
        return AddressFault.NOT_HTTPS
    try:
        found = state.resolve(host)
    except (OSError, UnicodeError):  # UnicodeError: it cannot be a name at all
        return AddressFault.UNKNOWN_HOST
    private = any(ipaddress.ip_address(one).is_private for one in found)
    return AddressFault.PRIVATE if private and state.refuse_private_addresses else None


def check_address(state: State, config: WebhookConfig) -> None:
    """Refuse an address that nothing may be sent to."""
    fault = find_fault(state, config)
    if fault is not None:
        raise bad_argument(fault.value)


def check_answer(state: State, url: str) -> None:
    """Ask the address with HEAD; only 2xx will do, redirects are not followed.

    An error is answered 400, no answer within ten seconds 500: the portal does not catch it.
    """
    connection, target = connect(state, url, state.head_timeout)
    try:
        connection.request("HEAD", target)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        kind = "System.Net.Http.HttpRequestException"
        raise Refused(failure(500, str(error), kind)) from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise bad_argument(f"Webhook with {url} is not available")


def connect(state: State, url: str, timeout: float) -> tuple[http.client.HTTPConnection, str]:
    """Return a connection for an address, and the target to ask on it."""
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=timeout), target
    context = state.trusted
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=context), target


def _host(url: str) -> str:
    """Return the host of an address; empty for one that cannot be called."""
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return ""
    return (parts.hostname or "") if usable else ""
