"""The texts the portal writes, in the acting user's language (docspace.md 4.2).

Both the comments of save paths and the error messages are localised: code that compares
texts in English only works for English-speaking users.
"""

from datetime import UTC, datetime
from enum import Enum, auto


class Text(Enum):
    """What the portal has to say; the wording depends on the culture."""

    EDITED = auto()
    SAVED = auto()
    AUTOSAVED = auto()
    UPLOADED = auto()
    OVERWRITTEN = auto()
    CONVERTED = auto()
    RESTORED = auto()
    CHANGED_OWNER = auto()
    COPIED = auto()
    CREATED = auto()
    SUBMITTED = auto()
    UNLOCKED = auto()
    SAVE_LOST = auto()
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
        "Edited",
        "Saved",
        "Autosaved",
        "Uploaded",
        "Overwritten",
        "Converted from {0}",
        "Restored from the revision of {0}",
        "Changed owner",
        "Copied",
        "Created",
        "Submitted form",
        "The file is unlocked",
        "Failed to get the file to be saved",
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
        "Bearbeitet",
        "Gespeichert",
        "Automatisch gespeichert",
        "Hochgeladen",
        "Überschrieben",
        "Umgewandelt von {0}",
        "Von Revision {0} wieder hergestellt",
        "Portalbesitzer wurde geändert",
        "Kopiert",
        "Erstellt",
        "Formular abgesendet",
        "Die Datei ist entsperrt",
        "Erhaltung der Datei für die Speicherung ist fehlgeschlagen",
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
        "Modifié(e)",
        "Enregistré",
        "Enregistré automatiquement",
        "Chargée",
        "Remplacé",
        "Convertie de {0}",
        "Restauré(e) à partir de la révision de {0}",
        "Propriétaire est changé",
        "Copiée",
        "Créée",
        "Formulaire soumis",
        "Le fichier est déverrouillé",
        "Impossible d'obtenir le fichier à enregistrer",
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
        "Editado",
        "Guardado",
        "Autoguardado",
        "Subido",
        "Sobrescrito",
        "Convertido de {0}",
        "Restaurado de revisión de {0}",
        "Propietario ha sido cambiado",
        "Copiada",
        "Creada",
        "Formulario enviado",
        "El archivo está desbloqueado",
        "Imposible obtener el archivo para guardarlo",
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
        "Отредактирована",
        "Сохранена",
        "Сохранена автоматически",
        "Загружена",
        "Перезаписана",
        "Сконвертирована из {0}",
        "Восстановлена из ревизии от {0}",
        "Изменен владелец",
        "Скопирована",
        "Создано",
        "Отправленная форма",
        "Файл разблокирован",
        "Не удалось получить файл для сохранения",
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


def say(text: Text, culture: str, value: str = "") -> str:
    """Return ``text`` in ``culture`` (English when unknown), ``{0}`` filled with ``value``."""
    words = _TABLE.get(_language(culture), _TABLE["en"])
    return words[_ORDER.index(text)].replace("{0}", value)


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
