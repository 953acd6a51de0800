"""`reconciler init`: from an address and a key to files that work, with and without a terminal."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.config import load
from reconciler.sandbox import Server
from reconciler.service.setup import Answers, Setup
from tests import program
from tests.daemon import daemon, free_port
from tests.program import exits
from tests.support_http import answering, http
from tests.support_office import Office, office
from tests.support_tls import authority, needs_openssl
from tests.support_webhooks import NARROW, WIDE, address

PATH = "/docspace/review-comment"


@dataclass
class Scene(Office):
    """A portal, an empty folder to install in, and the file of a key."""

    server: Server
    file: int
    folder: Path
    key: str

    def run(self, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `reconciler init` without a terminal."""
        return program.run(["init", *options], self.environ(**environ), self.folder)

    def told(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run it with the portal's address and the key's file."""
        return self.run("--portal", self.server.url, "--key-file", str(self.key_file), *more)

    def environ(self, **more: str) -> dict[str, str]:
        """Return an environment that tells nothing of ours."""
        return {"PATH": os.environ["PATH"], "HOME": "/nowhere", **more}

    @property
    def key_file(self) -> Path:
        """A file with the key, outside the folder."""
        return self.folder.parent / "key"

    @property
    def config(self) -> Path:
        """The configuration to be."""
        return self.folder / "config.toml"

    def files(self) -> dict[str, bytes]:
        """Return what lies in the folder."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A portal with one room, and a key that may administer webhooks."""
    place = office("room_admin", retry_seconds=(0.2,))
    file, key = place.create(), place.portal.add_key(place.bot, WIDE)
    (tmp_path / "here").mkdir()
    with Server(place.portal) as server:
        made = Scene(**vars(place), server=server, file=file, folder=tmp_path / "here", key=key)
        made.key_file.write_text(f"{key}\n", encoding="utf-8")
        yield made


def test_a_script_installs_with_one_command(scene: Scene) -> None:
    """The webhook is registered before `serve` has run, and `serve` takes its deliveries."""
    port = str(free_port())
    done = exits(0, scene.told("--port", port, "--public-url", f"http://127.0.0.1:{port}"))
    for word in ("DocSpace 3.7.2", "Review Bot", "*:write", "Legal"):
        assert word in done.stderr
    assert f"Webhook 1 calls http://127.0.0.1:{port}{PATH}" in done.stdout
    assert "reconciler serve" in done.stdout
    modes = {path.name: path.stat().st_mode & 0o777 for path in scene.folder.iterdir()}
    assert modes == {"config.toml": 0o644, "webhook_secret": 0o600}
    with daemon(scene.environ(RECONCILER_ADMIN__PORT="0"), scene.folder):
        scene.portal.save(scene.file, by=scene.ann)
        assert scene.server.drain()
    assert scene.portal.deliveries[-1].status == 200


def test_a_second_run_changes_nothing(scene: Scene) -> None:
    """It says what is so already; the portal gets no second webhook."""
    port = str(free_port())
    scene.told("--port", port, "--public-url", f"http://127.0.0.1:{port}")
    before = scene.files()
    again = exits(0, scene.run())
    assert scene.files() == before
    assert "stays as it is" in again.stdout
    assert "already" in again.stdout
    assert len(scene.portal.webhooks) == 1


@pytest.mark.parametrize(("given", "missing"), [((), "--portal"), (("--portal",), "--key-file")])
def test_without_a_terminal_a_missing_answer_is_named(
    scene: Scene, given: tuple[str, ...], missing: str
) -> None:
    """Exit 2, by the name of its option."""
    done = scene.run(*given, *(scene.server.url for _ in given))
    assert (done.returncode, done.stderr.split()[0]) == (2, missing)
    assert scene.files() == {}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http(200, b"<html>", Content_Type="text/html"), "instead of JSON"),
        (http(301, Location="https://portal.test/api/2.0/x"), "set portal.url"),
        (http(500), "settings/version/build"),
    ],
    ids=["a page", "moved", "down"],
)
def test_an_address_that_is_no_portal_ends_it(scene: Scene, answer: bytes, said: str) -> None:
    """Exit 3 with the cause first; nothing is written."""
    with answering(answer) as line:
        done = exits(3, scene.run("--portal", line.url, "--key-file", str(scene.key_file)))
    assert said in done.stderr.splitlines()[0]
    assert scene.files() == {}


