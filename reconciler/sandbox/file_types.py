"""Types of files by their extension: ``fileType``, viewers, sizes in words."""

from enum import IntEnum


class FileType(IntEnum):
    """``fileType`` numbers."""

    UNKNOWN = 0
    ARCHIVE = 1
    VIDEO = 2
    AUDIO = 3
    IMAGE = 4
    SPREADSHEET = 5
    PRESENTATION = 6
    DOCUMENT = 7
    PDF = 10
    DIAGRAM = 11


_BY_EXTENSION = {
    FileType.ARCHIVE: ".zip .rar .gz .7z",
    FileType.VIDEO: ".mp4 .webm .mov .avi",
    FileType.AUDIO: ".mp3 .wav .ogg",
    FileType.IMAGE: ".png .jpg .jpeg .gif .bmp .webp .svg",
    FileType.SPREADSHEET: ".xlsx .xls .ods .csv",
    FileType.PRESENTATION: ".pptx .ppt .odp",
    FileType.DOCUMENT: ".docx .doc .odt .txt .rtf .md",
    FileType.PDF: ".pdf",
    FileType.DIAGRAM: ".vsdx",
}
_TYPES = {ext: kind for kind, exts in _BY_EXTENSION.items() for ext in exts.split()}
_EDITABLE = (".docx", ".xlsx", ".pptx", ".csv", ".txt")
_OFFICE = (FileType.DOCUMENT, FileType.SPREADSHEET, FileType.PRESENTATION)


def extension(title: str) -> str:
    """Return the extension with its dot, lower case; empty without one."""
    dot = title.rfind(".")
    return title[dot:].lower() if dot >= 0 else ""


def file_type(title: str) -> FileType:
    """Return the type of a file."""
    return _TYPES.get(extension(title), FileType.UNKNOWN)


def accessibility(title: str) -> dict[str, bool]:
    """Return ``viewAccessibility``: how the web client can open the file."""
    kind, ext = file_type(title), extension(title)
    return {
        "ImageView": kind is FileType.IMAGE,
        "MediaView": kind in (FileType.VIDEO, FileType.AUDIO),
        "WebView": kind in _OFFICE or kind is FileType.PDF,
        "WebEdit": ext in _EDITABLE,
        "WebReview": ext == ".docx",
        "WebCustomFilterEditing": ext == ".xlsx",
        "WebRestrictedEditing": ext == ".docx",
        "WebComment": ext in (".docx", ".xlsx", ".pptx"),
        "MustConvert": kind in _OFFICE and ext not in _EDITABLE,
    }


def size_text(size: int) -> str:
    """Write a size as ``contentLength`` does: 24.12 KB."""
    amount, unit = float(size), "bytes"
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if amount < 1024 or unit == "TB":
            break
        amount /= 1024
    return f"{amount:.2f}".rstrip("0").rstrip(".") + f" {unit}"
