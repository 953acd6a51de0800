"""The commands that need no portal, as a user runs them, and README's steps on the sandbox."""

import errno
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from reconciler.cli.commands import app
from reconciler.cli.messages import bug, message_for, message_for_unforeseen
from reconciler.cli.options import found_config
from reconciler.cli.runs import document, moment
from reconciler.cli.send import sample_body
from reconciler.config import CONFIG
from reconciler.errors import (
    AddressInUseError,
    ConfigError,
    LedgerCause,
    LedgerError,
    RateLimitedError,
    ReconcilerError,
    RoleHeldError,
    TransientError,
    UnauthorizedError,
)
from reconciler.formats import shown
from tests import program
from tests.daemon import daemon, free_port
from tests.program import exits
from tests.support_http import answering, http
from tests.support_tls import authority, needs_openssl
from tests.support_webhooks import address
from tests.test_crash import Scene, scene
from tests.world import START

__all__ = ["scene"]

SECOND = timedelta(seconds=1)


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with these environment variables."""
    alone = {"PATH": os.environ["PATH"], "HOME": "/nowhere", **environ}
    return program.run(arguments, alone, Path.cwd())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_an_output_without_room_is_no_bug() -> None:
    """A full disk behind stdout is no bug: exit 2, with what to do."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "free some space" in done.stderr


def commands() -> list[str]:
    """Return the names of all commands."""
    return [info.name or info.callback.__name__ for info in app.registered_commands]  # type: ignore[union-attr]


def test_the_version_is_printed() -> None:
    """--version prints the version, for bug reports; `python -m reconciler` prints the same."""
    command = [sys.executable, "-m", "reconciler", "--version"]
    done = program.output(command)
    assert (done.returncode, done.stdout[:11]) == (0, "reconciler ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["-h"], "Usage:"), (["-V"], "reconciler "), (["webhook", "list", "-h"], "Usage:")],
)
def test_a_short_option_does_as_its_long_one(words: list[str], expected: str) -> None:
    """-h is --help and -V is --version, in groups and their commands too."""
    assert CliRunner().invoke(app, words).stdout.lstrip().startswith(expected)


def test_the_configuration_is_the_named_one_else_the_first_that_is_there(tmp_path: Path) -> None:
    """Without --config the first existing file counts; the working directory comes before /etc."""
    named, here, machine = (tmp_path / name for name in ("named", "here", "machine"))
    assert found_config(None, (here, machine)) is None
    machine.touch()
    assert found_config(None, (here, machine)) == machine
    here.touch()
    assert found_config(None, (here, machine)) == here
    assert found_config(named, (here, machine)) == named


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("serve", "--prot", "1"), "serve: No such option: --prot"),
        (("serv",), ": No such command 'serv'."),
        (("webhook", "lst"), "webhook: No such command 'lst'."),
        (("explain",), "explain: Missing argument 'FILE'."),
        (("explain", "garbage"), "explain: Invalid value: garbage is neither"),
        (("backfill",), "backfill: Missing option '--since'."),
    ],
)
def test_what_is_refused_stands_on_the_first_line(words: tuple[str, ...], line: str) -> None:
    """The first line says what was refused, the next line names the help."""
    done = run(*words)
    first, second = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line in first
    assert second.startswith("What it takes: ")
    assert second.endswith(" --help")


