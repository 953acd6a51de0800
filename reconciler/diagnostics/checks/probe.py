"""Gathers what `check` judges by. Nothing here decides, and nothing foreseen is raised: what
could not be learned is kept as the error that prevented it, what was not asked for as None.
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
from reconciler.ledger import HIDDEN_UPDATES, WEBHOOK_ID, HiddenUpdates, Ledger, Role
from reconciler.notify.addresses import open_addresses
from reconciler.webhooks import Probe, SecretFile, WebhookSpec, WebhookStatus, assess_webhook
from reconciler.webhooks.delivery_log import progress

_T = TypeVar("_T")
_MAX_TEXTS, _STEP, _MAX_ROOMS = 3, 90, 3000


@dataclass(frozen=True)
class ProbeTargets:
    """What is probed, made from the configuration by `service`.

    ``connect`` may raise ConfigError, ``open_ledger`` ConfigError and LedgerError; it opens for
    reading only. ``spec`` is what our webhook should be, ``receiver`` how our address is asked.
    """

    connect: Callable[[], Transport]
    open_ledger: Callable[[], Ledger]
    spec: WebhookSpec
    receiver: Probe


@dataclass(frozen=True)
class PortalFacts:
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
class LedgerFacts:
    """What the ledger holds. ``ours`` is the webhook that it knows, ``done`` the last entry of
    its log, ``processes`` how many hold a role, ``hidden`` when the daily full scan last found
    updates that no folder's date had shown, and how many; ``problems`` are what `status` says
    is wrong, ``has_run`` whether anything has worked with it yet, ``delivered`` when a webhook
    last brought an event. Where it is not there yet, all of that is as in an empty one.
    """

    engine: str
    version: tuple[int, ...]
    texts: tuple[tuple[str, int], ...]
    unknown_texts: tuple[str, ...]
    holders: dict[str, str]
    processes: int = 0
    ours: int | None = None
    done: int = 0
    hidden: HiddenUpdates | None = None
    problems: tuple[Problem, ...] = ()
    is_there: bool = True
    has_run: bool = False
    delivered: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """Everything that was learned. ``address`` is True where ours answers, None if there is none.

    ``free`` are the bytes left beside the ledger, ``warnings`` those of the settings.
    ``older_secrets`` is how many the receiver accepts beside the newest; their file was changed
    at ``secrets_changed``.
    """

    config: Config
    spec: WebhookSpec
    problems: tuple[str, ...]
    portal: PortalFacts
    ledger: LedgerFacts | LedgerError | None = None
    address: ReconcilerError | Literal[True] | None = None
    free: int | None = None
    warnings: tuple[ConfigWarning, ...] = ()
    older_secrets: int = 0
    secrets_changed: datetime | None = None


def gather(config: Config, targets: ProbeTargets) -> Facts:
    """Ask the ledger, the disk, our own address and the portal."""
    facts = gather_offline(config, targets)
    ours = facts.ledger.ours if isinstance(facts.ledger, LedgerFacts) else None
    return replace(
        facts, portal=ask_portal(targets, ours), address=_address(config, targets.receiver)
    )


def gather_offline(config: Config, targets: ProbeTargets) -> Facts:
    """Ask the ledger and the disk alone."""
    return Facts(
        config,
        targets.spec,
        _problems(config),
        PortalFacts(utcnow()),
        _of_ledger(config, targets),
        None,
        _free(config),
        tuple(config_warnings(config)),
        *_older_secrets(config),
    )


def ask_portal(targets: ProbeTargets, ours: int | None = None) -> PortalFacts:
    """Ask the portal alone; ``ours`` is the id of the webhook that the ledger knows."""
    try:
        transport = targets.connect()
    except ConfigError:
        return PortalFacts(utcnow())
    with closing(transport):
        return _asked_in_turn(targets.spec, transport, ours)


_NO_ROUTE = {404, 405, 501}  # a portal without that route answers so, and one without any


def _asked_in_turn(spec: WebhookSpec, transport: Transport, ours: int | None) -> PortalFacts:
    """Ask one thing after the other, each only where the one before makes it worth asking."""
    docspace = DocSpace(transport)
    build = _asked(docspace.build)
    facts = PortalFacts(utcnow(), build)
    if isinstance(build, PortalError) and build.status is None:
        return facts
    key = _asked(docspace.key)
    facts = replace(facts, key=key)
    if isinstance(key, PortalError) and key.status in _NO_ROUTE:
        return replace(facts, rooms=_asked(lambda: _rooms(docspace)))
    if isinstance(key, PortalError) or not key.active:
        return facts
    if not key.missing_scope(*READ_SELF):
        facts = replace(facts, person=_asked(docspace.person))
    if not key.missing_scope(*READ_ROOMS):
        facts = replace(facts, rooms=_asked(lambda: _rooms(docspace)))
    if key.missing_scope(*READ_ALL):
        return facts
    client = WebhooksClient(transport, docspace.key)
    webhooks = _asked(client.all)
    if isinstance(webhooks, PortalError):
        return replace(facts, webhooks=webhooks)
    state = assess_webhook(webhooks, spec, ours)
    webhook = state.webhook
    failures = None if webhook is None else _asked(lambda: client.failures(webhook.id))
    return replace(facts, webhooks=webhooks, state=state, failures=failures)


def _rooms(docspace: DocSpace) -> tuple[Room, ...]:
    found: dict[int | str, Room] = {}
    for start in range(0, _MAX_ROOMS, _STEP):
        page = docspace.rooms(start)
        found |= {room.id: room for room in page.rooms}
        if page.remaining == 0 or not page.rooms:
            break
    return tuple(found.values())


def _asked(ask: Callable[[], _T]) -> _T | PortalError:
    try:
        return ask()
    except PortalError as error:
        return error


def _problems(config: Config) -> tuple[str, ...]:
    each = (config.portal_url, config.api_key, config.secrets, config.admin_password)
    return tuple(problems_in(*each, lambda: open_addresses(config.notify.urls())))


def _address(config: Config, probe: Probe) -> ReconcilerError | Literal[True] | None:
    """Ask our own address from outside, as the portal would, and whether it knows our secret."""
    address = config.webhook.public_url
    if address is None:
        return None
    try:
        probe.head(address)
        if secrets := config.secrets():
            probe.ping_with(address, secrets[0])
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


def _of_ledger(config: Config, targets: ProbeTargets) -> LedgerFacts | LedgerError | None:
    """Look at the ledger, and change nothing; None where it is not known whose it would be."""
    if config.portal.url is None:
        return None
    try:
        with closing(targets.open_ledger()) as ledger:
            refusal = ledger.refusal()
            if refusal is not None:
                return refusal
            engine, version = ledger.health.engine()
            held = {role.value: ledger.holder(role) for role in Role}
            seen = ledger.health.overview(ledger.clock(utcnow)(), shown=1)
            return LedgerFacts(
                engine=engine,
                version=version,
                texts=tuple(ledger.health.texts(_MAX_TEXTS)),
                unknown_texts=ledger.health.unknown_texts(),
                holders={role: who for role, who in held.items() if who is not None},
                processes=len(ledger.processes()),
                ours=ledger.settings.get(WEBHOOK_ID),
                done=progress(ledger).done,
                hidden=ledger.settings.get(HIDDEN_UPDATES),
                problems=find_problems(seen),
                is_there=ledger.read_only,
                has_run=bool(seen.sweeps or seen.accepted),
                delivered=ledger.health.delivered(),
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
