"""Asks an address from outside whether our receiver stands there, as the portal would ask."""

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
    """How an address is asked. ``ca_bundle`` has certificates that are trusted beside the
    system's. Every method raises AddressUnreachableError, or ConfigError about ``ca_bundle``.
    """

    ca_bundle: Path | None = None

    def head(self, address: str) -> None:
        """Ask with HEAD, as the portal does before it takes a webhook.

        Nothing but 2xx will do, and no redirect is followed (docspace.md 6).
        """
        self._ask("HEAD", address, b"", {})

    def ping_with(self, address: str, secret: str) -> None:
        """Ask, signed with ``secret``, whether the receiver there knows it: 401 means that it
        knows another.
        """
        body = ping()
        self._ask("POST", address, body, _JSON | {HEADER: sign(body, secret)})

    def _ask(self, method: str, address: str, body: bytes, headers: Mapping[str, str]) -> None:
        response = exchange(method, address, body, headers, ca_bundle=self.ca_bundle)
        if not 200 <= response.status < 300:
            raise AddressUnreachableError(
                address, response.status, (response.location + response.proxy_note).strip()
            )
