"""Webhook settings and log entries (docspace.md 6)."""

from dataclasses import dataclass, field
from datetime import datetime

from reconciler.sandbox.values import EntryId
from reconciler.triggers import TRIGGERS


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """One webhook; the defaults are those of members that a request leaves out."""

    created_by: str
    created_on: datetime
    id: int = 0
    name: str = ""
    url: str = ""
    secret: str = field(default="", repr=False)
    triggers: int = 0
    enabled: bool = False
    ssl: bool = False
    target_id: str = ""
    modified_by: str | None = None
    modified_on: datetime | None = None
    last_failure_on: datetime | None = None
    last_failure: str | None = None
    last_success_on: datetime | None = None

    @property
    def trigger_names(self) -> list[str]:
        """The names in the bit mask."""
        return [name for name, bit in TRIGGERS.items() if self.triggers & bit] or ["*"]

    def wants(self, trigger: str, target: EntryId) -> bool:
        """Whether an event of this kind about this entry is to be delivered."""
        return (
            self.enabled
            and (self.triggers == 0 or bool(self.triggers & TRIGGERS[trigger]))
            and self.target_id in ("", str(target))
        )


@dataclass(slots=True)
class WebhookLog:
    """One entry of the webhook log; ``status`` 0 means not sent or no answer."""

    id: int
    config_id: int
    trigger: str
    file_id: EntryId
    created: datetime
    event: dict[str, object]
    payload: dict[str, object]
    body: str = ""
    request_headers: str | None = None
    response_headers: str | None = None
    response: str | None = None
    status: int = 0
    delivery: datetime | None = None
