"""The port to the log: `service` passes in the logger that it has configured."""

from typing import Any, Protocol


class EventLog(Protocol):
    """Writes one event with its fields, at a level."""

    def info(self, event: str, **fields: Any) -> Any:
        """Log what is worth knowing."""

    def warning(self, event: str, **fields: Any) -> Any:
        """Log what somebody should look at."""

    def error(self, event: str, **fields: Any) -> Any:
        """Log what does not work."""
