"""What `reconciler check` finds: called by `service` and `cli`.

`probe` gathers facts from the configuration, the ledger, the portal and the webhook's address;
`installation` and `portal` judge them as pure functions; `findings` are the results, and
`config_warnings` the unsafe settings, which `serve` logs too. A check that cannot be made says so;
none of them stops the others. It is a room of its own because it loads the client, which the
commands that ask the ledger alone do without.
"""

from collections.abc import Callable, Iterable

from reconciler.diagnostics.checks import installation, portal
from reconciler.diagnostics.checks.config_warnings import (
    ConfigWarning,
    ConfigWarningKind,
    config_warnings,
)
from reconciler.diagnostics.checks.findings import Fault, Finding, Level, error, ok
from reconciler.diagnostics.checks.probe import (
    Facts,
    LedgerFacts,
    PortalFacts,
    ProbeTargets,
    ask_portal,
    gather,
    gather_offline,
)

__all__ = [
    "CONFIG_CHECKS",
    "PORTAL_CHECKS",
    "ConfigWarning",
    "ConfigWarningKind",
    "Facts",
    "Fault",
    "Finding",
    "LedgerFacts",
    "Level",
    "PortalFacts",
    "ProbeTargets",
    "ask_portal",
    "check",
    "config_warnings",
    "gather",
    "gather_offline",
    "ok",
]

Check = Callable[[Facts], list[Finding]]
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
# What a first meeting with a portal must show.
PORTAL_CHECKS: tuple[Check, ...] = (portal.portal, portal.key, portal.account, portal.rooms)


def check(facts: Facts, checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Return the findings of all checks, the worst first. Never raises."""
    findings = [finding for one in checks for finding in _safely(one, facts)]
    worst_first = list(Level)
    return sorted(findings, key=lambda finding: worst_first.index(finding.level))


def _safely(one: Check, facts: Facts) -> list[Finding]:
    try:
        return one(facts)
    except Exception as bug:  # noqa: BLE001 - the other checks are wanted all the more
        name = getattr(one, "__name__", "check")
        return [error(name, f"the check itself failed: {type(bug).__name__}", "report this bug")]
