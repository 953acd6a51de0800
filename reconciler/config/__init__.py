"""config.toml and the environment, parsed once into a frozen value; every problem is listed.

Secrets come from the environment or from a file of their own, never from config.toml, and
never show in a repr. Paths are relative to the config file. `values` and `notify` declare the
sections, `value_types` checks single values, `addresses` those of databases. `load` reads and
merges with `environment`, `files` reads the files that it names; `problems` says what is wrong
with a value, `origins` where each came from, and `edit` changes the text of config.toml.
"""

from reconciler.config.addresses import database as database_address
from reconciler.config.addresses import split_password
from reconciler.config.files import read_text, secret_lines
from reconciler.config.load import CONFIG, NAMED, keys, load, problems_in, require
from reconciler.config.value_types import duration, public_address
from reconciler.config.values import Config

__all__ = [
    "CONFIG",
    "NAMED",
    "Config",
    "database_address",
    "duration",
    "keys",
    "load",
    "problems_in",
    "public_address",
    "read_text",
    "require",
    "secret_lines",
    "split_password",
]
