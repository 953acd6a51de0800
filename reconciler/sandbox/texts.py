"""The texts the portal writes, in the acting user's language (docspace.md 4.2).

Both the comments of save paths and the error messages are localised: code that compares
texts in English only works for English-speaking users. The comments are those of
``reconciler.portal_texts``, of all 30 languages; messages are here, of a few.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum, StrEnum, auto

from reconciler import portal_texts

SEPARATOR = "; "
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


class Text(Enum):
    """What the portal says to a refused request; the wording depends on the culture."""

    FILE_NOT_FOUND = auto()
    FOLDER_NOT_FOUND = auto()
    LOCKED = auto()
    NO_EDIT = auto()
    NO_READ_FILE = auto()
    NO_READ_FOLDER = auto()
    IN_TRASH = auto()
    DENIED = auto()


EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""A date for accounts that never registered."""

_ORDER = tuple(Text)

_TABLE: dict[str, tuple[str, ...]] = {
    "en": (
        "The required file was not found",
        "The required folder was not found",
        "The file is currently locked by another user",
        "You do not have enough permissions to edit the file",
        "You don't have enough permission to view the file",
        "You don't have enough permission to view the folder content",
        "You are not allowed to preview the elements in the Trash",
        "Access denied",
    ),
    "de": (
        "Die angefragte Datei wurde nicht gefunden",
        "Der angefragte Ordner wurde nicht gefunden",
        "Die Datei ist vom anderen Benutzer gesperrt",
        "Keine Bearbeitungsberechtigung für diese Datei",
        "Sie haben keine Berechtigung, die Datei durchzusehen",
        "Sie haben keine Berechtigung, den Inhalt des Ordners zu sehen",
        "Sie dürfen die Elemente im Papierkorb nicht ansehen",
        "Zugriff verweigert",
    ),
    "fr": (
        "Le fichier requis n'a pas été trouvé",
        "Le dossier requis est introuvable",
        "Le fichier est bloqué par un autre utilisateur",
        "Vous n'avez pas les autorisations suffisantes pour modifier le fichier",
        "Vous n'avez pas l'autorisation suffisante pour lire le fichier",
        "Vous n'avez pas l'autorisation suffisante pour afficher le contenu du dossier",
        "Vous n'êtes pas autorisé à afficher des éléments dans la corbeille",
        "Accès refusé",
    ),
    "es": (
        "El archivo solicitado no es encontrado",
        "La carpeta solicitada no es encontrada",
        "El archivo se está bloqueando por otro usuario",
        "Usted no tiene suficientes permisos para editar el archivo",
        "No hay permiso suficiente para ver el archivo",
        "No hay suficiente permiso para ver la carpeta",
        "No se permite ver los elementos de la papelera",
        "Acceso denegado",
    ),
    "ru": (
        "Запрашиваемый файл не найден",
        "Запрашиваемая папка не найдена",
        "Файл заблокирован другим пользователем",
        "Недостаточно прав для редактирования файла",
        "Недостаточно прав для просмотра файла",
        "Недостаточно прав для просмотра папки",
        "Запрещено просматривать элементы корзины",
        "Доступ запрещен",
    ),
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
        cultures = {**portal_texts.by_culture(), **(added or {})}
        self._cultures = {name.lower(): texts for name, texts in cultures.items()}

    def say(self, comment: Comment, culture: str, value: str = "") -> str:
        """Return a comment in ``culture``, ``{0}`` filled with ``value``."""
        text = self._find(culture).get(comment) or portal_texts.by_culture()["en"][comment]
        return text.replace("{0}", value)

    def join(self, comments: tuple[Comment, ...], culture: str) -> str:
        """Return several comments of one save as the portal writes them."""
        return SEPARATOR.join(self.say(comment, culture) for comment in comments)

    def _find(self, culture: str) -> Mapping[str, str]:
        """Return the texts of a culture, else of its parent (``de`` for ``de-DE``), or English."""
        name = culture.lower()
        while name not in self._cultures and name:
            name = name.rpartition("-")[0]
        return self._cultures[name or "en"]


def say(text: Text, culture: str) -> str:
    """Return a message in ``culture``, in English when it is none of those known here."""
    return _TABLE.get(_language(culture), _TABLE["en"])[_ORDER.index(text)]


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
