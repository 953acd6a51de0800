"""Register, enable, rotate and remove our webhook, in an order in which nothing is ever refused.

A rotation writes the new secret into the file first and sees to it that the receiver knows it;
only then the portal is told. Whatever fails before that puts the file back. Where the portal's
answer was lost, both secrets stay: either may be the portal's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from reconciler.client import MAX_NAME_LENGTH, TRIGGERS, Key, Webhook, WebhooksClient
from reconciler.errors import (
    AddressUnreachableError,
    ConfigError,
    ForbiddenError,
    PermanentError,
    PortalError,
    RateLimitedError,
    TransientError,
    UnauthorizedError,
    WebhookExistsError,
    WebhookNotFoundError,
    WebhookRejectedError,
)
from reconciler.ledger import Ledger
from reconciler.webhooks.probe import Probe
from reconciler.webhooks.secret_file import SecretFile
from reconciler.webhooks.secrets import make_secret
from reconciler.webhooks.state import WebhookSpec, WebhookStatus, find, judge, same

SAID = "webhook"
"""The fact in which the watch leaves what ails our webhook; it is past once that was changed."""

_OURS, _MAY_READ, _YES = "webhook_id", "webhook_may_read", "yes"
_WRITE = ("*:write",)
_BOTH = "; the new secret may be the portal's, so both stay valid: rotate again"
_REFUSED, _NO_ANSWER = 400, 500  # docspace.md 6


class WebhookAdministration:
    """Our webhook and its neighbours. Every method raises PortalError or LedgerError."""

    def __init__(
        self,
        ledger: Ledger,
        webhooks: WebhooksClient,
        key: Callable[[], Key],
        wanted: WebhookSpec,
        clock: Callable[[], datetime],
        probe: Probe | None = None,
    ) -> None:
        """Do nothing yet. ``probe`` asks addresses; without one they are trusted to answer."""
        self._ledger, self._webhooks, self._key = ledger, webhooks, key
        self.wanted, self._clock, self._probe = wanted, clock, probe

    def without_probe(self) -> "WebhookAdministration":
        """Return the same, trusting that addresses answer: not every network leads to its own."""
        return WebhookAdministration(
            self._ledger, self._webhooks, self._key, self.wanted, self._clock
        )

    def listed(self) -> tuple[Webhook, ...]:
        """Return every webhook that the account may see, by id; remember that it may."""
        webhooks = sorted(self._webhooks.all(), key=lambda webhook: webhook.id)
        if self._ledger.get_value(_MAY_READ) != _YES:
            self._ledger.set_value(_MAY_READ, _YES)
        return tuple(webhooks)

    def may_read(self) -> bool:
        """Whether the key was allowed to, when it was last tried."""
        return self._ledger.get_value(_MAY_READ) == _YES

    def may_not_read(self) -> None:
        """Remember that the key is not allowed to."""
        if self._ledger.get_value(_MAY_READ) == _YES:
            self._ledger.set_value(_MAY_READ, "")

    def known(self) -> int | None:
        """Return the id of the webhook that was ours when it was last seen."""
        text = self._ledger.get_value(_OURS)
        return int(text) if text else None

    def state(self) -> WebhookStatus:
        """Ask the portal for our webhook and say what is wrong with it; remember its id."""
        known = self.known()
        state = judge(self.listed(), self.wanted, known)
        if state.webhook is not None and state.webhook.id != known:
            self._ledger.set_value(_OURS, str(state.webhook.id))
        return state

    def ours(self, webhooks: Sequence[Webhook]) -> Webhook | None:
        """Return which of them is ours."""
        return find(webhooks, self.wanted, self.known())

    def register(
        self, address: str, secret: str, triggers: Sequence[str], name: str | None = None
    ) -> Webhook:
        """Create our webhook.

        Raises ConfigError, AddressUnreachableError, WebhookExistsError, WebhookRejectedError.

        The receiver must answer there and know the secret, from here already, unless there is no
        probe: the portal's own refusal tells no reason.
        """
        self._may_write("POST settings/webhook")
        _check_name(self.wanted.name if name is None else name)
        _check(triggers, self._webhooks.triggers())
        there = next(
            (webhook for webhook in self._webhooks.all() if same(webhook.url, address)), None
        )
        if there is not None:
            raise WebhookExistsError(address, there.id)
        self._ask(address, secret)
        return self.create(address, secret, triggers, name)

    def create(
        self, address: str, secret: str, triggers: Sequence[str], name: str | None = None
    ) -> Webhook:
        """Create our webhook without looking first. Raises WebhookRejectedError."""
        self._ledger.count_write(self._clock())
        with _judged(address):
            webhook = self._webhooks.create(name or self.wanted.name, address, secret, triggers)
        self._ledger.set_value(_OURS, str(webhook.id))
        self._ledger.set_value(SAID, "")
        return webhook

    def pick(self, number: int | None) -> Webhook:
        """Return the webhook of that id, ours for None. Raises WebhookNotFoundError."""
        webhooks = self.listed()
        found = (
            self.ours(webhooks)
            if number is None
            else next((webhook for webhook in webhooks if webhook.id == number), None)
        )
        if found is None:
            wanted = str(number) if number is not None else f"at {self.wanted.url or 'ours'}"
            raise WebhookNotFoundError(wanted, tuple(webhook.id for webhook in webhooks))
        return found

    def enable(self, webhook: Webhook) -> None:
        """Switch a webhook on. Raises AddressUnreachableError or WebhookRejectedError."""
        self._may_write("PUT settings/webhook/enable")
        self._ask(webhook.url)
        self.switch_on(webhook)

    def switch_on(self, webhook: Webhook) -> None:
        """Switch a webhook on without looking first. Raises WebhookRejectedError."""
        self._ledger.count_write(self._clock())
        with _judged(webhook.url):
            self._webhooks.set_enabled(webhook, True)
        if webhook.id == self.known():
            self._ledger.set_value(SAID, "")

    def remove(self, webhook: Webhook) -> None:
        """Delete a webhook, and its log with it."""
        self._may_write("DELETE settings/webhook/{id}")
        self._ledger.count_write(self._clock())
        self._webhooks.remove(webhook.id)
        if webhook.id == self.known():
            self._ledger.set_value(_OURS, "")  # it was meant: nothing to be healed
            self._ledger.set_value(SAID, "")

    def rotate(self, file: SecretFile) -> Webhook:
        """Let the portal sign with a new secret.

        Raises ConfigError, AddressUnreachableError, WebhookRejectedError.

        Both secrets count from before the portal is told until the new one is in use.
        """
        self._may_write("PUT settings/webhook")
        webhook, before, secret = self.pick(None), file.read(), make_secret()
        _check_name(webhook.name)
        file.write((secret, *before))
        try:
            if self._probe is not None:
                self._probe.ping_with(webhook.url, secret)
            self._ledger.count_write(self._clock())
            with _judged(webhook.url):
                self._webhooks.set_secret(webhook, secret)
        except (
            AddressUnreachableError,
            PermanentError,
            ForbiddenError,
            UnauthorizedError,
            RateLimitedError,
        ):
            file.write(before)
            raise
        except WebhookRejectedError as error:
            if error.status == _REFUSED:
                file.write(before)
            else:
                error.detail += _BOTH
            raise
        except PortalError as error:
            # The answer was lost, and what it was: the portal may have the new one by now.
            error.detail += _BOTH
            raise
        self._ledger.set_value(SAID, "")
        return webhook

    def _ask(self, address: str, secret: str | None = None) -> None:
        """Raise AddressUnreachableError where nobody answers, or nobody who knows the secret."""
        if self._probe is not None:
            self._probe.head(address)
            if secret is not None:
                self._probe.ping_with(address, secret)

    def _may_write(self, route: str) -> None:
        """Raise UnauthorizedError before anything was done, where the key may not administer."""
        missing = self._key().missing_scope(*_WRITE)
        if missing:
            raise UnauthorizedError(route, 403, f"the API key lacks the scope {missing}", missing)


@contextmanager
def _judged(address: str) -> Iterator[None]:
    """Turn into Rejected what the portal says of a webhook that is not to its liking: 400, and
    500 when its own question to the address got no answer.
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
        told = (
            f"the webhook's name has {size} characters; the portal takes at most {MAX_NAME_LENGTH}"
        )
        raise ConfigError((f"{told}: {name[:MAX_NAME_LENGTH]}...",))


def _check(triggers: Sequence[str], offered: Mapping[str, int]) -> None:
    """Refuse what the portal does not offer; it is compared by bits, whatever it calls them."""
    bits = set(offered.values()) or set(TRIGGERS.values())
    unknown = sorted(one for one in set(triggers) if TRIGGERS.get(one) not in bits)
    if unknown:
        raise ConfigError((f"the portal has no trigger {', '.join(unknown)}",))
