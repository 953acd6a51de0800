"""`check` on what the configuration names: the portal, the ledger, the receiver's address."""

from reconciler.client import RateLimiter, Transport
from reconciler.config import Config
from reconciler.diagnostics.checks import (
    CONFIG_CHECKS,
    Finding,
    Snapshot,
    ask_portal,
    check,
    take_offline_snapshot,
    take_snapshot,
)
from reconciler.errors import ConfigError, PortalError
from reconciler.ledger import Ledger
from reconciler.service.build import build_transport, build_webhook_spec, temporary_docspace
from reconciler.service.portal_identity import open_any_ledger, open_ledger


def run_check(config: Config) -> list[Finding]:
    """Check everything and return the findings, the worst first."""
    return check(full_snapshot(config))


def run_config_check(config: Config) -> list[Finding]:
    """Return what can be found without the network: of configuration, ledger, disk and files."""
    spec = build_webhook_spec(config)
    snapshot = take_offline_snapshot(config, spec, lambda: open_any_ledger(config, read_only=True))
    return check(snapshot, CONFIG_CHECKS)


def full_snapshot(config: Config) -> Snapshot:
    """Return what there is to check."""
    spec = build_webhook_spec(config)
    return take_snapshot(config, spec, lambda: _connect(config), lambda: _open_ledger(config))


def portal_snapshot(config: Config) -> Snapshot:
    """Return what the portal answers, before there is a ledger."""
    spec = build_webhook_spec(config)
    return Snapshot(config, spec, (), ask_portal(spec, lambda: _connect(config)))


def _connect(config: Config) -> Transport:
    return build_transport(config, RateLimiter(reads=2, writes=1))


def _open_ledger(config: Config) -> Ledger:
    """Open the ledger for reading, also while it is not known whether it is this portal's."""
    try:
        return open_ledger(config, lambda: temporary_docspace(config), read_only=True)
    except (ConfigError, PortalError):
        return open_any_ledger(config, read_only=True)
