"""The commands that read the ledger alone: status, failed, review."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.messages import LEDGER, OK, PORTAL, SOME_FAILED, USAGE, exit_with
from reconciler.cli.options import LAST_FILE_ID, ConfigPath, Json, Rooms, read_config
from reconciler.formats import shown, utcnow

if TYPE_CHECKING:
    from reconciler.cli.review_report import Reviews
    from reconciler.config import Config
    from reconciler.ledger import Ledger

failed = typer.Typer(no_args_is_help=True)
review = typer.Typer(no_args_is_help=True)


def status(config: ConfigPath = None, json: Json = False) -> None:
    """Show how the service is doing: the problems first, then the numbers.

    Reads the ledger alone, beside a running `serve` or without one. Exits 5 when the ledger cannot
    be written, 3 while the portal is unavailable or refuses the key, 1 when files failed or were
    refused, or while updates are not marked for another reason (no daemon, a pause, a queue that
    is not processed), else 0.

    Examples:

        reconciler status
        reconciler status --json --config /etc/reconciler/config.toml
    """
    from reconciler.cli.overview import as_json, print_overview
    from reconciler.diagnostics import ProblemKind, find_problems

    settings = read_config(config)
    with _open_read_only(settings) as ledger:
        now = ledger.clock(utcnow)()
        refusal, seen = ledger.refusal(), ledger.health.overview(now)
    problems = find_problems(seen, refusal)
    limit = settings.limits.writes_per_day
    if json:
        typer.echo(as_json(seen, problems, limit))
    else:
        print_overview(seen, problems, limit)
    kinds = {problem.kind for problem in problems}
    if ProblemKind.LEDGER in kinds:
        raise typer.Exit(LEDGER)
    if kinds & {ProblemKind.DEAD_KEY, ProblemKind.UNAVAILABLE}:
        raise typer.Exit(PORTAL)
    raise typer.Exit(OK if all(problem.is_harmless for problem in problems) else SOME_FAILED)


@failed.callback()
def failed_group() -> None:
    """List the files that failed or wait, or retry them now.

    Each is retried automatically at the time shown by `list`.

    Examples:

        reconciler failed list
        reconciler failed retry
    """


@failed.command("list")
def failed_list(config: ConfigPath = None, json: Json = False) -> None:
    """List the files that failed, were refused or wait, with the reason and the next attempt.

    Failed files come first, then the newest.

    Examples:

        reconciler failed list
        reconciler failed list --json
    """
    from reconciler.cli.overview import files_as_json, print_files

    with _open_read_only(read_config(config)) as ledger:
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
    """Make files due now, as if never tried before; without ids all that are listed.

    A running `serve` or the next `reconcile` processes them. A pause still holds. Exits 1 while
    no daemon runs or files are not marked for another reason, which is printed.

    Examples:

        reconciler failed retry
        reconciler failed retry 4711 4712
    """
    from reconciler.diagnostics import find_problems

    with _opened(read_config(config)) as ledger:
        now = ledger.clock(utcnow)()
        due = ledger.waits.retry(files or [], now)
        seen = ledger.health.overview(now, shown=1)
    typer.echo(f"{len(due)} {'file is' if len(due) == 1 else 'files are'} due now")
    blocking = [one for one in find_problems(seen) if one.is_blocking and not one.is_harmless]
    for problem in blocking:
        typer.echo(f"But {shown(str(problem))}.", err=True)
    missing = sorted(set(files or []) - due)
    if missing:
        listed = ", ".join(map(str, missing))
        raise exit_with(
            USAGE,
            f"Neither failed nor waiting, or being processed now: {listed}. "
            "See reconciler failed list, and reconciler explain FILE_ID.",
        )
    raise typer.Exit(SOME_FAILED if blocking else OK)


@review.callback()
def review_group() -> None:
    """List the files that carry the comment and wait for a review.

    Examples:

        reconciler review list
        reconciler review list --older-than 7d --csv
    """


@review.command("list")
def review_list(
    room: Rooms = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Only files that wait longer than that (7d, 12h)."),
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="NAME", help="Only files saved by a user with this in the name.")
    ] = "",
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    config: ConfigPath = None,
) -> None:
    """List every file that carries the comment, the one that waits longest first.

    Files that were kept for a person's comment on an update that was never marked are listed
    separately. Reads the ledger alone, beside a running `serve` or without one: it has a reviewer's
    decision once the delivery has arrived. Exits 0, also when nothing waits, and 5 without a
    ledger.

    Examples:

        reconciler review list
        reconciler review list --room 12 --older-than 7d
        reconciler review list --by "Ann Lee"
        reconciler review list --csv
    """
    from reconciler.cli import review_report

    if json and csv:
        raise exit_with(USAGE, "--json and --csv exclude each other: give one of them.")
    longer = None if older_than is None else _length(older_than)
    settings = read_config(config)
    with _open_read_only(settings) as ledger:
        found = _reviews(ledger, settings.portal_url(), frozenset(room or ()), longer, by.strip())
    if json:
        typer.echo(review_report.as_json(found))
    elif csv:
        review_report.write_csv(found)
    else:
        review_report.print_reviews(found)


def _reviews(
    ledger: "Ledger", portal: str, rooms: frozenset[int], longer: timedelta | None, by: str
) -> "Reviews":
    from reconciler.cli.review_report import Reviews
    from reconciler.ledger import ReviewFilter, ReviewState

    now = ledger.clock(utcnow)()
    wanted = ReviewFilter(rooms, None if longer is None else now - longer, by)
    waiting, kept = (
        ledger.reviews.page(state, wanted).files
        for state in (ReviewState.WAITING, ReviewState.UNMARKED)
    )
    return Reviews(now, portal, waiting, kept)


def _length(text: str) -> timedelta:
    from reconciler.config import duration

    try:
        return duration(text)
    except ValueError as error:
        raise exit_with(
            USAGE, f"--older-than {text}: give a number and a unit (7d, 12h), at most 3650d."
        ) from error


@contextmanager
def _open_read_only(config: "Config") -> "Iterator[Ledger]":
    """Open the ledger for reading; the portal is not asked whether the ledger is its own."""
    from reconciler.ledger import Ledger, is_same_portal_url

    portal = config.portal_url()
    opened = Ledger(
        config.database(), portal, read_only=True, any_portal=True, quota=config.limits.quota
    )
    with closing(opened) as ledger:
        if not ledger.read_only:
            refusal = ledger.refusal()
            raise _none_yet(config, "" if refusal is None else f"\nAnd {refusal}.")
        known = ledger.ownership.portal()
        if known is not None and not is_same_portal_url(known, portal):
            typer.echo(
                f"The ledger knows its portal as {known}: serve and reconcile find out whether "
                f"{portal} is the same.",
                err=True,
            )
        yield ledger


@contextmanager
def _opened(config: "Config") -> "Iterator[Ledger]":
    """Open the ledger to change it, and create none: it would belong to the wrong user."""
    from reconciler.ledger import Ledger, is_there

    if not is_there(config.state.url):
        raise _none_yet(config)
    quota = config.limits.quota
    with closing(Ledger(config.database(), config.portal_url(), quota=quota)) as ledger:
        yield ledger


def _none_yet(config: "Config", more: str = "") -> typer.Exit:
    """Print that there is no ledger; return the exception that ends the command."""
    return exit_with(
        LEDGER,
        f"There is no ledger at {config.state.path or config.state.url}: nothing has run "
        f"with this configuration yet.\nCheck state.url and --config, or start reconciler serve."
        f"{more}",
    )
