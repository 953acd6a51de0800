"""Why a file has the comment that it has: what the portal says, what the ledger knows, the rule."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from reconciler.config import Config
from reconciler.decision import decide
from reconciler.errors import PortalError
from reconciler.model import EPOCH, Absent, Decision, File
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
            seen = components.docspace.file(file_id)
            if not isinstance(seen, Absent):
                seen = components.processor.with_room(seen, components.clock())
                entry = replace(entry, portal_known=components.processor.knows_portal(entry, seen))
        except PortalError as error:
            return Explanation(file_id, None, known, None, error)
        file = None if isinstance(seen, Absent) else seen
        if file is not None and entry.since == EPOCH:
            date = file.read_at or components.clock()
            entry = replace(entry, since=date - config.sweep.first_lookback)
        decision = decide(seen, entry, components.policy)
        return Explanation(file_id, file, known, decision)
