"""The section [notify]: the addresses are in a file that only its owner can read."""

from pathlib import Path

import pytest

from reconciler.config import Config, load, require
from reconciler.errors import ConfigError


def configured(folder: Path, content: str, mode: int = 0o600) -> Config:
    """Return a configuration whose file of addresses has this content."""
    path = folder / "urls"
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    return load(None, {"RECONCILER_NOTIFY__URLS_FILE": str(path)})


def test_nobody_is_notified_by_default() -> None:
    """By default nothing is sent."""
    assert Config().notify.urls() == ()


def test_the_file_has_one_address_a_line(tmp_path: Path) -> None:
    """The file has one address per line; blank lines, comments and repetitions are ignored."""
    text = "# ours\njson://a.example\n\n  ntfy://b.example/x  \njson://a.example\n"
    assert configured(tmp_path, text).notify.urls() == ("json://a.example", "ntfy://b.example/x")


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    """A file that others can read is refused, since its addresses contain passwords; the message
    has the command that restricts it.
    """
    config = configured(tmp_path, "json://a.example\n", mode)
    with pytest.raises(ConfigError) as caught:
        config.notify.urls()
    path = tmp_path / "urls"
    assert caught.value.problems == (
        f"notify.urls_file {path} can be read by others: chmod 600 {path}",
    )


@pytest.mark.parametrize("content", ["", "# nothing yet\n"])
def test_a_file_without_an_address_is_refused(content: str, tmp_path: Path) -> None:
    """A file without an address is refused."""
    with pytest.raises(ConfigError, match="has no address"):
        configured(tmp_path, content).notify.urls()


@pytest.mark.parametrize("key", ["DIGEST_EVERY", "OVERDUE_AFTER"])
def test_a_message_without_an_address_is_refused(key: str) -> None:
    """A digest or reminder without an address is refused."""
    with pytest.raises(ConfigError, match=r"notify\.urls_file is missing"):
        load(None, {f"RECONCILER_NOTIFY__{key}": "1d"}).notify.urls()


def test_who_acts_is_told_before_the_start(tmp_path: Path) -> None:
    """The file's problem is listed with all others at the start."""
    with pytest.raises(ConfigError) as caught:
        require(configured(tmp_path, ""), webhook=False)
    assert [one for one in caught.value.problems if "notify.urls_file" in one]
