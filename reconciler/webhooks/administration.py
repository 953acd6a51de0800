"""Register, enable, rotate and remove our webhook, in an order in which no delivery is refused.

A rotation first writes the new secret into the file and verifies that the receiver knows it; only
then is it sent to the portal. A failure before that restores the file. Where the portal's answer
was lost, both secrets stay: the portal may have either.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.client import MAX_NAME_LENGTH, WRITE_ALL, Key, Webhook, WebhooksClient, send_request
from reconciler.errors import (
    AddressUnreachableError,
    ConfigError,
    ForbiddenError,
    PermanentError,
    PortalError,
    RateLimitedError,
    ReconcilerError,
    TransientError,
    UnauthorizedError,
    WebhookExistsError,
    WebhookNotFoundError,
    WebhookRejectedError,
)
from reconciler.event import ping
from reconciler.ledger import WEBHOOK, WEBHOOK_ID, WEBHOOK_READABLE, Ledger
from reconciler.signature import HEADER, sign
from reconciler.triggers import TRIGGERS
from reconciler.webhooks.secrets import SecretFile, make_secret
from reconciler.webhooks.status import (
    WebhookSpec,
    WebhookStatus,
    assess_webhook,
    find_webhook,
    is_same_webhook_url,
)

_BOTH_VALID = "; the new secret may be the portal's, so both stay valid: rotate again"
_REFUSED, _NO_ANSWER = 400, 500  # docspace.md 6
_UNCHANGED = (PermanentError, ForbiddenError, UnauthorizedError, RateLimitedError)
_JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True)
class AddressTester:
    """Sends test requests to an address.

    Certificates of ``ca_bundle`` are trusted beside the system's. Every method raises
    AddressUnreachableError, or ConfigError about ``ca_bundle``.
    """

    ca_bundle: Path | None = None

    def head(self, address: str) -> None:
        """Send HEAD, as the portal does before it accepts a webhook.

        Only 2xx is accepted, and no redirect is followed (docspace.md 6).
        """
        self._send("HEAD", address, b"", {})

    def ping(self, address: str, secret: str) -> None:
        """Send a ping signed with ``secret``: 401 means that the receiver has another one."""
        body = ping()
        self._send("POST", address, body, _JSON | {HEADER: sign(body, secret)})

    def _send(self, method: str, address: str, body: bytes, headers: Mapping[str, str]) -> None:
        response = send_request(method, address, body, headers, ca_bundle=self.ca_bundle)
        if not 200 <= response.status < 300:
            raise AddressUnreachableError(
                address, response.status, (response.location + response.proxy_note).strip()
            )


@dataclass(frozen=True)
class WebhookAdministration:
    """The webhooks that the account may see, and changes to ours.

    Every method raises PortalError or LedgerError. Without a ``tester`` no address is tested: from
    some networks their own public address cannot be reached.
    """

    ledger: Ledger
    webhooks: WebhooksClient
    key: Callable[[], Key]
    spec: WebhookSpec
    clock: Callable[[], datetime]
    tester: AddressTester | None = None

    def list_webhooks(self) -> tuple[Webhook, ...]:
        """Return every webhook that the account may see, by id; record that it may."""
        webhooks = sorted(self.webhooks.all(), key=lambda webhook: webhook.id)
        if not self.can_read():
            self.ledger.settings.set(WEBHOOK_READABLE, True)
        return tuple(webhooks)

    def can_read(self) -> bool:
        """Whether the key was allowed to list webhooks at the last attempt."""
        return self.ledger.settings.get(WEBHOOK_READABLE) is True

    def record_read_refusal(self) -> None:
        """Record that the key is not allowed to list webhooks."""
        if self.can_read():
            self.ledger.settings.set(WEBHOOK_READABLE, False)

    def known_id(self) -> int | None:
        """Return the id of our webhook when it was last seen."""
        return self.ledger.settings.get(WEBHOOK_ID)

    def status(self) -> WebhookStatus:
        """Ask the portal for our webhook and return its status; record its id."""
        known = self.known_id()
        status = assess_webhook(self.list_webhooks(), self.spec, known)
        if status.webhook is not None and status.webhook.id != known:
            self.ledger.settings.set(WEBHOOK_ID, status.webhook.id)
        return status

    def find_own(self, webhooks: Sequence[Webhook]) -> Webhook | None:
        """Return which of them is ours."""
        return find_webhook(webhooks, self.spec, self.known_id())

    def get(self, number: int | None) -> Webhook:
        """Return the webhook of that id, ours for None. Raises WebhookNotFoundError."""
        webhooks = self.list_webhooks()
        by_id = {webhook.id: webhook for webhook in webhooks}
        found = self.find_own(webhooks) if number is None else by_id.get(number)
        if found is None:
            wanted = f"at {self.spec.url or 'ours'}" if number is None else str(number)
            raise WebhookNotFoundError(wanted, tuple(by_id))
        return found

    def register(
        self, address: str, secret: str, triggers: Sequence[str], name: str | None = None
    ) -> Webhook:
        """Create our webhook.

        Raises ConfigError, AddressUnreachableError, WebhookExistsError, WebhookRejectedError.

        With a tester, the receiver must answer at the address and know the secret: the portal
        gives no reason when it refuses.
        """
        self._require_write_scope("POST settings/webhook")
        _check_name(self.spec.name if name is None else name)
        _check_triggers(triggers, self.webhooks.triggers())
        for webhook in self.webhooks.all():
            if is_same_webhook_url(webhook.url, address):
                raise WebhookExistsError(address, webhook.id)
        if self.tester is not None:
            self.tester.head(address)
            self.tester.ping(address, secret)
        return self.create(address, secret, triggers, name)

    def create(
        self, address: str, secret: str, triggers: Sequence[str], name: str | None = None
    ) -> Webhook:
        """Create our webhook without any check. Raises WebhookRejectedError."""
        self.ledger.count_write(self.clock())
        with _rejection_of(address):
            webhook = self.webhooks.create(name or self.spec.name, address, secret, triggers)
        self.ledger.settings.set(WEBHOOK_ID, webhook.id)
        self._clear_record()
        return webhook

    def enable(self, webhook: Webhook) -> None:
        """Enable a webhook. Raises AddressUnreachableError or WebhookRejectedError."""
        self._require_write_scope("PUT settings/webhook/enable")
        if self.tester is not None:
            self.tester.head(webhook.url)
        self.switch_on(webhook)

    def switch_on(self, webhook: Webhook) -> None:
        """Enable a webhook without any check. Raises WebhookRejectedError."""
        self.ledger.count_write(self.clock())
        with _rejection_of(webhook.url):
            self.webhooks.set_enabled(webhook, True)
        if webhook.id == self.known_id():
            self._clear_record()

    def remove(self, webhook: Webhook) -> None:
        """Delete a webhook and with it its delivery log."""
        self._require_write_scope("DELETE settings/webhook/{id}")
        self.ledger.count_write(self.clock())
        self.webhooks.remove(webhook.id)
        if webhook.id == self.known_id():
            # Deleted on purpose: the watch must not register it again.
            self.ledger.settings.set(WEBHOOK_ID, None)
            self._clear_record()

    def rotate(self, file: SecretFile) -> Webhook:
        """Let the portal sign with a new secret, which becomes the first line of ``file``.

        Raises ConfigError, AddressUnreachableError, WebhookRejectedError.
        """
        self._require_write_scope("PUT settings/webhook")
        webhook, before, secret = self.get(None), file.read(), make_secret()
        _check_name(webhook.name)
        file.write((secret, *before))
        try:
            self._set_secret(webhook, secret)
        except ReconcilerError as error:
            if isinstance(error, PortalError | WebhookRejectedError) and _may_have_changed(error):
                error.detail += _BOTH_VALID
            else:
                file.write(before)
            raise
        self._clear_record()
        return webhook

    def _set_secret(self, webhook: Webhook, secret: str) -> None:
        if self.tester is not None:
            self.tester.ping(webhook.url, secret)
        self.ledger.count_write(self.clock())
        with _rejection_of(webhook.url):
            self.webhooks.set_secret(webhook, secret)

    def _clear_record(self) -> None:
        """Delete the record of our webhook's state: it was changed."""
        self.ledger.settings.set(WEBHOOK, None)

    def _require_write_scope(self, route: str) -> None:
        """Raise UnauthorizedError before anything is done, where the key may not administer."""
        missing = self.key().missing_scope(*WRITE_ALL)
        if missing:
            raise UnauthorizedError(route, 403, f"the API key lacks the scope {missing}", missing)


