"""Reads small text files; anything else, such as a device without an end, is refused."""

from pathlib import Path

_MAX_LENGTH = 1_000_000  # characters


def read_text(path: Path) -> str:
    """Return the text. Raises OSError, and ValueError for what is no such text."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            text = stream.read(_MAX_LENGTH + 1)
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"it is longer than {_MAX_LENGTH:,} characters")
    return text
