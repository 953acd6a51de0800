"""The action log behind ``/log`` routes: tracked actions only (docspace.md 1.7)."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from reconciler.sandbox.values import EntryId


class Action(Enum):
    """The number and the key of each tracked action; aliases share a key.

    Comment edits (5005), API saves (5002) and versions made or removed by hand are missing
    on purpose: the log never shows them.
    """

    CREATED = (5000, "FileCreated")
    UPLOADED = (5011, "FileUploaded")
    OVERWRITTEN = (5099, "UserFileUpdated")
    UPDATED = (5034, "UserFileUpdated")
    RESTORED_VERSION = (5044, "UserFileUpdated")
    RENAMED = (5001, "FileRenamed")
    MOVED = (5015, "FileMoved")
    COPIED = (5013, "FileCopied")
    CONVERTED = (5035, "FileConverted")
    LOCKED = (5006, "FileLocked")
    UNLOCKED = (5007, "FileUnlocked")
    FILTER_ON = (5120, "FileCustomFilterEnabled")
    FILTER_OFF = (5121, "FileCustomFilterDisabled")
    VERSION_REMOVED = (5119, "FileVersionRemoved")
    REORDERED = (5111, "FileIndexChanged")
    TRASHED = (5017, "FileMovedToTrash")
    DELETED = (5018, "FileDeleted")
    SUBMITTED = (6046, "FormSubmit")


@dataclass(frozen=True, slots=True)
class Entry:
    """One action on a file; ``parents`` are all folders above it but the section root."""

    id: int
    action: Action
    user_id: str
    at: datetime
    file_id: EntryId
    title: str
    parents: tuple[EntryId, ...]
    parent_title: str
    parent_type: int
    old_title: str | None = None
