"""Why a file has the comment that it has: what the portal says, what the ledger knows, the rule."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from reconciler.config import Config
from reconciler.errors import PortalError
from reconciler.model import Decision, File
from reconciler.service.build import build_components


@dataclass(frozen=True)
class Explanation:
    """``error`` stands in place of the file and the decision when the portal did not answer."""

    file_id: int
    file: File | None
    known: Mapping[str, Any] | None
    decision: Decision | None
    error: PortalError | None = None


def explain(config: Config, file_id: int) -> Explanation:
    """Look and decide as the worker would, and change nothing. Raises ConfigError, LedgerError."""
    with ExitStack() as opened:
        components = build_components(config, opened, read_only=True)
        known = components.ledger.file_row(file_id)
        entry = components.ledger.entry(file_id)
        try:
            look = components.processor.looker.look(entry)
        except PortalError as error:
            return Explanation(file_id, None, known, None, error)
        return Explanation(file_id, look.file, known, look.decision)
