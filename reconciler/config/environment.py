"""Which environment variables set something: not every one with our prefix is meant for us."""

import re
from collections.abc import Mapping

PREFIX = "RECONCILER_"

# What Kubernetes and Docker's links tell of a service or container that is named `reconciler`,
# or `reconciler-admin` and the like. A port of ours is a number, theirs is an address.
_INJECTED = re.compile(
    rf"{PREFIX}(?:[A-Z0-9]+_)*"
    r"(?:SERVICE_HOST=|SERVICE_PORT(?:_[A-Z0-9]+)*=|NAME=|ENV_\w+=|PORT=(?:tcp|udp|sctp)://"
    r"|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:START|END|PORT|ADDR|PROTO))*=)"
)


def settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that set something: neither those that an orchestrator injects,
    nor empty ones. Compose files and charts pass unset variables on as ``${X:-}``.
    """
    return {n: v for n, v in environ.items() if v and not _INJECTED.match(f"{n}={v}")}
