"""The questions of `reconciler init`, each asked only where the answer is not known."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import typer

from reconciler.cli.checking import finding_text
from reconciler.cli.messages import PORTAL, USAGE
from reconciler.errors import ConfigError
from reconciler.service.setup import Answers, Setup, Trial

_T = TypeVar("_T")
_ADDRESS = "Address of the portal, such as https://portal.example.com"
_KEY = "API key of the portal (it is not shown)"
_PUBLIC = "Address under which the portal reaches the webhook, empty for none"


class Interview:
    """Completes the answers that the options gave; ``asks`` is whether somebody is there."""

    def __init__(self, setup: Setup, given: Answers, *, asks: bool) -> None:
        """Ask nothing yet."""
        self._setup, self.answers, self._asks = setup, given, asks

    def ask_portal(self) -> Trial:
        """Ask for address and key until the portal accepts both. Raises ConfigError or Exit."""
        self.answers = replace(self.answers, portal=self._address(), key=self._key())
        while True:
            try:
                trial = self._setup.try_portal(self.answers)
            except ConfigError as error:
                if not self._asks:
                    raise
                typer.echo(str(error), err=True)
                self._ask_again("key")
                continue
            made = (one for one in trial.findings if one.level != "skipped")
            typer.echo("\n".join(map(finding_text, made)), err=True)
            if trial.error is None:
                return trial
            if not self._asks:
                raise typer.Exit(PORTAL)
            self._ask_again(trial.error.about)

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
        typer.echo(
            f"{option} is missing, and nobody is asked: give it, or use a terminal.", err=True
        )
        raise typer.Exit(USAGE)

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
    """Ask until the answer is one."""
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