def test_a_port_of_the_command_line_wins(tmp_path: Path) -> None:
    """--port overrides the file and the environment, whose port may not be usable here."""
    config = tmp_path / "config.toml"
    config.write_text('[portal]\nurl = "http://127.0.0.1:9"\n', encoding="utf-8")
    secrets = {"DOCSPACE_API_KEY": "sk-1", "DOCSPACE_WEBHOOK_SECRET": "s", "PORT": "0"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = exits(69, run("serve", "-c", str(config), "--port", port, **secrets))
    assert f"127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help(command: str) -> None:
    """Every command has help, without configuration and portal."""
    assert "Usage" in exits(0, run(command, "--help")).stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("serve", "--port", "abc"), "must be a number, at least 0 and at most 65535, not abc"),
        (("sandbox", "--drop", "3"), "must be a number, at least 0 and at most 1, not 3"),
        (("sandbox", "--delay", "-1"), "must be a number, at least 0, not -1"),
        (("backfill", "--since", "3d", "--room", "Legal"), "at most 2147483647, not Legal"),
        (("failed", "retry", "Plan.docx"), "at most 2147483647, not Plan.docx"),
        (("review", "list", "--room", "9" * 20), f"at most 2147483647, not {'9' * 20}"),
        (("backfill", "--since", "1d", "--room", "0"), "must be a number, at least 1 and at most"),
        (("send", "0"), "must be a number, at least 1 and at most 2147483647, not 0"),
    ],
)
def test_a_value_that_an_option_does_not_take_is_told_in_our_words(
    words: tuple[str, ...], expected: str
) -> None:
    """A value that an option does not take is refused with our own message and the valid values."""
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, expected in re.sub(r"[\s│]+", " ", done.stderr)) == (2, True), (
        done.stderr
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("recocile",), "reconcile"),
        (
            ("backfill", "--since", "2026-02-01", "--until", "2026-01-01"),
            "--until lies before --since",
        ),
        (("sandbox", "--fail", "flood"), "throttle"),
    ],
    ids=["a command that is unknown", "an end before the beginning", "a fault that is none"],
)
def test_what_cannot_be_meant_is_a_usage_error(words: tuple[str, ...], expected: str) -> None:
    """A command line that cannot be right is exit 2, with what may be meant."""
    assert expected in exits(2, run(*words)).stderr


def test_send_is_accepted_with_the_right_secret(scene: Scene) -> None:
    """`send` with the right secret is signed as by the portal, and the event is on disk."""
    with daemon(scene.environ, scene.folder) as running:
        secret = scene.environ["DOCSPACE_WEBHOOK_SECRET"]
        done = run(
            "send", str(scene.file), "--url", running.address, DOCSPACE_WEBHOOK_SECRET=secret
        )
        assert (done.returncode, done.stdout) == (0, '200 {"status": "accepted"}\n')
        wrong = run("send", str(scene.file), "--url", running.address, "--secret", "wrong")
        assert (wrong.returncode, wrong.stdout[:3]) == (1, "401")
        assert "DOCSPACE_WEBHOOK_SECRET" in wrong.stderr


def test_send_needs_nothing_that_is_configured(scene: Scene) -> None:
    """`send` needs no configured portal: port, path and secret are the daemon's."""
    path = {"RECONCILER_WEBHOOK__PATH": "/hook", "RECONCILER_WEBHOOK__HOST": "0.0.0.0"}  # noqa: S104
    secret_file = scene.folder / "secrets"
    secret_file.write_text(f"{scene.environ.pop('DOCSPACE_WEBHOOK_SECRET')}\n", "utf-8")
    environ = scene.environ | path | {"RECONCILER_WEBHOOK__SECRET_FILE": str(secret_file)}
    with daemon(environ, scene.folder):
        done = run("send", str(scene.file), **environ)
        unsigned = run("send", str(scene.file), "--secret", "", **environ)
    assert (done.returncode, done.stdout) == (0, '200 {"status": "accepted"}\n')
    assert (unsigned.returncode, unsigned.stdout[:3]) == (1, "401")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4711", 4711),
        (" 4711 ", 4711),
        ("https://portal.example.com/doceditor?fileId=4711", 4711),
        ("https://portal.example.com/doceditor?fileid=4711&version=4", 4711),
        ("https://portal.example.com/doceditor?action=view&fileId=4711#x", 4711),
        ("https://portal.example.com/rooms/shared/12/filter?folder=12#preview/4711", 4711),
        ("https://portal.example.com/media/view/4711", 4711),
    ],
)
def test_a_file_is_named_by_its_id_or_by_the_address_of_the_document(
    text: str, number: int
) -> None:
    """A file is named by its id, or by the address of the document as copied from a browser."""
    assert document(text) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Contract.docx", "neither a file's id nor the address"),
        ("0", "neither a file's id nor the address"),
        ("9" * 5000, "neither a file's id nor the address"),
        ("٣", "neither a file's id nor the address"),
        ("https://portal.example.com/rooms/shared/12", "such as https://portal.example.com/doc"),
        ("https://portal.example.com/doceditor?fileId=sbox-12-L2Ru", "connected storage"),
    ],
)
def test_what_names_no_file_is_refused(text: str, expected: str) -> None:
    """An argument that names no file is refused, with valid ones."""
    with pytest.raises(typer.BadParameter, match=expected):
        document(text)


