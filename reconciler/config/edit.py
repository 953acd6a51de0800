"""Changes to the text of config.toml that leave its comments and all other keys as they are."""

from collections.abc import Mapping

import tomlkit

BEGINNING = "# Made by: reconciler init. All keys and their values: reconciler config show\n"


def edited(text: str, values: Mapping[str, str | int]) -> str:
    """Return ``text``, which must be valid, with ``values`` by their keys (``section.name``)."""
    document = tomlkit.parse(text or BEGINNING)
    for key, value in values.items():
        section, _, name = key.partition(".")
        if section not in document:
            document[section] = tomlkit.table()
        document[section][name] = value
    return tomlkit.dumps(document)
