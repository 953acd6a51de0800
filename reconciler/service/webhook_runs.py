"""The commands about our webhook: each opens what it needs, does one thing, and closes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from reconciler.client import Webhook
from reconciler.config import Config, public_address
from reconciler.errors import ConfigError
from reconciler.ledger import is_there
from reconciler.service.build import build_components
from reconciler.webhooks import SecretFile, WebhookAdministration, make_secret, secret_to_register


@dataclass(frozen=True)
class Made:
    """A webhook that was registered. ``unheard`` are triggers that the receiver would ignore."""

    webhook: Webhook
    unheard: tuple[str, ...]


@contextmanager
def administration(
    config: Config, *, create: bool = True, probe: bool = True
) -> Iterator[WebhookAdministration]:
    """Open the administration within the block. Raises ConfigError or LedgerError.

    Without ``create`` no ledger is made; in one that is there it is noted what the key may do.
    Without ``probe`` no address is asked before the portal is.
    """
    with ExitStack() as opened:
        read_only = not create and not is_there(config.database())
        found = build_components(config, opened, read_only=read_only).administration
        yield found if probe else found.without_probe()


def provide_secret(config: Config) -> bool:
    """Write a new secret where a file is configured that has none; whether that was needed."""
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
    probe: bool = True,
) -> Made:
    """Create our webhook at ``url`` or webhook.public_url, with file.updated and ``triggers``.

    ``name`` is how the portal's page calls it; without ``probe`` the address is not asked first.

    Raises ConfigError, AddressUnreachableError, WebhookExistsError, WebhookRejectedError,
    PortalError.
    """
    address = _address(config, url)
    wanted = tuple(dict.fromkeys(("file.updated", *triggers)))
    chosen = wanted if triggers else config.webhook.triggers
    secret = secret_to_register(config.secrets())
    with administration(config, probe=probe) as opened:
        webhook = opened.register(address, secret, chosen, name)
    heard = set(config.webhook.triggers)
    return Made(webhook, tuple(one for one in chosen if one not in heard))


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


def rotate(config: Config, *, probe: bool = True) -> Webhook:
    """Give the portal a new secret.

    Raises ConfigError, WebhookNotFoundError, AddressUnreachableError, PortalError.
    """
    path = config.webhook.secret_file
    if path is None or config.webhook.secret is not None:
        raise ConfigError(
            (
                "webhook rotate needs webhook.secret_file, and no DOCSPACE_WEBHOOK_SECRET beside "
                "it: put the secret into that file, and restart serve once",
            )
        )
    with administration(config, probe=probe) as opened:
        return opened.rotate(SecretFile(path))