def test_an_address_at_another_portal_is_told(scene: Scene) -> None:
    """An address at another portal is refused: the id there is another file's."""
    there = f"{scene.environ['DOCSPACE_API_HOST']}/doceditor?fileId={scene.file}"
    here = run("explain", there, **scene.environ)
    assert (here.returncode, here.stderr) == (0, "")
    assert here.stdout.startswith(f"File {scene.file}\n  decision ")
    elsewhere = run(
        "explain", f"https://other.example/doceditor?fileId={scene.file}", **scene.environ
    )
    assert "not at portal.url" in elsewhere.stderr


@pytest.mark.parametrize("name", ["RECONCILER_CONFIG", "DOCSPACE_API_HOST"])
def test_an_empty_variable_is_not_set(name: str) -> None:
    """An empty variable counts as not set, for the path of the configuration and for a key."""
    assert "portal.url is missing" in exits(2, run("status", **{name: ""})).stderr


def test_up_to_a_day_includes_that_day() -> None:
    """--until 2026-01-31 includes that day."""
    assert moment("2026-01-31", "--until") == datetime(2026, 1, 31, 23, 59, 59, 999999, UTC)
    assert moment("2026-01-31", "--since") == datetime(2026, 1, 31, tzinfo=UTC)


def test_a_backfill_without_a_terminal_needs_a_yes() -> None:
    """A backfill without a terminal needs --yes, and says so before it contacts a portal."""
    done = run("backfill", "--since", "30d")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Without a terminal it needs --yes" in done.stderr
    assert "portal.url is missing" in run("backfill", "--since", "30d", "--dry-run").stderr


def test_a_working_directory_that_is_gone_is_no_bug(tmp_path: Path) -> None:
    """A deleted working directory is no bug: exit 2, with what to do."""
    (tmp_path / "here").mkdir()
    gone = f'rmdir "$PWD" && exec {sys.executable} -m reconciler status'
    environ = {"PATH": os.environ["PATH"]}
    done = program.output(["sh", "-c", gone], cwd=tmp_path / "here", env=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("The working directory is gone: change to")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "A disk is full: free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "A disk is full: free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/etc/x"), "/etc/x cannot be used: "),
    ],
)
def test_what_the_machine_refuses_is_no_bug(error: OSError, expected: str) -> None:
    """An error of the operating system is no bug, wherever it occurs."""
    code, text = message_for_unforeseen(error)
    assert (code, text.startswith(expected)) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("5", "--url", "http://127.0.0.1:9/x"), 3),
        (("5", "--url", "ftp://127.0.0.1/x"), 2),
        (("5", "--url", "http://a b/"), 3),
        (("0",), 2),
        (("x",), 2),
        (("99999999999",), 2),
    ],
)
def test_send_says_what_is_wrong(arguments: tuple[str, ...], code: int) -> None:
    """`send` says what is wrong, without a traceback."""
    done = run("send", *arguments)
    assert done.returncode == code
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("trigger", "number"), [("file.updated", 512), ("form.submit", 1 << 28)])
def test_send_names_the_trigger_with_the_portals_number(trigger: str, number: int) -> None:
    """`send` puts the trigger's number into the event, as the portal does (docspace.md 10)."""
    event = json.loads(sample_body(7, "A.docx", trigger, START))["event"]
    assert (event["trigger"], event["triggerId"]) == (trigger, number)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_send_follows_no_redirect(status: int) -> None:
    """`send` follows no redirect, like the portal: it names the target, and delivers nothing."""
    there = "https://hooks.example.org/docspace/review-comment"
    with answering(http(status, Location=there), http(200)) as line:
        done = run("send", "5", "--url", f"{line.url}/hook")
    assert (done.returncode, done.stdout.split()[0]) == (1, str(status))
    assert f"redirects to {there}" in done.stderr
    assert "give that address itself" in done.stderr
    assert [one.line for one in line.requests] == ["POST /hook HTTP/1.1"]


