"""Our webhook at the portal: which one it is, its issues, its secrets, their rotation, and the test
of its address.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from reconciler.client import Webhook
from reconciler.errors import AddressUnreachableError, ConfigError
from reconciler.ledger import Ledger, WebhookState
from reconciler.model import Event
from reconciler.receiver import Receiver, ReceiverSettings, Reply
from reconciler.webhooks import (
    AddressTester,
    ReloadingSecrets,
    SecretFile,
    WebhookAdministration,
    WebhookSpec,
    assess_webhook,
    find_webhook,
    make_secret,
    secret_faults,
    secret_to_register,
)
from tests.program import FORKSERVER, exits, output
from tests.support_ledger import url
from tests.support_tls import authority, needs_openssl
from tests.support_webhooks import Stand, address, serving, stand
from tests.world import Clock

HERE = "https://hooks.example.org/docspace/review-comment"
WANTED = WebhookSpec(HERE, "/docspace/review-comment", ("file.updated",))
WEBHOOK = Webhook(7, "reconciler", HERE, True, 512, "", "bot", "Review Bot")
OLD, NEW, NEWER = "Old-Secret-1!", "New-Secret-1!", "Newer-Secret-1!"


NOBODY = 65534  # a user and a group without rights
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not root")
needs_mounts = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(
        ["unshare", "-m", "mount", "--bind", "/dev/null", "/dev/zero"],  # noqa: S607
        capture_output=True,
        check=False,
    ).returncode
    != 0,
    reason="nothing may be mounted here",
)


# Which webhook is ours, and its issues.


def test_a_sound_webhook_has_nothing_wrong() -> None:
    """A webhook with our address, enabled, with the right triggers, has no issue."""
    state = assess_webhook([WEBHOOK], WANTED, None)
    assert (state.webhook, state.issues, state.message(WANTED)) == (WEBHOOK, (), "")


@pytest.mark.parametrize(
    ("webhook", "issue", "message"),
    [
        (replace(WEBHOOK, enabled=False), WebhookState.DISABLED, "is disabled"),
        (replace(WEBHOOK, triggers=256), WebhookState.TRIGGERS, "file.updated"),
        (
            replace(WEBHOOK, url="https://old.example.org/x"),
            WebhookState.ADDRESS,
            "old.example.org",
        ),
    ],
)
def test_each_issue_is_named(webhook: Webhook, issue: WebhookState, message: str) -> None:
    """Each issue has a message that names its cause."""
    state = assess_webhook([webhook], WANTED, 7)
    assert state.issues == (issue,)
    assert message in state.message(WANTED)


def test_without_any_webhook_it_is_missing() -> None:
    """If only other webhooks exist, ours is missing."""
    other = replace(WEBHOOK, id=9, url="https://other.example.org/there")
    assert assess_webhook([other], WANTED, 7).issues == (WebhookState.MISSING,)


def test_an_address_is_the_same_whatever_the_case_of_its_host() -> None:
    """Addresses are compared without the case of the host, since the portal keeps them as typed."""
    assert (
        find_webhook([replace(WEBHOOK, url=HERE.replace("hooks", "HOOKS"))], WANTED, None)
        is not None
    )


def test_of_two_at_our_address_ours_is_the_known_then_the_enabled_one() -> None:
    """Of two webhooks with our address ours is the one known by id, else the enabled one."""
    off, on = replace(WEBHOOK, id=3, enabled=False), replace(WEBHOOK, id=5)
    assert find_webhook([off, on], WANTED, None) == on
    assert find_webhook([off, on], WANTED, 3) == off


def test_without_an_address_of_ours_the_only_one_with_our_path_is_it() -> None:
    """Without a public address, the only webhook with our path is ours; of two neither is."""
    wanted = replace(WANTED, url=None)
    assert find_webhook([WEBHOOK], wanted, None) == WEBHOOK
    assert find_webhook([WEBHOOK, replace(WEBHOOK, id=8)], wanted, None) is None


# Secrets.


def test_a_made_secret_meets_the_portals_rules() -> None:
    """A generated secret always meets the portal's rules, and no two are equal."""
    made = {make_secret() for _ in range(1000)}
    assert len(made) == 1000
    assert not any(secret_faults(secret) or "," in secret for secret in made)


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("Aa1!Aa1", "8 to 30"),
        ("Aa1!" * 7 + "Aa1", "8 to 30"),
        ("aaaaaa1!", "upper"),
        ("AAAAAA1!", "lower"),
        ("Aaaaaaa!", "digit"),
        ("Aaaaaaa1", "special"),
        ("Aaaa aa1!", "ASCII"),
        ("Äaaaaaa1!", "ASCII"),
    ],
)
def test_a_secret_that_the_portal_would_refuse_is_known_before(secret: str, fault: str) -> None:
    """A secret that the portal would refuse, without saying why, is refused before."""
    assert any(fault in words for words in secret_faults(secret))


