"""Commands that ask the ledger alone: how the service is doing, and what failed."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.messages import LEDGER, OK, PORTAL, SOME_FAILED, USAGE
from reconciler.cli.options import LAST_FILE_ID, ConfigPath, Json, read_config
from reconciler.formats import shown

if TYPE_CHECKING:
    from reconciler.config import Config
    from reconciler.ledger import Ledger


failed = typer.Typer(no_args_is_help=True)


def status(config: ConfigPath = None, json: Json = False) -> None:
    """Say how the service is doing: what is wrong first, then the numbers.

    Asks the ledger alone, beside a running `serve` or without one. Exits 5 when the ledger cannot
    be written, 3 while the portal is away or refuses the key, 1 when files failed or were
    refused, or while updates are not marked for another reason (nobody runs, a pause, a queue
    that is not being processed), else 0.

    Examples:

        reconciler status
        reconciler status --json --config /etc/reconciler/config.toml
    """
    from reconciler.cli.overview import as_json, print_overview
    from reconciler.diagnostics import ProblemKind, find_problems, unwritable_problem

    settings = read_config(config)
    with open_read_only(settings) as ledger:
        now = ledger.clock(local)()
        refusal, seen = ledger.refusal(), ledger.health.overview(now)
    problems = (() if refusal is None else (unwritable_problem(refusal),)) + find_problems(seen)
    limit = settings.limits.writes_per_day
    if json:
        typer.echo(as_json(seen, problems, limit))
    else:
        print_overview(seen, problems, limit)
    kinds = {problem.kind for problem in problems}
    if ProblemKind.LEDGER in kinds:
        raise typer.Exit(LEDGER)
    if kinds & {ProblemKind.DEAD_KEY, ProblemKind.AWAY}:
        raise typer.Exit(PORTAL)
    raise typer.Exit(OK if all(problem.is_harmless for problem in problems) else SOME_FAILED)


@failed.callback()
def group() -> None:
    """List the files that failed or wait, or try them again now.

    They are tried again by themselves, each when `list` says.

    Examples:

        reconciler failed list
        reconciler failed retry
    """


@failed.command("list")
def failed_list(config: ConfigPath = None, json: Json = False) -> None:
    """List the files that failed, were refused or wait, with the reason and the next try.

    What failed comes first, then the newest.

    Examples:

        reconciler failed list
        reconciler failed list --json
    """
    from reconciler.cli.overview import files_as_json, print_files

    with open_read_only(read_config(config)) as ledger:
        found = ledger.health.unfinished()
    if json:
        typer.echo(files_as_json(found))
    else:
        print_files(found)


@failed.command("retry")
def failed_retry(
    files: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="FILE_ID",
            min=1,
            max=LAST_FILE_ID,
            help="The files' ids; none: all of them.",
        ),
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Try files again now, as if they had never been tried; without ids all that are listed.

    Does not work itself: a running `serve` or the next `reconcile` does. A pause still holds.
    Exits 1 while nobody works, or nothing is marked for another reason, which is named.

    Examples:

        reconciler failed retry
        reconciler failed retry 4711 4712
    """
    from reconciler.diagnostics import find_problems

    with _opened(read_config(config)) as ledger:
        now = ledger.clock(local)()
        due = ledger.health.retry(files or [], now)
        seen = ledger.health.overview(now, shown=1)
    typer.echo(f"{len(due)} {'file is' if len(due) == 1 else 'files are'} due now")
    blocking = [one for one in find_problems(seen) if one.is_blocking and not one.is_harmless]
    for problem in blocking:
        typer.echo(f"But {shown(str(problem))}.", err=True)
    missing = sorted(set(files or []) - due)
    if missing:
        listed = ", ".join(map(str, missing))
        typer.echo(
            f"Neither failed nor waiting, or in work just now: {listed}. "
            "See reconciler failed list, and reconciler explain FILE_ID.",
            err=True,
        )
        raise typer.Exit(USAGE)
    raise typer.Exit(SOME_FAILED if blocking else OK)


def local() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


@contextmanager
def open_read_only(config: "Config") -> "Iterator[Ledger]":
    """Open the ledger to look at it; the portal is not asked whether it is its own."""
    from reconciler.ledger import Ledger, is_same_address

    portal = config.portal_url()
    opened = Ledger(
        config.database(), portal, read_only=True, any_portal=True, quota=config.limits.quota
    )
    with closing(opened) as ledger:
        if not ledger.read_only:
            refusal = ledger.refusal()
            raise _none_yet(config, "" if refusal is None else f"\nAnd {refusal}.")
        known = ledger.ownership.portal()
        if known is not None and not is_same_address(known, portal):
            typer.echo(
                f"It knows its portal as {known}: serve and reconcile find out whether {portal} "
                "is the same.",
                err=True,
            )
        yield ledger


@contextmanager
def _opened(config: "Config") -> "Iterator[Ledger]":
    """Open the ledger to change it, but create none: it would belong to the wrong user."""
    from reconciler.ledger import Ledger, is_there

    if not is_there(config.state.url):
        raise _none_yet(config)
    quota = config.limits.quota
    with closing(Ledger(config.database(), config.portal_url(), quota=quota)) as ledger:
        yield ledger


def _none_yet(config: "Config", more: str = "") -> typer.Exit:
    """Say that there is no ledger; return the end of the command."""
    typer.echo(
        f"There is no ledger at {config.state.path or config.state.url}: nothing has run "
        f"with this configuration yet.\nCheck state.url and --config, or start reconciler serve."
        f"{more}",
        err=True,
    )
    return typer.Exit(LEDGER)
