"""The command line: commands, messages and exit codes; `service` carries them out.

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
from reconciler.cli.messages import message_for, message_for_unforeseen
from reconciler.cli.streams import (
    discard,
    ignore_closed_readers,
    open_closed,
    replace_unencodable,
)
from reconciler.errors import ReconcilerError

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command; turn an error into a message and an exit code."""
    ignore_closed_readers()
    open_closed()
    replace_unencodable()
    try:
        app()
    except ReconcilerError as error:
        code, text = message_for(error)
        print(text, file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - a bug is reported with a message, too
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            discard(sys.stdout)
        code, text = message_for_unforeseen(error)
        print(text, file=sys.stderr)
    sys.exit(code)
