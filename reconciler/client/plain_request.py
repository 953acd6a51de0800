"""A single request to an address other than the portal's API, such as our own webhook address.

It follows no redirect and takes no password from ~/.netrc. It trusts the certificates of the
system and those of `portal.ca_bundle`: our address may have either.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3

from reconciler.client.connections import proxies_for
from reconciler.client.failures import CA_BUNDLE, is_untrusted, proxy_note, reason_of
from reconciler.errors import AddressUnreachableError, ConfigError, UntrustedCertificateError

_TIMEOUT = 10  # seconds, as the portal's own (docspace.md 6)
_MAX_BYTES = 65536


@dataclass(frozen=True)
class Response:
    """An answer; ``location`` is the target of a redirect.

    ``proxy_note`` names the proxy that was used, empty for none.
    """

    status: int
    body: bytes
    location: str = ""
    proxy_note: str = ""


def send_request(
    method: str,
    url: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    ca_bundle: Path | None = None,
    timeout: float = _TIMEOUT,
) -> Response:
    """Send one request; ``timeout`` is in seconds. Raises AddressUnreachableError, ConfigError.

    ConfigError is about ``ca_bundle``.
    """
    try:
        with _session(ca_bundle) as session:
            answer = session.request(
                method,
                url,
                data=body,
                headers=dict(headers or {}),
                timeout=timeout,
                proxies=dict(proxies_for(url)),
                allow_redirects=False,
                stream=True,
            )
            read = answer.raw.read(_MAX_BYTES, decode_content=True)
            location = answer.headers.get("Location", "")
            return Response(answer.status_code, read, location, proxy_note(url))
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        kind = UntrustedCertificateError if is_untrusted(error) else AddressUnreachableError
        raise kind(url, None, reason_of(error, url)) from error


class _Trusting(requests.adapters.HTTPAdapter):
    """Verifies certificates by a context of our own, also behind a proxy."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)


def _session(ca_bundle: Path | None) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"User-Agent": "reconciler"})
    session.mount("https://", _Trusting(_context(ca_bundle)))
    return session


def _context(ca_bundle: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_bundle is not None:
        place = {"capath" if ca_bundle.is_dir() else "cafile": str(ca_bundle)}
        try:
            context.load_verify_locations(**place)
        except OSError as error:
            raise ConfigError((f"{CA_BUNDLE} {ca_bundle} cannot be used: {error}",)) from error
    return context
