"""`service-files`: units that systemd accepts, secrets that reach the service, and no file
overwritten.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.config import load
from reconciler.config.sections import SECRET_FILE
from reconciler.config.values import marked_keys
from reconciler.service.unit_files import NAMES, Installed, service_files
from tests.program import exits, output
from tests.support_http import answering, http
from tests.test_cli import run

ANALYZE = shutil.which("systemd-analyze")
INSTALLED = Installed((sys.executable, "-m", "reconciler"), at_home=False)
UNITS = ("reconciler.service", "reconciler-reconcile.service", "reconciler-reconcile.timer")
ROOT = Path(__file__).parent.parent


def texts(
    folder: Path, toml: str | None = None, installed: Installed = INSTALLED
) -> dict[str, str]:
    """Return the files for a configuration, or for none, by name."""
    if toml is None:
        return service_files(load(None, {}), None, "hooks.example.com", installed)
    path = folder / "config.toml"
    path.write_text(toml, encoding="utf-8")
    return service_files(load(path, {}), path, "hooks.example.com", installed)


def written(folder: Path, toml: str | None = None) -> Path:
    """Write the files; return their folder."""
    for name, text in texts(folder, toml).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def analyze(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Check files with systemd itself."""
    assert ANALYZE is not None
    return subprocess.run(
        [ANALYZE, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_unit(unit: str, tmp_path: Path) -> None:
    """systemd accepts the unit without a warning."""
    done = analyze("verify", "--man=no", f"./{unit}", folder=written(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
def test_systemd_takes_a_unit_with_odd_paths(tmp_path: Path) -> None:
    """White space, per cent and dollar signs in paths are escaped for systemd."""
    odd = tmp_path / "a b%c$d"
    odd.mkdir()
    written(odd, 'state.url = "sqlite:///here/l.db"')
    done = analyze("verify", "--man=no", "./reconciler.service", folder=odd)
    assert (done.returncode, done.stderr) == (0, "")
    assert f'--config "{tmp_path}/a b%%c$$d/config.toml"' in (odd / UNITS[0]).read_text("utf-8")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("unit", UNITS[:2])
def test_systemd_calls_the_service_well_confined(unit: str, tmp_path: Path) -> None:
    """systemd rates the service's exposure at no more than 2.0 of 10."""
    done = analyze("security", "--offline=yes", f"./{unit}", folder=written(tmp_path))
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None
    assert float(found[1]) <= 2.0


def test_the_secrets_of_a_unit_are_those_that_the_configuration_reads(tmp_path: Path) -> None:
    """Each credential of the unit is read through the variable beside it."""
    toml = 'admin.password_file = "a"\nstate.password_file = "s"\nnotify.urls_file = "/etc/u"'
    unit = texts(tmp_path, toml)["reconciler.service"]
    for name in re.findall(r"^LoadCredential=(\w+):", unit, re.MULTILINE):
        (tmp_path / name).write_text(f"{name}-1", encoding="utf-8")
    lines = re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE)
    config = load(None, {key: value.replace("%d", str(tmp_path)) for key, value in lines})
    assert (config.api_key(), config.secrets()) == ("api_key-1", ("webhook_secret-1",))
    assert config.admin.password_file == tmp_path / "admin_password"
    assert config.state.password_file == tmp_path / "state_password"
    assert config.notify.urls_file == tmp_path / "notify_urls"


@pytest.mark.parametrize(
    ("unit", "only_daemon"),
    [("reconciler.service", set()), ("reconciler-reconcile.service", {"admin.password_file"})],
)
def test_every_file_of_secrets_may_belong_to_root(
    unit: str, only_daemon: set[str], tmp_path: Path
) -> None:
    """systemd, which runs as root, reads each file of secrets that the unit's command needs."""
    keys = {*marked_keys(SECRET_FILE), "notify.urls_file"}
    named = "".join(f'{key} = "/etc/secrets/{key}"\n' for key in sorted(keys))
    text = texts(tmp_path, f'{named}state.url = "postgresql+psycopg://me@db/ledger"')[unit]
    found = re.findall(r"^LoadCredential=\w+:/etc/secrets/(.*)$", text, re.MULTILINE)
    assert set(found) == keys - only_daemon


def test_a_file_beside_the_ledger_is_read_by_the_service_itself(tmp_path: Path) -> None:
    """Addresses to notify that lie beside the ledger are no credential: the service reads them
    again before each message.
    """
    toml = 'notify.urls_file = "/srv/urls"\nstate.url = "sqlite:////srv/l.db"'
    assert "notify_urls" not in texts(tmp_path, toml)["reconciler.service"]


def test_a_first_installation_has_the_usual_places(tmp_path: Path) -> None:
    """Without a configuration the files use /etc for it and /var/lib for the ledger."""
    unit = texts(tmp_path)["reconciler.service"]
    assert "--config /etc/reconciler/config.toml" in unit
    assert "LoadCredential=api_key:/etc/reconciler/api_key" in unit
    assert "StateDirectory=reconciler\n" in unit
    assert "ReadWritePaths" not in unit


def test_what_is_configured_is_taken_over(tmp_path: Path) -> None:
    """The configured address, path, size, secret files and ledger are in the files."""
    toml = (
        'portal.api_key_file = "/run/key"\n'
        'webhook = {host = "::", port = 8123, path = "/in", max_body_bytes = 4096}\n'
        'state.url = "sqlite:////srv/ledger/l.db"\nadmin.port = 9001'
    )
    found = texts(tmp_path, toml)
    assert "LoadCredential=api_key:/run/key" in found["reconciler.service"]
    assert "ReadWritePaths=/srv/ledger\n" in found["reconciler.service"]
    for proxy in ("nginx.conf", "Caddyfile"):
        assert all(one in found[proxy] for one in ("[::1]:8123", "/in {", "4096"))
    assert "EXPOSE 8123" in found["Containerfile"]
    assert "9001" in found["Containerfile"]


def test_a_secret_beside_the_ledger_is_not_lent(tmp_path: Path) -> None:
    """A secret beside the ledger is no credential: systemd's copy cannot be rotated."""
    toml = (
        'webhook.secret_file = "/var/lib/reconciler/webhook_secret"\n'
        'state.url = "sqlite:////var/lib/reconciler/l.db"'
    )
    assert "webhook_secret" not in texts(tmp_path, toml)["reconciler.service"]


def test_a_pass_from_a_timer_needs_no_webhook_secret(tmp_path: Path) -> None:
    """The timer's unit needs no webhook secret, without which it would not start."""
    assert "webhook_secret" not in texts(tmp_path)["reconciler-reconcile.service"]


def test_a_port_below_1024_brings_the_one_right_it_needs(tmp_path: Path) -> None:
    """A port below 1024 adds the one capability that it needs."""
    unit = texts(tmp_path, "webhook.port = 443")["reconciler.service"]
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n" in unit
    assert "PrivateUsers=no\n" in unit


def test_an_installation_in_a_home_stays_visible(tmp_path: Path) -> None:
    """An installation in a home directory stays visible to the service."""
    unit = texts(tmp_path, "", Installed(("/home/ann/bin/reconciler",), at_home=True))
    assert "ProtectHome=read-only\n" in unit["reconciler.service"]


@pytest.mark.parametrize(
    ("toml", "domain", "hint"),
    [
        ("webhook.port = 0", "a.example.com", "webhook.port"),
        ('webhook.path = "/a;b"', "a.example.com", "webhook.path"),
        ("", "a.example.com; include x", "--domain"),
    ],
)
def test_what_a_file_cannot_say_is_refused(
    toml: str, domain: str, hint: str, tmp_path: Path
) -> None:
    """A setting that a file cannot express is exit 2 and is named."""
    (tmp_path / "config.toml").write_text(toml, encoding="utf-8")
    config = str(tmp_path / "config.toml")
    done = exits(
        2, run("service-files", str(tmp_path / "out"), "--config", config, "--domain", domain)
    )
    assert hint in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_files_are_written_and_named(tmp_path: Path) -> None:
    """The folder is created, the files are named, and the caller's environment has no effect."""
    out = tmp_path / "new" / "out"
    done = run("service-files", str(out), PORT="9999")
    assert (done.returncode, done.stdout.split()) == (0, [str(out / name) for name in NAMES])
    assert {one.name for one in out.iterdir()} == set(NAMES)
    assert "9999" not in (out / "nginx.conf").read_text("utf-8")


def test_a_link_into_nowhere_is_a_file_too(tmp_path: Path) -> None:
    """A dangling symlink counts as an existing file, so that root does not write through it."""
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "nginx.conf").symlink_to(elsewhere)
    assert run("service-files", str(folder)).returncode == 2
    assert not elsewhere.exists()
    assert run("service-files", str(folder), "--force").returncode == 0
    assert not elsewhere.exists()
    assert "server" in (folder / "nginx.conf").read_text("utf-8")


def test_a_file_that_says_something_else_is_not_written_over(tmp_path: Path) -> None:
    """A file with other content is not overwritten, and nothing is written, without --force."""
    (tmp_path / "nginx.conf").write_text("mine", encoding="utf-8")
    refused = run("service-files", str(tmp_path))
    assert (refused.returncode, "nginx.conf" in refused.stderr) == (2, True)
    assert [one.name for one in tmp_path.iterdir()] == ["nginx.conf"]
    assert run("service-files", str(tmp_path), "--force").returncode == 0
    assert (tmp_path / "nginx.conf").read_text("utf-8") != "mine"


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    """Files with the same content are no reason to refuse."""
    assert run("service-files", str(tmp_path)).returncode == 0
    done = run("service-files", str(tmp_path))
    assert (done.returncode, done.stdout.count("(unchanged)")) == (0, len(NAMES))


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_container_is_healthy_when_the_daemon_says_so(
    status: int, code: int, tmp_path: Path
) -> None:
    """The command of HEALTHCHECK is healthy exactly when the daemon says so."""
    with answering(http(status)) as line:
        port = line.url.rpartition(":")[2]
        text = texts(tmp_path, f"admin.port = {port}")["Containerfile"]
        found = re.search(r'CMD \["\S+/python", "-c", "(.*)"\]', text)
        assert found is not None
        command = [sys.executable, "-c", found[1]]
        exits(code, output(command))
    assert [one.line for one in line.requests] == ["GET /healthz HTTP/1.1"]


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not on this machine")
def test_nginx_takes_its_file(tmp_path: Path) -> None:
    """nginx accepts its file, except for the installation's own certificates."""
    text = re.sub(r"(?m)^ +ssl_certificate.*\n", "", texts(tmp_path)["nginx.conf"])
    text = text.replace("443 ssl", "8443")
    whole = f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ access_log off;\n{text}}}\n"
    (tmp_path / "whole.conf").write_text(whole, encoding="utf-8")
    command = ["nginx", "-t", "-e", "stderr", "-p", str(tmp_path), "-c", "whole.conf"]
    exits(0, output(command))


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not on this machine")
def test_caddy_takes_its_file(tmp_path: Path) -> None:
    """Caddy accepts its file."""
    written(tmp_path)
    command = ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    exits(0, output(command))


def test_an_address_that_cannot_be_bound_is_tried_again(tmp_path: Path) -> None:
    """The unit restarts the daemon while an address is in use; only exit 2 ends it for good."""
    unit = texts(tmp_path)["reconciler.service"]
    assert re.findall(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE) == ["2"]
    assert "\nRestart=on-failure\n" in unit
    assert "\nStartLimitIntervalSec=0\n" in unit
