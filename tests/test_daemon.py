"""The daemon as a process: what it prints, how it starts, refuses to start, and stops."""

import errno
import fcntl
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apscheduler.schedulers import SchedulerAlreadyRunningError
from structlog.testing import capture_logs

from reconciler.cli.send import sample_body
from reconciler.config import load
from reconciler.ledger import NEXT_SWEEP, Ledger
from reconciler.sandbox import Portal, Server
from reconciler.service.daemon import Daemon
from reconciler.service.duties import KEY, SWEEP
from reconciler.service.schedule import Schedule, ScheduledTask
from reconciler.signature import HEADER, sign
from tests import program
from tests.daemon import SECRET, daemon, environment, free_port
from tests.daemon import Daemon as RunningDaemon
from tests.program import exits
from tests.test_crash import Scene, scene, wait_until_idle
from tests.waiting import eventually, logged

__all__ = ["scene"]


def serve(environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a `serve` that is expected to refuse."""
    return program.run(["serve"], environ, folder, timeout=20)


def start(scene: Scene, **streams: Any) -> subprocess.Popen[str]:
    """Start `serve` as a process of its own, with these streams."""
    command = [sys.executable, "-m", "reconciler", "serve"]
    return subprocess.Popen(command, env=scene.environ, cwd=scene.folder, text=True, **streams)


def may_listen_on(port: int) -> bool:
    """Return whether this user may listen on a port, if it is free."""
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError as error:
        return error.errno != errno.EACCES


def hang(scene: Scene, seconds: float) -> threading.Event:
    """Let every request for a file wait; return an event that is set by the first."""
    hung = threading.Event()

    def slow(method: str, route: str, file: object) -> None:
        if file is not None:
            hung.set()
            threading.Event().wait(seconds)

    scene.portal.on_request = slow
    return hung


@contextmanager
def hanging(scene: Scene, seconds: float) -> Iterator[RunningDaemon]:
    """A daemon that waits for the portal's answer about a file."""
    hung = hang(scene, seconds)
    with daemon(scene.environ, scene.folder) as running:
        scene.portal.save(scene.file, by=scene.ann)
        assert hung.wait(10)
        yield running


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a daemon whose portal answers."""
    portal = Portal()
    bot = portal.add_user("Review Bot")
    with Server(portal) as server:
        yield environment(server.url, portal.add_key(bot), tmp_path, free_port())


def test_a_delivery_leads_to_the_comment_and_sigterm_to_exit_0(scene: Scene) -> None:
    """A delivery leads to the comment in a real process, and SIGTERM to exit 0."""
    with daemon(scene.environ, scene.folder) as running:
        scene.portal.save(scene.file, by=scene.ann)
        wait_until_idle(scene, running)
        assert running.terminate() == 0
    assert (scene.portal.count("PUT"), scene.marked()) == (1, True)


def test_it_prints_the_address_it_listens_on(environ: dict[str, str], tmp_path: Path) -> None:
    """It prints the address on which it listens, also for port 0, which takes a free one."""
    environ["PORT"] = "0"
    with daemon(environ, tmp_path) as running, urllib.request.urlopen(running.address) as answer:
        assert json.load(answer) == {"status": "ok"}


def test_without_secret_key_and_address_it_refuses_and_lists_all_three(tmp_path: Path) -> None:
    """Without secret, key and address it lists all three problems and exits 2."""
    refused = exits(2, serve({"HOME": str(tmp_path)}, tmp_path))
    for variable in ("DOCSPACE_API_HOST", "DOCSPACE_API_KEY", "DOCSPACE_WEBHOOK_SECRET"):
        assert variable in refused.stderr


def test_without_a_secret_it_serves_only_when_told_to(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Without a secret it serves only with `allow_unsigned`."""
    del environ["DOCSPACE_WEBHOOK_SECRET"]
    assert serve(environ, tmp_path).returncode == 2
    with daemon(environ | {"RECONCILER_WEBHOOK__ALLOW_UNSIGNED": "true"}, tmp_path) as running:
        assert running.terminate() == 0


def test_a_port_in_use_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    """A port in use is exit 69 with the key to set, and the ledger is released."""
    with daemon(environ, tmp_path):
        other = tmp_path / "other.db"
        refused = exits(
            69, serve(environ | {"RECONCILER_STATE__URL": f"sqlite:///{other}"}, tmp_path)
        )
    assert environ["PORT"] in refused.stderr
    assert "webhook.port" in refused.stderr


@pytest.mark.parametrize("section", ["webhook", "admin"])
@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "fe80::1", "a..b"])
def test_an_address_that_is_not_ours_is_an_exit_code_of_its_own(
    section: str, host: str, environ: dict[str, str], tmp_path: Path
) -> None:
    """An address that is not this machine's is exit 69: the network may come up later."""
    (tmp_path / "password").write_text("correct horse", "utf-8")
    named = {
        f"RECONCILER_{section.upper()}__HOST": host,
        "RECONCILER_ADMIN__PASSWORD_FILE": str(tmp_path / "password"),
    }
    refused = serve(environ | {"PORT": "0"} | named, tmp_path)
    written = f"[{host}]:0" if ":" in host else f"{host}:0"
    assert refused.returncode == 69
    assert f"Cannot listen on {written}: " in refused.stderr
    assert f"{section}.host" in refused.stderr


