"""The snapshot that `check` evaluates, taken of configuration, ledger, disk, portal and address.

Nothing is evaluated here, and no foreseen error is raised: what could not be read is kept as the
error that prevented it, what was not asked for as None.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeVar

from reconciler.client import (
    READ_ALL,
    READ_ROOMS,
    READ_SELF,
    Build,
    DocSpace,
    FailedDeliveries,
    Key,
    Person,
    Room,
    Transport,
    Webhook,
    WebhooksClient,
)
from reconciler.config import Config, problems_in
from reconciler.diagnostics.checks.config_warnings import ConfigWarning, config_warnings
from reconciler.diagnostics.problems import Problem, find_problems
from reconciler.errors import ConfigError, LedgerError, PortalError, ReconcilerError
from reconciler.formats import utcnow
from reconciler.ledger import (
    LAST_DELIVERY,
    UNDATED_UPDATES,
    WEBHOOK_ID,
    Ledger,
    Role,
    UndatedUpdates,
)
from reconciler.notify.addresses import open_addresses
from reconciler.webhooks import (
    AddressTester,
    SecretFile,
    WebhookSpec,
    WebhookStatus,
    assess_webhook,
)
from reconciler.webhooks.delivery_log import progress

_T = TypeVar("_T")
_MAX_TEXTS, _MAX_ROOMS = 3, 3000
Connect = Callable[[], Transport]
"""Connects to the portal. May raise ConfigError."""
OpenLedger = Callable[[], Ledger]
"""Opens the ledger for reading only. May raise ConfigError and LedgerError."""


@dataclass(frozen=True)
class PortalSnapshot:
    """What the portal answered. ``at`` is our own clock when it did."""

    at: datetime
    build: Build | PortalError | None = None
    key: Key | PortalError | None = None
    person: Person | PortalError | None = None
    rooms: tuple[Room, ...] | PortalError | None = None
    webhooks: tuple[Webhook, ...] | PortalError | None = None
    state: WebhookStatus | None = None
    failures: FailedDeliveries | PortalError | None = None


@dataclass(frozen=True)
class LedgerSnapshot:
    """What the ledger holds; before it exists, as if it were empty.

    ``webhook_id`` is our webhook when it was last seen, ``log_entry`` the last entry of its log
    that was read, ``processes`` how many hold a role. ``undated`` is when the daily full scan last
    found updates that no folder's date had shown, and how many. ``problems`` are what `status`
    reports, ``has_run`` is whether any process has worked with it yet, ``delivered`` when a
    webhook last brought an event.
    """

    engine: str
    version: tuple[int, ...]
    texts: tuple[tuple[str, int], ...]
    unknown_texts: tuple[str, ...]
    holders: dict[str, str]
    processes: int = 0
    webhook_id: int | None = None
    log_entry: int = 0
    undated: UndatedUpdates | None = None
    problems: tuple[Problem, ...] = ()
    is_there: bool = True
    has_run: bool = False
    delivered: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """All of it. ``address`` is True where ours answers, None where none is configured.

    ``free`` are the free bytes beside the ledger, ``warnings`` those of the settings.
    ``older_secrets`` is how many the receiver accepts beside the newest; their file was changed
    at ``secrets_changed``.
    """

    config: Config
    spec: WebhookSpec
    problems: tuple[str, ...]
    portal: PortalSnapshot
    ledger: LedgerSnapshot | LedgerError | None = None
    address: ReconcilerError | Literal[True] | None = None
    free: int | None = None
    warnings: tuple[ConfigWarning, ...] = ()
    older_secrets: int = 0
    secrets_changed: datetime | None = None


def take_snapshot(
    config: Config, spec: WebhookSpec, connect: Connect, open_ledger: OpenLedger
) -> Snapshot:
    """Ask the ledger, the disk, the portal and our own address.

    ``spec`` is what our webhook should be.
    """
    snapshot = take_offline_snapshot(config, spec, open_ledger)
    ledger = snapshot.ledger
    webhook_id = ledger.webhook_id if isinstance(ledger, LedgerSnapshot) else None
    portal = ask_portal(spec, connect, webhook_id)
    return replace(snapshot, portal=portal, address=_address(config))


def take_offline_snapshot(config: Config, spec: WebhookSpec, open_ledger: OpenLedger) -> Snapshot:
    """Ask the ledger and the disk alone."""
    return Snapshot(
        config,
        spec,
        _problems(config),
        PortalSnapshot(utcnow()),
        _of_ledger(config, open_ledger),
        None,
        _free(config),
        tuple(config_warnings(config)),
        *_older_secrets(config),
    )


def ask_portal(
    spec: WebhookSpec, connect: Connect, webhook_id: int | None = None
) -> PortalSnapshot:
    """Ask the portal alone; ``webhook_id`` is our webhook when it was last seen."""
    try:
        transport = connect()
    except ConfigError:
        return PortalSnapshot(utcnow())
    with closing(transport):
        return _asked_in_turn(spec, transport, webhook_id)


def _asked_in_turn(
    spec: WebhookSpec, transport: Transport, webhook_id: int | None
) -> PortalSnapshot:
    """Send the requests in turn, each only where the answers before allow it to succeed."""
    docspace = DocSpace(transport)
    build = _asked(docspace.build)
    snapshot = PortalSnapshot(utcnow(), build)
    if isinstance(build, PortalError) and build.status is None:
        return snapshot
    key = _asked(docspace.key)
    snapshot = replace(snapshot, key=key)
    if isinstance(key, PortalError) and key.lacks_route:
        return replace(snapshot, rooms=_asked(lambda: _rooms(docspace)))
    if isinstance(key, PortalError) or not key.active:
        return snapshot
    if not key.missing_scope(*READ_SELF):
        snapshot = replace(snapshot, person=_asked(docspace.person))
    if not key.missing_scope(*READ_ROOMS):
        snapshot = replace(snapshot, rooms=_asked(lambda: _rooms(docspace)))
    if key.missing_scope(*READ_ALL):
        return snapshot
    client = WebhooksClient(transport, docspace.key)
    webhooks = _asked(client.all)
    if isinstance(webhooks, PortalError):
        return replace(snapshot, webhooks=webhooks)
    state = assess_webhook(webhooks, spec, webhook_id)
    webhook = state.webhook
    failures = None if webhook is None else _asked(lambda: client.failures(webhook.id))
    return replace(snapshot, webhooks=webhooks, state=state, failures=failures)


def _rooms(docspace: DocSpace) -> tuple[Room, ...]:
    return tuple(docspace.all_rooms(most=_MAX_ROOMS))


def _asked(ask: Callable[[], _T]) -> _T | PortalError:
    try:
        return ask()
    except PortalError as error:
        return error


def _problems(config: Config) -> tuple[str, ...]:
    each = (config.portal_url, config.api_key, config.secrets, config.admin_password)
    return tuple(problems_in(*each, lambda: open_addresses(config.notify.urls())))


def _address(config: Config) -> ReconcilerError | Literal[True] | None:
    """Ask our own address from outside, as the portal would, and whether it knows our secret."""
    address, tester = config.webhook.public_url, AddressTester(config.portal.ca_bundle)
    if address is None:
        return None
    try:
        tester.head(address)
        if secrets := config.secrets():
            tester.ping(address, secrets[0])
    except ReconcilerError as error:
        return error
    return True


def _free(config: Config) -> int | None:
    if config.state.path is None:
        return None
    try:
        return shutil.disk_usage(config.state.path.parent).free
    except OSError:
        return None


def _of_ledger(config: Config, open_ledger: OpenLedger) -> LedgerSnapshot | LedgerError | None:
    """Look at the ledger, and change nothing; None without portal.url, which it belongs to."""
    if config.portal.url is None:
        return None
    try:
        with closing(open_ledger()) as ledger:
            refusal = ledger.refusal()
            if refusal is not None:
                return refusal
            engine, version = ledger.health.engine()
            held = {role.value: ledger.holder(role) for role in Role}
            seen = ledger.health.overview(ledger.clock(utcnow)(), shown=_MAX_TEXTS)
            return LedgerSnapshot(
                engine=engine,
                version=version,
                texts=seen.texts,
                unknown_texts=seen.unknown_texts,
                holders={role: who for role, who in held.items() if who is not None},
                processes=len(ledger.processes()),
                webhook_id=ledger.settings.get(WEBHOOK_ID),
                log_entry=progress(ledger).done,
                undated=ledger.settings.get(UNDATED_UPDATES),
                problems=find_problems(seen),
                is_there=ledger.read_only,
                has_run=bool(seen.sweeps or seen.accepted),
                delivered=ledger.settings.get(LAST_DELIVERY),
            )
    except LedgerError as error:
        return error


def _older_secrets(config: Config) -> tuple[int, datetime | None]:
    """Return how many older secrets webhook.secret_file has, and when it was changed."""
    path = config.webhook.secret_file
    if path is None or config.webhook.secret is not None:
        return 0, None
    file = SecretFile(path)
    try:
        return max(len(file.read()) - 1, 0), file.changed_at()
    except ConfigError:
        return 0, None
