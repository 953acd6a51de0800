"""The commands that check an installation: check, config, notify."""

import json as to_json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import typer

from reconciler.cli.messages import LEDGER, OK, PORTAL, SOME_FAILED, USAGE, exit_with
from reconciler.cli.options import ConfigPath, Json, found_config, read_config
from reconciler.errors import ConfigError
from reconciler.formats import shown

if TYPE_CHECKING:
    from reconciler.diagnostics.checks import Finding

configuration = typer.Typer(no_args_is_help=True)
notify = typer.Typer(no_args_is_help=True)


def check(
    config: ConfigPath = None,
    json: Json = False,
) -> None:
    """Check everything and print the findings, the worst first, each with what to do.

    Checks the configuration, the ledger, the disk, the portal (about ten GET), and the webhook's
    address. Writes nothing to the portal. Exits 0 also with warnings; else by the first error
    2 (configuration), 3 (portal, key), 5 (ledger), or 1, as while files failed or no daemon runs.

    Examples:

        reconciler check
        reconciler check --json --config /etc/reconciler/config.toml
    """
    from reconciler.service.checks import run_check

    _report(lambda: run_check(read_config(config)), json=json)


@configuration.callback()
def configuration_group() -> None:
    """Show every setting and its origin, or check them without the portal.

    Examples:

        reconciler config show
        reconciler config check
    """


@configuration.command("show")
def show_config(config: ConfigPath = None, json: Json = False) -> None:
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
        typer.echo(f"{one.key:27} {_value_text(one.value):34} {shown(one.origin)}")


@configuration.command("check")
def check_config(config: ConfigPath = None, json: Json = False) -> None:
    """Check the configuration without a request to the portal or any address.

    Checks the configuration, the ledger, the disk and the files of secrets, and changes
    nothing. Exits as `reconciler check` does.

    Examples:

        reconciler config check
        reconciler config check --config /etc/reconciler/config.toml
    """
    from reconciler.service.checks import run_config_check

    _report(lambda: run_config_check(read_config(config)), json=json)


@notify.callback()
def notify_group() -> None:
    """Test the addresses that digests, reminders and alerts are sent to.

    Examples:

        reconciler notify test
    """


@notify.command("test")
def send_test(config: ConfigPath = None) -> None:
    """Send a test message to each address of notify.urls_file, and print the results.

    Exits 1 when one of them fails. Needs neither the portal nor the ledger.

    Examples:

        reconciler notify test
        reconciler notify test --config /etc/reconciler/config.toml
    """
    from reconciler.notify.addresses import open_addresses
    from reconciler.notify.messages import trial_message

    addresses = open_addresses(read_config(config).notify.urls())
    if not addresses:
        raise exit_with(
            USAGE,
            "There is no address to notify: set notify.urls_file to a file of mode 0600 with one "
            "address a line, such as mailto://USER:PASSWORD@HOST?to=ADDRESS.",
        )
    errors = [address.send(trial_message()) for address in addresses]
    for address, error in zip(addresses, errors, strict=True):
        typer.echo(f"{address.name}: {f'FAILED: {error}' if error else 'sent'}")
    raise typer.Exit(SOME_FAILED if any(errors) else OK)


def _report(find: Callable[[], list["Finding"]], *, json: bool) -> NoReturn:
    """Print the findings, also of a configuration that is invalid; exit by the first error."""
    from reconciler.diagnostics.checks import Fault, Finding, Level

    try:
        findings = find()
    except ConfigError as error:
        findings = [
            Finding(
                Level.ERROR,
                "configuration",
                problem,
                "see reference.md, Configuration",
                Fault.CONFIG,
            )
            for problem in error.problems
        ]
    codes = {Fault.CONFIG: USAGE, Fault.PORTAL: PORTAL, Fault.LEDGER: LEDGER}
    errors = [one for one in findings if one.level is Level.ERROR]
    code = codes.get(errors[0].fault, SOME_FAILED) if errors else OK
    typer.echo(_as_json(findings, code) if json else "\n".join(map(finding_text, findings)))
    raise typer.Exit(code)


def finding_text(finding: "Finding") -> str:
    """Return a finding for a terminal, its hint on a line of its own."""
    text = f"{finding.level:8} {finding.about:14} {shown(finding.message)}"
    return f"{text}\n{'':23} -> {shown(finding.hint)}" if finding.hint else text


def _as_json(findings: list["Finding"], code: int) -> str:
    fields = [
        {"level": one.level, "about": one.about, "message": one.message, "hint": one.hint}
        for one in findings
    ]
    return to_json.dumps({"exit_code": code, "findings": fields})


def _value_text(value: object) -> str:
    """Return a value as config.toml has it; of a secret only whether it is set."""
    if value is None:
        return "not set"
    if value in ("set", "not set"):
        return str(value)
    return shown(to_json.dumps(value, ensure_ascii=False))
