"""Options that several commands share, and how the configuration is found."""

import os
from pathlib import Path
from typing import Annotated

import typer

from reconciler.config import CONFIG, Config, load

ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", envvar=CONFIG, help="config.toml (default: ./config.toml if there)"),
]


def read_config(path: Path | None) -> Config:
    """Read the configuration: the file that was named, else ./config.toml if there is one."""
    return load(found_config(path), os.environ)


def found_config(path: Path | None) -> Path | None:
    """Return the file that was named, else ./config.toml if there is one."""
    here = Path("config.toml")
    return path or (here if here.exists() else None)
