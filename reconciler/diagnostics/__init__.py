"""What is wrong, and what to do about it: called by `admin`, `service` and `cli`.

`problems` finds in an overview of the ledger what is wrong with the service, for `status`, the
page, the metrics and `check`, which of it a person is sent, and what to do about one file.
`checks` is the package of `reconciler check`.
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