@pytest.mark.parametrize("secret", ["Aa1!Aa1!", "Aa1!" * 7 + "Aa"])
def test_8_to_30_characters_are_all_that_the_portal_asks_for(secret: str) -> None:
    """Secrets of 8 and of 30 characters are both valid (docspace.md 6)."""
    assert secret_faults(secret) == ()


def test_of_a_variable_the_first_fair_part_is_registered() -> None:
    """Of the variable `new,old` the first part that meets the rules is registered."""
    assert secret_to_register((f"{NEW},{OLD}", NEW, OLD)) == NEW
    with pytest.raises(ConfigError, match="digit"):
        secret_to_register(("weak",))
    with pytest.raises(ConfigError, match="missing"):
        secret_to_register(())


def test_the_file_is_its_owners_alone_and_replaced_as_a_whole(tmp_path: Path) -> None:
    """The file of secrets is replaced atomically, for its owner; a symlink stays one."""
    path, link = tmp_path / "secrets", tmp_path / "link"
    path.write_text(f"{OLD}\n", "utf-8")
    path.chmod(0o644)
    link.symlink_to(path)
    SecretFile(link).write((NEW, OLD))
    assert SecretFile(path).read() == (NEW, OLD)
    assert path.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "secrets"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file that cannot be written is named with its key and path."""
    with pytest.raises(ConfigError, match=r"webhook\.secret_file"):
        SecretFile(tmp_path / "missing" / "secrets").write((NEW,))


@needs_mounts
def test_a_file_that_is_mounted_by_itself_is_written_in_place(tmp_path: Path) -> None:
    """A file that is itself a mount is written in place: it cannot be replaced (EBUSY)."""
    there, mounted = tmp_path / "there", tmp_path / "folder" / "secrets"
    mounted.parent.mkdir()
    mounted.touch()
    for before, after in (((OLD,), (NEW, OLD)), ((NEW, OLD), (OLD,))):
        SecretFile(there).write(before)
        inode = there.stat().st_ino
        code = f"SecretFile(Path({str(mounted)!r})).write({after!r})"
        exits(0, in_a_mount(there, mounted, code))
        assert there.read_text("utf-8") == "".join(f"{line}\n" for line in after)
        assert there.stat().st_ino == inode
    assert [one.name for one in mounted.parent.iterdir()] == ["secrets"]


@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o1777], ids=["no right to create", "none to rename"])
def test_a_file_in_a_folder_of_somebody_else_is_written_in_place(mode: int) -> None:
    """A file in another user's folder is written in place, and keeps its owner and mode."""
    with tempfile.TemporaryDirectory() as name:
        folder, file = Path(name), Path(name, "secrets")
        file.write_text(f"{OLD}\n", "utf-8")
        file.chmod(0o666)
        folder.chmod(mode)
        assert as_nobody(file, (NEW, OLD)) == 0
        assert SecretFile(file).read() == (NEW, OLD)
        assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (0, 0o666)
        assert list(folder.iterdir()) == [file]
        file.chmod(0o644)
        assert as_nobody(file, (NEWER,)) == 1, "told as what cannot be written"
        assert SecretFile(file).read() == (NEW, OLD)


