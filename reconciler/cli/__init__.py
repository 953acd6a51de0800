"""The command line: commands, words and exit codes; the work is done in the rooms below."""

import os
import sys
from typing import NoReturn

from reconciler.cli.commands import app
from reconciler.cli.words import BUG, bug, in_words
from reconciler.errors import ReconcilerError

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command; turn errors into words and an exit code."""
    _open_what_is_closed()
    try:
        app()
    except ReconcilerError as error:
        code, text = in_words(error)
        print(text, file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 - the last place to turn a bug into words
        code = BUG
        print(bug(error), file=sys.stderr)
    sys.exit(code)


def _open_what_is_closed() -> None:
    """Let what goes to a closed stream (`2>&-`) go nowhere: else the ledger takes its number."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r+"))
