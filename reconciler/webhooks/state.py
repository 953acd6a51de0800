"""Which webhook of the portal is ours, and what is wrong with it. Pure: values in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from reconciler.client import Webhook


class WebhookIssue(StrEnum):
    """What keeps deliveries from coming; the first three keep all of them."""

    MISSING = "missing"
    DISABLED = "disabled"
    ADDRESS = "address"
    TRIGGERS = "triggers"


@dataclass(frozen=True)
class WebhookSpec:
    """What our webhook should be. Without ``url`` it is told by its ``path`` alone."""

    url: str | None
    path: str
    triggers: tuple[str, ...]
    name: str = "reconciler"


@dataclass(frozen=True)
class WebhookStatus:
    """Our webhook, None when there is none, and what is wrong with it, the worst first."""

    webhook: Webhook | None
    issues: tuple[WebhookIssue, ...]
    missing_triggers: tuple[str, ...] = ()

    def message(self, wanted: WebhookSpec) -> str:
        """Return what is wrong in one line, empty when nothing is."""
        webhook = self.webhook
        if webhook is None:
            return f"the portal has no webhook at {wanted.url or wanted.path}"
        words = {
            WebhookIssue.DISABLED: "is disabled",
            WebhookIssue.ADDRESS: f"calls {webhook.url}, not {wanted.url}",
            WebhookIssue.TRIGGERS: f"does not tell of {', '.join(self.missing_triggers)}",
        }
        told = " and ".join(words[one] for one in self.issues)
        return f"webhook {webhook.id} {told}" if told else ""


def judge(webhooks: Sequence[Webhook], wanted: WebhookSpec, known: int | None) -> WebhookStatus:
    """Find our webhook, and say what is wrong with it; ``known`` is what we registered once."""
    webhook = find(webhooks, wanted, known)
    if webhook is None:
        return WebhookStatus(None, (WebhookIssue.MISSING,))
    lacking = webhook.lacks(*wanted.triggers)
    flaws = [
        flaw
        for flaw, holds in (
            (WebhookIssue.ADDRESS, wanted.url is not None and not same(webhook.url, wanted.url)),
            (WebhookIssue.DISABLED, not webhook.enabled),
            (WebhookIssue.TRIGGERS, bool(lacking)),
        )
        if holds
    ]
    return WebhookStatus(webhook, tuple(flaws), lacking)


def find(webhooks: Sequence[Webhook], wanted: WebhookSpec, known: int | None) -> Webhook | None:
    """Return ours: the one with our address, else the one we know, else the only one of our path.

    Of several with our address it is the one we know, else one that is enabled.
    """
    here = [
        webhook for webhook in webhooks if wanted.url is not None and same(webhook.url, wanted.url)
    ]
    ranked = sorted(
        here, key=lambda webhook: (webhook.id != known, not webhook.enabled, webhook.id)
    )
    ours = [webhook for webhook in webhooks if webhook.id == known]
    alike = [webhook for webhook in webhooks if urlsplit(webhook.url).path == wanted.path]
    only = alike if len(alike) == 1 else []
    return next(iter([*ranked, *ours, *only]), None)


def same(one: str, other: str) -> bool:
    """Whether two addresses are one; hosts have no case."""
    first, second = urlsplit(one), urlsplit(other)
    return (first.scheme, first.netloc.lower(), first.path or "/", first.query) == (
        second.scheme,
        second.netloc.lower(),
        second.path or "/",
        second.query,
    )
