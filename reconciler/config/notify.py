"""The section [notify]: who is notified of what, and how often."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from reconciler.config.files import distinct, is_exposed, read_secret
from reconciler.config.value_types import Interval, PublicAddress
from reconciler.errors import ConfigError

_FILE = "notify.urls_file"


class Notify(BaseModel):
    """Whom to notify, of what and how often. Without ``urls_file`` nobody is notified.

    ``heartbeat_url`` is called at the start and the end of each sweep, whatever the others are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    urls_file: Path | None = None
    digest_every: Interval | None = None
    overdue_after: Interval | None = None
    heartbeat_url: PublicAddress | None = None

    def urls(self) -> tuple[str, ...]:
        """Return the addresses to notify, none when none are configured.

        One per line; blank lines and those that begin with # are ignored. Raises ConfigError
        when the file is missing, unreadable, without an address, or readable by others: an
        address holds the password of its service.
        """
        path = self.urls_file
        if path is None:
            if self.digest_every or self.overdue_after:
                raise ConfigError((f"{_FILE} is missing: digests and reminders have no address",))
            return ()
        lines = distinct(read_secret(path, _FILE).splitlines())
        if is_exposed(path):
            raise ConfigError((f"{_FILE} {path} can be read by others: chmod 600 {path}",))
        found = tuple(line for line in lines if not line.startswith("#"))
        if not found:
            raise ConfigError((f"{_FILE} {path} has no address: write one per line",))
        return found
