"""Options that several commands share, and what they do: configuration, JSON, confirmation."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.messages import USAGE, exit_with

if TYPE_CHECKING:
    from reconciler.config import Config

# `config` and `model` have these too; importing them would make help slow.
CONFIG = "RECONCILER_CONFIG"
LAST_FILE_ID = 2**31 - 1
PLACES = (Path("config.toml"), Path("/etc/reconciler/config.toml"))
ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH",
        envvar=CONFIG,
        help="The configuration; else ./config.toml, else /etc/reconciler/config.toml.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Rooms = Annotated[
    list[int] | None,
    typer.Option(
        "--room", metavar="ID", min=1, max=LAST_FILE_ID, help="Only this room; repeatable."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def read_config(path: Path | None, **variables: str) -> "Config":
    """Read the configuration that `found_config` finds. ``variables`` win over the environment."""
    from reconciler.config import load

    return load(found_config(path), os.environ | variables)


def found_config(path: Path | None, places: Sequence[Path] = PLACES) -> Path | None:
    """Return the path that was given, else the first of ``places`` where there is a file."""
    return path or next((place for place in places if place.exists()), None)


def json_text(fields: Mapping[str, object]) -> str:
    """Return the object that --json prints, with times to the second."""
    return json.dumps(fields, default=lambda moment: moment.isoformat(timespec="seconds"))


def require_answer(yes: bool) -> None:
    """End the command where it could not ask for a confirmation."""
    if not yes and not sys.stdin.isatty():
        raise exit_with(USAGE, "Without a terminal it needs --yes, since it cannot ask.")
