"""`reconciler notify`: whether messages reach people."""

import typer

from reconciler.cli.messages import OK, SOME_FAILED, USAGE
from reconciler.cli.options import ConfigPath, read_config

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Try the addresses that digests, reminders and alerts are sent to.

    Examples:

        reconciler notify test
    """


@app.command("test")
def send_test(config: ConfigPath = None) -> None:
    """Send a test message to each address of notify.urls_file, and say which of them it reached.

    Exits 1 when one of them fails. Neither the portal nor the ledger is asked.

    Examples:

        reconciler notify test
        reconciler notify test --config /etc/reconciler/config.toml
    """
    from reconciler.notify.addresses import open_addresses
    from reconciler.notify.messages import trial

    addresses = open_addresses(read_config(config).notify.urls())
    if not addresses:
        typer.echo(
            "There is no address to notify: set notify.urls_file to a file of mode 0600 with one "
            "address a line, such as mailto://USER:PASSWORD@HOST?to=ADDRESS.",
            err=True,
        )
        raise typer.Exit(USAGE)
    errors = [address.send(trial()) for address in addresses]
    for address, error in zip(addresses, errors, strict=True):
        typer.echo(f"{address.name}: {f'FAILED: {error}' if error else 'sent'}")
    raise typer.Exit(SOME_FAILED if any(errors) else OK)
