"""Recognizes the comments that the portal writes by itself, in any language (docspace.md 4.2).

A save may write several of the portal's texts, joined by "; ": a comment is the portal's own when
every part of it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from reconciler.portal_texts import every_text, unlock_texts

_JOINT = "; "
_ANYTHING = "{0}"


@dataclass(frozen=True)
class TextSet:
    """A set of texts: fixed ones, and those in which a part varies."""

    plain: frozenset[str]
    varying: re.Pattern[str]

    def has(self, text: str) -> bool:
        """Return whether the whole text is one of the set."""
        return text in self.plain or self.varying.fullmatch(text) is not None


@dataclass(frozen=True)
class CommentTexts:
    """The texts that the portal writes by itself: all of them, and those that unlocking writes."""

    any: TextSet
    unlocking: TextSet

    def is_portal_text(self, comment: str) -> bool:
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
