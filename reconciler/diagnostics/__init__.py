"""Problems and findings, each with a hint: called by `admin`, `service` and `cli`.

`problems` finds the problems of the service in an overview of the ledger, for `status`, the page,
the metrics, `check` and alerts, and the hint for a single file. `checks` is the package of
`reconciler check`.
"""

from reconciler.diagnostics.problems import (
    Problem,
    ProblemKind,
    file_hint,
    find_alerts,
    find_problems,
)

__all__ = [
    "Problem",
    "ProblemKind",
    "file_hint",
    "find_alerts",
    "find_problems",
]
