"""Texts, numbers and times in the form that a database, a terminal or a browser takes."""

from datetime import UTC, datetime

LAST_NUMBER = 2**63 - 1  # what a database holds
DATABASE_ADDRESS = "sqlite:/// and a path, or postgresql+psycopg://USER@HOST/DATABASE"
POSTGRESQL_SCHEMES = {"postgresql", "postgresql+psycopg"}


def storable(text: str) -> str:
    """Return the text with what no database can hold (lone surrogates, NUL) replaced."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def shown(text: str) -> str:
    """Return what the portal or a person wrote, safe for a terminal: it cannot end a line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def length_of_time(seconds: int) -> str:
    """Return a length of time for people, in the largest unit that fits: "4 min"."""
    units = ((86400, "d"), (3600, "h"), (60, "min"))
    size, unit = next((each for each in units if seconds >= each[0]), (1, "s"))
    return f"{seconds // size} {unit}"


def counted(number: int, noun: str = "file") -> str:
    """Return a number with its noun, such as ``1 file`` or ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def document_url(portal: str, file_id: int) -> str:
    """Return the address at which the portal opens a file (docspace.md 4.1)."""
    return f"{portal}/doceditor?fileid={file_id}"


def is_number(value: object) -> bool:
    """Return whether a JSON value is a whole number that a database can hold; True is not one."""
    return type(value) is int and -LAST_NUMBER <= value <= LAST_NUMBER


def whole_number(value: object) -> int | None:
    """Return a JSON value as a whole number, also digits in quotes; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if isinstance(value, int) and is_number(value) else None


def utcnow() -> datetime:
    """Return the time of this machine's clock. Other code is passed a clock."""
    return datetime.now(UTC)


def local_time(moment: datetime) -> str:
    """Return a time in the process's zone (TZ), such as ``2026-01-31 09:30:00 CET``."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"
