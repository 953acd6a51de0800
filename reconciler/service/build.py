"""From the configuration to the plain values that each room takes."""

import random
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler import sweep
from reconciler.client import DocSpace, Hooks, Pace, Transport
from reconciler.config import Config, require
from reconciler.hooks import Administration, Keyring, Wanted
from reconciler.ledger import Ledger
from reconciler.receiver import Gate
from reconciler.service.log import tell_secrets
from reconciler.sweep import Sweep
from reconciler.worker import Attempt, Attempts, Terms, Worker

_BLOCK = 40  # requests that are admitted with one transaction
_MINUTE = timedelta(seconds=90)  # the longest wait for a place in the minute, and some more


def utcnow() -> datetime:
    """Return the time. Everything below is given a clock, nothing else asks."""
    return datetime.now(UTC)


@dataclass
class Parts:
    """What every command that acts is made of. ``stop`` ends every wait."""

    ledger: Ledger
    docspace: DocSpace
    attempts: Attempts
    stop: threading.Event
    hooks: Hooks
    administration: Administration
    clock: Callable[[], datetime]

    def worker(
        self, tell: Callable[[Attempt], None], complain: Callable[[Exception], None]
    ) -> Worker:
        """Return a worker on these parts."""
        return Worker(self.ledger, self.attempts, self.clock, tell, complain)


def parts_of(config: Config, opened: ExitStack, *, webhook: bool = False) -> Parts:
    """Open ledger and client; ``opened`` closes them. Raises ConfigError or LedgerError."""
    require(config, webhook=webhook)
    stop = threading.Event()
    ledger = Ledger(config.database(), config.portal_url())
    opened.callback(ledger.close)
    clock = ledger.clock(utcnow)
    transport = transport_of(config, pace_of(config, ledger, clock, opened, stop))
    docspace = DocSpace(transport)
    opened.callback(docspace.close)
    hooks = Hooks(transport, docspace.key)
    attempts = Attempts(ledger, docspace, terms_of(config), clock, random.random)
    wanted = wanted_of(config)
    administration = Administration(ledger, hooks, docspace.key, wanted, clock)
    return Parts(ledger, docspace, attempts, stop, hooks, administration, clock)


def wanted_of(config: Config) -> Wanted:
    """Return what our webhook should be."""
    webhook = config.webhook
    return Wanted(webhook.public_url, webhook.path, webhook.triggers)


def keyring_of(config: Config, ledger: Ledger) -> Keyring | None:
    """Return the secrets of a file, which may change; None where they are in the environment."""
    path = config.webhook.secret_file
    if path is None or config.webhook.secret is not None:
        return None
    return Keyring(path, ledger, ledger.clock(utcnow), tell_secrets)


def gate_of(config: Config, keyring: Keyring | None) -> Gate:
    """Return what the receiver lets in."""
    webhook = config.webhook
    return Gate(
        webhook.path,
        config.secrets() if keyring is None else keyring.current,
        frozenset(webhook.triggers),
        webhook.max_body_bytes,
        webhook.require_https,
    )


def transport_of(config: Config, pace: Pace) -> Transport:
    """Return the connection to the portal. Raises ConfigError without address or key."""
    return Transport(
        config.portal_url(),
        config.api_key(),
        timeout=config.portal.timeout_seconds,
        ca_bundle=None if config.portal.ca_bundle is None else str(config.portal.ca_bundle),
        pace=pace,
        connections=config.limits.concurrent_reads + config.limits.concurrent_writes,
    )


def pace_of(
    config: Config,
    ledger: Ledger,
    clock: Callable[[], datetime],
    opened: ExitStack,
    stop: threading.Event,
) -> Pace:
    """Return a pace that all processes on the ledger keep together, and keep it afterwards."""
    limits = config.limits
    slots = {
        "GET": ledger.slots("reads", limits.concurrent_reads),
        "PUT": ledger.slots("writes", limits.concurrent_writes),
    }
    for shared in slots.values():
        opened.callback(shared.close)
    return Pace(
        reads=limits.concurrent_reads,
        writes=limits.concurrent_writes,
        block=max(2, min(_BLOCK, limits.requests_per_minute // 20)),
        reserve=lambda number: ledger.reserve(clock(), number, limits.requests_per_minute),
        shared=lambda method: slots[method].held(),
        stop=stop,
    )


def terms_of(config: Config) -> Terms:
    """Return how the worker works; its lease outlasts the portal's longest answers."""
    answer = timedelta(seconds=2 * config.portal.timeout_seconds + 5)
    limits = config.limits
    return Terms(
        policy=config.review.policy(),
        lookback=config.sweep.first_lookback,
        writes_per_day=limits.writes_per_day,
        backfill_per_day=max(1, int(limits.writes_per_day * limits.backfill_share)),
        # Each thread may write: more of them would wait for a place between look and write.
        threads=min(limits.concurrent_reads, limits.concurrent_writes),
        lease=3 * answer + _MINUTE,
        answer=answer,
    )


def sweep_of(config: Config, parts: Parts, stop: threading.Event | None = None) -> Sweep:
    """Return the sweep; ``stop`` ends it, else what ends everything."""
    return Sweep(parts.ledger, parts.docspace, listing_of(config), parts.clock, stop or parts.stop)


def listing_of(config: Config) -> sweep.Terms:
    """Return how the portal is listed."""
    return sweep.Terms(
        policy=config.review.policy(),
        overlap=config.sweep.overlap,
        lookback=config.sweep.first_lookback,
        deep_every=config.sweep.deep_every,
    )
