"""Which webhook of the portal is ours, and its issues. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from reconciler.client import Webhook
from reconciler.ledger import WebhookState

_HINTS = {  # in the order in which they are to be followed
    WebhookState.MISSING: "run: reconciler webhook register",
    WebhookState.ADDRESS: (
        "set webhook.public_url, or remove it and run: reconciler webhook register"
    ),
    WebhookState.DISABLED: "run: reconciler webhook enable",
    WebhookState.TRIGGERS: (
        "add the events on the portal's page, or remove it and register it again"
    ),
}


@dataclass(frozen=True)
class WebhookSpec:
    """What our webhook should be. Without ``url`` it is recognized by its ``path`` alone."""

    url: str | None
    path: str
    triggers: tuple[str, ...]
    name: str = "reconciler"


@dataclass(frozen=True)
class WebhookStatus:
    """Our webhook, None when there is none, and what is wrong with it, the worst first."""

    webhook: Webhook | None
    issues: tuple[WebhookState, ...]
    missing_triggers: tuple[str, ...] = ()

    def message(self, spec: WebhookSpec) -> str:
        """Return what is wrong in one line, empty when nothing is."""
        webhook = self.webhook
        if webhook is None:
            return f"the portal has no webhook at {spec.url or spec.path}"
        messages = {
            WebhookState.DISABLED: "is disabled",
            WebhookState.ADDRESS: f"calls {webhook.url}, not {spec.url}",
            WebhookState.TRIGGERS: f"does not deliver {', '.join(self.missing_triggers)}",
        }
        issues = " and ".join(messages[issue] for issue in self.issues)
        return f"webhook {webhook.id} {issues}" if issues else ""

    @property
    def hint(self) -> str:
        """What to do about it, empty when nothing is wrong."""
        return next((hint for issue, hint in _HINTS.items() if issue in self.issues), "")


def assess_webhook(
    webhooks: Sequence[Webhook], spec: WebhookSpec, known_id: int | None
) -> WebhookStatus:
    """Find our webhook, and say what is wrong with it; ``known_id`` is the one seen last."""
    webhook = find_webhook(webhooks, spec, known_id)
    if webhook is None:
        return WebhookStatus(None, (WebhookState.MISSING,))
    missing = webhook.missing_triggers(*spec.triggers)
    has_other_address = spec.url is not None and not is_same_webhook_url(webhook.url, spec.url)
    issues = (
        (WebhookState.ADDRESS, has_other_address),
        (WebhookState.DISABLED, not webhook.enabled),
        (WebhookState.TRIGGERS, bool(missing)),
    )
    return WebhookStatus(webhook, tuple(issue for issue, holds in issues if holds), missing)


def find_webhook(
    webhooks: Sequence[Webhook], spec: WebhookSpec, known_id: int | None
) -> Webhook | None:
    """Return ours: the one with our address, else the known one, else the only one of our path.

    Of several with our address it is the known one, else an enabled one.
    """
    ours = [one for one in webhooks if spec.url and is_same_webhook_url(one.url, spec.url)]
    ours.sort(key=lambda one: (one.id != known_id, not one.enabled, one.id))
    known = [one for one in webhooks if one.id == known_id]
    of_path = [one for one in webhooks if urlsplit(one.url).path == spec.path]
    candidates = [*ours, *known, *(of_path if len(of_path) == 1 else ())]
    return candidates[0] if candidates else None


def find_duplicate(webhooks: Sequence[Webhook], own: Webhook) -> Webhook | None:
    """Return another enabled webhook that calls the receiver of ours, None where there is none.

    By http or by https: behind a proxy both lead to it.
    """
    others = [one for one in webhooks if one.enabled and one.id != own.id]
    return next((one for one in others if _receiver_of(one) == _receiver_of(own)), None)


def _receiver_of(webhook: Webhook) -> tuple[str, str]:
    parts = urlsplit(webhook.url)
    return parts.netloc.lower().removesuffix(":443").removesuffix(":80"), parts.path


def is_same_webhook_url(one: str, other: str) -> bool:
    """Whether two addresses are equal; the case of a host does not count."""
    return _normalized(one) == _normalized(other)


def _normalized(address: str) -> tuple[str, str, str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc.lower(), parts.path or "/", parts.query
