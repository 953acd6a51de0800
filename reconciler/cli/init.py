"""`reconciler init`: asks for an address and a key, and writes a configuration that works."""

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from reconciler.cli.checking import finding_text
from reconciler.cli.messages import OK, PORTAL, USAGE, exit_with, message_for
from reconciler.cli.options import ConfigPath, found_config, read_config
from reconciler.errors import ConfigError, ReconcilerError, WebhookExistsError
from reconciler.formats import shown

if TYPE_CHECKING:
    from reconciler.service.setup import Answers, Plan, PortalCheck, Setup

_T = TypeVar("_T")
_FILE = Path("config.toml")
_ADDRESS = "Address of the portal, such as https://portal.example.com"
_KEY = "API key of the portal (it is not shown)"
_PUBLIC = "Address under which the portal reaches the webhook, empty for none"
_NO_ADDRESS = (
    "The webhook is not registered: it has no public address, so an update is found by the next "
    "sweep, within a minute. To give it one: reconciler init --public-url URL"
)
_NOT_NOW = "The webhook is not registered. While serve runs: reconciler webhook register"
_BY_HAND = (
    "The webhook is not registered: the key lacks *:write. Make it at the portal, under Developer "
    "Tools, Webhooks: {address} with the secret in {file} and the event file.updated."
)

Portal = Annotated[
    str | None, typer.Option(metavar="URL", help="The portal's address; else it is asked for.")
]
KeyFile = Annotated[
    Path | None, typer.Option(metavar="PATH", help="A file with the API key; else it is asked for.")
]
CaBundle = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", exists=True, help="Certificates to trust, where the portal has its own."
    ),
]
Host = Annotated[str | None, typer.Option(metavar="HOST", help="Listen on this address.")]
Port = Annotated[
    int | None, typer.Option(metavar="PORT", min=0, max=65535, help="Listen on this port.")
]
PublicUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The address under which the portal reaches that."),
]
Register = Annotated[
    bool, typer.Option("--register/--no-register", help="Register the webhook at the portal.")
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Ask nothing; replace what is configured otherwise.")
]


def init(
    portal: Portal = None,
    key_file: KeyFile = None,
    ca_bundle: CaBundle = None,
    host: Host = None,
    port: Port = None,
    public_url: PublicUrl = None,
    register: Register = True,
    yes: Yes = False,
    config: ConfigPath = None,
) -> None:
    """Make a configuration: check the portal and the key, write the files, register the webhook.

    Asks on a terminal for what no option gives. Writes config.toml, and beside it the API key
    and a new webhook secret, for their owner alone. What is configured already stays, so it can
    be run again; with an option that says otherwise it asks before it replaces anything.

    Exits 2 for an option that is missing or wrong, 3 when the portal or the key cannot be used;
    then nothing is written. When only the webhook cannot be registered, all else is there.

    Examples:

        reconciler init
        reconciler init --portal https://portal.example.com --key-file key --yes
        reconciler init --public-url https://hooks.example.com
    """
    from reconciler.service.setup import Answers, Setup

    setup = Setup(found_config(config) or _FILE, os.environ)
    asks = sys.stdin.isatty() and not yes
    given = Answers(portal, None, key_file, ca_bundle, host, port, public_url)
    interview = _Interview(setup, given, asks=asks)
    checked = interview.ask_portal()
    interview.ask_receiver()
    plan = setup.plan(interview.answers)
    _confirm_replacements(plan, asks=asks, yes=yes)
    _write(setup, plan)
    code = _register(plan, may=checked.may_register, wanted=register)
    _print_next(plan)
    raise typer.Exit(code)


def _confirm_replacements(plan: "Plan", *, asks: bool, yes: bool) -> None:
    """End the command unless the user agrees to what would be replaced."""
    replaced = plan.replaced()
    if not replaced or yes:
        return
    typer.echo("\n".join(map(shown, replaced)), err=True)
    if not asks:
        raise exit_with(USAGE, "Without a terminal it needs --yes to replace that.")
    typer.confirm("Replace that?", abort=True, err=True)


def _write(setup: "Setup", plan: "Plan") -> None:
    written = plan.write()
    for path in written:
        typer.echo(f"{path} is written.")
    if setup.path not in written:
        typer.echo(f"{setup.path} stays as it is.")


