"""`service-files`: writes files for systemd, containers and proxies, and prints hints."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.messages import USAGE, exit_with
from reconciler.cli.options import ConfigPath, found_config

if TYPE_CHECKING:
    from reconciler.config import Config
    from reconciler.service.unit_files import Installed


def service_files(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; it is created.")],
    config: ConfigPath = None,
    domain: Annotated[
        str, typer.Option(metavar="NAME", help="The name at which the portal reaches the webhook.")
    ] = "hooks.example.com",
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that differ.")] = False,
) -> None:
    """Write systemd units, a Containerfile, and nginx and Caddy examples, to review and install.

    Addresses and paths are those of config.toml (not of the environment, which a service does
    not have); without one, of /etc/reconciler and /var/lib/reconciler. Nothing is installed.

    Examples:

        reconciler service-files out
        reconciler service-files out --config /etc/reconciler/config.toml --force
        reconciler service-files out --domain hooks.example.com
    """
    from reconciler.config import load
    from reconciler.service import unit_files

    path, installed = found_config(config), unit_files.this_installation()
    settings = load(path, {})
    texts = unit_files.service_files(settings, path, domain, installed)
    _write(folder, texts, force)
    for hint in _hints(settings, path, installed):
        typer.echo(hint, err=True)


def _write(folder: Path, texts: dict[str, str], force: bool) -> None:
    """Write all files or none, and print their names."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        links = {name for name in texts if (folder / name).is_symlink()}
        there = links | {name for name in texts if (folder / name).exists()}
        plain = there - links  # no link is followed: somebody else may have placed it
        same = {name for name in plain if (folder / name).read_bytes() == texts[name].encode()}
        if there - same and not force:
            names = ", ".join(sorted(there - same))
            raise exit_with(
                USAGE,
                f"{folder} has other files of these names: {names}. Nothing was written: "
                "give another folder, or --force to overwrite them.",
            )
        for name, text in texts.items():
            if name in links:
                (folder / name).unlink()
            if name not in same:
                (folder / name).write_text(text, encoding="utf-8")
            typer.echo(f"{folder / name}{' (unchanged)' if name in same else ''}")
    except OSError as error:
        raise exit_with(USAGE, f"{folder} cannot be written: {error.strerror}.") from error


def _hints(config: "Config", path: Path | None, installed: "Installed") -> Iterator[str]:
    from reconciler.service.unit_files import HOME, STATE, ledger_folder

    if path is None:
        yield (
            f"No config.toml was found: write {HOME}/config.toml, with portal.url and "
            f'state.url = "sqlite:///{STATE}/reconciler.db".'
        )
    elif ledger_folder(config) == path.absolute().parent:
        yield (
            f"The ledger is beside {path}, so the service may write there. "
            f'state.url = "sqlite:///{STATE}/reconciler.db" keeps it apart.'
        )
    if path is not None and config.portal.url is None:
        yield f"portal.url is not in {path}, and a service does not see your environment: set it."
    if not (config.webhook.require_https and config.webhook.trusted_proxy):
        yield (
            "Behind nginx or Caddy set webhook.require_https = true and "
            'webhook.trusted_proxy = "127.0.0.1".'
        )
    if installed.at_home:
        yield (
            f"{installed.command[0]} or its Python is in a home directory, which the user "
            "reconciler may not read: install it in /opt/reconciler, and write the files with that."
        )