@needs_root
def test_a_file_that_its_owner_may_only_read_is_written_by_him() -> None:
    """A file of mode 0400 in root's folder, as in the guide, can be rotated by its owner."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "secrets")
        file.write_text(f"{OLD}\n", "utf-8")
        file.chmod(0o400)
        os.chown(file, NOBODY, NOBODY)
        Path(name).chmod(0o755)
        assert as_nobody(file, (NEW, OLD)) == 0
        assert SecretFile(file).read() == (NEW, OLD)
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("lines", [(NEW, OLD), (NEW, OLD, NEWER)])
def test_a_file_that_finds_no_room_stays_as_it_was(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """If the disk is full the file stays as it was, whether it is replaced or written in place."""
    file = tmp_path / "secrets"
    file.write_text(OLD, "utf-8")
    process = FORKSERVER.Process(target=_write_without_room, args=(file, lines))
    process.start()
    process.join()
    assert process.exitcode == 1
    assert file.read_text("utf-8") == OLD
    assert list(tmp_path.iterdir()) == [file]


def as_nobody(file: Path, lines: tuple[str, ...]) -> int:
    """Write the secrets without root's privileges; return 1 for ConfigError."""
    process = FORKSERVER.Process(target=_write_as_nobody, args=(file, lines))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _write_as_nobody(file: Path, lines: tuple[str, ...]) -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    _write(file, lines)


def _write_without_room(file: Path, lines: tuple[str, ...]) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(OLD) + 5, len(OLD) + 5))
    _write(file, lines)


def _write(file: Path, lines: tuple[str, ...]) -> None:
    try:
        SecretFile(file).write(lines)
    except ConfigError:
        os._exit(1)


def in_a_mount(there: Path, mounted: Path, code: str) -> "subprocess.CompletedProcess[str]":
    """Run code in which a file is mounted over another, for that process alone."""
    whole = f"from pathlib import Path; from reconciler.webhooks import SecretFile; {code}"
    script = 'mount --bind "$1" "$2" && exec "$3" -c "$4"'
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(there), str(mounted), sys.executable]
    return output([*words, whole])


# The file of secrets changes.


@dataclass
class Reloading:
    """A file of secrets that is reloaded, and the logged events."""

    path: Path
    events: list[str]
    secrets: ReloadingSecrets


@pytest.fixture
def reloading(tmp_path: Path) -> Reloading:
    """A file with one secret."""
    events: list[str] = []
    path = tmp_path / "secrets"
    SecretFile(path).write((OLD,))
    secrets = ReloadingSecrets(
        path, lambda _: events.append("read"), lambda _: events.append("not read")
    )
    return Reloading(path, events, secrets)


def test_every_line_counts_without_a_restart(reloading: Reloading) -> None:
    """The file is checked before each delivery, every line is valid, changes are logged once."""
    SecretFile(reloading.path).write((NEWER, NEW, OLD))
    for _ in range(2):
        assert reloading.secrets.current() == (NEWER, NEW, OLD)
    assert reloading.events == ["read"]


def test_an_older_secret_ends_when_its_line_goes(reloading: Reloading) -> None:
    """An older secret is valid until its line is removed."""
    SecretFile(reloading.path).write((NEW, OLD))
    assert reloading.secrets.current() == (NEW, OLD)
    SecretFile(reloading.path).write((NEW,))
    assert reloading.secrets.current() == (NEW,)


@pytest.mark.parametrize("content", [None, "", "\n", b"\xff\xfe\xff"])
def test_a_file_without_secrets_changes_nothing(
    reloading: Reloading, content: str | bytes | None
) -> None:
    """If the file is gone, empty or unreadable, the earlier secrets stay valid."""
    reloading.path.unlink()
    if content is not None:
        reloading.path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for _ in range(2):
        assert reloading.secrets.current() == (OLD,)
    assert reloading.events == ["not read"]


def test_without_any_secret_nothing_starts(tmp_path: Path) -> None:
    """Without any secret nothing starts: an empty file does not mean unsigned."""
    SecretFile(tmp_path / "secrets").write(())
    with pytest.raises(ConfigError, match="has no secret"):
        ReloadingSecrets(tmp_path / "secrets", lambda _: None, lambda _: None)


