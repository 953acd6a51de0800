"""The command line: commands, messages and exit codes; `service` does the work.

`commands` has serve and registers all others. `runs` has reconcile, backfill and explain; `status`
has status, failed and review; `checking` has check, config and notify; `trial` has demo, sandbox
and send; `deploy` has service-files; `init`, `state` and `webhook` have their own.

`overview`, `review_report` and `report` print what `status` and `runs` return; `playground` is what
`demo` and `sandbox` do, `send` the sample event. Shared: `options`, `messages` (errors and exit
codes), `help`, `streams`.

A command imports inside its function what only it needs, so that help is there at once.
"""

import errno
import sys
from typing import NoReturn

from reconciler.cli.commands import app
from reconciler.cli.messages import in_words, unforeseen
from reconciler.cli.streams import give_up, open_closed, outlive_readers, replace_unencodable
from reconciler.errors import ReconcilerError

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command; turn errors into words and an exit code."""
    outlive_readers()
    open_closed()
    replace_unencodable()
    try:
        app()
    except ReconcilerError as error:
        code, text = in_words(error)
        print(text, file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - the last place to turn a bug into words
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            give_up(sys.stdout)
        code, text = unforeseen(error)
        print(text, file=sys.stderr)
    sys.exit(code)
