"""Is everything as it should be? Facts are gathered first, then each check is a pure function.

`facts` asks, `installation` judges what is ours, `portal` what the portal told, `lines` is what
they say. A check that cannot be made says so; none of them stops the others.
"""

from collections.abc import Callable, Iterable

from reconciler.config import Config
from reconciler.service.check import installation, portal
from reconciler.service.check.facts import Facts, LedgerFacts, PortalFacts, gather
from reconciler.service.check.lines import Fault, Finding, Level, error

__all__ = [
    "Facts",
    "Fault",
    "Finding",
    "LedgerFacts",
    "Level",
    "PortalFacts",
    "check",
    "gather",
    "judged",
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


def check(config: Config) -> list[Finding]:
    """Gather and judge; errors first, then warnings."""
    return judged(gather(config))


def judged(facts: Facts, checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Return what all checks say, the worst first. Never raises."""
    lines = [line for one in checks for line in _safely(one, facts)]
    worst_first = list(Level)
    return sorted(lines, key=lambda line: worst_first.index(line.level))


def _safely(one: Check, facts: Facts) -> list[Finding]:
    try:
        return one(facts)
    except Exception as bug:  # noqa: BLE001 - the other checks are wanted all the more
        name = getattr(one, "__name__", "check")
        return [error(name, f"the check itself failed: {type(bug).__name__}", "report this bug")]
