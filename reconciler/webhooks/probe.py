"""Tests from outside whether our receiver answers at an address, as the portal would."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.client import exchange
from reconciler.errors import AddressUnreachableError
from reconciler.event import ping
from reconciler.signature import HEADER, sign

_JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True)
class Probe:
    """Sends requests to an address. ``ca_bundle`` has certificates that are trusted beside the
    system's. Every method raises AddressUnreachableError, or ConfigError about ``ca_bundle``.
    """

    ca_bundle: Path | None = None

    def head(self, address: str) -> None:
        """Send HEAD, as the portal does before it accepts a webhook.

        Only 2xx is accepted, and no redirect is followed (docspace.md 6).
        """
        self._send("HEAD", address, b"", {})

    def ping_with(self, address: str, secret: str) -> None:
        """Send a ping signed with ``secret``: 401 means that the receiver has another one."""
        body = ping()
        self._send("POST", address, body, _JSON | {HEADER: sign(body, secret)})

    def _send(self, method: str, address: str, body: bytes, headers: Mapping[str, str]) -> None:
        response = exchange(method, address, body, headers, ca_bundle=self.ca_bundle)
        if not 200 <= response.status < 300:
            raise AddressUnreachableError(
                address, response.status, (response.location + response.proxy_note).strip()
            )
