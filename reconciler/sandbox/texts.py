"""The texts the portal writes, in the acting user's language (docspace.md 4.2).

Both the comments of save paths and the error messages are localised: code that compares
English texts fails for everybody else. The comments are those of
``reconciler.portal_texts``, in all 30 languages; the messages here are in two.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum, auto

from reconciler.portal_texts import by_culture

_SEPARATOR = "; "
"""Stands between the texts of one save (docspace.md 4.2)."""


class Comment(StrEnum):
    """The comments that the portal writes; the values are the names in ``portal_texts``."""

    AUTOSAVED = auto()
    CONVERTED = auto()
    COPIED = auto()
    CREATED = auto()
    CREATED_BY_DOCUSIGN = auto()
    CREATED_FORM_DRAFT = auto()
    EDITED = auto()
    EDITED_ENCRYPTED = auto()
    ENCRYPTED = auto()
    FORM_SUBMITTED = auto()
    OVERWRITTEN = auto()
    OWNER_CHANGED = auto()
    RESTORED_CHANGE = auto()
    RESTORED_REVISION = auto()
    SAVE_ANONYMOUS = auto()
    SAVE_LOST = auto()
    SAVED = auto()
    UNLOCKED = auto()
    UPLOADED = auto()


class Text(StrEnum):
    """The message to a refused request, in English."""

    FILE_NOT_FOUND = "The required file was not found"
    FOLDER_NOT_FOUND = "The required folder was not found"
    LOCKED = "The file is currently locked by another user"
    NO_EDIT = "You do not have enough permissions to edit the file"
    NO_READ_FILE = "You don't have enough permission to view the file"
    NO_READ_FOLDER = "You don't have enough permission to view the folder content"
    IN_TRASH = "You are not allowed to preview the elements in the Trash"
    DENIED = "Access denied"


_GERMAN = {
    Text.FILE_NOT_FOUND: "Die angefragte Datei wurde nicht gefunden",
    Text.FOLDER_NOT_FOUND: "Der angefragte Ordner wurde nicht gefunden",
    Text.LOCKED: "Die Datei ist vom anderen Benutzer gesperrt",
    Text.NO_EDIT: "Keine Bearbeitungsberechtigung für diese Datei",
    Text.NO_READ_FILE: "Sie haben keine Berechtigung, die Datei durchzusehen",
    Text.NO_READ_FOLDER: "Sie haben keine Berechtigung, den Inhalt des Ordners zu sehen",
    Text.IN_TRASH: "Sie dürfen die Elemente im Papierkorb nicht ansehen",
    Text.DENIED: "Zugriff verweigert",
}

_DATES = {
    "de": "%d.%m.%Y %H:%M:%S",
    "fr": "%d/%m/%Y %H:%M:%S",
    "es": "%d/%m/%Y %H:%M:%S",
    "ru": "%d.%m.%Y %H:%M:%S",
}
_REGIONS = {"en": "en-US", "de": "de-DE", "fr": "fr-FR", "es": "es-ES", "ru": "ru-RU"}


class Comments:
    """The comments by culture: those of the server's 30 languages, and any that are added."""

    def __init__(self, added: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Take further cultures; a text that one of them lacks is English."""
        cultures = {**by_culture(), **(added or {})}
        self._cultures = {name.lower(): texts for name, texts in cultures.items()}

    def say(self, comment: Comment, culture: str, value: str = "") -> str:
        """Return a comment in ``culture``, ``{0}`` filled with ``value``."""
        text = self._find(culture).get(comment) or by_culture()["en"][comment]
        return text.replace("{0}", value)

    def join(self, comments: tuple[Comment, ...], culture: str) -> str:
        """Return several comments of one save as the portal writes them."""
        return _SEPARATOR.join(self.say(comment, culture) for comment in comments)

    def _find(self, culture: str) -> Mapping[str, str]:
        """Return the texts of a culture, else of its parent (``de`` for ``de-DE``), or English."""
        name = culture.lower()
        while name not in self._cultures and name:
            name = name.rpartition("-")[0]
        return self._cultures[name or "en"]


def say(text: Text, culture: str) -> str:
    """Return a message, in German for a German ``culture`` and in English for all others."""
    return _GERMAN[text] if _language(culture) == "de" else text


def moment(local: datetime, culture: str) -> str:
    """Write a local date and time the way ``culture`` does."""
    form = _DATES.get(_language(culture))
    if form:
        return local.strftime(form)
    clock = f"{local.hour % 12 or 12}:{local:%M:%S} {'AM' if local.hour < 12 else 'PM'}"
    return f"{local.month}/{local.day}/{local.year} {clock}"


def region(culture: str) -> str:
    """Return the full name of a culture, as ``cultureName`` shows it."""
    return _REGIONS.get(culture, culture)


def _language(culture: str) -> str:
    return culture.split("-", maxsplit=1)[0].lower()
