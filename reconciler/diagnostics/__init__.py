"""What is wrong, and what to do about it: called by `admin`, `service` and `cli`.

`problems` finds in an overview of the ledger what is wrong with the service, for `status`, the
page, the metrics and `check`; `troubles` are those that are sent to a person; `file_hints` say what
to do about one file; `config_warnings` are the unsafe settings, for the log and `check`.
For `check`, `probe` gathers facts, `installation` and `portal` judge them as pure functions, and
`findings` are the results. A check that cannot be made says so; none of them stops the others.
"""

from collections.abc import Callable, Iterable

from reconciler.diagnostics import installation, portal
from reconciler.diagnostics.config_warnings import (
    ConfigWarning,
    ConfigWarningKind,
    config_warnings,
)
from reconciler.diagnostics.file_hints import file_hint
from reconciler.diagnostics.findings import Fault, Finding, Level, error, ok
from reconciler.diagnostics.probe import (
    Facts,
    LedgerFacts,
    PortalFacts,
    ProbeTargets,
    ask_portal,
    gather,
    gather_offline,
)
from reconciler.diagnostics.problems import (
    Problem,
    ProblemKind,
    find_problems,
    unwritable_problem,
)
from reconciler.diagnostics.troubles import find_troubles

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
    "Problem",
    "ProblemKind",
    "ask_portal",
    "check",
    "config_warnings",
    "file_hint",
    "find_problems",
    "find_troubles",
    "gather",
    "gather_offline",
    "ok",
    "unwritable_problem",
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
