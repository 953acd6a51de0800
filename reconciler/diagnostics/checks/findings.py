"""What a check says: one line, what to do about it, and whose fault it is."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Level(StrEnum):
    """How bad it is, the worst first; skipped means that it could not be checked."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"
    SKIPPED = "skipped"


class Fault(Enum):
    """Where an error lies; the command line has an exit code for each."""

    CONFIG = "config"
    PORTAL = "portal"
    LEDGER = "ledger"
    OTHER = "other"


@dataclass(frozen=True)
class Finding:
    """One line. ``hint`` is what to do, empty when nothing is to be done."""

    level: Level
    about: str
    message: str
    hint: str = ""
    fault: Fault = Fault.OTHER


def ok(about: str, message: str) -> Finding:
    """All is well, or merely worth knowing."""
    return Finding(Level.OK, about, message)


def warning(about: str, message: str, hint: str) -> Finding:
    """It works, but not as well as it could, or not for long."""
    return Finding(Level.WARNING, about, message, hint)


def error(about: str, message: str, hint: str, fault: Fault = Fault.OTHER) -> Finding:
    """It does not work."""
    return Finding(Level.ERROR, about, message, hint, fault)


def skipped(about: str, reason: str) -> Finding:
    """It could not be checked."""
    return Finding(Level.SKIPPED, about, f"not checked: {reason}")
