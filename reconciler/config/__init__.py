"""config.toml and the environment, parsed once into a frozen value; every problem is listed.

Secrets come from the environment or from a file of their own, never from config.toml, and
never show in a repr. Paths are relative to the config file. `values` has the whole, made of
`sections`, whose values `value_types` checks, and `addresses` those of databases. `load` merges
file and environment and knows the origin of each setting, `problems` are the messages, and `files`
reads the files that the configuration names and edits config.toml.
"""

from reconciler.config.addresses import database as database_address
from reconciler.config.addresses import split_password
from reconciler.config.files import read_text, secret_lines
from reconciler.config.load import load, problems_in, require
from reconciler.config.value_types import duration, public_address
from reconciler.config.values import CONFIG, NAMED, Config, keys

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
