"""What is wrong, and what to do about it: called by `admin`, `service` and `cli`.

`problems` finds in an overview of the ledger what is wrong with the service, for `status`, the
page, the metrics and `check`; `alerts` are those that are sent to a person; `file_hints` say what
to do about one file. `checks` is the package of `reconciler check`.
"""

from reconciler.diagnostics.alerts import find_alerts
from reconciler.diagnostics.file_hints import file_hint
from reconciler.diagnostics.problems import (
    Problem,
    ProblemKind,
    find_problems,
    unwritable_problem,
)

__all__ = [
    "Problem",
    "ProblemKind",
    "file_hint",
    "find_alerts",
    "find_problems",
    "unwritable_problem",
]
