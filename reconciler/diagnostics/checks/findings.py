"""The finding of a check: its level, a message, a hint, and where the fault lies."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Level(StrEnum):
    """The severity, the worst first; skipped means that it could not be checked."""

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
    """One finding. ``hint`` is what to do, empty when nothing is."""

    level: Level
    about: str
    message: str
    hint: str = ""
    fault: Fault = Fault.OTHER


def ok(about: str, message: str) -> Finding:
    """Return that something is as it should be, or is only information."""
    return Finding(Level.OK, about, message)


def warning(about: str, message: str, hint: str) -> Finding:
    """Return that something works with a limitation, or not for long."""
    return Finding(Level.WARNING, about, message, hint)


def error(about: str, message: str, hint: str, fault: Fault = Fault.OTHER) -> Finding:
    """Return that something does not work."""
    return Finding(Level.ERROR, about, message, hint, fault)


def skipped(about: str, reason: str) -> Finding:
    """Return that something could not be checked."""
    return Finding(Level.SKIPPED, about, f"not checked: {reason}")
