"""Webhook settings and log entries (docspace.md 6)."""

from dataclasses import dataclass, field
from datetime import datetime

from reconciler.sandbox.values import EntryId

TRIGGERS = {
    "user.created": 1,
    "user.invited": 2,
    "user.updated": 4,
    "user.deleted": 8,
    "group.created": 16,
    "group.updated": 32,
    "group.deleted": 64,
    "file.created": 128,
    "file.uploaded": 256,
    "file.updated": 512,
    "file.trashed": 1024,
    "file.deleted": 2048,
    "file.restored": 4096,
    "file.copied": 8192,
    "file.moved": 16384,
    "folder.created": 32768,
    "folder.updated": 65536,
    "folder.trashed": 131072,
    "folder.deleted": 262144,
    "folder.restored": 524288,
    "folder.copied": 1048576,
    "folder.moved": 2097152,
    "room.created": 4194304,
    "room.updated": 8388608,
    "room.archived": 16777216,
    "room.deleted": 33554432,
    "room.restored": 67108864,
    "room.copied": 134217728,
    "form.submit": 268435456,
    "form.filled.out": 536870912,
    "form.stopped": 1073741824,
    "agent.created": 2147483648,
    "agent.updated": 4294967296,
    "agent.deleted": 8589934592,
    "file.downloaded": 17179869184,
    "folder.downloaded": 34359738368,
}
"""The bits of a webhook's ``triggers``; 0 stands for all."""


def mask(triggers: tuple[str, ...]) -> int:
    """Return the bit mask of trigger names; none stands for all."""
    return sum(TRIGGERS[name] for name in triggers)


def names(triggers: int) -> list[str]:
    """Return the trigger names in a bit mask."""
    return [name for name, bit in TRIGGERS.items() if triggers & bit] or ["*"]


@dataclass(frozen=True, slots=True)
class Config:
    """One webhook."""

    id: int
    name: str
    url: str
    secret: str = field(repr=False)
    triggers: int
    enabled: bool
    target_id: str
    created_by: str
    created_on: datetime
    modified_by: str | None = None
    modified_on: datetime | None = None
    last_failure_on: datetime | None = None
    last_failure: str | None = None
    last_success_on: datetime | None = None
    ssl: bool = False

    def wants(self, trigger: str, target: EntryId) -> bool:
        """Whether an event of this kind about this entry is to be delivered."""
        bit = TRIGGERS[trigger]
        return (
            self.enabled
            and (self.triggers == 0 or bool(self.triggers & bit))
            and self.target_id in ("", str(target))
        )


@dataclass(slots=True)
class Log:
    """One entry of the webhook log; ``status`` 0 means not sent or no answer."""

    id: int
    config_id: int
    trigger: str
    file_id: EntryId
    created: datetime
    event: dict[str, object]
    payload: dict[str, object]
    body: str
    request_headers: str | None = None
    response_headers: str | None = None
    response: str | None = None
    status: int = 0
    delivery: datetime | None = None