@needs_openssl
def test_send_trusts_the_configured_certificates(tmp_path: Path) -> None:
    """`send` trusts the certificates of the environment, of --config, or of ./config.toml."""
    bundle, tls = authority(tmp_path)
    config = tmp_path / "config.toml"
    config.write_text(f'[portal]\nca_bundle = "{bundle.name}"\n', "utf-8")
    with address(200, tls=tls) as url:
        done = run("send", "5", "--url", url)
        assert (done.returncode, "portal.ca_bundle" in done.stderr) == (3, True)
        assert run("send", "5", "--url", url, "--config", str(config)).returncode == 0
        for more in ({"RECONCILER_PORTAL__CA_BUNDLE": str(bundle)}, {CONFIG: str(config)}):
            assert run("send", "5", "--url", url, **more).returncode == 0


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_send_asks_no_proxy_for_this_machine(variable: str) -> None:
    """`send` uses no proxy for this machine: a proxy would connect to its own loopback."""
    with address(200) as url:
        done = run("send", "5", "--url", url, **{variable: "http://127.0.0.1:9"})
    assert (done.returncode, done.stdout) == (0, "200 \n")


def test_send_names_the_proxy_that_it_goes_by() -> None:
    """`send` names the proxy when it does not answer, and when its answer is not the receiver's."""
    url = "http://hooks.example.org/x"
    done = run("send", "5", "--url", url, HTTP_PROXY="http://127.0.0.1:9")
    assert (done.returncode, "through the proxy of HTTP_PROXY" in done.stderr) == (3, True)
    with answering(http(407)) as proxy:
        done = run("send", "5", "--url", url, http_proxy=proxy.url)
        assert (done.returncode, "through the proxy of http_proxy" in done.stderr) == (1, True)
        tunnel = run("send", "5", "--url", url.replace("http", "https"), all_proxy=proxy.url)
    assert (tunnel.returncode, "407" in tunnel.stderr) == (3, True)
    assert "through the proxy of all_proxy" in tunnel.stderr
    assert proxy.requests[0].line == f"POST {url} HTTP/1.1"
    assert proxy.requests[-1].line.startswith("CONNECT hooks.example.org:443 ")