def _register(plan: "Plan", *, may: bool, wanted: bool) -> int:
    """Register the webhook where that can be done; return the exit code."""
    from reconciler.service.webhook_runs import register_first

    settings = read_config(plan.path)
    address, file = settings.webhook.public_url, settings.webhook.secret_file
    if address is None or not wanted:
        typer.echo(_NOT_NOW if address else _NO_ADDRESS, err=True)
        return OK
    if not may:
        typer.echo(_BY_HAND.format(address=address, file=file), err=True)
        return OK
    try:
        typer.echo(f"Webhook {register_first(settings).id} calls {address}.")
    except WebhookExistsError as error:
        typer.echo(f"Webhook {error.id} calls {error.address} already.")
        if any(one.path == file for one, _ in plan.secrets):
            typer.echo(
                "It has another secret. While serve runs: reconciler webhook rotate", err=True
            )
    except ReconcilerError as error:
        code, text = message_for(error)
        typer.echo(f"All is written, but the webhook is not registered. {text}", err=True)
        typer.echo("Once that is fixed: reconciler webhook register", err=True)
        return code
    return OK


def _print_next(plan: "Plan") -> None:
    """Print the findings that need attention, and what to run next."""
    from reconciler.service.checks import run_config_check

    findings = run_config_check(read_config(plan.path))
    for one in (finding for finding in findings if finding.hint):
        typer.echo(finding_text(one), err=True)
    if plan.is_there and plan.changes:
        typer.echo("Restart serve to apply the new configuration.", err=True)
    found = found_config(None)
    is_found = found is not None and found.resolve() == plan.path
    named = "" if is_found else f" -c {shlex.quote(str(plan.path))}"
    typer.echo(f"Next: reconciler serve{named}\nThen, while it runs: reconciler check{named}")


class _Interview:
    """Completes the answers that the options gave; ``asks`` is whether it may ask the user."""

    def __init__(self, setup: "Setup", given: "Answers", *, asks: bool) -> None:
        """Ask nothing yet."""
        self._setup, self.answers, self._asks = setup, given, asks

    def ask_portal(self) -> "PortalCheck":
        """Ask for address and key until the portal accepts both. Raises ConfigError or Exit."""
        self.answers = replace(self.answers, portal=self._address(), key=self._key())
        while True:
            try:
                checked = self._setup.check_portal(self.answers)
            except ConfigError as error:
                if not self._asks:
                    raise
                typer.echo(str(error), err=True)
                self._ask_again("key")
                continue
            findings = (one for one in checked.findings if one.level != "skipped")
            typer.echo("\n".join(map(finding_text, findings)), err=True)
            if checked.error is None:
                return checked
            if not self._asks:
                raise typer.Exit(PORTAL)
            self._ask_again(checked.error.about)

    def ask_receiver(self) -> None:
        """Ask where to listen, and under which address the portal reaches that."""
        webhook, given = self._setup.known.webhook, self.answers
        full = self._setup.full_address
        host, port = given.host or webhook.host, given.port
        if given.host is None and not self._setup.is_there:
            host = self._ask("Listen on this address", str, host)
        if port is None:
            port = webhook.port
            if not self._setup.is_there:
                port = self._ask("Listen on this port", _port, port)
        public = given.public_url or webhook.public_url
        if public is None:
            public = self._ask(_PUBLIC, lambda text: text and full(text), "") or None
        else:
            public = full(public)
        self.answers = replace(given, host=host, port=port, public_url=public)

    def _address(self) -> str:
        known = self.answers.portal or self._setup.known.portal.url
        return known or self._needed("--portal", self._ask_address)

    def _key(self) -> str:
        if self.answers.key_file is not None:
            return self._setup.key_in(self.answers.key_file)
        return self._setup.known_key() or self._needed("--key-file", _ask_key)

    def _needed(self, option: str, ask: Callable[[], str]) -> str:
        if self._asks:
            return ask()
        raise exit_with(
            USAGE, f"{option} is missing: give it, or run this on a terminal to be asked."
        )

    def _ask_again(self, about: str) -> None:
        if about == "portal":
            self.answers = replace(self.answers, portal=self._ask_address())
        else:
            self.answers = replace(self.answers, key=_ask_key(), key_file=None)

    def _ask_address(self) -> str:
        return _asked(_ADDRESS, self._setup.portal_address, None)

    def _ask(self, question: str, parse: Callable[[str], _T], default: _T) -> _T:
        return _asked(question, parse, default) if self._asks else default


def _asked(question: str, parse: Callable[[str], _T], default: _T | None) -> _T:
    """Ask until the answer is valid."""
    while True:
        answer = typer.prompt(question, default, err=True, show_default=default != "")
        try:
            return parse(str(answer).strip())
        except (ValueError, ConfigError) as error:
            typer.echo(str(error), err=True)


def _ask_key() -> str:
    return str(typer.prompt(_KEY, hide_input=True, err=True))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ValueError("must be a number up to 65535")
    return int(text)
