"""Watches our webhook at the portal, and takes from its log what could not be delivered.

Only where the key may read it (`*:read`): one GET now and then tells both what ails the webhook
and whether anything failed. What is wrong is said, left in the ledger for other processes, and
with `webhook.self_heal` put right, once an hour at most.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.config import Config
from reconciler.errors import ReconcilerError
from reconciler.ledger import Ledger
from reconciler.service.build import Components
from reconciler.service.logging import log, log_error
from reconciler.webhooks import (
    SAID,
    WebhookAdministration,
    WebhookIssue,
    WebhookStatus,
    secret_to_register,
)
from reconciler.webhooks.delivery_log import Deliveries, Found

EVERY = timedelta(minutes=5)
_REPAIR = timedelta(hours=1)
_REPAIRED = "webhook_repaired"
_SIGNATURE, _ROTATE = "signature", "run: reconciler webhook rotate"


@dataclass(frozen=True)
class RepairPolicy:
    """How to put the webhook right: whether to, and with which secret to register it again."""

    allowed: bool = False
    secret: Callable[[], str] = str


class Watch:
    """Watches one webhook. ``run`` once every few minutes."""

    def __init__(
        self,
        ledger: Ledger,
        administration: WebhookAdministration,
        deliveries: Deliveries,
        clock: Callable[[], datetime],
        cure: RepairPolicy,
    ) -> None:
        """Ask nothing yet."""
        self._ledger, self._administration, self._deliveries = ledger, administration, deliveries
        self._clock, self._cure, self._unseen = clock, cure, False

    def run(self) -> WebhookStatus:
        """Look once, and do what is to be done. Raises PortalError or LedgerError."""
        seen_before = self._administration.known() is not None
        state = self._administration.state()
        found = Found()
        if state.webhook is not None and self._deliveries.is_due(state.webhook):
            found = self._deliveries.read(state.webhook)
        if found.recorded or found.under_way:
            log.info("undelivered_events", recorded=found.recorded, under_way=found.under_way)
        said = state.message(self._administration.wanted)
        if state.webhook is None and not seen_before:
            # It may be another account's: only an administrator sees those.
            if not self._unseen:
                log.info("webhook_not_seen", reason=said)
            self._unseen = True
            self._tell(state, "unseen", said)
            return state
        if state.issues:
            log.error("webhook", reason=said, cure=cure_of(state))
            self._tell(state, state.issues[0].value, said)
            self._repair(state)
        elif found.unsigned or self._is_refused_still(state):
            said = "the receiver refuses the portal's signature: the portal has another secret"
            log.error("webhook", reason=said, cure=_ROTATE)
            self._tell(state, _SIGNATURE, said)
        else:
            self._tell(state, "ok", "")
        return state

    def _is_refused_still(self, state: WebhookStatus) -> bool:
        """Whether the signature was refused before, and no delivery was accepted since."""
        told = self._ledger.get_value(SAID)
        before = json.loads(told) if told else {}
        good = state.webhook.succeeded_on if state.webhook else ""
        return before.get("state") == _SIGNATURE and before.get("last_success") == good

    def _repair(self, state: WebhookStatus) -> None:
        """Enable it, or register it anew; whatever comes of it, not again within the hour."""
        wanted, now = self._administration.wanted, self._clock()
        broken = {WebhookIssue.MISSING, WebhookIssue.DISABLED} & set(state.issues)
        if not self._cure.allowed or not broken or WebhookIssue.ADDRESS in state.issues:
            return
        if wanted.url is None:
            return  # told by its path alone it may be another's
        last = self._ledger.get_value(_REPAIRED)
        if last and now - datetime.fromisoformat(last) < _REPAIR:
            return
        self._ledger.set_value(_REPAIRED, now.isoformat())
        try:
            if state.webhook is not None:
                self._administration.switch_on(state.webhook)
                log.warning("webhook_enabled_again", id=state.webhook.id)
            else:
                secret = self._cure.secret()
                webhook = self._administration.create(wanted.url, secret, wanted.triggers)
                log.warning("webhook_registered_again", id=webhook.id)
        except ReconcilerError as error:
            log_error(error)

    def _tell(self, state: WebhookStatus, word: str, said: str) -> None:
        webhook = state.webhook
        told = {
            "state": word,
            "said": said,
            "cure": _ROTATE if word == _SIGNATURE else cure_of(state) if said else "",
            "at": self._clock().isoformat(),
            "id": webhook.id if webhook else None,
            "url": webhook.url if webhook else None,
            "last_success": webhook.succeeded_on if webhook else "",
            "last_failure": webhook.failed_on if webhook else "",
            "failure": webhook.failure if webhook else "",
        }
        self._ledger.set_value(SAID, json.dumps(told))


def cure_of(state: WebhookStatus) -> str:
    """Return what to do about what ails the webhook."""
    if WebhookIssue.MISSING in state.issues:
        return "run: reconciler webhook register"
    if WebhookIssue.ADDRESS in state.issues:
        return "set webhook.public_url, or remove it and run: reconciler webhook register"
    if WebhookIssue.DISABLED in state.issues:
        return "run: reconciler webhook enable"
    return "add the events on the portal's page, or remove it and register it again"


def watch_of(config: Config, components: Components) -> Watch:
    """Return the watch over the configured webhook."""
    triggers = frozenset(config.webhook.triggers)
    deliveries = Deliveries(components.ledger, components.webhooks, triggers, components.clock)
    cure = RepairPolicy(config.webhook.self_heal, lambda: secret_to_register(config.secrets()))
    return Watch(components.ledger, components.administration, deliveries, components.clock, cure)
