"""Commands on the ledger's database: from a file to a server, and back."""

from typing import Annotated

import typer

state = typer.Typer(no_args_is_help=True)
Address = Annotated[
    str, typer.Argument(metavar="FROM", help="sqlite:///PATH or postgresql+psycopg://...")
]
Other = Annotated[str, typer.Argument(metavar="TO", help="An empty database, or a new file.")]


@state.callback()
def group() -> None:
    """Copy the ledger to another database.

    Examples:

        reconciler state copy sqlite:///reconciler.db postgresql://me@db/ledger
    """


@state.command()
def copy(source: Address, target: Other) -> None:
    """Copy a whole ledger, from SQLite to PostgreSQL or back.

    Stop every `serve` on both first: beside one it exits 4. What is copied is counted, in one
    transaction: all of it is there in the end, or nothing. The first ledger stays as it is.
    Passwords do not belong on a command line: set PGPASSWORD, or use ~/.pgpass.

    Examples:

        reconciler state copy sqlite:///reconciler.db postgresql://me@db/ledger
        reconciler state copy postgresql://me@db/ledger sqlite:////srv/new.db
    """
    from reconciler.config import parted  # noqa: PLC0415 - help must be quick
    from reconciler.ledger import copy as run  # noqa: PLC0415

    numbers = run(source, target)
    others = sum(numbers.values()) - numbers["files"]
    typer.echo(f"Copied {numbers['files']} files and {others} other rows.")
    typer.echo(f"Now set state.url to {parted(target)[0]} and start serve.", err=True)
