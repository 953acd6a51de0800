"""The commands that need no portal: demo, sandbox, send."""

import signal
import threading
from contextlib import closing
from typing import Annotated

import typer

from reconciler.cli.messages import OK, PORTAL, SOME_FAILED, USAGE, exit_with
from reconciler.cli.options import LAST_FILE_ID, ConfigPath, read_config
from reconciler.errors import AddressUnreachableError, UntrustedCertificateError
from reconciler.formats import shown, utcnow
from reconciler.triggers import UPDATED

SANDBOX_SECRET = "Sandbox-1!"  # noqa: S105 - everybody may know it
DEFAULT_URL = "http://127.0.0.1:3000/docspace/review-comment"


def demo() -> None:
    """Show how it works in five scenes: a portal in memory, its users, the daemon, a summary.

    Needs no account and no configuration, and ends within 20 seconds. Exits 0 when every check
    passes, else 1.

    Examples:

        reconciler demo
    """
    from rich.console import Console

    from reconciler.cli.playground import Demonstration
    from reconciler.demo import play

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that the daemon is stopped, too
    with closing(play()) as lines:
        held = Demonstration(Console(highlight=False, soft_wrap=True)).show(lines)
    raise typer.Exit(OK if held else SOME_FAILED)


Port = Annotated[
    int,
    typer.Option(metavar="PORT", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one."),
]
Webhook = Annotated[str, typer.Option(metavar="URL", help="Where deliveries go; none if empty.")]
Secret = Annotated[str, typer.Option(metavar="SECRET", help="What deliveries are signed with.")]
EditEvery = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", min=0, help="Seconds between edits by users of the portal; 0: none."
    ),
]
Drop = Annotated[
    float, typer.Option(metavar="SHARE", min=0, max=1, help="Share of deliveries lost.")
]
Duplicate = Annotated[float, typer.Option(metavar="SHARE", min=0, max=1, help="Share sent twice.")]
Delay = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="Longest delay of a delivery.")
]
Reorder = Annotated[bool, typer.Option(help="Deliver in another order.")]
Latency = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Delay of API answers.")]
Fail = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND[:TIMES]",
        help="A fault of the API, for ever or N times; KIND is one of status, throttle, "
        "throttle_day, html, not_json, redirect, reset_before, stall, reset_after, truncated, "
        "empty or slow. Repeatable.",
    ),
]


def sandbox(  # noqa: PLR0913, PLR0917 - each parameter is an option
    port: Port = 8080,
    webhook: Webhook = DEFAULT_URL,
    secret: Secret = SANDBOX_SECRET,
    edit_every: EditEvery = 5.0,
    drop: Drop = 0.0,
    duplicate: Duplicate = 0.0,
    delay: Delay = 0.0,
    reorder: Reorder = False,
    latency: Latency = 0.0,
    fail: Fail = None,
) -> None:
    """Run a DocSpace portal in memory, to test an integration, until Ctrl-C.

    Its users edit, lock and review files; deliveries and API calls can be made to fail. It prints
    an API key and the addresses to use.

    Examples:

        reconciler sandbox
        reconciler sandbox --drop 0.4 --duplicate 0.1 --reorder
        reconciler sandbox --port 0 --edit-every 1 --fail throttle:3
    """
    from reconciler.cli.playground import Playground
    from reconciler.sandbox import Network

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    network = Network(drop=drop, duplicate=duplicate, reorder=reorder, delay=delay)
    Playground(network, latency, fail or ()).run(port, webhook, secret, edit_every, stop)


FileId = Annotated[
    int, typer.Argument(metavar="FILE_ID", min=1, max=LAST_FILE_ID, help="The file's id.")
]
Address = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The receiver's address; else ours on this machine."),
]
Signature = Annotated[
    str | None,
    typer.Option(
        metavar="SECRET",
        help="Signs it; else the configured secret. Unsigned if empty, or if there is none.",
    ),
]
Trigger = Annotated[str, typer.Option(metavar="EVENT", help="The event's trigger.")]
Title = Annotated[str, typer.Option(metavar="TITLE", help="The file's title.")]


def send(
    file: FileId,
    url: Address = None,
    secret: Signature = None,
    trigger: Trigger = UPDATED,
    title: Title = "Contract.docx",
    config: ConfigPath = None,
) -> None:
    """Sign a sample event as the portal would, post it, and print the answer.

    Exits 0 when it was accepted or ignored, 1 when it was refused or redirected, 3 without an
    answer. Address, port, path, secret and portal.ca_bundle are those of the configuration.

    Examples:

        reconciler send 4711
        reconciler send 4711 --secret 'Sandbox-1!' --title Plan.docx
        reconciler send 4711 --url https://hooks.example.com/docspace/review-comment
    """
    from reconciler.cli.send import hints, post, receiver_address, sample_body

    settings = read_config(config)
    url = receiver_address(settings.webhook) if url is None else url
    if secret is None:
        secret = next(iter(settings.secrets()), None)
    if not url.startswith(("http://", "https://")):
        raise exit_with(USAGE, "The address must start with http:// or https://.")
    body = sample_body(file, title, trigger, utcnow())
    try:
        response = post(url, body, secret, settings.portal.ca_bundle)
    except AddressUnreachableError as error:
        is_running = isinstance(error, UntrustedCertificateError)
        hint = "" if is_running else " Is `reconciler serve` running?"
        raise exit_with(PORTAL, f"No answer from {url}: {shown(error.detail)}.{hint}") from error
    typer.echo(f"{response.status} {shown(response.body.decode('utf-8', 'replace'))}")
    for hint in hints(response):
        typer.echo(hint, err=True)
    raise typer.Exit(OK if 200 <= response.status < 300 else SOME_FAILED)
