"""The events that a webhook can subscribe to, as DocSpace numbers them (docspace.md 10).

A fact about the portal, like `portal_texts`: the product and the sandbox share it.
"""

from collections.abc import Mapping

_NAMES = (
    *(f"user.{act}" for act in ("created", "invited", "updated", "deleted")),
    *(f"group.{act}" for act in ("created", "updated", "deleted")),
    *("file.created", "file.uploaded", "file.updated", "file.trashed", "file.deleted"),
    *("file.restored", "file.copied", "file.moved"),
    *("folder.created", "folder.updated", "folder.trashed", "folder.deleted"),
    *("folder.restored", "folder.copied", "folder.moved"),
    *("room.created", "room.updated", "room.archived", "room.deleted"),
    *("room.restored", "room.copied", "form.submit", "form.filled.out", "form.stopped"),
    *("agent.created", "agent.updated", "agent.deleted", "file.downloaded", "folder.downloaded"),
)
TRIGGERS: Mapping[str, int] = {name: 1 << place for place, name in enumerate(_NAMES)}
"""The bit of each trigger in a webhook's number; 0 stands for all."""

UPDATED = "file.updated"
"""The trigger for an update of a file."""

OF_FILES = tuple(name for name in _NAMES if name.startswith(("file.", "form.")))
"""The triggers whose deliveries name a file."""
