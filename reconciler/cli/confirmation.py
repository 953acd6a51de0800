"""Questions before what cannot be undone: on a terminal, or answered beforehand with --yes."""

import sys

import typer

from reconciler.cli.messages import USAGE


def require_answer(yes: bool) -> None:
    """End the command where nobody could be asked, before anything is done."""
    if not yes and not sys.stdin.isatty():
        typer.echo("Without a terminal it needs --yes: nobody can be asked.", err=True)
        raise typer.Exit(USAGE)
