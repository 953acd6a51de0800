"""Commands that read the portal once: reconcile, backfill, explain."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from reconciler.cli.messages import OK, PORTAL, SOME_FAILED, USAGE, exit_with, message_for
from reconciler.cli.options import (
    LAST_FILE_ID,
    ConfigPath,
    Json,
    Rooms,
    read_config,
    require_answer,
)
from reconciler.formats import shown, utcnow

if TYPE_CHECKING:
    from reconciler.service import Summary
    from reconciler.sweep import BackfillJob

DryRun = Annotated[bool, typer.Option("--dry-run", help="Decide everything, write nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Begin without estimate and question.")]
Since = Annotated[
    str,
    typer.Option(
        metavar="DATE|DURATION", help="A date (2026-01-01) or a duration before now (30d)."
    ),
]
Until = Annotated[
    str | None, typer.Option(metavar="DATE", help="Up to this date, the day included; else now.")
]
OverwriteComments = Annotated[
    bool,
    typer.Option(
        "--overwrite-comments",
        help="Also mark files with a person's comment, unless it was settled.",
    ),
]
Observe = Annotated[bool, typer.Option("--observe", help="Record the comments, write nothing.")]
Document = Annotated[
    str,
    typer.Argument(metavar="FILE", help="The file's id, or the address of the opened document."),
]

_DATES = "give a date (2026-01-01) or a duration back (30d, 12h)."
# In the addresses of the editors, of a room's list and of the viewer of pictures.
_IN_ADDRESS = re.compile(
    r"[?&]file_?id=(?P<editor>[^&#]+)|#preview/(?P<list>[^/?&]+)|/media/view/(?P<viewer>[^/?#]+)",
    re.IGNORECASE,
)
_NEITHER = (
    "{} is neither a file's id nor the address of an opened document, such as "
    "https://portal.example.com/doceditor?fileId=4711"
)


def reconcile(config: ConfigPath = None, dry_run: DryRun = False, json: Json = False) -> None:
    """Find updates that no webhook announced, mark them, and exit: for cron and systemd timers.

    Sweeps once, then works until nothing is due now. Exits 0 when all is done, 1 when some
    files failed and will be retried, 3 when the portal cannot be reached or refuses the key, 4
    beside a running `serve` or another `reconcile`.

    Examples:

        reconciler reconcile
        reconciler reconcile --dry-run      # what it would do, and why
        reconciler reconcile --json --config /etc/reconciler/config.toml
    """
    from reconciler import service
    from reconciler.cli.report import as_json, in_a_line, print_planned

    settings = read_config(config)
    service.configure_log(settings.log.level, settings.log.format)
    summary = service.reconcile(
        settings, dry_run=dry_run, on_planned=lambda one: None if json else print_planned(one)
    )
    typer.echo(as_json(summary) if json else in_a_line(summary))
    raise typer.Exit(_code(summary))


def backfill(
    since: Since,
    until: Until = None,
    room: Rooms = None,
    overwrite: OverwriteComments = False,
    observe: Observe = False,
    dry_run: DryRun = False,
    json: Json = False,
    yes: Yes = False,
    config: ConfigPath = None,
) -> None:
    """Mark what was updated since a date: for a first installation or after a long outage.

    Estimates first and asks; without a terminal it needs --yes. Only empty comments and the
    portal's own texts are overwritten. Takes a share of the day's writes (limits.backfill_share),
    stops when that is used up (exit 1), and resumes where it stopped when it is run again. Also
    exits 1 while files failed, in this run or an earlier one.

    Examples:

        reconciler backfill --since 90d --dry-run
        reconciler backfill --since 2026-01-01 --until 2026-01-31 --room 12
        reconciler backfill --since 90d --observe           # record, write nothing
        reconciler backfill --since 90d --yes --json        # from a script
    """
    from reconciler import service
    from reconciler.cli.report import BackfillCommand

    job = _job(since, until, room or [], overwrite=overwrite, observe=observe)
    require_answer(yes or dry_run)
    settings = read_config(config)
    service.configure_log(settings.log.level, settings.log.format)
    command = BackfillCommand(settings, job, json=json, ask=not yes)
    code = _code(command.run(dry_run))
    raise typer.Exit(SOME_FAILED if code == OK and command.failing else code)


def explain(
    file: Document,
    config: ConfigPath = None,
) -> None:
    """Say why a file has the comment that it has: the portal, the ledger, and the rule.

    The decision comes first. Give the file's id, or in quotes the address of the opened
    document.

    Examples:

        reconciler explain 4711
        reconciler explain 'https://portal.example.com/doceditor?fileId=4711'
        reconciler explain 4711 --config /etc/reconciler/config.toml
    """
    from reconciler import service
    from reconciler.cli.report import explanation_text

    number, settings = document(file), read_config(config)
    if _is_elsewhere(file, settings.portal_url()):
        typer.echo(
            f"That address is not at portal.url, which is {settings.portal_url()}: if it is "
            "another portal, this is another file.",
            err=True,
        )
    explanation = service.explain(settings, number)
    typer.echo(explanation_text(explanation))
    if explanation.error is not None:
        raise exit_with(PORTAL, message_for(explanation.error)[1])


def document(text: str) -> int:
    """Return the id of the file that an argument names. Raises BadParameter."""
    found = _IN_ADDRESS.search(text)
    number = next(filter(None, found.groups())) if found is not None else text.strip()
    if found is not None and not number.isdecimal():
        raise typer.BadParameter(
            f"{number} is a file of a connected storage, which takes no comments, so it is not in "
            "the ledger"
        )
    if not (number.isascii() and number.isdecimal()) or not 0 < int(number[:20]) <= LAST_FILE_ID:
        raise typer.BadParameter(_NEITHER.format(text))
    return int(number)


def _is_elsewhere(text: str, portal: str) -> bool:
    """Return whether an address is another portal's than the configured one."""
    host = urlsplit(text).netloc
    return bool(host) and host.lower() != urlsplit(portal).netloc.lower()


def _job(
    since: str, until: str | None, rooms: list[int], *, overwrite: bool, observe: bool
) -> "BackfillJob":
    from reconciler.sweep import BackfillJob

    begin, end = _span(since, until)
    return BackfillJob(
        span=f"{since} {until or ''}",
        since=begin,
        until=end,
        rooms=frozenset(rooms),
        overwrite=overwrite,
        observe=observe,
    )


def _span(since: str, until: str | None) -> tuple[datetime, datetime | None]:
    """Return the beginning and the end; end the command where the span is empty."""
    begin, end = moment(since, "--since"), moment(until, "--until") if until else None
    if begin > utcnow():
        raise exit_with(USAGE, f"--since {since} lies in the future: {_DATES}")
    if end is not None and end < begin:
        raise exit_with(USAGE, "--until lies before --since: nothing lies between.")
    return begin, end


def moment(text: str, option: str) -> datetime:
    """Return the time of a date in the user's zone, or of a duration back from now.

    For --until a date is the end of its day.
    """
    from reconciler.config import duration

    try:
        return utcnow() - duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        date = datetime.fromisoformat(text)
        if option == "--until" and len(text) == len("2026-01-31"):
            date += timedelta(days=1, microseconds=-1)
        return date.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise exit_with(USAGE, f"{option} {text}: {_DATES}") from error


def _code(summary: "Summary") -> int:
    if summary.is_portal_down:
        typer.echo(
            f"The portal cannot be used now: {shown(summary.reason)}.\nNothing is lost: run it "
            "again later. For the cause and a hint run: reconciler check",
            err=True,
        )
        return PORTAL
    return SOME_FAILED if summary.failed or summary.remaining else OK
