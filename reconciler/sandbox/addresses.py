"""The addresses of webhooks: their checks, and the connection to them (docspace.md 6)."""

import http.client
import ipaddress
import socket
import ssl
import urllib.parse
from collections.abc import Callable, Sequence
from enum import Enum

from reconciler.sandbox.store import WebhookConfig

Resolve = Callable[[str], Sequence[str]]
"""Returns the IP addresses of a host. Raises OSError when there are none."""


class AddressFault(Enum):
    """What is wrong with an address; the value is the portal's message."""

    INVALID = "The webhook URL is not valid"
    NOT_HTTPS = "The webhook URL must use HTTPS when SSL verification is required"
    UNKNOWN_HOST = "The host of the webhook URL cannot be resolved"
    PRIVATE = "The webhook URL belongs to a private or loopback network"


def resolve(host: str) -> list[str]:
    """Ask the system for the IP addresses of a host."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None)]


def find_fault(
    config: WebhookConfig, resolve: Resolve, *, refuse_private: bool
) -> AddressFault | None:
    """Return what is wrong with the address of a webhook, or None."""
    host = _host(config.url)
    if not host:
        return AddressFault.INVALID
    if config.ssl and not config.url.lower().startswith("https:"):
        return AddressFault.NOT_HTTPS
    try:
        found = resolve(host)
    except (OSError, UnicodeError):  # UnicodeError: it cannot be a name at all
        return AddressFault.UNKNOWN_HOST
    if refuse_private and any(ipaddress.ip_address(one).is_private for one in found):
        return AddressFault.PRIVATE
    return None


def connect(
    url: str, timeout: float, trusted: ssl.SSLContext | None
) -> tuple[http.client.HTTPConnection, str]:
    """Return a connection for an address, and the target to ask on it.

    Without ``trusted`` the system's certificate authorities are trusted.
    """
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=timeout), target
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=trusted), target


def _host(url: str) -> str:
    """Return the host of an address; empty for one that cannot be called."""
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return ""
    return (parts.hostname or "") if usable else ""
