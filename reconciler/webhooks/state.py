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
        hook = self.webhook
        if hook is None:
            return f"the portal has no webhook at {wanted.url or wanted.path}"
        words = {
            WebhookIssue.DISABLED: "is disabled",
            WebhookIssue.ADDRESS: f"calls {hook.url}, not {wanted.url}",
            WebhookIssue.TRIGGERS: f"does not tell of {', '.join(self.missing_triggers)}",
        }
        told = " and ".join(words[one] for one in self.issues)
        return f"webhook {hook.id} {told}" if told else ""


def judge(hooks: Sequence[Webhook], wanted: WebhookSpec, known: int | None) -> WebhookStatus:
    """Find our webhook, and say what is wrong with it; ``known`` is what we registered once."""
    hook = find(hooks, wanted, known)
    if hook is None:
        return WebhookStatus(None, (WebhookIssue.MISSING,))
    lacking = hook.lacks(*wanted.triggers)
    flaws = [
        flaw
        for flaw, holds in (
            (WebhookIssue.ADDRESS, wanted.url is not None and not same(hook.url, wanted.url)),
            (WebhookIssue.DISABLED, not hook.enabled),
            (WebhookIssue.TRIGGERS, bool(lacking)),
        )
        if holds
    ]
    return WebhookStatus(hook, tuple(flaws), lacking)


def find(hooks: Sequence[Webhook], wanted: WebhookSpec, known: int | None) -> Webhook | None:
    """Return ours: the one with our address, else the one we know, else the only one of our path.

    Of several with our address it is the one we know, else one that is enabled.
    """
    here = [hook for hook in hooks if wanted.url is not None and same(hook.url, wanted.url)]
    ranked = sorted(here, key=lambda hook: (hook.id != known, not hook.enabled, hook.id))
    ours = [hook for hook in hooks if hook.id == known]
    alike = [hook for hook in hooks if urlsplit(hook.url).path == wanted.path]
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
