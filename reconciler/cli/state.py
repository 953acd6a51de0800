"""Commands on the whole ledger: copy it to another database, or adopt its portal's new address."""

from typing import Annotated

import typer

from reconciler.cli.messages import LEDGER, USAGE, exit_with
from reconciler.cli.options import ConfigPath, Yes, read_config, require_answer
from reconciler.errors import LedgerError
from reconciler.formats import counted

_RISK = (
    "The ledger knows its portal as {known}, and portal.url is {portal}.\n"
    "Continue only if that is the same portal. At another one the ids mean other files: updates "
    "before the last sweep are not found, files may be mistaken for settled ones, and a "
    "reviewer's comment may be overwritten because it is mistaken for a result of our own write. "
    "Another portal needs another state.url."
)

_COPY = (
    "Check both addresses: FROM names the existing ledger, TO an empty database or a new file. "
    "Neither was changed."
)

state = typer.Typer(no_args_is_help=True)
Address = Annotated[
    str, typer.Argument(metavar="FROM", help="sqlite:///PATH or postgresql+psycopg://...")
]
Other = Annotated[str, typer.Argument(metavar="TO", help="An empty database, or a new file.")]


@state.callback()
def group() -> None:
    """Copy the ledger to another database, or bind it to its portal's new address.

    Examples:

        reconciler state copy sqlite:///reconciler.db postgresql://me@db/ledger
        reconciler state adopt
    """


@state.command()
def copy(source: Address, target: Other) -> None:
    """Copy a whole ledger, from SQLite to PostgreSQL or back.

    Stop every `serve` on both first: beside one it exits 4. The rows are copied and counted in
    one transaction: all of them or none. The first ledger is not changed.
    Passwords do not belong on a command line: set PGPASSWORD, or use ~/.pgpass.

    Examples:

        reconciler state copy sqlite:///reconciler.db postgresql://me@db/ledger
        reconciler state copy postgresql://me@db/ledger sqlite:////srv/new.db
    """
    from reconciler import ledger
    from reconciler.config import split_password

    _check_addresses(source, target)
    try:
        numbers = ledger.copy(source, target)
    except LedgerError as error:
        raise exit_with(LEDGER, f"The ledger cannot be copied: {error}.\n{_COPY}") from error
    others = sum(numbers.values()) - numbers["files"]
    typer.echo(f"Copied {counted(numbers['files'])} and {counted(others, 'other row')}.")
    typer.echo(f"Now set state.url to {split_password(target)[0]} and start serve.", err=True)


def _check_addresses(source: str, target: str) -> None:
    """End the command for an invalid address, without repeating it: it may have a password."""
    from reconciler.config import database_address

    for name, address in (("FROM", source), ("TO", target)):
        try:
            database_address(address)
        except ValueError as error:
            raise exit_with(USAGE, f"{name} {error}.") from error
    if source == target:
        raise exit_with(
            USAGE, "FROM and TO are the same: name an empty database or a new file as TO."
        )


@state.command()
def adopt(
    yes: Yes = False,
    config: ConfigPath = None,
) -> None:
    """Confirm that portal.url is the new address of the portal that the ledger knows.

    Only for an address that `serve` and `reconcile` refuse: they accept it by themselves where
    the key has the same owner as before and the files are there. Asks first; without a terminal
    it needs --yes. Stop every `serve` first: beside one it exits 4.

    Examples:

        reconciler state adopt
        reconciler state adopt --yes --config /etc/reconciler/config.toml
    """
    from reconciler.service.portal_identity import adoption

    with adoption(read_config(config)) as found:
        if found is None:
            typer.echo("Nothing to do: the ledger knows no other address.")
            return
        typer.echo(_RISK.format(known=found.known, portal=found.portal), err=True)
        require_answer(yes)
        if not yes:
            typer.confirm("Is it the same portal?", abort=True, err=True)
        found.bind()
    typer.echo(f"The ledger belongs to {found.portal} now.")
