"""What the webhook commands do; each call opens and closes what it needs."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from errno import EADDRINUSE

from reconciler.client import Webhook
from reconciler.config import Config, public_address
from reconciler.errors import AddressInUseError, ConfigError, LedgerError
from reconciler.formats import utcnow
from reconciler.ledger import is_there
from reconciler.receiver import Receiver
from reconciler.service.build import build_components, receiver_settings
from reconciler.service.server import Server
from reconciler.triggers import UPDATED
from reconciler.webhooks import SecretFile, WebhookAdministration, make_secret, secret_to_register


@dataclass(frozen=True)
class Registered:
    """A new webhook. ``ignored`` are triggers that the receiver does not accept."""

    webhook: Webhook
    ignored: tuple[str, ...]


@contextmanager
def open_administration(
    config: Config, *, create: bool = True, test: bool = True
) -> Iterator[WebhookAdministration]:
    """Open the administration within the block. Raises ConfigError or LedgerError.

    Without ``create`` no ledger is created; an existing one still records what the key may do.
    Without ``test`` no address is tested before the portal is asked.
    """
    with ExitStack() as opened:
        read_only = not create and not is_there(config.database())
        administration = build_components(config, opened, read_only=read_only).administration
        yield administration if test else replace(administration, tester=None)


def ensure_secret(config: Config) -> bool:
    """Write a new secret where the configured file has none; return whether one was written."""
    path = config.webhook.secret_file
    if config.webhook.secret is not None or path is None:
        return False
    file = SecretFile(path)
    if file.read():
        return False
    file.write((make_secret(),))
    return True


def register(
    config: Config,
    url: str | None,
    triggers: Sequence[str],
    name: str | None = None,
    *,
    test: bool = True,
) -> Registered:
    """Create our webhook at ``url`` or webhook.public_url, with file.updated and ``triggers``.

    ``name`` is its name on the portal's page; without ``test`` the address is not tested first.

    Raises ConfigError, AddressUnreachableError, WebhookExistsError, WebhookRejectedError,
    PortalError.
    """
    address, accepted = _address(config, url), config.webhook.triggers
    chosen = tuple(dict.fromkeys((UPDATED, *triggers))) if triggers else accepted
    secret = secret_to_register(config.secrets())
    with open_administration(config, test=test) as administration:
        webhook = administration.register(address, secret, chosen, name)
    return Registered(webhook, tuple(one for one in chosen if one not in accepted))


def _address(config: Config, url: str | None) -> str:
    try:
        address = public_address(url) if url else config.webhook.public_url
    except ValueError as error:
        raise ConfigError((f"--url {error}",)) from error
    if address is None:
        raise ConfigError(
            ("webhook.public_url is missing: set the address under which the portal reaches us",)
        )
    return address


def rotate(config: Config, *, test: bool = True) -> Webhook:
    """Give the portal a new secret.

    Raises ConfigError, WebhookNotFoundError, AddressUnreachableError, WebhookRejectedError,
    PortalError.
    """
    path = config.webhook.secret_file
    if path is None or config.webhook.secret is not None:
        raise ConfigError(
            (
                "webhook rotate needs webhook.secret_file, and no DOCSPACE_WEBHOOK_SECRET beside "
                "it: put the secret into that file, and restart serve once",
            )
        )
    with open_administration(config, test=test) as administration:
        return administration.rotate(SecretFile(path))


@contextmanager
def answering(config: Config) -> Iterator[None]:
    """Answer at webhook.host and webhook.port within the block, unless `serve` does.

    The portal asks an address before it accepts a webhook there (docspace.md 6). A delivery that
    comes meanwhile gets 503, so that the portal sends it again. Raises ConfigError, and
    AddressInUseError for an address at which not even `serve` could listen.
    """
    webhook = config.webhook
    receiver = Receiver(receiver_settings(config), _refuse, utcnow, lambda _: None)
    try:
        server = Server(
            receiver,
            webhook.host,
            webhook.port,
            threads=2,
            max_bytes=webhook.max_body_bytes + 1,
            trusted_proxy=webhook.trusted_proxy,
        )
    except AddressInUseError as error:
        taken = isinstance(error.__cause__, OSError) and error.__cause__.errno == EADDRINUSE
        if not taken:
            raise
        yield  # the test of the address shows whether the receiver of `serve` answers
        return
    server.start()
    try:
        yield
    finally:
        server.stop(1.0)


def _refuse(*_: object) -> bool:
    raise LedgerError("there is no ledger yet")


def register_first(config: Config) -> Webhook:
    """Register our webhook before `serve` has ever run, with no ledger where there is none yet.

    Raises AddressInUseError, WebhookExistsError, AddressUnreachableError, WebhookRejectedError,
    ConfigError, PortalError.
    """
    secret = secret_to_register(config.secrets())
    with answering(config), open_administration(config, create=False) as administration:
        return administration.register(_address(config, None), secret, config.webhook.triggers)