@contextmanager
def sandbox(*options: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Run `sandbox`; yield the variables that it prints, and its further lines."""
    command = [sys.executable, "-u", "-m", "reconciler", "sandbox", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        exports: dict[str, str] = {}
        for line in process.stdout:
            if found := re.match(r"  export (\w+)='?([^'\n]+)'?", line):
                exports[found[1]] = found[2]
            if line.endswith("serve\n"):
                break
        lines: list[str] = []
        reader = threading.Thread(target=lambda out=process.stdout: lines.extend(out))
        reader.start()
        yield exports, lines
        process.terminate()
        reader.join()
        assert process.wait(10) == 0


def test_the_walk_of_readme_leads_to_a_marked_file(tmp_path: Path) -> None:
    """README's steps lead to marked files: a sandbox in one terminal, a daemon in another."""
    port = free_port()
    webhook = f"http://127.0.0.1:{port}/docspace/review-comment"
    with sandbox("--webhook", webhook, "--edit-every", "0.3") as (exports, _):
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PORT": str(port)}
        environ["RECONCILER_ADMIN__PORT"] = "0"
        with daemon(environ | exports, tmp_path) as running:
            log = tmp_path / "serve.log"
            for _ in range(200):
                threading.Event().wait(0.1)
                if '"event": "marked"' in log.read_text("utf-8"):
                    break
            assert '"event": "marked"' in log.read_text("utf-8")
            assert running.terminate() == 0


def test_the_webhook_of_a_sandbox_can_be_administered() -> None:
    """The webhook of a sandbox can be administered with the second key that it prints."""
    address = "http://127.0.0.1:9/docspace/review-comment"
    with sandbox("--webhook", address, "--edit-every", "0") as (exports, lines):
        for _ in range(200):
            if any("DOCSPACE_API_KEY" in line for line in lines):
                break
            threading.Event().wait(0.05)
        key = next(line for line in lines if "API_KEY" in line).strip().partition("=")[2]
        done = run("webhook", "list", **exports | {"DOCSPACE_API_KEY": key})
    assert (done.returncode, address in done.stdout) == (0, True), done.stderr


def test_a_sandbox_on_a_port_in_use_says_so() -> None:
    """A sandbox on a port in use exits 69 and says what to try."""
    with sandbox("--webhook", "") as (exports, _):
        port = exports["DOCSPACE_API_HOST"].rpartition(":")[2]
        done = exits(69, run("sandbox", "--port", port))
    assert "--port 0" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (ConfigError(("portal.url is missing",)), 2, "cannot be used: portal.url is missing"),
        (ConfigError(("a", "b")), 2, "be used:\n  - a\n  - b"),
        (AddressInUseError("127.0.0.1:3000", "in use"), 69, "webhook.port (or PORT)"),
        (AddressInUseError("127.0.0.1:3001", "in use", "admin"), 69, "admin.port."),
        (UnauthorizedError("GET keys/@self", 401), 3, "DOCSPACE_API_KEY"),
        (TransientError("GET keys/@self", None, "refused"), 3, "Check portal.url"),
        (
            TransientError("GET keys/@self", 503, "busy"),
            3,
            "The portal itself fails, or portal.url",
        ),
        (TransientError("GET keys/@self", 402), 3, "The portal is unpaid"),
        (RateLimitedError("GET keys/@self", 429), 3, "Wait a minute: the portal limits"),
        (RateLimitedError("GET keys/@self", 429, "", 9 * SECOND), 3, "Wait 9 s: the portal limits"),
        (TransientError("GET keys/@self", 404), 3, "without the path of a page"),
        (RoleHeldError("sweep", "process 7 on host"), 4, "process 7 on host"),
        (LedgerError("readonly"), 5, "free disk space"),
        (LedgerError("disk full", LedgerCause.DISK_FULL), 5, "Free some space"),
        (
            LedgerError("file is not a database", LedgerCause.DAMAGED),
            5,
            "Move what state.url names away",
        ),
    ],
)
def test_every_error_has_its_code_and_its_next_step(
    error: ReconcilerError, code: int, hint: str
) -> None:
    """Every error has its exit code, what happened, and what to do."""
    found, text = message_for(error)
    assert (found, hint in text) == (code, True)


def test_a_bug_says_what_to_report() -> None:
    """A bug is reported with its place and without any secret."""
    try:
        raise KeyError("sk-secret")
    except KeyError as error:
        text = bug(error)
    assert "KeyError at test_a_bug_says_what_to_report" in text
    assert "sk-secret" not in text


def test_what_others_wrote_is_safe_for_a_terminal() -> None:
    """Escape sequences and line ends in other people's texts are made harmless for a terminal."""
    assert "\x1b" not in shown("\x1b[2Ja\nb")
    assert "\n" not in shown("\x1b[2Ja\nb")
