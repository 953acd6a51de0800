"""Whether the portal at the configured address is the one that the ledger knows.

A portal moves: http becomes https, it gets a name of its own, or a port is written out. Its ledger
goes on with it, for without it a reviewer's words would be met as if for the first time. But ids
mean nothing at another portal. So under another address a portal is known again by two things that
no other has: the account that the key acts as, and files of the same id and date of creation.
Nothing is written to either before that. Only a copy of the whole portal has the same: for that
there is no telling.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from reconciler.client import DocSpace
from reconciler.config import Config
from reconciler.errors import ForbiddenError, LedgerError, PermanentError, PortalError
from reconciler.ledger import Ledger, Role, another_portal, is_same_portal_url, is_there
from reconciler.model import File

_ASKED = 20  # files at most: some may be gone, or out of the account's sight
_ENOUGH = 3  # files that are there


def open_ledger(config: Config, ask: Callable[[], DocSpace], *, read_only: bool = False) -> Ledger:
    """Open the ledger, once it is known to be this portal's; ``ask`` connects to the portal.

    Raises ConfigError, LedgerError for another portal's, and PortalError while nobody can tell.
    """
    portal, ledger = config.portal_url(), open_any_ledger(config, read_only=read_only)
    try:
        known = ledger.ownership.portal()
        if known is not None and not is_same_portal_url(known, portal):
            with closing(ask()) as docspace:
                _prove(ledger, docspace, known, portal)
            if not read_only:
                ledger.ownership.bind(portal)
    except BaseException:
        ledger.close()
        raise
    return ledger


def open_any_ledger(config: Config, *, read_only: bool) -> Ledger:
    """Open the ledger, whatever portal it belongs to."""
    return Ledger(
        config.database(),
        config.portal_url(),
        read_only=read_only,
        any_portal=True,
        quota=config.limits.quota,
    )


def _prove(ledger: Ledger, docspace: DocSpace, known: str, portal: str) -> None:
    """Raise LedgerError unless the portal is the one that was at ``known``."""
    try:
        owner, files = ledger.owner(), _has_the_files(ledger, docspace)
        if owner is None and files:  # only serve learns the owner
            return
        if owner is not None and owner == _owner(docspace) and files is not False:
            return
    except PortalError as error:
        error.detail += f" (asked whether it is the portal that the ledger knows at {known})"
        raise
    raise another_portal(known, portal)


def _owner(docspace: DocSpace) -> str | None:
    """Return whose the key is, None where the portal does not tell."""
    try:
        return docspace.key().owner
    except (ForbiddenError, PermanentError):
        return None


def _has_the_files(ledger: Ledger, docspace: DocSpace) -> bool | None:
    """Return whether files that were looked at last are there, and none is another file.

    None where the ledger knows no file yet: then there is none to be confused either.
    """
    witnesses, met = ledger.ownership.witnesses(_ASKED), 0
    for witness in witnesses:
        file = docspace.file(witness.file_id)
        if not isinstance(file, File) or not file.created:
            continue
        if file.created != witness.created:
            return False
        met += 1
        if met == _ENOUGH:
            break
    return met > 0 if witnesses else None


@dataclass(frozen=True)
class Adoption:
    """A ledger that may be bound to another address than the one it knows its portal by."""

    ledger: Ledger
    known: str
    portal: str

    def bind(self) -> None:
        """Bind it: a person says that it is the same portal."""
        self.ledger.ownership.bind(self.portal)


@contextmanager
def adoption(config: Config) -> Iterator[Adoption | None]:
    """Hold the ledger while a person decides; None where there is nothing to decide.

    Raises LedgerError where there is no ledger, and RoleHeldError while somebody works on it.
    """
    url, portal = config.database(), config.portal_url()
    if not is_there(url):
        raise LedgerError("there is none yet, so there is none to adopt")
    with ExitStack() as opened:
        ledger = opened.enter_context(closing(Ledger(url, portal, any_portal=True)))
        for role in Role:
            opened.enter_context(ledger.role(role))
        known = ledger.ownership.portal()
        yield None if known in {None, portal} else Adoption(ledger, str(known), portal)
