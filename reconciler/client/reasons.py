"""Why a request got no answer, in one line that names what to look at: the certificate's key in
the configuration, or the environment variable that names a proxy.
"""

import re
import ssl
from collections.abc import Iterator

import requests
import urllib3

from reconciler.client.proxies import proxy_variable

CA_BUNDLE = "portal.ca_bundle"
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")  # of the system, in front of its words
_TLS = (ssl.SSLError, urllib3.exceptions.SSLError, requests.exceptions.SSLError)


def reason_of(error: BaseException, url: str) -> str:
    """Return the innermost cause of a failed request to ``url``."""
    chain = list(causes(error))
    verification = next(filter(_is_verification, chain), None)
    reason = (
        getattr(verification, "verify_message", "") or str(chain[-1]) or type(chain[-1]).__name__
    )
    note = proxy_note(url)
    reason = _NUMBER.sub("", reason.splitlines()[0])[:200] + note
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
    """Return which variable's proxy an address is asked through, empty for none."""
    variable = proxy_variable(url)
    return f" (through the proxy of {variable})" if variable else ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, the innermost last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _is_verification(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError)
