"""`reconciler webhook` beside a real daemon: what it does, what it refuses, and in which order."""

import json
import re
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from reconciler.sandbox import Fault, Server
from reconciler.webhooks import SecretFile, secret_faults
from tests import program, waiting
from tests.daemon import daemon, environment, free_port
from tests.program import exits
from tests.support_http import answering, http
from tests.support_office import Office, office
from tests.support_tls import authority, needs_openssl
from tests.support_webhooks import NARROW, WIDE, address

FIRST = "First-Secret-1!"


@dataclass
class Scene(Office):
    """A portal with one file, a daemon to be, and a file for its secrets."""

    server: Server
    file: int
    environ: dict[str, str]
    folder: Path

    @property
    def url(self) -> str:
        """Where the daemon listens."""
        return self.environ["RECONCILER_WEBHOOK__PUBLIC_URL"]

    @property
    def secrets(self) -> SecretFile:
        """The file of secrets."""
        return SecretFile(self.folder / "secrets")

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `reconciler webhook ...`."""
        return program.run(["webhook", *words], self.environ | more, self.folder)

    def save(self) -> int:
        """Save the file; return what the receiver answered."""
        self.portal.save(self.file, by=self.ann)
        assert self.server.drain()
        return self.portal.deliveries[-1].status

    def logged(self, text: str) -> bool:
        """Wait until the daemon's log holds a text; whether it came."""
        return waiting.logged(self.folder, text)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A portal without webhooks, a key of all scopes, a file with one secret."""
    place = office("room_admin", retry_seconds=(0.2,))
    file, key, port = place.create(), place.portal.add_key(place.bot, WIDE), free_port()
    with Server(place.portal) as server:
        environ = environment(server.url, key, tmp_path, port)
        del environ["DOCSPACE_WEBHOOK_SECRET"]
        environ["RECONCILER_WEBHOOK__SECRET_FILE"] = str(tmp_path / "secrets")
        environ["RECONCILER_WEBHOOK__PUBLIC_URL"] = (
            f"http://127.0.0.1:{port}/docspace/review-comment"
        )
        made = Scene(**vars(place), server=server, file=file, environ=environ, folder=tmp_path)
        made.secrets.write((FIRST,))
        yield made


@pytest.fixture
def registered(scene: Scene) -> Iterator[Scene]:
    """The same with a running daemon, whose webhook was registered by the command."""
    with daemon(scene.environ, scene.folder):
        exits(0, scene.run("register"))
        yield scene


def test_a_registered_webhook_delivers_and_is_listed_as_ours(scene: Scene) -> None:
    """From nothing to an accepted delivery with one command."""
    with daemon(scene.environ, scene.folder):
        done = exits(0, scene.run("register", "--trigger", "file.uploaded"))
        assert "webhook.triggers" in done.stderr
        assert scene.save() == 200
        listed = json.loads(scene.run("list", "--json").stdout)["webhooks"]
    (webhook,) = listed
    assert (webhook["ours"], webhook["enabled"], webhook["url"]) == (True, True, scene.url)
    assert webhook["triggers"] == ["file.uploaded", "file.updated"]
    assert datetime.fromisoformat(webhook["last_success"]).tzinfo is None, "its zone is not known"


def test_a_second_registration_changes_nothing(registered: Scene) -> None:
    """It is no error, and makes no second webhook: each event would come twice."""
    again = registered.run("register")
    assert (again.returncode, again.stderr) == (0, "")
    assert "webhook 1 has the address" in again.stdout
    assert len(registered.portal.webhooks) == 1


def test_a_webhook_whose_secret_was_lost_is_no_success(scene: Scene) -> None:
    """A new secret in the file is not the one that the webhook has: it must be rotated."""
    scene.portal.add_webhook(by=scene.bot, url=scene.url, secret=FIRST)
    (scene.folder / "secrets").unlink()
    done = scene.run("register")
    assert (done.returncode, "reconciler webhook rotate" in done.stderr) == (2, True)


def test_a_webhook_is_not_removed_without_an_answer(scene: Scene) -> None:
    """In a script nobody answers: it must say so beforehand."""
    number = scene.portal.add_webhook(by=scene.bot, url=scene.url, secret=FIRST)
    done = scene.run("remove", str(number))
    assert (done.returncode, "needs --yes" in done.stderr) == (2, True)
    assert list(scene.portal.webhooks) == [number]


def test_without_a_daemon_it_says_what_to_start(scene: Scene) -> None:
    """The portal's own refusal would tell no reason; the portal is not asked."""
    done = exits(2, scene.run("register"))
    assert "reconciler serve" in done.stderr
    assert scene.portal.count("POST") == 0


