"""Whether an address is asked through a proxy, and which variable of the environment says so.

requests takes proxies from `http_proxy`, `https_proxy` and `all_proxy` in either case, unless
`no_proxy` names the host. This machine itself is never asked through one, whatever they say: a
proxy elsewhere would ask its own loopback.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from requests.utils import get_environ_proxies, select_proxy


def is_loopback(url: str) -> bool:
    """Return whether an address is this machine: localhost, 127.0.0.0/8, ::1, or a mapped one.

    Pure; no name is looked up. Give the answer, negated, to a session as its ``trust_env``.
    """
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def proxies_for(url: str) -> Mapping[str, str]:
    """Return the environment's proxies for an address, none for this machine."""
    return {} if is_loopback(url) else get_environ_proxies(url)


def proxy_variable(url: str) -> str:
    """Return the name of the variable whose proxy is asked for an address, empty for none."""
    if not select_proxy(url, dict(proxies_for(url))):
        return ""
    found = getproxies_environment()
    scheme = urlsplit(url).scheme
    name = f"{scheme if scheme in found else 'all'}_proxy"
    set_here = [one for one in os.environ if one.lower() == name and os.environ[one]]
    return name if name in set_here else next(iter(set_here), "")
