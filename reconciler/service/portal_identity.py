"""Whether the portal at the configured address is the one that the ledger knows.

The address of a portal changes: http becomes https, or it gets a name or a port. The ledger must
stay with it: without the ledger a reviewer's comment would count as one that was never seen. At
another portal, however, the same ids mean other files. So a portal is recognized under a new
address by two facts: the account of the key, and files with the same id and date of creation. Until
then neither ledger nor portal is written to. A copy of the whole portal cannot be told apart.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from reconciler.client import DocSpace
from reconciler.config import Config
from reconciler.errors import ForbiddenError, LedgerError, PermanentError, PortalError
from reconciler.ledger import Ledger, Role, another_portal, is_same_portal_url, is_there
from reconciler.model import File

_MAX_FILES = 20  # asked for: some may be deleted, or not readable by the account
_ENOUGH = 3  # files that match


def open_ledger(config: Config, ask: Callable[[], DocSpace], *, read_only: bool = False) -> Ledger:
    """Open the ledger, once it is known to be this portal's; ``ask`` connects to the portal.

    Raises ConfigError, LedgerError for another portal's, and PortalError while that is not known.
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
    """Open the ledger without a check of its portal."""
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
    """Return the account of the key, None where the portal does not report it."""
    try:
        return docspace.key().owner
    except (ForbiddenError, PermanentError):
        return None


def _has_the_files(ledger: Ledger, docspace: DocSpace) -> bool | None:
    """Return whether some of the files looked at last are there, and no id is another file's.

    None where the ledger has no file yet, so that none can be mistaken for another.
    """
    witnesses, matches = ledger.ownership.witnesses(_MAX_FILES), 0
    for witness in witnesses:
        file = docspace.file(witness.file_id)
        if not isinstance(file, File) or not file.created:
            continue
        if file.created != witness.created:
            return False
        matches += 1
        if matches == _ENOUGH:
            break
    return matches > 0 if witnesses else None


@dataclass(frozen=True)
class Adoption:
    """A ledger whose portal is ``known`` under another address than the configured ``portal``."""

    ledger: Ledger
    known: str
    portal: str

    def bind(self) -> None:
        """Bind it to the configured address: a person has confirmed that the portal is the same."""
        self.ledger.ownership.bind(self.portal)


@contextmanager
def adoption(config: Config) -> Iterator[Adoption | None]:
    """Hold all roles while a person decides; None where the address is the known one.

    Raises LedgerError where there is no ledger, and RoleHeldError while a process uses it.
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
