"""`review list`: every file that waits for a review, from the ledger alone."""

from datetime import timedelta
from typing import Annotated

import typer

from reconciler.cli.messages import USAGE
from reconciler.cli.options import ConfigPath, Json, Rooms, read_config
from reconciler.cli.status import local, open_read_only

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """List the files that carry the comment and wait for a review.

    Examples:

        reconciler review list
        reconciler review list --older-than 7d --csv
    """


@app.command("list")
def review_list(
    room: Rooms = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Only what waits longer than that (7d, 12h)."),
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="NAME", help="Only what somebody saved whose name has this.")
    ] = "",
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    config: ConfigPath = None,
) -> None:
    """List every file that carries the comment, the one that waits longest first.

    Listed separately are the files that were kept because a person's comment stands on an update
    that was never marked. Asks the ledger alone, beside a running `serve` or without one: a
    decision is in it once its delivery has arrived. Exits 0, also when nothing waits, and 5 without
    a ledger.

    Examples:

        reconciler review list
        reconciler review list --room 12 --older-than 7d
        reconciler review list --by "Ann Lee"
        reconciler review list --csv
    """
    from reconciler.cli import review_report
    from reconciler.ledger import ReviewFilter, ReviewState

    if json and csv:
        typer.echo("--json and --csv exclude each other: give one of them.", err=True)
        raise typer.Exit(USAGE)
    longer = None if older_than is None else _length(older_than)
    settings = read_config(config)
    with open_read_only(settings) as ledger:
        now = ledger.clock(local)()
        before = None if longer is None else now - longer
        wanted = ReviewFilter(frozenset(room or ()), before, by.strip())
        waiting, kept = (
            ledger.reviews.page(state, wanted).files
            for state in (ReviewState.WAITING, ReviewState.UNMARKED)
        )
    found = review_report.Found(now, settings.portal_url(), waiting, kept)
    if json:
        typer.echo(review_report.as_json(found))
    elif csv:
        review_report.write_csv(found)
    else:
        review_report.print_found(found)


def _length(text: str) -> timedelta:
    from reconciler.config import duration

    try:
        return duration(text)
    except ValueError as error:
        advice = "give a number and a unit (7d, 12h), at most 3650d."
        typer.echo(f"--older-than {text}: {advice}", err=True)
        raise typer.Exit(USAGE) from error
