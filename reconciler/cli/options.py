"""Options and arguments that several commands share, and how the configuration is found."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from reconciler.cli.messages import USAGE

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
Document = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="The file's id, or the address of the opened document.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Rooms = Annotated[
    list[int] | None,
    typer.Option(
        "--room", metavar="ID", min=1, max=LAST_FILE_ID, help="Only this room; repeatable."
    ),
]
# As the editors, a room's list and the viewer of pictures write it.
_IN_ADDRESS = re.compile(
    r"[?&]file_?id=(?P<editor>[^&#]+)|#preview/(?P<list>[^/?&]+)|/media/view/(?P<viewer>[^/?#]+)",
    re.IGNORECASE,
)
_NEITHER = (
    "{} is neither a file's id nor the address of an opened document, such as "
    "https://portal.example.com/doceditor?fileId=4711"
)


def read_config(path: Path | None, **variables: str) -> "Config":
    """Read the configuration that `found_config` finds. ``variables`` win over the environment."""
    from reconciler.config import load  # noqa: PLC0415 - help must be quick

    return load(found_config(path), os.environ | variables)


def found_config(path: Path | None, places: Sequence[Path] = PLACES) -> Path | None:
    """Return the file that was named, else the first of ``places`` where there is one."""
    return path or next((place for place in places if place.exists()), None)


def require_answer(yes: bool) -> None:
    """End the command where nobody could be asked, before anything is done."""
    if not yes and not sys.stdin.isatty():
        typer.echo("Without a terminal it needs --yes: nobody can be asked.", err=True)
        raise typer.Exit(USAGE)


def document(text: str) -> int:
    """Return the id of the file that is meant. Raises BadParameter."""
    found = _IN_ADDRESS.search(text)
    number = next(filter(None, found.groups())) if found is not None else text.strip()
    if found is not None and not number.isdecimal():
        raise typer.BadParameter(
            f"{number} is a file of a connected storage, which takes no comments: nothing is "
            "known of it"
        )
    if not (number.isascii() and number.isdecimal()) or not 0 < int(number[:20]) <= LAST_FILE_ID:
        raise typer.BadParameter(_NEITHER.format(text))
    return int(number)


def is_elsewhere(text: str, portal: str) -> bool:
    """Return whether an address is another portal's than the configured one."""
    host = urlsplit(text).netloc
    return bool(host) and host.lower() != urlsplit(portal).netloc.lower()
