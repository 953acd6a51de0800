"""`reconciler config`: what is configured, where it came from, and whether it can be used."""

import json as to_json
import os

import typer

from reconciler.cli.checking import report
from reconciler.cli.options import ConfigPath, Json, found_config, read_config
from reconciler.formats import shown

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Show every setting and where it came from, or check them without the portal.

    Examples:

        reconciler config show
        reconciler config check
    """


@app.command()
def show(config: ConfigPath = None, json: Json = False) -> None:
    """Show every setting: its value, and whether file, environment or default gave it.

    Secrets are shown as "set" or "not set".

    Examples:

        reconciler config show
        reconciler config show --json --config /etc/reconciler/config.toml
    """
    from reconciler.config.load import effective_settings

    path = found_config(config)
    settings = effective_settings(path, os.environ)
    if json:
        fields = {one.key: {"value": one.value, "origin": one.origin} for one in settings}
        file = None if path is None else str(path.absolute())
        typer.echo(to_json.dumps({"file": file, "settings": fields}, ensure_ascii=False))
        return
    for one in settings:
        typer.echo(f"{one.key:27} {_text(one.value):34} {shown(one.origin)}")


@app.command()
def check(config: ConfigPath = None, json: Json = False) -> None:
    """Say whether the configuration can be used, without asking the portal or any address.

    Looks at the configuration, the ledger, the disk and the files of secrets, and changes
    nothing. Exits as `reconciler check` does.

    Examples:

        reconciler config check
        reconciler config check --config /etc/reconciler/config.toml
    """
    from reconciler.service.checks import run_config_check

    report(lambda: run_config_check(read_config(config)), json=json)


def _text(value: object) -> str:
    """Return a value as config.toml would have it; a secret and what is not set in words."""
    if value is None:
        return "not set"
    if value in ("set", "not set"):
        return str(value)
    return shown(to_json.dumps(value, ensure_ascii=False))
