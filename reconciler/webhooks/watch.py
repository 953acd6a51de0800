"""Watches our webhook at the portal, and reads the portal's log of failed deliveries.

This needs the scope `*:read`: one GET shows what is wrong with the webhook and whether a delivery
failed. Problems are logged, recorded in the ledger for other processes, and repaired if that is
allowed, once an hour at most.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from reconciler.client import Webhook
from reconciler.errors import ReconcilerError
from reconciler.hints import hint_for
from reconciler.ledger import WEBHOOK, WEBHOOK_REPAIRED, Ledger, WebhookRecord, WebhookState
from reconciler.webhooks.administration import WebhookAdministration
from reconciler.webhooks.delivery_log import DeliveryLog, LogReading
from reconciler.webhooks.status import WebhookStatus

EVERY = timedelta(minutes=5)
_REPAIR_EVERY = timedelta(hours=1)
_OTHER_SECRET = "the receiver refuses the portal's signature: the portal has another secret"  # noqa: S105
_ROTATE = "run: reconciler webhook rotate"


class EventLog(Protocol):
    """The port to the log that `service` has configured: one event with its fields, at a level."""

    def info(self, event: str, **fields: Any) -> Any:
        """Log an event that needs no attention."""

    def warning(self, event: str, **fields: Any) -> Any:
        """Log an event that an administrator should look at."""

    def error(self, event: str, **fields: Any) -> Any:
        """Log a failure."""


@dataclass(frozen=True)
class RepairPolicy:
    """Whether to repair the webhook, and with which secret to register it again."""

    allowed: bool = False
    secret: Callable[[], str] = str


class WebhookWatch:
    """Watches one webhook. Call ``run`` every few minutes."""

    def __init__(
        self,
        ledger: Ledger,
        administration: WebhookAdministration,
        delivery_log: DeliveryLog,
        clock: Callable[[], datetime],
        repair: RepairPolicy,
        log: EventLog,
    ) -> None:
        """Send no request yet."""
        self._ledger, self._administration = ledger, administration
        self._delivery_log, self._clock = delivery_log, clock
        self._repair_policy, self._log, self._is_unseen_logged = repair, log, False

    def run(self) -> WebhookStatus:
        """Check the webhook once, and report or repair it. Raises PortalError or LedgerError."""
        was_seen = self._administration.known_id() is not None
        status = self._administration.status()
        reading = self._read_log(status.webhook)
        reason = status.message(self._administration.spec)
        if status.webhook is None and not was_seen:
            self._report_unseen(status, reason)
        elif status.issues:
            self._report(status, status.issues[0], reason, status.hint)
            self._repair(status)
        elif reading.unsigned or self._is_still_refused(status):
            self._report(status, WebhookState.SIGNATURE, _OTHER_SECRET, _ROTATE)
        else:
            self._record(status, WebhookState.OK)
        return status

    def _read_log(self, webhook: Webhook | None) -> LogReading:
        if webhook is None or not self._delivery_log.is_due(webhook):
            return LogReading()
        reading = self._delivery_log.read(webhook)
        if reading.recorded or reading.under_way:
            self._log.info(
                "undelivered_events", recorded=reading.recorded, under_way=reading.under_way
            )
        return reading

    def _report_unseen(self, status: WebhookStatus, reason: str) -> None:
        """Log once that no webhook is visible: it may belong to another account."""
        if not self._is_unseen_logged:
            self._log.info("webhook_not_seen", reason=reason)
        self._is_unseen_logged = True
        self._record(status, WebhookState.UNSEEN, reason)

    def _report(self, status: WebhookStatus, state: WebhookState, reason: str, hint: str) -> None:
        self._log.error("webhook", reason=reason, hint=hint)
        self._record(status, state, reason, hint)

    def _is_still_refused(self, status: WebhookStatus) -> bool:
        """Whether the signature was refused before, and no delivery was accepted since."""
        before = self._ledger.settings.get(WEBHOOK)
        last_success = status.webhook.succeeded_on if status.webhook else ""
        return (
            before is not None
            and before.state is WebhookState.SIGNATURE
            and before.last_success == last_success
        )

    def _repair(self, status: WebhookStatus) -> None:
        """Enable it or register it again, at most once an hour, whether that works or not."""
        if not self._may_repair(status):
            return
        self._ledger.settings.set(WEBHOOK_REPAIRED, self._clock())
        try:
            if status.webhook is not None:
                self._administration.switch_on(status.webhook)
                self._log.warning("webhook_enabled_again", id=status.webhook.id)
            else:
                self._register_again()
        except ReconcilerError as error:
            self._log.error("error", kind=error.kind, error=str(error), hint=hint_for(error))

    def _may_repair(self, status: WebhookStatus) -> bool:
        is_broken = bool({WebhookState.MISSING, WebhookState.DISABLED} & set(status.issues))
        if not self._repair_policy.allowed or not is_broken:
            return False
        # Without public_url, or at another address, the webhook may belong to somebody else.
        if self._administration.spec.url is None or WebhookState.ADDRESS in status.issues:
            return False
        last = self._ledger.settings.get(WEBHOOK_REPAIRED)
        return last is None or self._clock() - last >= _REPAIR_EVERY

    def _register_again(self) -> None:
        spec = self._administration.spec
        webhook = self._administration.create(
            spec.url or "", self._repair_policy.secret(), spec.triggers
        )
        self._log.warning("webhook_registered_again", id=webhook.id)

    def _record(
        self, status: WebhookStatus, state: WebhookState, reason: str = "", hint: str = ""
    ) -> None:
        record = WebhookRecord(state, self._clock(), reason, hint)
        if (webhook := status.webhook) is not None:
            record = replace(
                record,
                id=webhook.id,
                url=webhook.url,
                last_success=webhook.succeeded_on,
                last_failure=webhook.failed_on,
                failure=webhook.failure,
            )
        self._ledger.settings.set(WEBHOOK, record)
