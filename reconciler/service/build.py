"""Builds the parts of a process, and the settings of each package, from the configuration."""

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler import sweep
from reconciler.client import DocSpace, RateLimiter, Transport, WebhooksClient
from reconciler.config import Config, require
from reconciler.decision import Policy
from reconciler.formats import utcnow
from reconciler.ledger import MEMORY, Ledger
from reconciler.receiver import ReceiverSettings
from reconciler.service.logging import OutageLog, log, log_secrets, log_secrets_error
from reconciler.service.portal_identity import open_ledger
from reconciler.sweep import Sweep
from reconciler.webhooks import (
    AddressTester,
    DeliveryLog,
    ReloadingSecrets,
    RepairPolicy,
    WebhookAdministration,
    WebhookSpec,
    WebhookWatch,
    secret_to_register,
)
from reconciler.worker import FileProcessor, PortalHealth, Processed, Worker, WorkerSettings

KEY_EVERY = timedelta(seconds=15)  # between probes of a refused key
_BLOCK = 40  # requests that are admitted with one transaction
_READ_ONLY_PART = 4  # a read-only command takes a quarter of the requests a minute: 1,500 with ours
_ADMISSION = timedelta(seconds=90)  # the longest wait for the rate limiter, with a margin


@dataclass
class Components:
    """The parts of a process that works on files. ``stop`` ends every wait."""

    ledger: Ledger
    docspace: DocSpace
    processor: FileProcessor
    health: PortalHealth
    policy: Policy
    reload_key: Callable[[], bool]
    stop: threading.Event
    webhooks: WebhooksClient
    administration: WebhookAdministration
    clock: Callable[[], datetime]

    def worker(
        self, on_attempt: Callable[[Processed], None], on_error: Callable[[Exception], None]
    ) -> Worker:
        """Return a worker made of these parts."""
        return Worker(self.ledger, self.processor, self.clock, on_attempt, on_error)


def build_components(
    config: Config, opened: ExitStack, *, webhook: bool = False, read_only: bool = False
) -> Components:
    """Open ledger and client; ``opened`` closes them.

    With ``read_only`` nothing is created and nothing can be written. Raises ConfigError,
    LedgerError, and PortalError while it is not known whether the ledger is this portal's.
    """
    require(config, webhook=webhook)
    stop = threading.Event()
    ledger = open_ledger(config, lambda: temporary_docspace(config), read_only=read_only)
    opened.callback(ledger.close)
    clock = ledger.clock(utcnow)
    counter, part = ledger, 1
    if read_only:  # its requests are not counted in the ledger
        counter, part = Ledger(MEMORY, config.portal_url()), _READ_ONLY_PART
        opened.callback(counter.close)
    transport = build_transport(config, _rate_limiter(config, counter, clock, stop, part))
    docspace = DocSpace(transport)
    opened.callback(docspace.close)
    webhooks = WebhooksClient(transport, docspace.key)
    policy = replace(config.review.policy(), former_targets=ledger.targets())
    outages = OutageLog(utcnow)
    health = PortalHealth(ledger, random.random, KEY_EVERY, outages.on_outage, outages.on_recovery)
    return Components(
        ledger=ledger,
        docspace=docspace,
        processor=FileProcessor(
            ledger, docspace, worker_settings(config, policy), clock, health, wait=stop.wait
        ),
        health=health,
        policy=policy,
        reload_key=lambda: transport.use_key(config.api_key()),
        stop=stop,
        webhooks=webhooks,
        administration=WebhookAdministration(
            ledger,
            webhooks,
            docspace.key,
            build_webhook_spec(config),
            clock,
            AddressTester(config.portal.ca_bundle),
        ),
        clock=clock,
    )


def build_webhook_spec(config: Config) -> WebhookSpec:
    """Return what our webhook should be."""
    webhook = config.webhook
    return WebhookSpec(webhook.public_url, webhook.path, webhook.triggers)


def receiver_settings(config: Config) -> ReceiverSettings:
    """Return what the receiver accepts. Raises ConfigError."""
    webhook = config.webhook
    return ReceiverSettings(
        webhook.path,
        _current_secrets(config),
        frozenset(webhook.triggers),
        webhook.max_body_bytes,
        webhook.require_https,
    )


def _current_secrets(config: Config) -> Callable[[], Sequence[str]]:
    """Return a function of the secrets; those of a file may change while the receiver runs."""
    webhook = config.webhook
    if webhook.secret is None and webhook.secret_file is not None:
        return ReloadingSecrets(webhook.secret_file, log_secrets, log_secrets_error).current
    secrets = config.secrets()
    return lambda: secrets


def build_watch(config: Config, components: Components) -> WebhookWatch:
    """Return the watch over the configured webhook."""
    ledger, clock = components.ledger, components.clock
    triggers = frozenset(config.webhook.triggers)
    return WebhookWatch(
        ledger,
        components.administration,
        DeliveryLog(ledger, components.webhooks, triggers, clock),
        clock,
        RepairPolicy(config.webhook.self_heal, lambda: secret_to_register(config.secrets())),
        log,
    )


def build_transport(config: Config, rate_limiter: RateLimiter) -> Transport:
    """Return the connection to the portal. Raises ConfigError without address or key."""
    return Transport(
        config.portal_url(),
        config.api_key(),
        timeout=config.portal.timeout_seconds,
        ca_bundle=None if config.portal.ca_bundle is None else str(config.portal.ca_bundle),
        rate_limiter=rate_limiter,
        connections=config.limits.concurrent_reads + config.limits.concurrent_writes,
    )


def _rate_limiter(
    config: Config,
    counter: Ledger,
    clock: Callable[[], datetime],
    stop: threading.Event,
    part: int,
) -> RateLimiter:
    """Return a rate limiter for a ``part`` of the requests that processes on a ledger share."""
    limits = config.limits
    per_minute = max(limits.requests_per_minute // part, 1)
    return RateLimiter(
        reads=limits.concurrent_reads,
        writes=limits.concurrent_writes,
        block=max(2, min(_BLOCK, per_minute // 20)),
        reserve=lambda number: counter.reserve(clock(), number, per_minute),
        stop=stop,
    )


def temporary_docspace(config: Config) -> DocSpace:
    """Return a connection for a few requests, which no ledger counts."""
    return DocSpace(build_transport(config, RateLimiter(reads=1, writes=1)))


def worker_settings(config: Config, policy: Policy) -> WorkerSettings:
    """Return the worker's settings; its lease is longer than the portal's longest answers."""
    # A write with an unclear answer is confirmed by a look.
    answer = timedelta(seconds=3 * config.portal.timeout_seconds + 5)
    limits = config.limits
    return WorkerSettings(
        policy=policy,
        lookback=config.sweep.first_lookback,
        # Each thread may write: more threads would wait between look and write.
        threads=min(limits.concurrent_reads, limits.concurrent_writes),
        lease=3 * answer + _ADMISSION,
        answer=answer,
    )


def build_sweep(
    config: Config, components: Components, stop: threading.Event | None = None
) -> Sweep:
    """Return the sweep; ``stop`` ends it, by default that of all components."""
    return Sweep(
        components.ledger,
        components.docspace,
        scan_settings(config, components.policy),
        components.clock,
        stop or components.stop,
    )


def scan_settings(config: Config, policy: Policy) -> sweep.ScanSettings:
    """Return the settings by which the portal is listed."""
    return sweep.ScanSettings(
        policy=policy,
        overlap=config.sweep.overlap,
        lookback=config.sweep.first_lookback,
        full_every=config.sweep.full_every,
    )