# A rotation during a delivery.


def test_a_rotation_during_a_delivery_is_undone_and_refuses_nothing(tmp_path: Path) -> None:
    """A rotation during a delivery is undone by the portal, which writes back what it read before;
    no delivery is refused, and a second rotation holds.
    """
    clock, replies = Clock(), list[Reply]()
    file = SecretFile(tmp_path / "secrets")
    file.write((OLD,))
    secrets = ReloadingSecrets(tmp_path / "secrets", lambda _: None, lambda _: None)
    during_delivery: list[Callable[[], object]] = []

    with stand() as here, closing(Ledger(url(tmp_path), here.server.url)) as ledger:

        def record(event: Event, now: datetime) -> bool:
            if during_delivery:
                during_delivery.pop()()
            return ledger.record(event, now)

        accepted = ReceiverSettings(
            WANTED.path, secrets.current, frozenset({"file.updated"}), 2**20
        )
        with serving(Receiver(accepted, record, clock, replies.append), threads=4) as web:
            spec = replace(WANTED, url=f"{web.url}{WANTED.path}")
            admin = WebhookAdministration(
                ledger, here.webhooks, here.docspace.key, spec, clock, AddressTester()
            )
            admin.register(f"{web.url}{WANTED.path}", OLD, ["file.updated"])
            during_delivery.append(lambda: admin.rotate(file))
            save_and_deliver(here, times=2)
            assert here.portal.webhooks[1].secret == OLD
            admin.rotate(file)
            save_and_deliver(here)
            assert here.portal.webhooks[1].secret == file.read()[0]
    assert {reply.code for reply in replies} == {200}


def save_and_deliver(here: Stand, times: int = 1) -> None:
    """Save the file, and wait until the portal has delivered the event."""
    for _ in range(times):
        here.portal.save(here.file, by=here.ann)
        assert here.server.drain()


# The test of the webhook's address.


def test_an_address_that_answers_head_is_fine() -> None:
    """An address that answers HEAD with 2xx meets the portal's condition."""
    with address(204) as there:
        AddressTester().head(there)


@pytest.mark.parametrize("status", [301, 404, 502])
def test_any_other_answer_is_told(status: int) -> None:
    """Any other answer is reported, a redirect too, which the portal does not follow."""
    with address(status) as there, pytest.raises(AddressUnreachableError) as caught:
        AddressTester().head(there)
    assert caught.value.status == status


@needs_openssl
def test_the_configured_certificates_are_trusted_at_our_address_too(tmp_path: Path) -> None:
    """The configured certificates are trusted at our address in addition to the system's; without
    them the key to set is named.
    """
    bundle, tls = authority(tmp_path)
    (tmp_path / "no.pem").write_text("no certificate", "utf-8")
    with address(200, tls=tls) as there:
        AddressTester(bundle).head(there)
        AddressTester(bundle).ping(there, OLD)
        with pytest.raises(
            AddressUnreachableError, match=r"self-signed certificate; portal\.ca_bundle"
        ):
            AddressTester().head(there)
        for unusable in ("no.pem", "missing.pem"):
            with pytest.raises(ConfigError, match=r"portal\.ca_bundle .*cannot be used"):
                AddressTester(tmp_path / unusable).head(there)


@needs_openssl
def test_a_certificate_of_another_name_is_told(tmp_path: Path) -> None:
    """A certificate for another name is reported as such, not as untrusted."""
    bundle, tls = authority(tmp_path, "DNS:hooks.example.org")
    with (
        address(200, tls=tls) as there,
        pytest.raises(AddressUnreachableError, match="not valid for"),
    ):
        AddressTester(bundle).head(there)


@pytest.mark.parametrize("there", ["http://127.0.0.1:9/x", "http://[::1", "http:///x"])
def test_nobody_there_is_told(there: str) -> None:
    """An address that cannot be reached is reported with the reason."""
    with pytest.raises(AddressUnreachableError):
        AddressTester().head(there)
