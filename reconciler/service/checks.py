"""`check` on what the configuration names: the portal, the ledger, the receiver's address."""

from dataclasses import replace

from reconciler.client import RateLimiter
from reconciler.config import Config
from reconciler.diagnostics.checks import (
    CONFIG_CHECKS,
    Finding,
    ProbeTargets,
    check,
    gather,
    gather_offline,
)
from reconciler.errors import ConfigError, PortalError
from reconciler.ledger import Ledger
from reconciler.service.build import (
    build_probe,
    build_transport,
    build_webhook_spec,
    temporary_docspace,
)
from reconciler.service.portal_identity import open_any_ledger, open_ledger


def run_check(config: Config) -> list[Finding]:
    """Probe everything and return the findings, the worst first."""
    return check(gather(config, probe_targets(config)))


def run_config_check(config: Config) -> list[Finding]:
    """Return what can be found without the network: of configuration, ledger, disk and files."""
    targets = probe_targets(config)
    targets = replace(targets, open_ledger=lambda: open_any_ledger(config, read_only=True))
    return check(gather_offline(config, targets), CONFIG_CHECKS)


def probe_targets(config: Config) -> ProbeTargets:
    """Return what is probed."""
    return ProbeTargets(
        lambda: build_transport(config, RateLimiter(reads=2, writes=1)),
        lambda: _open_ledger(config),
        build_webhook_spec(config),
        build_probe(config),
    )


def _open_ledger(config: Config) -> Ledger:
    """Open the ledger for reading, also while no portal can tell whether it is its own."""
    try:
        return open_ledger(config, lambda: temporary_docspace(config), read_only=True)
    except (ConfigError, PortalError):
        return open_any_ledger(config, read_only=True)
