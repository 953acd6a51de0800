"""Which comments the portal writes by itself, in each of its 30 languages (docspace.md 4.2).

The texts are in `portal_texts.json`, taken from the server's resources: culture, name of the text,
text, in which ``{0}`` stands for anything. A save may write several of them, joined by "; ", so a
comment is the portal's own when every part of it is.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

_UNLOCKED = "unlocked"  # the name of the text that unlocking a file writes over its comment
_JOINT = "; "
_ANYTHING = "{0}"


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


@dataclass(frozen=True)
class TextSet:
    """A set of texts: those that stand as they are, and those in which something varies."""

    plain: frozenset[str]
    varying: re.Pattern[str]

    def has(self, text: str) -> bool:
        """Return whether the whole text is one of the set."""
        return text in self.plain or self.varying.fullmatch(text) is not None


@dataclass(frozen=True)
class CommentTexts:
    """What the portal writes by itself: any of its texts, and those that unlocking writes."""

    any: TextSet
    unlocking: TextSet

    def is_portals(self, comment: str) -> bool:
        """Return whether every part of the comment is a text of the portal's."""
        return all(map(self.any.has, comment.split(_JOINT)))

    def is_unlocking(self, comment: str) -> bool:
        """Return whether the comment is a text that unlocking writes."""
        return self.unlocking.has(comment)


@lru_cache
def texts_of(portals: tuple[str, ...] = (), unlocking: tuple[str, ...] = ()) -> CommentTexts:
    """Return the texts of every language, and those that the administrator added."""
    unlocks = unlock_texts() | set(unlocking)
    every = every_text() | set(portals) | unlocks
    return CommentTexts(any=_text_set(every), unlocking=_text_set(unlocks))


def _text_set(texts: Iterable[str]) -> TextSet:
    plain = frozenset(text for text in texts if _ANYTHING not in text)
    varying = map(_pattern, sorted(set(texts) - plain))
    return TextSet(plain, re.compile("|".join(varying) or r"(?!)", re.DOTALL))


def _pattern(text: str) -> str:
    return ".*".join(map(re.escape, text.split(_ANYTHING)))
