"""Hints: what to do about an error, in the same words on the command line, in `check` and the log.

A hint follows an arrow or a semicolon: it begins with a small letter and has no full stop.
"""

from reconciler.errors import (
    AddressUnreachableError,
    ForbiddenError,
    LedgerCause,
    LedgerError,
    PortalError,
    RateLimitedError,
    ReconcilerError,
    UnauthorizedError,
    UntrustedCertificateError,
)

NEW_KEY = (
    "make a new key under Developer Tools, API keys, with the scopes files:read, files:write, "
    "rooms:read and accounts.self:read; then set DOCSPACE_API_KEY or portal.api_key_file"
)

_ABOUT_THE_LEDGER = {
    LedgerCause.DAMAGED: (
        "move what state.url names away and start again, as the guide says under *Backup and "
        "a lost ledger*: people's comments are kept"
    ),
    LedgerCause.ANOTHER_PORTAL: (
        "if that is the same portal at a new address, run: reconciler state adopt (it names "
        "the risk, and asks); another portal needs another state.url"
    ),
    LedgerCause.DISK_FULL: (
        "free some space on its disk; nothing is lost, and deliveries are sent again"
    ),
    LedgerCause.UNREACHABLE: (
        "check state.url, and whether the database server runs and accepts logins from this machine"
    ),
    LedgerCause.STATED: "",
    LedgerCause.OTHER: (
        "check state.url, the rights of its folder, and the free disk space; a ledger of another "
        "program needs another state.url"
    ),
}


def hint_for(error: ReconcilerError) -> str:
    """Return what to do about an error, empty where its message says it."""
    match error:
        case UnauthorizedError(scope=scope) if scope:
            return (
                f"make a key that has {scope} too under Developer Tools, API keys; then set "
                "DOCSPACE_API_KEY or portal.api_key_file"
            )
        case UnauthorizedError():
            return NEW_KEY
        case RateLimitedError():
            return _about_the_pause(error)
        case PortalError():
            return _about_the_portal(error)
        case LedgerError():
            return _ABOUT_THE_LEDGER[error.cause]
        case AddressUnreachableError():
            return _about_the_address(error)
        case _:
            return ""


def _about_the_pause(error: RateLimitedError) -> str:
    asked = error.retry_after
    pause = "a minute" if asked is None else f"{max(1, round(asked.total_seconds()))} s"
    return (
        f"wait {pause}: the portal limits the rate of requests, and nothing is lost; if it "
        "happens often, lower limits.requests_per_minute"
    )


def _about_the_portal(error: PortalError) -> str:
    """Return what to do about a portal that does not answer properly."""
    if error.status == 402:
        return "the portal is unpaid: its owner can fix that; nothing is lost"
    if isinstance(error, ForbiddenError):
        return "ask the portal's administrator what the key's account may do"
    if error.status == 404:
        return (
            "set portal.url to the portal's address alone, as https://portal.example.com, without "
            "the path of a page; nothing is lost"
        )
    if error.status is not None and error.status >= 500:
        return (
            "the portal itself fails, or portal.url is another server's: wait, and ask its "
            "administrator if it lasts; nothing is lost"
        )
    return "check portal.url, the network and the portal's certificate; nothing is lost"


def _about_the_address(error: AddressUnreachableError) -> str:
    """Return what to do about an address that does not answer as it should."""
    status = error.status
    if isinstance(error, UntrustedCertificateError):
        return (
            "set portal.ca_bundle to a file with the authority's certificate; the portal must "
            "trust it too"
        )
    if status is None:
        return (
            "start reconciler serve, and let the reverse proxy pass this address to it; where only "
            "the portal can reach the address, use --no-probe"
        )
    if 300 <= status < 400:
        return "the portal follows no redirect: use the address that it leads to"
    if status == 401:
        return (
            "the receiver there has another secret: start reconciler serve with the same "
            "configuration as this command"
        )
    if status in {404, 405}:
        return (
            "another path or program answers: let the reverse proxy pass webhook.path on unchanged"
        )
    if status >= 500:
        return "the reverse proxy there does not reach reconciler serve: start it"
    return "the reverse proxy there blocks the request: let HEAD and POST through"