@pytest.mark.parametrize("host", ["::1", "::"])
def test_an_ipv6_port_in_use_is_named(host: str, environ: dict[str, str], tmp_path: Path) -> None:
    """An IPv6 port in use is named like one of IPv4."""
    with socket.create_server((host, 0), family=socket.AF_INET6) as other:
        port = str(other.getsockname()[1])
        refused = exits(
            69, serve(environ | {"RECONCILER_WEBHOOK__HOST": host, "PORT": port}, tmp_path)
        )
    assert f"Cannot listen on [{host}]:{port}: " in refused.stderr


@pytest.mark.skipif(may_listen_on(80), reason="every port may be listened on here")
def test_a_port_that_needs_a_right_is_an_exit_code_of_its_own(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """A port that needs a privilege is exit 69 with the name of the privilege."""
    assert "CAP_NET_BIND_SERVICE" in exits(69, serve(environ | {"PORT": "80"}, tmp_path)).stderr


def test_a_second_daemon_on_the_same_ledger_is_refused(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """A second daemon on the same ledger is exit 4 with the process that holds it."""
    with daemon(environ, tmp_path) as running:
        refused = exits(4, serve(environ | {"PORT": "0"}, tmp_path))
        assert f"process {running.process.pid}" in refused.stderr


def test_a_corrupt_ledger_is_exit_5(environ: dict[str, str], tmp_path: Path) -> None:
    """A corrupt ledger is exit 5, is not changed, and the setting to check is named."""
    (tmp_path / "ledger.db").write_bytes(b"this is no database" * 100)
    refused = exits(5, serve(environ, tmp_path))
    assert "state.url" in refused.stderr
    assert (tmp_path / "ledger.db").read_bytes().startswith(b"this is no database")


def test_a_ledger_in_a_folder_that_is_not_there_is_exit_5(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """A ledger in a missing folder is exit 5, and nothing is created."""
    missing = tmp_path / "missing" / "ledger.db"
    refused = exits(5, serve(environ | {"RECONCILER_STATE__URL": f"sqlite:///{missing}"}, tmp_path))
    assert "Traceback" not in refused.stderr


def test_a_dead_key_keeps_accepting(scene: Scene) -> None:
    """With a dead key the daemon accepts and reports it, and marks once the key works."""
    scene.portal.disable_key(scene.environ["DOCSPACE_API_KEY"])
    with daemon(scene.environ, scene.folder) as running:
        scene.portal.save(scene.file, by=scene.ann)
        assert scene.server.drain()
        assert scene.portal.deliveries[-1].status == 200
        assert logged(scene.folder, "401")
        assert running.terminate() == 0


@pytest.mark.parametrize("account", ["the same", "another"])
def test_a_new_key_in_its_file_is_taken_at_the_next_probe(scene: Scene, account: str) -> None:
    """After a dead key, a new key in its file is used at the next probe without a restart, and its
    account is determined again.
    """
    portal, file = scene.portal, scene.folder / "key"
    dead = scene.environ["DOCSPACE_API_KEY"]
    bot = portal.person(portal.keys[dead].user_id)
    environ = {k: v for k, v in scene.environ.items() if k != "DOCSPACE_API_KEY"}
    file.write_text(dead, "utf-8")
    file.chmod(0o600)
    service = Daemon(load(None, environ | {"RECONCILER_PORTAL__API_KEY_FILE": str(file)}))
    service.start()
    try:
        assert eventually(service.ledger.owner)
        portal.disable_key(dead)
        portal.save(scene.file, by=scene.ann)
        assert eventually(service.ledger.health.outages)
        by = scene.ann if account == "another" else bot
        file.write_text(portal.add_key(by), "utf-8")

        def probed() -> bool:
            # What was answered before the key died may end the outage: one probe may see none.
            service.schedule.run_at(KEY, datetime.now(UTC))
            return scene.marked()

        assert eventually(probed)
        assert service.ledger.health.outages() == ()
    finally:
        service.stop()


def test_sighup_reads_the_key_and_the_secrets_again(scene: Scene) -> None:
    """SIGHUP reads the key and the secrets again, and the log says so."""
    key_file, secrets = scene.folder / "key", scene.folder / "secrets"
    key_file.write_text(scene.environ.pop("DOCSPACE_API_KEY"), "utf-8")
    secrets.write_text(f"{scene.environ.pop('DOCSPACE_WEBHOOK_SECRET')}\n", "utf-8")
    files = {"PORTAL__API_KEY_FILE": key_file, "WEBHOOK__SECRET_FILE": secrets}
    environ = scene.environ | {f"RECONCILER_{name}": str(path) for name, path in files.items()}
    with daemon(environ, scene.folder) as running:
        assert logged(scene.folder, '"acting_as"')
        other = scene.portal.add_user("Other Bot", kind="room_admin")
        key_file.write_text(scene.portal.add_key(other), "utf-8")
        secrets.write_text(f"New-Secret-1!\n{secrets.read_text('utf-8')}", "utf-8")
        running.process.send_signal(signal.SIGHUP)
        assert logged(scene.folder, '"reloaded", "key_replaced": true, "secrets": 2')
        assert logged(scene.folder, f'"acting_as", "user": "{other.id}"')
        key_file.unlink()
        running.process.send_signal(signal.SIGHUP)
        assert logged(scene.folder, "portal.api_key_file")
        assert running.terminate() == 0


def test_a_terminal_that_is_closed_ends_it(scene: Scene) -> None:
    """A daemon in the foreground ends when its terminal is closed."""
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with start(scene, **streams) as process:
        os.close(theirs)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on ")
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert process.wait(25) == 0


def test_a_signal_during_the_start_ends_it_in_peace(scene: Scene) -> None:
    """A signal during the start ends it cleanly, even while the portal is asked."""
    with daemon(scene.environ, scene.folder) as before:
        scene.portal.save(scene.file, by=scene.ann)
        wait_until_idle(scene, before)
        assert before.terminate() == 0
    state, here = scene.environ["RECONCILER_STATE__URL"], scene.environ["DOCSPACE_API_HOST"]
    with closing(Ledger(state, here)) as ledger:
        ledger.ownership.bind("https://old.example")  # it has to see that this is the same
    asked = threading.Event()

    def slow(*_: object) -> None:
        scene.portal.on_request = None
        asked.set()
        threading.Event().wait(0.3)

    scene.portal.on_request = slow
    log = scene.folder / "serve.log"
    process = program.Program(["serve"], scene.environ, scene.folder, scene.folder / "out", log)
    assert asked.wait(10), log.read_text("utf-8")
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert '"stopped"' in log.read_text("utf-8")


def test_a_second_signal_ends_it_at_once(scene: Scene) -> None:
    """A second signal ends it at once while the first waits for a portal that hangs."""
    with hanging(scene, 3) as running:
        running.process.send_signal(signal.SIGTERM)
        threading.Event().wait(0.3)
        assert running.terminate(2) == 1


def test_sigterm_gives_a_hanging_portal_a_bounded_time(scene: Scene) -> None:
    """After SIGTERM a late answer is awaited for a bounded time, and no file stays claimed."""
    with hanging(scene, 1) as running:
        assert running.terminate() == 0
    assert scene.marked()


def test_a_log_that_nobody_reads_holds_up_neither_answer_nor_end(scene: Scene) -> None:
    """A log that is not read, as after Ctrl-S, delays neither answers nor the end."""
    unread, log = os.pipe()
    fcntl.fcntl(unread, fcntl.F_SETPIPE_SZ, 4096)
    with start(scene, stdout=subprocess.PIPE, stderr=log) as process:
        os.close(log)
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("listening on ").strip()
        body = sample_body(scene.file, "Contract.docx", "file.updated", datetime.now(UTC))
        for _ in range(100):
            request = urllib.request.Request(address, body, {HEADER: sign(body, SECRET)})
            with urllib.request.urlopen(request, timeout=5) as answer:
                assert answer.status == 200
        process.terminate()
        try:
            assert process.wait(25) == 0
        finally:
            process.kill()
            os.close(unread)


@pytest.mark.parametrize(
    ("setting", "event"),
    [
        ({"RECONCILER_WEBHOOK__TRIGGERS": '["file.uploaded"]'}, "updates_are_ignored"),
        ({"DOCSPACE_WEBHOOK_SECRET": "Long-Passw0rd,x"}, "weak_webhook_secret"),
    ],
)
def test_a_setting_that_is_likely_a_mistake_is_told_at_the_start(
    scene: Scene, setting: dict[str, str], event: str
) -> None:
    """A setting that is likely a mistake causes a warning with a hint at the start."""
    with daemon(scene.environ | setting, scene.folder) as running:
        assert logged(scene.folder, f'"{event}"')
        assert running.terminate() == 0
    (scene.folder / "serve.log").unlink()
    with daemon(scene.environ, scene.folder) as running:
        assert running.terminate() == 0
    assert event not in (scene.folder / "serve.log").read_text("utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_an_output_that_takes_nothing_does_not_matter(scene: Scene) -> None:
    """A stdout that cannot be written is ignored: the address is also in the log."""
    with (
        Path("/dev/full").open("w") as full,
        start(scene, stdout=full, stderr=subprocess.PIPE) as process,
    ):
        assert process.stderr is not None
        assert any('"started"' in line for line in process.stderr)
        process.terminate()
        assert process.wait(25) == 0


def test_it_works_without_a_stream_to_log_to(scene: Scene) -> None:
    """It works with stdout and stderr closed, as some supervisors start it: log lines are dropped
    and do not end up in the ledger.
    """
    command = f"exec {sys.executable} -m reconciler serve 2>&-"
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        env=scene.environ,
        cwd=scene.folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on ")
        scene.portal.save(scene.file, by=scene.ann)
        assert scene.server.drain()
        process.terminate()
        assert process.wait(25) == 0
    assert scene.portal.deliveries[0].status == 200  # a later one may meet the end


def test_nothing_secret_is_in_the_log(scene: Scene) -> None:
    """The log contains neither the key nor the secret, whatever goes wrong."""
    with daemon(scene.environ | {"RECONCILER_LOG__LEVEL": "debug"}, scene.folder) as running:
        scene.portal.save(scene.file, by=scene.ann)
        wait_until_idle(scene, running)
        assert running.terminate() == 0
    log = (scene.folder / "serve.log").read_text("utf-8")
    assert scene.environ["DOCSPACE_API_KEY"] not in log
    assert SECRET not in log


def test_after_a_clean_stop_the_ledger_is_one_file(scene: Scene) -> None:
    """After a clean stop the ledger is one file, and a copy of it does nothing twice."""
    with daemon(scene.environ, scene.folder) as running:
        scene.portal.save(scene.file, by=scene.ann)
        wait_until_idle(scene, running)
        assert running.terminate() == 0
    assert not list(scene.folder.glob("*.db-*"))
    other = scene.folder / "other"
    other.mkdir()
    shutil.copy(scene.folder / "ledger.db", other)
    moved = {"RECONCILER_STATE__URL": f"sqlite:///{other / 'ledger.db'}"}
    with daemon(scene.environ | moved, other) as running:
        assert logged(other, '"sweep"')
        assert running.terminate() == 0
    assert scene.portal.count("PUT") == 1


def test_a_sweep_that_takes_longer_than_its_interval_is_not_run_twice(
    environ: dict[str, str],
) -> None:
    """A sweep longer than its interval is not started twice: its turn is skipped and logged."""
    service, pause = Daemon(load(None, environ)), threading.Event()
    service.start()
    try:
        with service.listing.lock, capture_logs() as events:
            for _ in range(100):
                service.schedule.run_at(SWEEP, datetime.now(UTC))
                if pause.wait(0.05) or "sweep_still_running" in [line["event"] for line in events]:
                    break
    finally:
        service.stop()
    assert "sweep_still_running" in [line["event"] for line in events]


def test_a_task_that_is_under_way_is_not_begun_again() -> None:
    """A task that is running is not started again; its turn is skipped, and the end waits."""
    began, goes_on, left_out = threading.Event(), threading.Event(), threading.Event()

    def run() -> None:
        began.set()
        goes_on.wait(20)

    schedule, now = Schedule(), datetime.now(UTC)
    schedule.add(ScheduledTask("long", run, timedelta(days=1), on_overlap=left_out.set), now)
    schedule.start()
    assert began.wait(20)
    schedule.run_at("long", now)
    assert left_out.wait(20)
    assert not schedule.stop(0)
    goes_on.set()


def test_a_clock_that_is_set_back_stops_no_sweep(environ: dict[str, str]) -> None:
    """A clock that is set back delays no sweep, although its planned time is now far ahead."""
    service = Daemon(load(None, environ))
    service.start()
    try:
        assert eventually(lambda: service.ledger.settings.get(NEXT_SWEEP))
        far = datetime.now(UTC) + timedelta(days=400)
        service.schedule.run_at(SWEEP, far)
        service.follow_clock()
        planned = service.schedule.next_run(SWEEP)
        assert planned is not None
        assert planned < far - timedelta(days=1)
    finally:
        service.stop()


def test_a_daemon_whose_start_failed_can_be_stopped(environ: dict[str, str]) -> None:
    """A daemon whose start failed can be stopped, so that systemd can restart it."""
    service = Daemon(load(None, environ))
    service.schedule.start()  # the second start of it fails
    with pytest.raises(SchedulerAlreadyRunningError):
        service.start()
    assert service.stop()
    assert not service.is_alive()


def test_a_daemon_that_never_started_can_be_stopped(environ: dict[str, str]) -> None:
    """A daemon that was never started can be stopped, and each part closes what it opened."""
    assert Daemon(load(None, environ)).stop()


def test_a_schedule_tells_whether_it_runs() -> None:
    """A schedule reports whether it runs: a daemon that no longer sweeps is not healthy."""
    schedule = Schedule()
    assert not schedule.is_alive()
    schedule.start()
    assert schedule.is_alive()
    assert schedule.stop(1)
    assert not schedule.is_alive()
