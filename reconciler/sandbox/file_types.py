"""Types of files by their extension: ``fileType``, viewers, sizes in words."""

_SPREADSHEET, _PRESENTATION, _DOCUMENT, _PDF = 5, 6, 7, 10
_TYPES = {
    ".csv": _SPREADSHEET,
    ".xlsx": _SPREADSHEET,
    ".odp": _PRESENTATION,
    ".pptx": _PRESENTATION,
    ".docx": _DOCUMENT,
    ".odt": _DOCUMENT,
    ".txt": _DOCUMENT,
    ".pdf": _PDF,
}
"""The ``fileType`` numbers of office files; all others are of unknown type here."""

_EDITABLE = (".docx", ".xlsx", ".pptx", ".csv", ".txt")


def extension(title: str) -> str:
    """Return the extension with its dot, lower case; empty without one."""
    dot = title.rfind(".")
    return title[dot:].lower() if dot >= 0 else ""


def file_type(title: str) -> int:
    """Return the type of a file; 0 is unknown."""
    return _TYPES.get(extension(title), 0)


def accessibility(title: str) -> dict[str, bool]:
    """Return ``viewAccessibility``: how the web client can open the file."""
    ext = extension(title)
    return {
        "ImageView": False,
        "MediaView": False,
        "WebView": ext in _TYPES,
        "WebEdit": ext in _EDITABLE,
        "WebReview": ext == ".docx",
        "WebCustomFilterEditing": ext == ".xlsx",
        "WebRestrictedEditing": ext == ".docx",
        "WebComment": ext in (".docx", ".xlsx", ".pptx"),
        "MustConvert": ext in _TYPES and ext not in (*_EDITABLE, ".pdf"),
    }


def size_text(size: int) -> str:
    """Write a size as ``contentLength`` does: 24.12 KB."""
    amount, unit = float(size), "bytes"
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if amount < 1024 or unit == "TB":
            break
        amount /= 1024
    return f"{amount:.2f}".rstrip("0").rstrip(".") + f" {unit}"
