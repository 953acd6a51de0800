"""The whole configuration as one frozen value, with what the files that it names hold."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from reconciler.config.addresses import with_password
from reconciler.config.files import distinct, is_exposed, read_password, read_secret, secret_lines
from reconciler.config.sections import (
    SECRET_FILE,
    Admin,
    Limits,
    Log,
    Notify,
    Portal,
    Review,
    State,
    Sweep,
    Webhook,
)
from reconciler.config.value_types import checked_key
from reconciler.errors import ConfigError

PREFIX = "RECONCILER_"
CONFIG = f"{PREFIX}CONFIG"
NAMED = {
    "DOCSPACE_API_HOST": ("portal", "url"),
    "DOCSPACE_API_KEY": ("portal", "api_key"),
    "DOCSPACE_WEBHOOK_SECRET": ("webhook", "secret"),
    "PORT": ("webhook", "port"),
}


class Config(BaseSettings):
    """The whole configuration, frozen. Build it with `load`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    portal: Portal = Portal()
    webhook: Webhook = Webhook()
    review: Review = Review()
    sweep: Sweep = Sweep()
    limits: Limits = Limits()
    state: State = State()
    admin: Admin = Admin()
    log: Log = Log()
    notify: Notify = Notify()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the values that `load` has merged."""
        del settings_cls
        return (init_settings,)

    def portal_url(self) -> str:
        """Return the portal's address. Raises ConfigError when there is none."""
        if self.portal.url is None:
            raise ConfigError(
                ("portal.url is missing: set it in config.toml or as DOCSPACE_API_HOST",)
            )
        return self.portal.url

    def api_key(self) -> str:
        """Return the API key. Raises ConfigError when there is none or its file is unreadable."""
        if self.portal.api_key is not None:
            return self.portal.api_key.get_secret_value()
        if self.portal.api_key_file is None:
            raise ConfigError(
                ("the API key is missing: set DOCSPACE_API_KEY, or portal.api_key_file",)
            )
        text = read_secret(self.portal.api_key_file, "portal.api_key_file")
        try:
            return checked_key(SecretStr(text)).get_secret_value()
        except ValueError as error:
            raise ConfigError((f"portal.api_key_file: {error}",)) from error

    def admin_password(self) -> str | None:
        """Return the password of the admin pages, None when none is needed: on the loopback.

        Raises ConfigError when it is missing, unreadable or empty.
        """
        host, file = self.admin.host, self.admin.password_file
        if file is None:
            if not _is_loopback(host):
                raise ConfigError(
                    (f"admin.host {host} is not this machine alone: set admin.password_file",)
                )
            return None
        password = read_password(file, "admin.password_file")
        if not password:
            raise ConfigError((f"admin.password_file {file} is empty",))
        return password

    def database(self) -> str:
        """Return the ledger's address, password and all. Raises ConfigError."""
        state = self.state
        if state.password is not None:
            return with_password(state.url, state.password.get_secret_value())
        if state.password_file is not None:
            return with_password(
                state.url, read_password(state.password_file, "state.password_file")
            )
        return state.url

    def exposed_files(self) -> tuple[Path, ...]:
        """Return the files with secrets that others than their owner can read."""
        marked = (key.partition(".") for key in marked_keys(SECRET_FILE))
        files = (getattr(getattr(self, section), name) for section, _, name in marked)
        return tuple(file for file in files if file is not None and is_exposed(file))

    def secrets(self) -> tuple[str, ...]:
        """Return the webhook's secrets, newest first; none when none is configured.

        An environment variable counts as a whole, then by its comma-separated parts; a file
        has one secret a line. Raises ConfigError when the file is unreadable or empty.
        """
        if self.webhook.secret is not None:
            whole = self.webhook.secret.get_secret_value()
            return distinct([whole, *whole.split(",")])
        if self.webhook.secret_file is None:
            return ()
        file, made = self.webhook.secret_file, "reconciler webhook register makes it"
        found = secret_lines(read_secret(file, "webhook.secret_file", made), file)
        if not found:
            raise ConfigError((f"webhook.secret_file {file} has no secret",))
        return found


def keys() -> dict[str, object]:
    """Return every key (``section.name``) with its default, as the reference lists them."""
    return {
        f"{section}.{name}": field.get_default(call_default_factory=True)
        for section, name, field in _fields()
    }


def marked_keys(mark: str) -> list[str]:
    """Return the keys that `sections` marks as SECRET or as SECRET_FILE."""
    return [
        f"{section}.{name}"
        for section, name, field in _fields()
        if field.json_schema_extra == {"mark": mark}
    ]


def variable_of(key: str) -> str:
    """Return the environment variable that sets a key: a name of its own, else the general one."""
    names = {f"{section}.{name}": variable for variable, (section, name) in NAMED.items()}
    return names.get(key, PREFIX + key.replace(".", "__").upper())


def paths() -> list[tuple[str, str]]:
    """Return the section and the name of each key that names a file."""
    return [
        (section, name) for section, name, field in _fields() if field.annotation == Path | None
    ]


def _fields() -> Iterator[tuple[str, str, FieldInfo]]:
    for section, outer in Config.model_fields.items():
        for name, field in type(outer.default).model_fields.items():
            yield section, name, field


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
