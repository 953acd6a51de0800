"""Every text that the portal writes as a comment, in each of its 30 languages (docspace.md 4.2).

The data is `portal_texts.json`, taken from the server's resources: culture, name of the text,
text, in which ``{0}`` stands for anything.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

_UNLOCKED = "unlocked"  # the name of the text that unlocking a file writes over its comment


@cache
def by_culture() -> Mapping[str, Mapping[str, str]]:
    """Return the texts by culture (such as ``de``, ``pt-BR``) and by name (such as ``edited``)."""
    text = resources.files("reconciler").joinpath("portal_texts.json").read_text("utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


@cache
def every_text() -> frozenset[str]:
    """Return all of them, of all languages."""
    return frozenset(text for texts in by_culture().values() for text in texts.values())


@cache
def unlock_texts() -> frozenset[str]:
    """Return those that unlocking a file writes, of all languages."""
    return frozenset(texts[_UNLOCKED] for texts in by_culture().values())
