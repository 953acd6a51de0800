"""Errors in words: what happened, what to do next, and the exit code."""

from reconciler.errors import (
    AddressInUse,
    Busy,
    ConfigError,
    LedgerError,
    PortalError,
    ReconcilerError,
    Unauthorised,
)

OK, SOME_FAILED, USAGE, PORTAL, BUSY, LEDGER, BUG = 0, 1, 2, 3, 4, 5, 70


def in_words(error: ReconcilerError) -> tuple[int, str]:
    """Return the exit code and the text for an error that was foreseen."""
    match error:
        case ConfigError():
            return USAGE, "\n".join(["The configuration cannot be used:", *_listed(error.problems)])
        case AddressInUse():
            keys = f"{error.section}.host and {error.section}.port"
            keys += " (or PORT)" if error.section == "webhook" else ""
            return USAGE, (
                f"Cannot listen on {error.address}: {error.detail}.\n"
                f"Is another reconciler running? Else set {keys}."
            )
        case Unauthorised():
            return PORTAL, (
                f"The portal refuses the API key: {shown(str(error))}.\n"
                "Make a new key under Developer Tools, API keys, with the scopes files:read, "
                "files:write, rooms:read and accounts.self:read; then set DOCSPACE_API_KEY."
            )
        case PortalError():
            return PORTAL, (
                f"The portal cannot be used: {shown(str(error))}.\n"
                "Check portal.url, the network and the portal's certificate; nothing is lost."
            )
        case Busy():
            return BUSY, (
                f"Another run is active: {error.holder or 'unknown process'} holds the role "
                f"{error.role}.\nWait for it, or stop it; nothing was changed."
            )
        case LedgerError():
            return LEDGER, (
                f"The ledger cannot be used: {error}.\n"
                "Check state.url, the rights of its folder, and the free disk space; a ledger of "
                "another portal or program needs another state.url."
            )
        case _:
            return BUG, str(error)


def shown(text: str) -> str:
    """Return what the portal or a person wrote, safe for a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def bug(error: Exception) -> str:
    """Return what to report about a failure that nobody foresaw."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = "" if frame is None else f"{frame.tb_frame.f_code.co_qualname}:{frame.tb_lineno}"
    return (
        f"This is a bug in reconciler: {type(error).__name__} at {where}.\n"
        "Please report it with this line, what you ran and the output of "
        "reconciler --version. Nothing is lost: run the command again."
    )


def _listed(problems: tuple[str, ...]) -> list[str]:
    return [f"  - {problem}" for problem in problems]