def test_a_secret_is_made_where_there_is_none(scene: Scene) -> None:
    """Fit for the portal, for its owner alone, and never printed."""
    (scene.folder / "secrets").unlink()
    done = scene.run("register")
    (secret,) = scene.secrets.read()
    assert secret_faults(secret) == ()
    assert (scene.folder / "secrets").stat().st_mode & 0o777 == 0o600
    assert secret not in done.stdout + done.stderr
    with daemon(scene.environ, scene.folder):
        assert scene.run("register").returncode == 0
        assert scene.save() == 200


def test_another_receiver_at_the_address_is_noticed(scene: Scene) -> None:
    """A daemon with another secret would refuse every delivery."""
    with daemon(scene.environ, scene.folder):
        other = scene.folder / "other"
        SecretFile(other).write(("Other-Secret-1!",))
        done = exits(2, scene.run("register", RECONCILER_WEBHOOK__SECRET_FILE=str(other)))
    assert "another secret" in done.stderr


NO_WAY = "http://127.0.0.1:9/docspace/review-comment"  # nobody answers at this port


@pytest.mark.parametrize("words", [("register",), ("enable",), ("rotate",)])
def test_an_address_that_only_the_portal_can_reach_is_not_asked(
    scene: Scene, words: tuple[str, ...]
) -> None:
    """Where this network leads no way back to it; the option is named by the error."""
    if words != ("register",):
        scene.portal.add_webhook(by=scene.bot, url=NO_WAY, secret=FIRST)
    more = {"RECONCILER_WEBHOOK__PUBLIC_URL": NO_WAY}
    done = scene.run(*words, **more)
    assert (done.returncode, "--no-probe" in done.stderr) == (2, True)
    assert scene.portal.count("POST") + scene.portal.count("PUT") == 0
    done = scene.run(*words, "--no-probe", **more)
    assert (done.returncode, f"no answer from {NO_WAY}" in done.stderr) == (3, True), "the portal's"


def test_without_a_test_of_the_address_all_else_is_the_same(scene: Scene) -> None:
    """Registered, enabled, and a new secret that the daemon takes."""
    with daemon(scene.environ, scene.folder):
        assert scene.run("register", "--no-probe").returncode == 0
        assert scene.run("enable", "--no-probe").returncode == 0
        assert scene.run("rotate", "--no-probe").returncode == 0
        assert scene.portal.webhooks[1].secret == scene.secrets.read()[0] != FIRST
        assert scene.save() == 200


def test_this_machine_is_asked_through_no_proxy(scene: Scene) -> None:
    """Neither the daemon's address nor the portal's, whatever the environment says."""
    proxies = dict.fromkeys(("http_proxy", "HTTPS_PROXY", "all_proxy"), "http://127.0.0.1:9")
    with daemon(scene.environ | proxies, scene.folder):
        exits(0, scene.run("register", **proxies))
        assert scene.save() == 200


def test_the_proxy_is_named_through_which_our_address_was_asked(scene: Scene) -> None:
    """It may be the one that refuses."""
    url = "http://hooks.example.org/docspace"
    with answering(http(403)) as proxy:
        done = scene.run(
            "register", "--url", url, HTTP_PROXY=proxy.url, no_proxy="127.0.0.1,localhost"
        )
    assert done.returncode == 2
    assert f"status 403 from {url}: (through the proxy of HTTP_PROXY)" in done.stderr
    assert [one.line for one in proxy.requests] == [f"HEAD {url} HTTP/1.1"]


@needs_openssl
@pytest.mark.parametrize("words", [("register",), ("rotate",)])
def test_a_certificate_of_our_own_is_trusted_when_it_is_configured(
    scene: Scene, words: tuple[str, ...]
) -> None:
    """Until the portal trusts its authority too, the portal gets no answer."""
    bundle, tls = authority(scene.folder)
    with address(200, tls=tls) as url:
        if words == ("rotate",):
            scene.portal.add_webhook(by=scene.bot, url=url, secret=FIRST)
        more = {"RECONCILER_WEBHOOK__PUBLIC_URL": url}
        done = scene.run(*words, **more)
        assert (done.returncode, "portal.ca_bundle" in done.stderr) == (2, True)
        more["RECONCILER_PORTAL__CA_BUNDLE"] = str(bundle)
        done = scene.run(*words, **more)
        assert (done.returncode, f"no answer from {url}" in done.stderr) == (3, True)
        scene.portal.trusted = ssl.create_default_context(cafile=bundle)
        exits(0, scene.run(*words, **more))
        (webhook,) = scene.portal.webhooks.values()
        assert (webhook.url, webhook.ssl, webhook.secret) == (url, True, scene.secrets.read()[0])
        assert scene.save() == 200


