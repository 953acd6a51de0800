"""The files of `service-files`: systemd units, a Containerfile, and examples for nginx and Caddy.

The templates are in ``templates/``. Addresses and paths are filled in from the configuration, so
that nothing is configured twice.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from ipaddress import ip_address
from pathlib import Path
from string import Template

from reconciler.config import Config
from reconciler.errors import ConfigError

NAMES = (
    "reconciler.service",
    "reconciler-reconcile.service",
    "reconciler-reconcile.timer",
    "Containerfile",
    "nginx.conf",
    "Caddyfile",
)
HOME = Path("/etc/reconciler")
STATE = Path("/var/lib/reconciler")
_STATES = Path("/var/lib")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_PRIVILEGED = 1024  # lower ports need CAP_NET_BIND_SERVICE
_PLAIN_PATH = re.compile(r"[\w/.~-]+", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Installed:
    """The command of a service. ``at_home``: in a home directory, which services may not read."""

    command: tuple[str, ...]
    at_home: bool


def this_installation() -> Installed:
    """Return the installation that runs now."""
    python = Path(sys.executable)
    beside = python.with_name("reconciler")
    command = (str(beside),) if beside.exists() else (str(python), "-m", "reconciler")
    return Installed(command, _is_at_home(python))


def service_files(
    config: Config, path: Path | None, domain: str, installed: Installed
) -> dict[str, str]:
    """Return each file's text by its name, for the configuration that was read from ``path``.

    Without a path the folders are those of a first installation: /etc/reconciler and
    /var/lib/reconciler. Raises ConfigError for settings that no such file can express.
    """
    _check(config, domain)
    values = {
        "domain": domain,
        "upstream": f"{_reached(config.webhook.host)}:{config.webhook.port}",
        "path": config.webhook.path,
        "port": config.webhook.port,
        "admin_port": config.admin.port or 3001,
        "max_body_bytes": config.webhook.max_body_bytes,
        **_unit(config, path, installed),
    }
    values["hardening"] = _filled("hardening", values)
    return {name: _filled(name, values) for name in NAMES}


def ledger_folder(config: Config) -> Path | None:
    """Return the folder of the ledger's file, None where a server keeps the ledger."""
    path = config.state.path
    return None if path is None else path.parent


def _is_at_home(path: Path) -> bool:
    return any(one.is_relative_to(home) for one in (path, path.resolve()) for home in _HOMES)


def _check(config: Config, domain: str) -> None:
    problems = []
    if config.webhook.port == 0:
        problems.append("webhook.port is 0, and no proxy can know the port: set a number")
    if not _PLAIN_PATH.fullmatch(config.webhook.path):
        problems.append(
            "webhook.path has characters that are special to nginx or Caddy: use letters, digits "
            "and /.~_-"
        )
    if not _DOMAIN.fullmatch(domain):
        problems.append(f"--domain {domain} is no name such as hooks.example.com")
    if problems:
        raise ConfigError(tuple(problems))


def _unit(config: Config, path: Path | None, installed: Installed) -> dict[str, str]:
    """Return the values of the units, escaped for systemd."""
    file = HOME / "config.toml" if path is None else path.absolute()
    state = STATE if path is None else ledger_folder(config)
    right = "CAP_NET_BIND_SERVICE" if config.webhook.port < _PRIVILEGED else ""
    at_home = installed.at_home or any(map(_is_at_home, filter(None, (file, state))))
    return {
        "command": " ".join(_word(one.replace("$", "$$")) for one in installed.command),
        "config": _word(str(file).replace("$", "$$")),
        "secrets": _credentials(config, file, webhook=True),
        "secrets_of_a_run": _credentials(config, file, webhook=False),
        "state": _state(state),
        "capabilities": right,
        "private_users": "no" if right else "yes",
        "home": "read-only" if at_home else "yes",
    }


def _credentials(config: Config, file: Path, *, webhook: bool) -> str:
    """Return the lines with which systemd reads the secrets and passes them to the service.

    Beside the ledger the service reads the secret and the addresses itself, so that a change needs
    no restart.
    """
    key = config.portal.api_key_file or file.with_name("api_key")
    secret, urls = config.webhook.secret_file, config.notify.urls_file
    if secret is None and webhook:
        secret = file.with_name("webhook_secret")
    elif _is_beside_ledger(secret, config):
        secret = None
    credentials = (
        ("api_key", "PORTAL__API_KEY_FILE", key),
        ("webhook_secret", "WEBHOOK__SECRET_FILE", secret),
        ("state_password", "STATE__PASSWORD_FILE", config.state.password_file),
        ("admin_password", "ADMIN__PASSWORD_FILE", config.admin.password_file if webhook else None),
        ("notify_urls", "NOTIFY__URLS_FILE", None if _is_beside_ledger(urls, config) else urls),
    )
    return "\n".join(
        f"LoadCredential={name}:{_escaped(str(path))}\nEnvironment=RECONCILER_{variable}=%d/{name}"
        for name, variable, path in credentials
        if path is not None
    )


def _is_beside_ledger(path: Path | None, config: Config) -> bool:
    return path is not None and path.parent == ledger_folder(config)


def _state(folder: Path | None) -> str:
    """Return the line with which systemd creates the ledger's folder, or makes it writable."""
    if folder is None:
        return ""
    if folder != _STATES and folder.is_relative_to(_STATES):
        name = _word(str(folder.relative_to(_STATES)))
        return f"StateDirectory={name}\nStateDirectoryMode=0700"
    return f"ReadWritePaths={_word(str(folder))}"


def _word(text: str) -> str:
    """Return a text as one word of a unit."""
    text = _escaped(text)
    if not re.search(r"[\s\"'\\;]", text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _reached(host: str) -> str:
    """Return the address at which a proxy on the same machine reaches ``host``."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"


def _filled(name: str, values: Mapping[str, object]) -> str:
    text = (resources.files("reconciler.service") / "templates" / name).read_text("utf-8")
    return Template(text).substitute(values)
