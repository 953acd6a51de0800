"""Options that several commands share, and how the configuration is found."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reconciler.config import Config

# `config` and `model` have these too; importing them would make help slow.
CONFIG = "RECONCILER_CONFIG"
LAST_FILE_ID = 2**31 - 1
ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        envvar=CONFIG,
        help="The configuration; by default ./config.toml, where there is one.",
    ),
]


def read_config(path: Path | None) -> "Config":
    """Read the configuration: the file that was named, else ./config.toml if there is one."""
    from reconciler.config import load  # noqa: PLC0415 - help must be quick

    return load(found_config(path), os.environ)


def found_config(path: Path | None) -> Path | None:
    """Return the file that was named, else ./config.toml if there is one."""
    here = Path("config.toml")
    return path or (here if here.exists() else None)