@pytest.mark.parametrize(
    ("words", "more", "code", "hint"),
    [
        (("register",), {"RECONCILER_WEBHOOK__PUBLIC_URL": ""}, 2, "public_url"),
        (("register", "--url", "hooks.example.org"), {}, 2, "--url"),
        (("register", "--trigger", "file.foo"), {}, 2, "file.foo"),
        (("register", "--name", "n" * 51), {}, 2, "name has 51 characters"),
        (("register", "--name", "\N{PARTY POPPER}" * 26), {}, 2, "name has 52 characters"),
        (("register", "--name", " "), {}, 2, "no name"),
        (("enable",), {}, 2, "webhook register"),
        (("enable", "x"), {}, 2, "webhook list"),
        (("remove", "99", "--yes"), {}, 2, "no webhook 99"),
        (("rotate",), {"DOCSPACE_WEBHOOK_SECRET": "Aa1!Aa1!"}, 2, "secret_file"),
        (("list",), {"DOCSPACE_API_KEY": "sk-none"}, 3, "DOCSPACE_API_KEY"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    scene: Scene, words: tuple[str, ...], more: dict[str, str], code: int, hint: str
) -> None:
    """An exit code and the next step, never a traceback."""
    if more.get("RECONCILER_WEBHOOK__PUBLIC_URL") == "":
        del scene.environ["RECONCILER_WEBHOOK__PUBLIC_URL"]
        more = {}
    done = scene.run(*words, **more)
    assert (done.returncode, hint in re.sub(r"[\s│]+", " ", done.stderr)) == (code, True)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "scope"),
    [("list", "*:read"), ("register", "*:write"), ("enable", "*:write"), ("rotate", "*:write")],
)
def test_a_key_without_the_scope_is_told_which(scene: Scene, command: str, scope: str) -> None:
    """Exit 3, and nothing was done: also the file of secrets is as it was."""
    scene.portal.add_webhook(by=scene.bot, url=scene.url, secret=FIRST)
    permissions = NARROW if scope == "*:read" else (*NARROW, "*:read")
    key = scene.portal.add_key(scene.bot, permissions)
    done = scene.run(command, DOCSPACE_API_KEY=key)
    assert (done.returncode, scope in done.stderr) == (3, True), done.stderr
    assert scene.secrets.read() == (FIRST,)


def test_a_disabled_webhook_is_enabled_and_any_is_removed(scene: Scene) -> None:
    """Ours without a word, another by its id."""
    scene.portal.add_webhook(by=scene.bot, url=scene.url, secret=FIRST, enabled=False)
    other = scene.portal.add_webhook(by=scene.bot, url="http://127.0.0.1:9/x", secret=FIRST)
    with daemon(scene.environ, scene.folder):
        assert scene.run("enable").returncode == 0
        assert scene.portal.webhooks[1].enabled
        assert scene.run("enable", str(other)).returncode == 2
    assert scene.run("remove", str(other), "--yes").returncode == 0
    assert list(scene.portal.webhooks) == [1]


@pytest.mark.parametrize(
    ("words", "route"),
    [
        (("register",), "POST settings/webhook"),
        (("enable",), "PUT settings/webhook/enable"),
        (("rotate",), "PUT settings/webhook"),
    ],
)
def test_an_address_that_the_portal_itself_cannot_reach_is_told(
    scene: Scene, words: tuple[str, ...], route: str
) -> None:
    """It answers 500 when its HEAD was refused or timed out; from here all is well."""
    if words != ("register",):
        scene.portal.add_webhook(by=scene.bot, url=scene.url, secret=FIRST)
    scene.portal.faults.add(Fault(route, "status", status=500))
    with daemon(scene.environ, scene.folder):
        done = exits(3, scene.run(*words))
    assert f"gets no answer from {scene.url}" in done.stderr
    assert all(word in done.stderr for word in ("10 s", "resolve", "firewall", "proxy"))