def test_a_wrong_key_ends_it(scene: Scene) -> None:
    """Exit 3, and what to do."""
    scene.key_file.write_text("sk-wrong", encoding="utf-8")
    done = exits(3, scene.told())
    assert "Developer Tools" in done.stderr
    assert scene.files() == {}


def test_a_key_file_that_is_not_there_is_named(scene: Scene) -> None:
    """Exit 2."""
    scene.key_file.unlink()
    assert str(scene.key_file) in exits(2, scene.told()).stderr


@needs_openssl
def test_an_unknown_authority_is_told(scene: Scene) -> None:
    """Exit 3, and the setting that trusts it."""
    _, context = authority(scene.folder.parent)
    with address(tls=context) as url:
        portal = url.removesuffix(PATH)
        done = exits(3, scene.run("--portal", portal, "--key-file", str(scene.key_file)))
    assert "ca_bundle" in done.stderr


def test_another_answer_replaces_nothing_unasked(scene: Scene) -> None:
    """Without a terminal it needs --yes; then that key alone changes."""
    scene.told("--port", "3456")
    text = scene.config.read_text("utf-8") + '\n[review]\ncomment = "Check me"  # ours\n'
    scene.config.write_text(text, encoding="utf-8")
    refused = scene.run("--port", "3457")
    assert (refused.returncode, scene.config.read_text("utf-8")) == (2, text)
    assert "webhook.port is 3456" in refused.stderr
    done = exits(0, scene.run("--port", "3457", "--yes"))
    assert scene.config.read_text("utf-8") == text.replace("3456", "3457")
    assert "Restart serve" in done.stderr


def test_what_the_environment_tells_is_written_down(scene: Scene) -> None:
    """Address, key and secret: a service has another environment."""
    told = {"DOCSPACE_API_HOST": scene.server.url, "DOCSPACE_API_KEY": scene.key}
    exits(0, scene.run(DOCSPACE_WEBHOOK_SECRET="Hooks-Secret-1!", **told))
    config = load(scene.config, {})
    assert (config.portal.url, config.api_key()) == (scene.server.url, scene.key)
    assert config.secrets() == ("Hooks-Secret-1!",)
    assert (scene.folder / "api_key").stat().st_mode & 0o777 == 0o600


def test_a_variable_that_would_win_is_refused(scene: Scene) -> None:
    """Else what was written would not be what `serve` does."""
    done = exits(
        2,
        program.run(
            ["init", "--portal", scene.server.url, "--key-file", str(scene.key_file)],
            scene.environ(DOCSPACE_API_KEY="sk-other"),
            scene.folder,
        ),
    )
    assert "environment" in done.stderr
    assert scene.files() == {}


def test_without_the_right_the_webhook_is_left_to_a_person(scene: Scene) -> None:
    """It says where, with which address and which secret."""
    narrow = scene.portal.add_key(scene.bot, NARROW)
    scene.key_file.write_text(narrow, encoding="utf-8")
    done = exits(0, scene.told("--public-url", "https://hooks.test"))
    assert f"https://hooks.test{PATH}" in done.stderr
    assert "webhook_secret" in done.stderr


def test_an_address_that_is_not_reached_leaves_a_configuration(scene: Scene) -> None:
    """All but the webhook is done; the exit code is that of `webhook register`."""
    done = exits(2, scene.told("--port", "0", "--public-url", f"http://127.0.0.1:{free_port()}"))
    assert "no answer from" in done.stderr
    assert set(scene.files()) == {"config.toml", "webhook_secret"}


