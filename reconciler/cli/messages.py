"""The messages and exit codes of errors: what happened, and what to do."""

import errno
from pathlib import Path

import typer

from reconciler.errors import (
    AddressInUseError,
    AddressUnreachableError,
    ConfigError,
    LedgerError,
    PortalError,
    ReconcilerError,
    RoleHeldError,
    UnauthorizedError,
    WebhookExistsError,
    WebhookNotFoundError,
    WebhookRejectedError,
)
from reconciler.formats import shown
from reconciler.hints import hint_for

NO_ROOM = "A disk is full: free some space, or send the output elsewhere."
NO_FOLDER = "The working directory is gone: change to one that is there, and run it again."
OK, SOME_FAILED, USAGE, PORTAL, BUSY, LEDGER, UNAVAILABLE, BUG = 0, 1, 2, 3, 4, 5, 69, 70


def exit_with(code: int, text: str) -> typer.Exit:
    """Print why a command ends, and return the exception that ends it."""
    typer.echo(text, err=True)
    return typer.Exit(code)


def message_for(error: ReconcilerError) -> tuple[int, str]:
    """Return the exit code and the message of an error of ours."""
    match error:
        case ConfigError():
            return USAGE, f"The configuration cannot be used:{_listed(error.problems)}"
        case AddressInUseError():
            keys = f"{error.section}.host and {error.section}.port"
            keys += " (or PORT)" if error.section == "webhook" else ""
            return UNAVAILABLE, (
                f"Cannot listen on {error.address}: {error.detail}.\n"
                f"Is another program listening there? Else set {keys}. Ports below 1024 need a "
                "special right (CAP_NET_BIND_SERVICE)."
            )
        case (
            AddressUnreachableError()
            | WebhookExistsError()
            | WebhookNotFoundError()
            | WebhookRejectedError()
        ):
            return _webhook_message(error)
        case UnauthorizedError():
            what = (
                "The API key may not do this" if error.scope else "The portal refuses the API key"
            )
            return PORTAL, f"{what}: {shown(str(error))}.\n{_hint(error)}"
        case PortalError():
            return PORTAL, f"The portal cannot be used: {shown(str(error))}.\n{_hint(error)}"
        case RoleHeldError():
            return BUSY, (
                f"Another run is active: {error.holder or 'unknown process'} holds the role "
                f"{error.role}.\nWait for it, or stop it; nothing was changed."
            )
        case LedgerError():
            return LEDGER, f"The ledger cannot be used: {error}.\n{_hint(error)}".rstrip()
        case _:
            return BUG, str(error)


def _hint(error: ReconcilerError) -> str:
    """Return the hint for an error as a sentence."""
    text = hint_for(error)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _webhook_message(
    error: AddressUnreachableError
    | WebhookExistsError
    | WebhookNotFoundError
    | WebhookRejectedError,
) -> tuple[int, str]:
    match error:
        case AddressUnreachableError():
            return USAGE, f"The webhook's address: {shown(str(error))}.\n{_hint(error)}"
        case WebhookExistsError():
            return USAGE, (
                f"Nothing to do: {error}.\nTo change its secret run reconciler webhook rotate, to "
                f"start over reconciler webhook remove {error.id}."
            )
        case WebhookNotFoundError():
            return USAGE, (
                f"The portal shows {shown(str(error))}.\nSee reconciler webhook list, or create "
                "ours with reconciler webhook register; an account sees only its own webhooks."
            )
        case WebhookRejectedError():
            return PORTAL, _rejection_message(error)


def _rejection_message(error: WebhookRejectedError) -> str:
    """Return the portal's refusal of a webhook, and what its status means."""
    if error.status == 400:
        return (
            f"The portal rejects {error.address}: {shown(error.detail)}.\n"
            "Its own HEAD to the address must be answered 2xx (it follows no redirect), and the "
            "address be neither private nor loopback; name and address together must be new "
            "(another account's webhook is not visible: try --name); the secret must have 8 "
            "to 30 characters and meet the portal's rules for passwords."
        )
    return (
        f"The portal gets no answer from {error.address}: it says {error.status} "
        f"{shown(error.detail)}.\n"
        "Its own HEAD to the address was refused or timed out (10 s), wherever else the address "
        "answers. Look from the portal's machine: does it resolve the name, and do firewall and "
        "proxy let it through?"
    )


def message_for_unforeseen(error: Exception) -> tuple[int, str]:
    """Return the exit code and the message of a failure of the machine, or of a bug."""
    if isinstance(error, OSError):
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return USAGE, NO_ROOM
        if isinstance(error, FileNotFoundError) and not _has_folder():
            return USAGE, NO_FOLDER
        if isinstance(error, PermissionError) and error.filename is not None:
            return USAGE, (
                f"{shown(str(error.filename))} cannot be used: {error.strerror}.\nRun it as the "
                "user who owns it, or change its permissions."
            )
    return BUG, bug(error)


def _has_folder() -> bool:
    """Whether the working directory was not deleted meanwhile."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def bug(error: Exception) -> str:
    """Return the message of a bug, with what to report."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = "" if frame is None else f"{frame.tb_frame.f_code.co_qualname}:{frame.tb_lineno}"
    return (
        f"This is a bug in reconciler: {type(error).__name__} at {where}.\n"
        "Please report it with this line, what you ran and the output of "
        "reconciler --version. Nothing is lost: run the command again."
    )


def _listed(problems: tuple[str, ...]) -> str:
    """Return the only problem in the first line, or each of several in a line of its own."""
    if len(problems) == 1:
        return f" {shown(problems[0])}"
    return "".join(f"\n  - {shown(problem)}" for problem in problems)