def test_an_address_that_the_portal_does_not_like_is_told_with_all_that_it_asks_for(
    scene: Scene,
) -> None:
    """400 for a private one, as for an error there, a name that is taken, and a weak secret."""
    scene.portal.refuse_private_addresses = True
    with daemon(scene.environ, scene.folder):
        done = exits(3, scene.run("register"))
    assert f"rejects {scene.url}" in done.stderr
    assert all(word in done.stderr for word in ("2xx", "private", "--name", "30 characters"))


def test_another_accounts_webhook_at_the_address_needs_another_name(scene: Scene) -> None:
    """It is not to be seen, and name and address together are unique (docspace.md 6)."""
    scene.portal.add_webhook(by=scene.ann, url=scene.url, secret=FIRST, name="reconciler")
    with daemon(scene.environ, scene.folder):
        assert scene.run("register").returncode == 3
        assert scene.run("register", "--name", "n" * 50).returncode == 0
    assert [one.name for one in scene.portal.webhooks.values()] == ["reconciler", "n" * 50]


def test_when_the_portal_reaches_no_address_both_secrets_stay(registered: Scene) -> None:
    """500 may be another trouble after the new one was stored: nothing may be refused."""
    registered.portal.faults.add(Fault("PUT settings/webhook", "status", status=500))
    assert registered.run("rotate").returncode == 3
    assert len(registered.secrets.read()) == 2
    assert registered.save() == 200


def test_a_rotation_refuses_nothing_and_needs_no_restart(registered: Scene) -> None:
    """Before, during and after it each delivery is accepted."""
    assert registered.save() == 200
    done = exits(0, registered.run("rotate"))
    new, old = registered.secrets.read()
    assert old == FIRST
    assert registered.portal.webhooks[1].secret == new
    assert registered.save() == 200
    assert registered.logged("secrets_read")
    assert {one.status for one in registered.portal.deliveries} == {200}
    log = (registered.folder / "serve.log").read_text("utf-8")
    assert new not in done.stdout + done.stderr + log


def test_a_rotation_that_the_portal_took_back_is_noticed(registered: Scene) -> None:
    """A delivery under way writes the old configuration back; the log names the older secret."""
    before = registered.portal.webhooks[1]
    assert registered.run("rotate").returncode == 0
    assert registered.save() == 200
    registered.portal.webhooks[1] = before
    assert registered.save() == 200
    assert registered.logged('"older_secret": 1')


def test_when_the_portal_refuses_the_new_secret_the_file_is_put_back(registered: Scene) -> None:
    """400, 403 and 429 are definite: nothing was changed there."""
    route = "PUT settings/webhook"
    refusals = [Fault(route, "status", status=status) for status in (400, 403)]
    for fault in (*refusals, Fault(route, "throttle")):
        registered.portal.faults.add(fault)
        assert registered.run("rotate").returncode == 3
        assert registered.secrets.read() == (FIRST,)
    assert registered.save() == 200


def test_when_the_answer_is_lost_both_secrets_stay(registered: Scene) -> None:
    """The portal has the new one, and nobody knows: nothing may be refused."""
    registered.portal.faults.add(Fault("PUT settings/webhook", "reset_after"))
    done = registered.run("rotate")
    assert (done.returncode, "rotate again" in done.stderr) == (3, True)
    assert len(registered.secrets.read()) == 2
    assert registered.save() == 200
    assert registered.run("rotate").returncode == 0
    assert registered.save() == 200


def test_without_a_running_daemon_nothing_is_rotated(scene: Scene) -> None:
    """Nobody would know the new secret."""
    scene.portal.add_webhook(by=scene.bot, url=scene.url, secret=FIRST)
    assert scene.run("rotate").returncode == 2
    assert scene.secrets.read() == (FIRST,)
    assert scene.portal.webhooks[1].secret == FIRST


def test_removing_without_a_terminal_takes_yes(scene: Scene) -> None:
    """A script is not kept waiting."""
    scene.portal.add_webhook(by=scene.bot, url=scene.url, secret=FIRST)
    assert scene.run("remove", "ours", "--yes").returncode == 0
    assert not scene.portal.webhooks


def test_a_daemon_mends_its_webhook_when_told_to(scene: Scene) -> None:
    """It watches some seconds after its start, and the portal asks it before it agrees."""
    scene.portal.add_webhook(by=scene.bot, url=scene.url, secret=FIRST, enabled=False)
    with daemon(scene.environ | {"RECONCILER_WEBHOOK__SELF_HEAL": "true"}, scene.folder):
        assert scene.logged("webhook_enabled_again")
        assert scene.portal.webhooks[1].enabled
        assert scene.save() == 200
