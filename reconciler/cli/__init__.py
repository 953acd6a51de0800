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
