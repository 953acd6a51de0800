"""Why a request got no answer, in one line that names what to look at: the certificate's key in
the configuration, or the variable of the environment that leads through a proxy.
"""

import ssl
from collections.abc import Iterator

from reconciler.client.proxies import proxy_variable

CA_BUNDLE = "portal.ca_bundle"


def reason_of(error: BaseException, url: str) -> str:
    """Return the innermost cause of a failed request to ``url``."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{cause.verify_message}; {CA_BUNDLE} names the certificates to trust"
    text = str(causes[-1]) or type(causes[-1]).__name__
    return text.splitlines()[0][:200] + proxy_note(url)


def is_untrusted(error: BaseException) -> bool:
    """Return whether a request failed because a certificate is not trusted."""
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(error))


def proxy_note(url: str) -> str:
    """Return through which variable's proxy an address is asked, empty for none."""
    variable = proxy_variable(url)
    return f" (through the proxy of {variable})" if variable else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__ or following.__context__
