"""`reconciler check`: is everything as it should be, and if not, what to do."""

import json as to_json
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import typer

from reconciler.cli.messages import LEDGER, OK, PORTAL, SOME_FAILED, USAGE
from reconciler.cli.options import ConfigPath, Json, read_config
from reconciler.errors import ConfigError
from reconciler.formats import shown

if TYPE_CHECKING:
    from reconciler.diagnostics.checks import Finding


def check(
    config: ConfigPath = None,
    json: Json = False,
) -> None:
    """Say whether everything is as it should be, the worst first, and what to do about it.

    Asks the configuration, the ledger, the disk, the portal (about ten GET), and the webhook's
    address. Writes nothing to the portal. Exits 0 also with warnings; else by the first error
    2 (configuration), 3 (portal, key), 5 (ledger), or 1, as while files failed or nobody works.

    Examples:

        reconciler check
        reconciler check --json --config /etc/reconciler/config.toml
    """
    from reconciler.service.checks import run_check

    report(lambda: run_check(read_config(config)), json=json)


def report(find: Callable[[], list["Finding"]], *, json: bool) -> NoReturn:
    """Print what was found, a configuration that cannot be read too; exit by the first error."""
    from reconciler.diagnostics.checks import Fault, Finding, Level

    try:
        lines = find()
    except ConfigError as error:
        lines = [
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
    errors = [line for line in lines if line.level is Level.ERROR]
    code = codes.get(errors[0].fault, SOME_FAILED) if errors else OK
    typer.echo(_as_json(lines, code) if json else "\n".join(map(finding_text, lines)))
    raise typer.Exit(code)


def finding_text(line: "Finding") -> str:
    """Return a finding for a terminal, its hint on a line of its own."""
    text = f"{line.level:8} {line.about:14} {shown(line.message)}"
    return f"{text}\n{'':23} -> {shown(line.hint)}" if line.hint else text


def _as_json(found: list["Finding"], code: int) -> str:
    lines = [
        {"level": one.level, "about": one.about, "message": one.message, "hint": one.hint}
        for one in found
    ]
    return to_json.dumps({"exit_code": code, "lines": lines})