def test_an_address_of_another_machine_is_told(scene: Scene) -> None:
    """`serve` could not listen there either."""
    done = exits(69, scene.told("--host", "192.0.2.1", "--public-url", "http://127.0.0.1:9"))
    assert "Cannot listen on 192.0.2.1" in done.stderr
    assert scene.config.exists()


def test_a_failure_takes_back_what_was_written(scene: Scene) -> None:
    """The key's file is written first, and the secret's cannot be."""
    text = '[webhook]\nsecret_file = "absent/secrets"\n'
    scene.config.write_text(text, encoding="utf-8")
    told = {"DOCSPACE_API_HOST": scene.server.url, "DOCSPACE_API_KEY": scene.key}
    done = exits(2, scene.run(**told))
    assert "webhook.secret_file" in done.stderr
    assert scene.files() == {"config.toml": text.encode()}


def test_a_folder_that_is_not_there_is_named_first(scene: Scene) -> None:
    """Before anything is asked."""
    assert str(scene.folder / "absent") in exits(2, scene.told("-c", "absent/config.toml")).stderr


def test_what_a_service_writes_lies_where_it_may_write(tmp_path: Path) -> None:
    """Beside the machine's own configuration only root may."""
    home, state = tmp_path / "etc", tmp_path / "lib"
    home.mkdir()
    state.mkdir()
    setup = Setup(home / "config.toml", {}, (home, state))
    setup.plan(Answers("http://127.0.0.1:9", "sk-1")).write()
    config = load(home / "config.toml", {})
    assert config.state.path == state / "reconciler.db"
    assert config.api_key() == "sk-1"
    assert {path.name for path in state.iterdir()} == {"api_key", "webhook_secret"}


def test_a_key_that_others_can_read_is_told(scene: Scene) -> None:
    """As `config check` would."""
    scene.key_file.chmod(0o644)
    assert f"chmod 600 {scene.key_file}" in scene.told().stderr


def test_a_public_address_that_is_none_is_refused(scene: Scene) -> None:
    """Before anything is written."""
    done = exits(2, scene.told("--public-url", "hooks.test"))
    assert "webhook.public_url" in done.stderr
    assert scene.files() == {}


@pytest.mark.parametrize("options", [("--portal", "foo"), ("--public-url", "ftp://hooks")])
def test_a_wrong_answer_is_not_put_down_to_a_variable(
    scene: Scene, options: tuple[str, ...]
) -> None:
    """Nobody set one: it is the option that must be mended."""
    done = scene.told(*options)
    assert (done.returncode, "variable" in done.stderr) == (2, False), done.stderr


def test_on_a_terminal_it_asks_until_the_portal_accepts(scene: Scene) -> None:
    """Again after a wrong address and after a wrong key; the key is never shown."""
    with closing(program.Dialogue(["init"], scene.environ(), scene.folder)) as one:
        one.answer("Address of the portal", "portal")
        one.answer("Address of the portal", "http://127.0.0.1:9")
        one.answer("API key", "sk-wrong")
        one.answer("Address of the portal", scene.server.url)
        one.answer("API key", "sk-wrong")
        one.answer("API key", scene.key)
        one.answer("Listen on this address", "")
        one.answer("Listen on this port", "many")
        one.answer("Listen on this port", "3456")
        one.answer("Address under which", "")
        assert one.end() == 0, one.said
    assert scene.key not in one.said
    config = load(scene.config, {})
    assert (config.api_key(), config.webhook.host, config.webhook.port) == (
        scene.key,
        "127.0.0.1",
        3456,
    )


def test_ctrl_c_leaves_nothing_behind(scene: Scene) -> None:
    """Also after the portal has accepted the key."""
    words = ["init", "--portal", scene.server.url, "--key-file", str(scene.key_file)]
    with closing(program.Dialogue(words, scene.environ(), scene.folder)) as one:
        one.interrupt("Listen on this address")
        assert one.end() != 0
    assert "Traceback" not in one.said
    assert scene.files() == {}