def _may_have_changed(error: PortalError | WebhookRejectedError) -> bool:
    """Whether the portal may have the new secret although it reported an error, or nothing."""
    if isinstance(error, WebhookRejectedError):
        return error.status != _REFUSED
    return not isinstance(error, _UNCHANGED)


@contextmanager
def _rejection_of(address: str) -> Iterator[None]:
    """Raise WebhookRejectedError for the portal's refusals of a webhook: 400, and 500 when its
    own request to the address got no answer.
    """
    try:
        yield
    except (PermanentError, TransientError) as error:
        if error.status not in {_REFUSED, _NO_ANSWER}:
            raise
        raise WebhookRejectedError(address, error.detail, error.status) from error


def _check_name(name: str) -> None:
    """Refuse a webhook's name that the portal would; it counts UTF-16 units (docspace.md 6)."""
    size = len(name.encode("utf-16-le", "surrogatepass")) // 2
    if not name.strip():
        raise ConfigError(("the webhook has no name: the portal needs one",))
    if size > MAX_NAME_LENGTH:
        limit = f"the portal takes at most {MAX_NAME_LENGTH}: {name[:MAX_NAME_LENGTH]}..."
        raise ConfigError((f"the webhook's name has {size} characters; {limit}",))


def _check_triggers(triggers: Sequence[str], offered: Mapping[str, int]) -> None:
    """Refuse what the portal does not offer; compared by bit, whatever the portal calls it."""
    bits = set(offered.values()) or set(TRIGGERS.values())
    unknown = sorted(one for one in set(triggers) if TRIGGERS.get(one) not in bits)
    if unknown:
        raise ConfigError((f"the portal has no trigger {', '.join(unknown)}",))
