"""The addresses to notify. The home of Apprise, which is an extra and takes long to load."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.errors import ConfigError
from reconciler.formats import shown
from reconciler.notify.messages import Message, Tone

if TYPE_CHECKING:
    from apprise import Apprise

_EXTRA = "notify.urls_file needs Apprise: pip install 'docspace-reconciler[notify]'"
_NO_ADDRESS = (
    "is not an address that Apprise knows: write it as mailto://USER:PASSWORD@HOST?to=ADDRESS"
)
_MAX_LENGTH = 300  # characters of an error


@dataclass(frozen=True)
class Address:
    """One address. ``id`` is unique and ``name`` is for people; neither has its secrets."""

    id: str
    name: str
    _service: "Apprise" = field(repr=False)

    def send(self, message: Message) -> str:
        """Send a message within seconds; return why it did not arrive, empty when it did."""
        from apprise import NotifyFormat, NotifyType  # noqa: PLC0415 - an extra

        tones = {
            Tone.NEWS: NotifyType.INFO,
            Tone.ALERT: NotifyType.WARNING,
            Tone.RESOLVED: NotifyType.SUCCESS,
        }
        with _log() as captured:
            is_sent = self._service.notify(
                message.body,
                message.title,
                notify_type=tones[message.tone],
                body_format=NotifyFormat.TEXT,
            )
            reasons = captured.getvalue().split("\n")
        if is_sent:
            return ""
        return shown(" ".join(filter(None, reasons)))[:_MAX_LENGTH] or "no reason is given"


def open_addresses(urls: Sequence[str]) -> tuple[Address, ...]:
    """Return the addresses. Raises ConfigError with all invalid ones, and without Apprise."""
    if not urls:
        return ()
    try:
        from apprise import Apprise  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError((_EXTRA,)) from error
    problems: list[str] = []
    found: list[Address] = []
    with _log():
        for name, url in _named(urls):
            service = Apprise()
            if service.add(url):
                found.append(Address(hashlib.sha256(url.encode()).hexdigest(), name, service))
            else:
                problems.append(f"{name} of notify.urls_file {_NO_ADDRESS}")
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(found)


def _log() -> Any:
    """Return a context that captures the log of Apprise, which has the reasons of failures."""
    from apprise import LogCapture  # noqa: PLC0415 - an extra

    return LogCapture(level=logging.WARNING, fmt="%(message)s")  # type: ignore[no-untyped-call]


def _named(urls: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name addresses by their position and service: the rest of them is secret."""
    for number, url in enumerate(urls, 1):
        scheme, there, _ = url.partition("://")
        yield f"address {number} ({scheme})" if there else f"address {number}", url
