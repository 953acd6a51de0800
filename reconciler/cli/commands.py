"""The program: `serve`, and the registration of all other commands."""

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler import version as installed_version
from reconciler.cli import checking, deploy, init, runs, state, status, trial, webhook
from reconciler.cli.help import use_plain_help
from reconciler.cli.options import ConfigPath, found_config, read_config
from reconciler.cli.streams import discard

if TYPE_CHECKING:
    from reconciler.config import Config

PORT = "RECONCILER_WEBHOOK__PORT"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def serve(
    config: ConfigPath = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=0, max=65535, help="Listen on this port; else webhook.port."
        ),
    ] = None,
) -> None:
    """Receive webhooks, sweep, and set the comments, until SIGTERM or Ctrl-C.

    Prints the address it listens on to stdout; the log goes to stderr, as text on a terminal and
    as JSON elsewhere. At a signal to stop it finishes what it has begun and exits 0; a second
    signal ends it at once, which loses no work either. SIGHUP reads the files of the key and of
    the secrets again.

    Examples:

        reconciler serve
        reconciler serve --config /etc/reconciler/config.toml --port 3000
        RECONCILER_REVIEW__OBSERVE=true reconciler serve    # decide, write nothing
    """
    from reconciler.service import LogWriter, configure_log, log_configuration, log_lost_lines

    settings = read_config(config, **({} if port is None else {PORT: str(port)}))
    with LogWriter(sys.stderr, log_lost_lines) as lines:
        configure_log(settings.log.level, settings.log.format, lines)
        log_configuration(found_config(config), settings)
        finished = _served(settings)
    if not finished or lines.is_blocked():
        # The portal did not answer a write, whose intent is on disk; or nobody reads the log.
        os._exit(0)


def _served(settings: "Config") -> bool:
    """Serve until asked to stop; return whether all work was finished by then."""
    from reconciler.service import Daemon, SystemdNotifier

    stop, reload = threading.Event(), threading.Event()
    _handle_signals(stop, reload)  # before anybody can see that it listens, and stop it
    daemon, notifier = Daemon(settings), SystemdNotifier(os.environ)
    try:
        daemon.start()
        _print_line(f"listening on {daemon.address}")
        notifier.ready(f"listening on {daemon.address}")
        while not stop.wait(min(1.0, notifier.every or 1.0)) and daemon.is_alive():
            notifier.alive()
            daemon.follow_clock()
            if reload.is_set():
                reload.clear()
                daemon.reload()
        alive = daemon.is_alive()
        notifier.stopping("finishing what is under way")
    finally:
        finished = daemon.stop()
    if not alive:
        raise RuntimeError("a part of the daemon has ended")
    return finished


def _handle_signals(stop: threading.Event, reload: threading.Event) -> None:
    """Set an event at a signal; a second signal to stop ends the process at once."""
    had_terminal = sys.stdin.isatty()

    def on_hang_up(*_: object) -> None:
        # SIGHUP is also sent when the terminal of `serve` is closed, and then ends it.
        is_closed = had_terminal and not sys.stdin.isatty()
        (stop if is_closed else reload).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(1) if stop.is_set() else stop.set())
    signal.signal(signal.SIGHUP, on_hang_up)


def _print_line(line: str) -> None:
    """Print a line, unless its reader is gone or its disk is full: the log has it too."""
    try:
        print(line, flush=True)
    except OSError:
        discard(sys.stdout)


app.command()(init.init)
app.command()(runs.reconcile)
app.command()(runs.backfill)
app.command()(checking.check)
app.add_typer(checking.configuration, name="config")
app.command()(runs.explain)
app.command()(status.status)
app.add_typer(status.failed, name="failed")
app.add_typer(status.review, name="review")
app.add_typer(state.state, name="state")
app.command("service-files")(deploy.service_files)
app.add_typer(webhook.app, name="webhook")
app.add_typer(checking.notify, name="notify")
app.command()(trial.demo)
app.command()(trial.sandbox)
app.command()(trial.send)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Every updated file in a DocSpace portal carries the comment "Need Review", once.

    Results go to stdout, messages and the log to stderr. Exit codes: 0 all is well, 1 some files
    failed and will be retried, 2 usage or configuration, 3 the portal cannot be used,
    4 another run is active, 5 the ledger cannot be used, 69 an address cannot be listened on,
    70 a bug.

    Examples:

        reconciler demo                     # see it work; needs nothing
        reconciler serve                    # the daemon, on ./config.toml
        reconciler backfill --since 30d --dry-run
        reconciler explain 4711             # why a file has its comment
        reconciler reconcile --help         # a command in detail
    """
    if version:
        typer.echo(f"reconciler {installed_version()}")
        raise typer.Exit


use_plain_help(app)
