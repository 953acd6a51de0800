"""What `reconciler check` finds: called by `service` and `cli`.

`snapshot` reads the configuration, the ledger, the portal and the webhook's address;
`installation` and `portal` evaluate the snapshot as pure functions; `findings` are the results, and
`config_warnings` the unsafe settings, which `serve` logs too. A check that cannot be made reports
that; none stops the others. This is a package of its own because it loads the client, which slows
the start of commands that need only the ledger.
"""

from collections.abc import Callable, Iterable

from reconciler.diagnostics.checks import installation, portal
from reconciler.diagnostics.checks.config_warnings import (
    ConfigWarning,
    ConfigWarningKind,
    config_warnings,
)
from reconciler.diagnostics.checks.findings import Fault, Finding, Level, error, ok
from reconciler.diagnostics.checks.snapshot import (
    LedgerSnapshot,
    PortalSnapshot,
    Snapshot,
    ask_portal,
    take_offline_snapshot,
    take_snapshot,
)

__all__ = [
    "CONFIG_CHECKS",
    "PORTAL_CHECKS",
    "ConfigWarning",
    "ConfigWarningKind",
    "Fault",
    "Finding",
    "LedgerSnapshot",
    "Level",
    "PortalSnapshot",
    "Snapshot",
    "ask_portal",
    "check",
    "config_warnings",
    "ok",
    "take_offline_snapshot",
    "take_snapshot",
]

Check = Callable[[Snapshot], list[Finding]]
# In the order of causes: what stands further up may be why something below is wrong.
CHECKS: tuple[Check, ...] = (
    installation.configuration,
    installation.ledger,
    installation.disk,
    portal.portal,
    portal.key,
    portal.account,
    portal.rooms,
    installation.proxy,
    installation.address,
    portal.webhook,
    portal.deliveries,
    portal.clock,
    installation.service,
    installation.files,
    installation.texts,
    installation.dates,
    installation.instances,
)

# What can be said without the network.
CONFIG_CHECKS: tuple[Check, ...] = (
    installation.configuration,
    installation.ledger,
    installation.disk,
    installation.proxy,
    installation.files,
)
# Before a first configuration is written.
PORTAL_CHECKS: tuple[Check, ...] = (portal.portal, portal.key, portal.account, portal.rooms)


def check(snapshot: Snapshot, checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Return the findings of all checks, the worst first. Never raises."""
    findings = [finding for one in checks for finding in _safely(one, snapshot)]
    worst_first = list(Level)
    return sorted(findings, key=lambda finding: worst_first.index(finding.level))


def _safely(one: Check, snapshot: Snapshot) -> list[Finding]:
    try:
        return one(snapshot)
    except Exception as bug:  # noqa: BLE001 - a bug in one check must not hide the others
        name = getattr(one, "__name__", "check")
        return [error(name, f"the check itself failed: {type(bug).__name__}", "report this bug")]
